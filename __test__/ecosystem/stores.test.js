/** Caches and session stores as they are published, with the suites that their makers publish. */

import { Client as CatboxClient, Policy } from "@hapi/catbox";
import { Engine as CatboxRedis } from "@hapi/catbox-redis";
import KeyvRedis from "@keyv/redis";
import keyvTestSuite, { keyvIteratorTests } from "@keyv/test-suite";
import { BentoCache, bentostore } from "bentocache";
import { memoryDriver } from "bentocache/drivers/memory";
import { RedisDriver, redisBusDriver, redisDriver } from "bentocache/drivers/redis";
import { registerCacheDriverTestSuite } from "bentocache/test_suite";
import { RedisStore } from "connect-redis9";
import express from "express";
import session from "express-session";
import Keyv from "keyv";
import { createClient } from "redis";
import * as vitest from "vitest";
import { afterAll, assert, describe, expect, onTestFinished, test } from "vitest";
import { listen } from "./listen.js";
import { expectAbout, startWorker, until } from "./worker.js";

const worker = await startWorker();
const url = `redis://127.0.0.1:${worker.port}`;
const connection = { host: "127.0.0.1", port: worker.port };

describe("@keyv/redis passes @keyv/test-suite", () => {
  const stores = [];
  const store = () => {
    const made = new KeyvRedis(url);
    stores.push(made);
    return made;
  };
  afterAll(() => Promise.all(stores.map((made) => made.disconnect())));
  keyvTestSuite(vitest, Keyv, store);
  keyvIteratorTests(vitest, Keyv, store);
});

describe("connect-redis 9 keeps the sessions of express-session", async () => {
  const client = await createClient({ url: `${url}/1` }).connect();
  afterAll(() => client.destroy());
  const store = new RedisStore({ client, prefix: "session:", ttl: 100 });
  const app = express();
  app.use(session({ store, secret: "secret", resave: false, saveUninitialized: false }));
  app.get("/count", (request, response) => {
    request.session.count = (request.session.count ?? 0) + 1;
    response.send(`${request.session.count}`);
  });
  app.get("/leave", (request, response) => request.session.destroy(() => response.send("gone")));
  const address = await listen(app);

  test("from one request to the next, until they end", async () => {
    await client.flushDb();
    const first = await fetch(`${address}/count`);
    const headers = { cookie: first.headers.get("set-cookie").split(";")[0] };
    expect(await first.text()).toBe("1");
    expect(await (await fetch(`${address}/count`, { headers })).text()).toBe("2");
    const [key, more] = await client.keys("session:*");
    expect(more).toBeUndefined();
    expectAbout(await client.ttl(key), 100);
    expect(JSON.parse(await client.get(key)).count).toBe(2);
    await fetch(`${address}/leave`, { headers });
    expect(await client.exists(key)).toBe(0);
    expect(await (await fetch(`${address}/count`, { headers })).text()).toBe("1");
  });

  test("counts, lists and clears them", async () => {
    await client.flushDb();
    const call = (name, ...args) =>
      new Promise((resolve, reject) =>
        store[name](...args, (error, result) => (error ? reject(error) : resolve(result))),
      );
    for (const id of ["a", "b", "c"]) await call("set", id, { cookie: {}, id });
    expect(await call("length")).toBe(3);
    expect((await call("ids")).sort()).toEqual(["a", "b", "c"]);
    expect((await call("all")).map(({ id }) => id).sort()).toEqual(["a", "b", "c"]);
    await call("touch", "a", { cookie: { expires: new Date(Date.now() + 1_000_000) } });
    expectAbout(await client.ttl("session:a"), 1_000);
    await call("clear");
    expect(await call("length")).toBe(0);
  });
});

describe("bentocache's redis driver passes its published suite", () => {
  const cleanups = [];
  const group = {
    setup: (before) =>
      vitest.beforeAll(async () => {
        const after = await before();
        if (after) cleanups.push(after);
      }),
    tap: () => {},
    each: { teardown: (after) => vitest.afterEach(after), setup: (before) => vitest.beforeEach(before) },
  };
  afterAll(() => Promise.all(cleanups.map((cleanup) => cleanup())));
  registerCacheDriverTestSuite({
    test: (title, body) => test(title, () => body({ assert, cleanup: onTestFinished })),
    group,
    createDriver: (options) => new RedisDriver({ prefix: "bentocache", connection, ...options }),
  });
});

test("bentocache keeps two processes' caches alike over its bus", async () => {
  const open = () =>
    new BentoCache({
      default: "both",
      stores: {
        both: bentostore()
          .useL1Layer(memoryDriver())
          .useL2Layer(redisDriver({ connection: { ...connection, db: 2 } }))
          .useBus(redisBusDriver({ connection })),
      },
    });
  const [one, two] = [open(), open()];
  onTestFinished(() => Promise.all([one.disconnectAll(), two.disconnectAll()]));
  let loads = 0;
  const factory = () => {
    loads += 1;
    return { loads };
  };
  expect(await one.getOrSet({ key: "k", factory, ttl: "1h" })).toEqual({ loads: 1 });
  expect(await two.getOrSet({ key: "k", factory, ttl: "1h" })).toEqual({ loads: 1 });
  const watcher = await createClient({ url }).connect();
  onTestFinished(() => watcher.destroy());
  const channel = "bentocache.notifications:both";
  await until(async () => (await watcher.pubSubNumSub(channel))[channel] === 2);
  await one.set({ key: "k", value: "new" });
  await until(async () => (await two.get({ key: "k" })) === "new");
  await one.deleteByTag({ tags: ["none"] });
  await one.clear();
  await until(async () => (await two.get({ key: "k" })) === undefined);
});

describe("@hapi/catbox-redis", () => {
  test("keeps, expires and drops what a policy generates", async () => {
    const client = new CatboxClient(new CatboxRedis({ ...connection, db: 3, partition: "tests" }));
    await client.start();
    onTestFinished(() => client.stop());
    expect(client.isReady()).toBe(true);
    let generated = 0;
    const generateFunc = () => {
      generated += 1;
      return { generated };
    };
    const policy = new Policy({ expiresIn: 60_000, generateFunc, generateTimeout: 5_000 }, client, "segment");
    expect(await policy.get("k")).toEqual({ generated: 1 });
    expect(await policy.get("k")).toEqual({ generated: 1 });
    await policy.drop("k");
    expect(await policy.get("k")).toEqual({ generated: 2 });
    await policy.set("short", "lived", 30);
    await until(async () => (await client.get({ segment: "segment", id: "short" })) === null);
  });
});
