/** Redis clients as they are published, each major version that is in use. */
import { once } from "node:events";
import { Redis as Redis5 } from "ioredis";
import { Redis as Redis6 } from "ioredis6";
import { Redis as IoValkey } from "iovalkey";
import { createClient as createClient5 } from "redis";
import { createClient as createClient4 } from "redis4";
import { BasicClientSideCache, createClient as createClient6 } from "redis6";
import { describe, expect, onTestFinished, test } from "vitest";
import { expectAbout, startWorker, until } from "./worker.js";

const worker = await startWorker();
const url = `redis://127.0.0.1:${worker.port}`;

describe.each([
  ["ioredis 5", Redis5],
  ["ioredis 6", Redis6],
  ["iovalkey", IoValkey],
])("%s", (_, Redis) => {
  function client(options = {}) {
    const redis = new Redis({ host: "127.0.0.1", port: worker.port, connectionName: "tests", ...options });
    onTestFinished(() => redis.disconnect());
    return redis;
  }

  test("becomes ready and reads what it wrote", async () => {
    const redis = client();
    await redis.flushall();
    expect(await redis.set("k", "v", "EX", 100, "NX")).toBe("OK");
    expect(await redis.set("k", "w", "EX", 100, "NX")).toBeNull();
    expect(await redis.get("k")).toBe("v");
    expectAbout(await redis.ttl("k"), 100);
    expect(await redis.mset({ a: "1", b: "2" })).toBe("OK");
    expect(await redis.mget("a", "b", "c")).toEqual(["1", "2", null]);
    expect(await redis.incrby("a", 41)).toBe(42);
    const bytes = Buffer.from([0, 255, 13, 10]);
    await redis.set("bytes", bytes);
    expect(await redis.getBuffer("bytes")).toEqual(bytes);
    expect(await redis.client("GETNAME")).toBe("tests");
    await expect(redis.incr("k")).rejects.toThrow("ERR value is not an integer or out of range");
    expect(await redis.quit()).toBe("OK");
  });

  test("keeps hashes and sets", async () => {
    const redis = client({ db: 1 });
    await redis.flushdb();
    expect(await redis.hset("h", { one: "1", two: "2" })).toBe(2);
    expect(await redis.hgetall("h")).toEqual({ one: "1", two: "2" });
    expect(await redis.hincrby("h", "two", 40)).toBe(42);
    expect(await redis.sadd("s", "a", "b", "a")).toBe(2);
    expect((await redis.smembers("s")).sort()).toEqual(["a", "b"]);
    await expect(redis.get("s")).rejects.toThrow("WRONGTYPE");
  });

  test("pipelines, scans and large values", async () => {
    const redis = client({ db: 2 });
    await redis.flushdb();
    const pipeline = redis.pipeline();
    for (let number = 0; number < 2_000; number++) pipeline.set(`key:${number}`, `${number}`);
    expect((await pipeline.exec()).every(([error, answer]) => error === null && answer === "OK")).toBe(true);
    const seen = [];
    for await (const keys of redis.scanStream({ match: "key:*9", count: 100 })) seen.push(...keys);
    expect(new Set(seen).size).toBe(200);
    expect(seen.length).toBe(200);
    const large = "x".repeat(5_000_000);
    await redis.set("large", large);
    expect((await redis.get("large")) === large).toBe(true);
  });

  test("transactions commit, fail where a watched key changed, and report errors inside", async () => {
    const [redis, other] = [client({ db: 3 }), client({ db: 3 })];
    await redis.flushdb();
    expect(await redis.multi().set("k", "1").incr("k").get("k").exec()).toEqual([
      [null, "OK"],
      [null, 2],
      [null, "2"],
    ]);
    await redis.watch("k");
    await other.set("k", "changed");
    expect(await redis.multi().set("k", "lost").exec()).toBeNull();
    expect(await redis.get("k")).toBe("changed");
    const [[error], [, after]] = await redis.multi().incr("k").get("k").exec();
    expect(error.message).toBe("ERR value is not an integer or out of range");
    expect(after).toBe("changed");
  });

  test("a defined command is sent by its digest, and whole where the server does not know it", async () => {
    const redis = client({ db: 4 });
    await redis.script("FLUSH");
    redis.defineCommand("add", {
      numberOfKeys: 1,
      lua: "return redis.call('INCRBY', KEYS[1], ARGV[1]) + ARGV[2]",
    });
    await redis.del("n");
    expect(await redis.add("n", 5, 10)).toBe(15);
    expect(await redis.add("n", 5, 10)).toBe(20);
  });

  test("listens, and takes binary messages", async () => {
    const [subscriber, publisher] = [client(), client()];
    expect(await subscriber.subscribe("news", "more")).toBe(2);
    expect(await subscriber.psubscribe("ne*")).toBe(3);
    const message = once(subscriber, "messageBuffer");
    const patterned = once(subscriber, "pmessageBuffer");
    const bytes = Buffer.from([0, 255, 13, 10]);
    expect(await publisher.publish("news", bytes)).toBe(2);
    expect(await message).toEqual([Buffer.from("news"), bytes]);
    expect(await patterned).toEqual(["ne*", Buffer.from("news"), bytes]);
    expect(await subscriber.unsubscribe("news", "more")).toBe(1);
    expect(await subscriber.punsubscribe("ne*")).toBe(0);
    expect(await subscriber.get("nothing")).toBeNull();
  });

  test("comes back after its connection was closed", async () => {
    const [redis, other] = [client({ retryStrategy: () => 1 }), client()];
    const id = await redis.client("ID");
    const closed = once(redis, "close");
    expect(await other.client("KILL", "ID", id)).toBe(1);
    await closed;
    expect(await redis.echo("here again")).toBe("here again");
  });
});

