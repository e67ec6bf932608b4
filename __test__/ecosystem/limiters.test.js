/** Limiters and locks as they are published: limits are counted, locks are taken, and both expire. */
import fastifyRateLimit from "@fastify/rate-limit";
import express from "express";
import { rateLimit } from "express-rate-limit";
import Fastify from "fastify";
import { Redis } from "ioredis";
import { RedisStore } from "rate-limit-redis";
import { RateLimiterRedis } from "rate-limiter-flexible";
import { createClient } from "redis";
import Redlock from "redlock";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { listen } from "./listen.js";
import { startWorker, until } from "./worker.js";

const worker = await startWorker();
const url = `redis://127.0.0.1:${worker.port}`;
const nodeRedis = await createClient({ url }).connect();
const ioredis = new Redis({ host: "127.0.0.1", port: worker.port });
afterAll(() => {
  nodeRedis.destroy();
  ioredis.disconnect();
});

/** Asks until it is refused, and then until it is served: the one request that a short window has is taken, and returns. */
async function refusedAndServed(address) {
  for (const status of [429, 200]) await until(async () => (await fetch(address)).status === status);
}

describe("rate-limit-redis with express-rate-limit", () => {
  test.each([
    ["node-redis", (...args) => nodeRedis.sendCommand(args)],
    ["ioredis", (command, ...args) => ioredis.call(command, ...args)],
  ])("over %s refuses the fourth request, and takes another one when the window is over", async (name, sendCommand) => {
    await ioredis.script("FLUSH");
    const limited = (prefix, windowMs, limit) => {
      const app = express();
      const store = new RedisStore({ sendCommand, prefix: `${prefix} ${name}:` });
      app.use(rateLimit({ windowMs, limit, standardHeaders: "draft-7", store }));
      app.get("/", (_, response) => response.send("served"));
      return { app, store };
    };
    // The window of the first is longer than the test, that of the second is waited for.
    const { app, store } = limited("limit", 600_000, 3);
    const address = await listen(app);
    const statuses = [];
    for (let request = 0; request < 5; request++) statuses.push((await fetch(address)).status);
    expect(statuses).toEqual([200, 200, 200, 429, 429]);
    await refusedAndServed(await listen(limited("brief", 400, 1).app));
    await store.resetKey("127.0.0.1");
    expect((await fetch(address)).status).toBe(200);
    expect((await store.increment("someone")).totalHits).toBe(1);
    await store.decrement("someone");
    expect((await store.get("someone")).totalHits).toBe(0);
  });
});

describe("rate-limiter-flexible", () => {
  test.each([
    ["ioredis", { storeClient: ioredis }],
    ["node-redis", { storeClient: nodeRedis, useRedisPackage: true }],
  ])("over %s counts points, blocks, rewards and forgets", async (name, store) => {
    const limiter = new RateLimiterRedis({ ...store, keyPrefix: name, points: 3, duration: 100 });
    expect((await limiter.consume("k")).remainingPoints).toBe(2);
    expect((await limiter.consume("k", 2)).remainingPoints).toBe(0);
    const refused = await limiter.consume("k").catch((reason) => reason);
    expect([refused.consumedPoints, refused.remainingPoints]).toEqual([4, 0]);
    expect(refused.msBeforeNext).toBeGreaterThan(90_000);
    expect((await limiter.reward("k", 2)).consumedPoints).toBe(2);
    expect((await limiter.penalty("k")).consumedPoints).toBe(3);
    expect((await limiter.get("k")).consumedPoints).toBe(3);
    expect((await limiter.set("k", 7, 50)).consumedPoints).toBe(7);
    expect(await limiter.delete("k")).toBe(true);
    expect(await limiter.get("k")).toBeNull();
    const brief = new RateLimiterRedis({ ...store, keyPrefix: `${name} brief`, points: 1, duration: 1 });
    // Refused at some time: two may come in two windows. Then there is nothing left of it at some time.
    await until(() =>
      brief.consume("k").then(
        () => false,
        (reason) => reason.remainingPoints === 0,
      ),
    );
    await until(async () => (await brief.get("k")) === null);
    expect((await brief.consume("k")).consumedPoints).toBe(1);
  });
});

test("@fastify/rate-limit refuses the third request, and takes another one when the window is over", async () => {
  const serve = async (max, timeWindow) => {
    const app = Fastify();
    await app.register(fastifyRateLimit, { max, timeWindow, redis: ioredis, nameSpace: `fastify ${max}:` });
    app.get("/", () => "served");
    onTestFinished(() => app.close());
    return app.listen({ port: 0, host: "127.0.0.1" });
  };
  const address = await serve(2, 600_000);
  const answers = [];
  for (let request = 0; request < 3; request++) answers.push(await fetch(address));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(answers.map(({ headers }) => headers.get("x-ratelimit-remaining"))).toEqual(["1", "0", "0"]);
  await refusedAndServed(await serve(1, 400));
});

describe("redlock", () => {
  const redlock = (options) => new Redlock([ioredis], { retryCount: 0, ...options });

  test("one holder at a time; the next one when it lets go", async () => {
    const lock = await redlock().lock("locks:a", 60_000);
    await expect(redlock().lock("locks:a", 60_000)).rejects.toThrow("Exceeded 0 attempts");
    expect((await lock.extend(90_000)).expiration).toBeGreaterThan(Date.now() + 80_000);
    await lock.unlock();
    await (await redlock().lock("locks:a", 60_000)).unlock();
    expect(await ioredis.exists("locks:a")).toBe(0);
  });

  test("several resources at once, and a lock that runs out", async () => {
    const held = await redlock().lock(["locks:b", "locks:c"], 60_000);
    await expect(redlock().lock(["locks:c", "locks:d"], 60_000)).rejects.toThrow("Exceeded");
    const brief = await held.extend(2_000);
    const next = await redlock({ retryCount: -1, retryDelay: 10 }).lock("locks:c", 60_000);
    await expect(brief.unlock()).rejects.toThrow();
    await next.unlock();
  });
});
