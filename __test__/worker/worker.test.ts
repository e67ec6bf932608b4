import { once } from "node:events";
import { connect } from "node:net";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { Cache, TandemError, Worker, type WorkerOptions } from "../../src/index.js";

async function listen(options: WorkerOptions = {}): Promise<Worker> {
  const worker = await Worker.listen({ port: 0, cache: { maxBytes: "16mb" }, ...options });
  onTestFinished(() => worker.close());
  return worker;
}

function client(worker: Worker): Redis {
  const redis = new Redis(worker.port, worker.bind);
  onTestFinished(() => {
    redis.disconnect();
  });
  return redis;
}

test("serves an embedded cache: both sides see the same entries", async () => {
  using cache = new Cache<unknown>({ maxBytes: "16mb" });
  const worker = await listen({ cache });
  const redis = client(worker);

  cache.set("from-here", "text");
  cache.set("number", 41);
  expect(await redis.get("from-here")).toBe("text");
  expect(await redis.incr("number")).toBe(42);
  expect(cache.get("number")).toBe(42);

  await redis.set("from-there", "héllo", "PX", 60_000);
  expect(cache.get("from-there")).toBe("héllo");
  expect(cache.getBuffer("from-there")).toEqual(Buffer.from("héllo"));
  expect(cache.ttl("from-there")).toBeGreaterThan(59_000);

  await redis.flushall();
  expect(cache.size).toBe(0);
});

test("has a cache of its own without one, and closes it", async () => {
  const worker = await listen();
  await client(worker).set("k", "v");
  expect(worker.cache.get("k")).toBe("v");
  await worker.close();
  expect(() => worker.cache.set("k", "v")).toThrow(expect.objectContaining({ code: "Closed" }));
});

test("leaves a cache that it was given open", async () => {
  using cache = new Cache({ maxBytes: "16mb" });
  const worker = await listen({ cache });
  await worker.close();
  cache.set("k", "v");
  expect(cache.get("k")).toBe("v");
});

test("goes on serving when the caller closes the cache first", async () => {
  const cache = new Cache({ maxBytes: "16mb" });
  const worker = await listen({ cache });
  cache.close();
  const redis = client(worker);
  expect(await redis.set("k", "v")).toBe("OK");
  expect(await redis.get("k")).toBe("v");
});

test("several threads serve one cache", async () => {
  const worker = await listen({ threads: 4 });
  const clients = Array.from({ length: 8 }, () => client(worker));
  await Promise.all(
    clients.map(async (redis, number) => {
      for (let round = 0; round < 200; round++) await redis.set(`${number}:${round}`, `${round}`);
    }),
  );
  expect(await clients[0]?.dbsize()).toBe(1_600);
  expect(await clients[1]?.get("7:199")).toBe("199");
  expect(worker.stats()).toMatchObject({ clients: 8, rejected: 0, cut: 0 });
});