describe.each([
  ["node-redis 4", (options) => createClient4({ url, name: "tests", ...options })],
  ["node-redis 5, RESP2", (options) => createClient5({ url, name: "tests", ...options })],
  ["node-redis 5, RESP3", (options) => createClient5({ url, name: "tests", RESP: 3, ...options })],
  ["node-redis 6", (options) => createClient6({ url, name: "tests", ...options })],
])("%s", (name, create) => {
  async function connect(options) {
    const redis = create(options);
    redis.on("error", () => {});
    await redis.connect();
    onTestFinished(() => (name === "node-redis 4" ? redis.disconnect() : redis.destroy()));
    return redis;
  }

  test("connects and reads what it wrote", async () => {
    const redis = await connect({ database: 5 });
    await redis.flushDb();
    expect(await redis.set("k", "v", { PX: 60_000, NX: true })).toBe("OK");
    expect(await redis.set("k", "w", { GET: true })).toBe("v");
    expect(await redis.get("k")).toBe("w");
    expect(await redis.get("missing")).toBeNull();
    expect(await redis.mGet(["k", "missing"])).toEqual(["w", null]);
    expect(await redis.incr("n")).toBe(1);
    expect(await redis.clientGetName()).toBe("tests");
    expect(await redis.configGet("maxmemory-policy")).toMatchObject({ "maxmemory-policy": "allkeys-lfu" });
    expect(await redis.info("server")).toContain("redis_version:7.");
    await Promise.all(Array.from({ length: 1_000 }, (_, number) => redis.set(`key:${number}`, `${number}`)));
    const seen = [];
    for await (const keys of redis.scanIterator({ MATCH: "key:*", COUNT: 50 })) seen.push(...[keys].flat());
    expect(new Set(seen).size).toBe(1_000);
    expect(await redis.del(["k", "n", "missing"])).toBe(2);
    await expect(redis.sendCommand(["NOSUCH", "a"])).rejects.toThrow("ERR unknown command 'NOSUCH'");
  });

  test("keeps hashes and sets", async () => {
    const redis = await connect({ database: 6 });
    await redis.flushDb();
    expect(await redis.hSet("h", { one: "1", two: "2" })).toBe(2);
    expect({ ...(await redis.hGetAll("h")) }).toEqual({ one: "1", two: "2" });
    expect(await redis.sAdd("s", ["a", "b", "a"])).toBe(2);
    expect([...(await redis.sMembers("s"))].sort()).toEqual(["a", "b"]);
    expect(await redis.sIsMember("s", "a")).toBeTruthy();
  });

  test("transactions commit, and fail where a watched key changed", async () => {
    const [redis, other] = await Promise.all([connect({ database: 7 }), connect({ database: 7 })]);
    await redis.flushDb();
    expect(await redis.multi().set("k", "1").incr("k").get("k").exec()).toEqual(["OK", 2, "2"]);
    await redis.watch("k");
    await other.set("k", "changed");
    await expect(redis.multi().set("k", "lost").exec()).rejects.toThrow("watched keys has been changed");
    expect(await redis.get("k")).toBe("changed");
  });

  test("scripts run, by text and by digest", async () => {
    const redis = await connect({ database: 8 });
    const script = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}";
    await redis.del("n");
    expect(await redis.eval(script, { keys: ["n"], arguments: ["a"] })).toEqual(["n", "a", 1]);
    const digest = await redis.scriptLoad(script);
    expect(await redis.evalSha(digest, { keys: ["n"], arguments: ["a"] })).toEqual(["n", "a", 2]);
  });

  test("listens", async () => {
    const [subscriber, publisher] = await Promise.all([connect(), connect()]);
    const got = [];
    const note = (message, channel) => got.push(`${channel}: ${message}`);
    await subscriber.subscribe("news", note);
    await subscriber.pSubscribe("n*", note);
    expect(await publisher.publish("news", "one")).toBe(2);
    expect(await publisher.publish("nuts", "two")).toBe(1);
    await until(() => got.length === 3);
    expect(got.sort()).toEqual(["news: one", "news: one", "nuts: two"]);
    expect(await publisher.pubSubNumPat()).toBe(1);
    await subscriber.unsubscribe("news");
    await subscriber.pUnsubscribe("n*");
    expect(await publisher.publish("news", "three")).toBe(0);
  });
});

