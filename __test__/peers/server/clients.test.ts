/** Unmodified clients against a real `tandem worker`. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Redis as Redis5 } from "ioredis";
import { Redis as Redis6 } from "ioredis6";
import { createClient as createClient5 } from "redis";
import { createClient as createClient6 } from "redis6";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { type Running, startTandem } from "./processes.js";

const run = promisify(execFile);

let tandem: Running;
beforeAll(async () => {
  tandem = await startTandem("--threads", "2");
});
afterAll(() => tandem?.stop());

describe.each([
  ["ioredis 5", Redis5],
  ["ioredis 6", Redis6 as unknown as typeof Redis5],
] as const)("%s", (_, Redis) => {
  function client(options: { db?: number } = {}) {
    const redis = new Redis({ port: tandem.port, connectionName: "tests", ...options });
    onTestFinished(() => redis.disconnect());
    return redis;
  }

  test("becomes ready and reads what it wrote", async () => {
    const redis = client();
    await redis.flushall();
    expect(await redis.set("k", "v", "EX", 100, "NX")).toBe("OK");
    expect(await redis.set("k", "w", "EX", 100, "NX")).toBeNull();
    expect(await redis.get("k")).toBe("v");
    expect(await redis.ttl("k")).toBe(100);
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

  test("pipelines, scans and large values", async () => {
    const redis = client();
    await redis.flushall();
    const pipeline = redis.pipeline();
    for (let number = 0; number < 2_000; number++) pipeline.set(`key:${number}`, `${number}`);
    expect((await pipeline.exec())?.every(([error, answer]) => error === null && answer === "OK")).toBe(true);
    const seen: string[] = [];
    for await (const keys of redis.scanStream({ match: "key:*9", count: 100 })) seen.push(...(keys as string[]));
    expect(new Set(seen).size).toBe(200);
    expect(seen.length).toBe(200);
    const large = "x".repeat(5_000_000);
    await redis.set("large", large);
    expect((await redis.get("large")) === large).toBe(true);
  });

  test("its databases are apart", async () => {
    const zero = client();
    const nine = client({ db: 9 });
    await Promise.all([zero.flushall(), nine.flushall()]);
    await zero.set("k", "zero");
    await nine.set("k", "nine");
    expect([await zero.get("k"), await nine.get("k")]).toEqual(["zero", "nine"]);
  });
});

describe.each([
  ["node-redis 5, RESP2", () => createClient5({ url: `redis://127.0.0.1:${tandem.port}`, name: "tests" })],
  ["node-redis 5, RESP3", () => createClient5({ url: `redis://127.0.0.1:${tandem.port}`, name: "tests", RESP: 3 })],
  ["node-redis 6", () => createClient6({ url: `redis://127.0.0.1:${tandem.port}`, name: "tests" })],
] as const)("%s", (_, create) => {
  test("connects and reads what it wrote", async () => {
    const redis = (create as () => ReturnType<typeof createClient5>)();
    onTestFinished(() => redis.destroy());
    await redis.connect();
    await redis.flushAll();
    expect(await redis.set("k", "v", { expiration: { type: "PX", value: 60_000 }, condition: "NX" })).toBe("OK");
    expect(await redis.set("k", "w", { GET: true })).toBe("v");
    expect(await redis.get("k")).toBe("w");
    expect(await redis.get("missing")).toBeNull();
    expect(await redis.mGet(["k", "missing"])).toEqual(["w", null]);
    expect(await redis.incr("n")).toBe(1);
    expect(await redis.clientGetName()).toBe("tests");
    expect(await redis.configGet("maxmemory-policy")).toMatchObject({ "maxmemory-policy": "allkeys-lfu" });
    expect(await redis.info("server")).toContain("redis_version:7.");
    await Promise.all(Array.from({ length: 1_000 }, (_, number) => redis.set(`key:${number}`, `${number}`)));
    const seen: string[] = [];
    for await (const keys of redis.scanIterator({ MATCH: "key:*", COUNT: 50 })) seen.push(...keys);
    expect(new Set(seen).size).toBe(1_000);
    expect(await redis.del(["k", "n", "missing"])).toBe(2);
    await expect(redis.sendCommand(["NOSUCH", "a"])).rejects.toThrow("ERR unknown command 'NOSUCH'");
  });
});

describeWithPeer("redis-cli", "redis-cli", () => {
  const cli = async (...args: string[]) => (await run("redis-cli", ["-p", `${tandem.port}`, ...args])).stdout;

  test.each([["-2"], ["-3"]])("%s talks to it", async (protocol) => {
    expect(await cli(protocol, "set", "greeting", "hello")).toBe("OK\n");
    expect(await cli(protocol, "get", "greeting")).toBe("hello\n");
    expect(await cli(protocol, "-n", "3", "get", "greeting")).toBe("\n");
    expect(await cli(protocol, "info", "keyspace")).toContain("# Keyspace");
    expect(await cli(protocol, "command", "docs", "get")).toContain("Get the value of a key");
    expect(await cli(protocol, "command", "docs")).toMatch(/Ping the server.*Get the value of a key/s);
  });

  test("its scan finds every key", async () => {
    await cli("flushall");
    await cli("mset", ...Array.from({ length: 100 }, (_, number) => [`key:${number}`, "v"]).flat());
    expect((await cli("--scan", "--pattern", "key:*")).trim().split("\n").sort()).toHaveLength(100);
  });

  test("its mass insertion is answered", async () => {
    const requests = "SET piped 1\r\nINCR piped\r\n".repeat(5_000);
    const child = run("redis-cli", ["-p", `${tandem.port}`, "--pipe"]);
    child.child.stdin?.end(requests);
    expect((await child).stdout).toContain("errors: 0, replies: 10000");
  });
});

describeWithPeer("redis-benchmark", "redis-benchmark", () => {
  test.each([["1"], ["16"]])("a run with pipelines of %s ends without an error", async (depth) => {
    const tests = ["-t", "ping,set,get,incr,mset", "-n", "20000", "-r", "1000", "-d", "100"];
    const flags = ["-p", `${tandem.port}`, "-q", "-P", depth, ...tests];
    const { stdout, stderr } = await run("redis-benchmark", flags);
    expect(stderr).not.toMatch(/error/i);
    expect(stdout.match(/requests per second/g)).toHaveLength(6);
  });
});