test("close answers what was received, then closes the connection", async () => {
  const worker = await listen();
  const socket = connect(worker.port, worker.bind);
  await once(socket, "connect");
  const received: Buffer[] = [];
  socket.on("data", (chunk) => received.push(chunk));
  const ended = once(socket, "end");
  socket.write("SET k v\r\n".repeat(1_000));
  // The first answer shows that the requests have arrived.
  await once(socket, "data");
  await worker.close();
  await ended;
  expect(Buffer.concat(received).toString()).toBe("+OK\r\n".repeat(1_000));
  await expect(once(connect(worker.port, worker.bind), "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("closing twice is closing once", async () => {
  const worker = await Worker.listen({ port: 0, cache: { maxBytes: "16mb" } });
  await Promise.all([worker.close(), worker.close({ drain: 0 })]);
});

test("a port that is taken is an error that says so", async () => {
  const worker = await listen();
  await expect(Worker.listen({ port: worker.port, cache: { maxBytes: "16mb" } })).rejects.toMatchObject({
    code: "CannotListen",
    message: `cannot listen on 127.0.0.1:${worker.port}: the port is taken; stop what uses it or choose another`,
  });
});

test.each([
  [{ port: -1 }, RangeError, "option port must be a whole number from 0 to 65535; got -1"],
  [{ port: "7379" as never }, TypeError, 'option port must be a number; got "7379"'],
  [{ threads: 0 }, RangeError, "option threads must be a whole number from 1 to 256; got 0"],
  [{ bind: "example.org" }, RangeError, 'option bind must be an IP address or "localhost"; got "example.org"'],
  [{ password: "" }, RangeError, "option password must have 1 to 1024 bytes; got 0"],
  [{ password: "é".repeat(513) }, RangeError, "option password must have 1 to 1024 bytes; got 1026"],
  [
    { password: 1234 as never },
    TypeError,
    "option password must be a string or a Uint8Array; got a value of type number",
  ],
  [{ idleTimeout: 10 }, RangeError, "option idleTimeout must be a whole number from 1000 to 2592000000; got 10"],
  [
    { textIdleTimeout: 10 },
    RangeError,
    "option textIdleTimeout must be a whole number from 1000 to 2592000000; got 10",
  ],
  [{ keepalive: 500 }, RangeError, "option keepalive must be a whole number from 1000 to 3600000; got 500"],
  [{ keepalive: 1_500 }, RangeError, "option keepalive must be whole seconds; got 1500 ms"],
  [{ textFraming: "lines" as never }, TypeError, 'option textFraming must be "line" or "message"; got "lines"'],
  [{ scripts: 1 as never }, TypeError, "option scripts must be true or false; got 1"],
  [{ maxClients: 0 }, RangeError, "option maxClients must be a whole number from 1 to 1000000; got 0"],
])("%j is refused", async (options, type, message) => {
  await expect(Worker.listen(options)).rejects.toThrow(new type(message));
});

test.each(["0.0.0.0", "192.168.1.1", "::"])("does not open itself to other machines at %s", async (bind) => {
  const refused = Worker.listen({ bind, port: 0 });
  await expect(refused).rejects.toBeInstanceOf(TandemError);
  await expect(refused).rejects.toThrow(/can be reached from other machines, and there is no password; set one/);
});

test("with a password it listens everywhere, and wants it first", async () => {
  const worker = await listen({ bind: "0.0.0.0", password: "s\u00e9cret" });
  const silent = new Redis(worker.port, "127.0.0.1", { lazyConnect: true, enableReadyCheck: false });
  onTestFinished(() => {
    silent.disconnect();
  });
  await expect(silent.get("k")).rejects.toThrow("NOAUTH Authentication required.");
  await expect(silent.auth("secret")).rejects.toThrow(/^WRONGPASS /);
  await expect(silent.get("k")).rejects.toThrow("NOAUTH Authentication required.");
  expect(await silent.auth("s\u00e9cret")).toBe("OK");
  expect(await silent.set("k", "v")).toBe("OK");

  const told = new Redis(worker.port, "127.0.0.1", { password: "s\u00e9cret" });
  onTestFinished(() => {
    told.disconnect();
  });
  expect(await told.get("k")).toBe("v");
});

test("GETEX changes the expiry alone: an upsert in flight goes on", async () => {
  using cache = new Cache({ maxBytes: "4mb" });
  const worker = await listen({ cache });
  const told = client(worker);
  cache.set("k", "v");
  await cache.upsert("k", async (value) => {
    expect(await told.getex("k", "EX", 100)).toBe("v");
    return `${value}2`;
  });
  expect(cache.get("k")).toBe("v2");
  expect(await told.getex("k", "PXAT", 1)).toBe("v2");
  expect(cache.has("k")).toBe(false);
});

test("runs scripts unless they are off", async () => {
  const on = await listen();
  expect(await client(on).eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, "k", "v")).toBe("OK");
  const off = await listen({ scripts: false });
  await expect(client(off).eval("return 1", 0)).rejects.toThrow("ERR scripts are disabled on this server");
});

test.each(["line", "message"] as const)("speaks the text protocol, a %s a request", async (textFraming) => {
  const worker = await listen({ textFraming, textIdleTimeout: 0 });
  const socket = connect(worker.port, worker.bind);
  const end = textFraming === "line" ? "\n" : "";
  for (const [said, answer] of [
    ["set||k||a||b", "0||"],
    ["get||k", "0||a||b"],
    ["get||none", "2||key not found"],
  ]) {
    socket.write(`${said}${end}`);
    const [seen] = await once(socket, "data");
    expect(String(seen)).toBe(`${answer}${end}`);
  }
  expect(worker.cache.get("k")).toBe("a||b");
  socket.write(`exit${end}`);
  await once(socket, "close");
});

test("a client beyond maxClients is told so", async () => {
  const worker = await listen({ maxClients: 1 });
  expect(await client(worker).ping()).toBe("PONG");
  const socket = connect(worker.port, worker.bind);
  const [answer] = await once(socket, "data");
  expect(String(answer)).toBe("-ERR max number of clients reached\r\n");
  await once(socket, "close");
  expect(worker.stats()).toMatchObject({ clients: 1, rejected: 1 });
});

test.each([-1, 65_536, 1.5])("refuses the admin port %s", async (adminPort) => {
  const message = `option adminPort must be a whole number from 0 to 65535; got ${adminPort}`;
  await expect(Worker.listen({ adminPort })).rejects.toThrow(new RangeError(message));
});

test.each([
  [
    { foo: 1 },
    /Worker\.listen has no option foo; it has port, bind, threads, password, maxClients, idleTimeout, textIdleTimeout, /,
  ],
  [{ logger: console.log }, /option logger must have the functions error, warn, info, debug; it has no error/],
  [5, /options of Worker\.listen must be an object; got 5/],
  [[], /options of Worker\.listen must be an object; got an array/],
  [{ cache: {} }, /option cache must be a Cache, .*; got an object without any/],
  [{ cache: null }, /option cache .*; got null/],
  [{ cache: new Map() }, /option cache .*; got an object \(Map\)/],
  [{ cache: { maxSize: 5 } }, /maxSize does not exist/],
])("refuses %j", async (options, message) => {
  const given = typeof options === "object" && !Array.isArray(options) ? { port: 0, ...options } : options;
  await expect(Worker.listen(given as never)).rejects.toThrow(TypeError);
  await expect(Worker.listen(given as never)).rejects.toThrow(message);
});

test("refuses an option of close that does not exist, and stays open", async () => {
  const worker = await listen();
  await expect(worker.close({ timeout: 5 } as never)).rejects.toThrow(/close has no option timeout; it has drain/);
  expect(await client(worker).ping()).toBe("PONG");
});