describe("a password", async () => {
  process.env.TANDEM_PASSWORD = "open sesame";
  const guarded = await startWorker();
  delete process.env.TANDEM_PASSWORD;
  const address = (password) => `redis://default:${encodeURIComponent(password)}@127.0.0.1:${guarded.port}`;

  test.each([
    ["ioredis 5", Redis5],
    ["ioredis 6", Redis6],
    ["iovalkey", IoValkey],
  ])("%s gives it", async (_, Redis) => {
    const redis = new Redis(address("open sesame"));
    onTestFinished(() => redis.disconnect());
    expect(await redis.set("k", "v")).toBe("OK");
  });

  test.each([
    ["node-redis 4", createClient4],
    ["node-redis 5", createClient5],
    ["node-redis 6", createClient6],
  ])("%s gives it, and learns where it is wrong", async (_, createClient) => {
    const redis = await createClient({ url: address("open sesame") }).connect();
    expect(await redis.set("k", "v")).toBe("OK");
    await redis.quit();
    const wrong = createClient({ url: address("wrong"), socket: { reconnectStrategy: false } }).on("error", () => {});
    await expect(wrong.connect()).rejects.toThrow("WRONGPASS");
  });
});

test("node-redis 6 caches on its side, and is told what changed", async () => {
  const cache = new BasicClientSideCache();
  const redis = await createClient6({ url, clientSideCache: cache }).connect();
  const other = await createClient6({ url }).connect();
  onTestFinished(() => [redis, other].forEach((client) => void client.destroy()));
  await other.set("cached", "one");
  expect([await redis.get("cached"), await redis.get("cached")]).toEqual(["one", "one"]);
  expect(cache.stats().hitCount).toBe(1);
  await other.set("cached", "two");
  await until(async () => (await redis.get("cached")) === "two");
});
