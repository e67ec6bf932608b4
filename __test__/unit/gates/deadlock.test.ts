import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Cache } from "../../../src/index.js";
import { coded, deferred, turns } from "./deferred.js";

let cache: Cache<unknown>;
let now = 1_000_000;

beforeEach(() => {
  cache = new Cache({ maxBytes: "4mb", clock: () => now });
});
afterEach(() => {
  vi.useRealTimers();
  expect(cache.stats().gates).toBe(0);
  cache.close();
});

/** Starts a load of each key; once all run, each asks for the key that `next` names. */
function loadsThatAsk(next: Record<string, () => Promise<unknown>>): Promise<PromiseSettledResult<unknown>[]> {
  const all = deferred();
  let left = Object.keys(next).length;
  const loads = Object.entries(next).map(([key, ask]) =>
    cache.getOrSet(key, async () => {
      left -= 1;
      if (left === 0) all.resolve();
      await all.promise;
      return ask();
    }),
  );
  return Promise.allSettled(loads);
}

test("two loaders that ask for each other's key end in Deadlock, which names the keys", async () => {
  const results = await loadsThatAsk({
    a: () => cache.getOrSet("b", () => 1),
    b: () => cache.getOrSet("a", () => 2),
  });
  for (const result of results) {
    expect(result).toMatchObject({ status: "rejected", reason: coded("Deadlock") });
    expect((result as PromiseRejectedResult).reason.message).toMatch(/"b" waits for "a" waits for "b"$/);
  }
});

test("so do circles of three, through every operation that waits", async () => {
  const results = await loadsThatAsk({
    a: () => cache.upsert("b", () => 1),
    b: () => cache.insert("c", 1),
    c: () => cache.stable("a"),
  });
  const reasons = results.map((result) => (result as PromiseRejectedResult).reason);
  expect(reasons).toContainEqual(expect.objectContaining(coded("Deadlock")));
});

test("a circle that a loader closes which runs inside another is found", async () => {
  const gate = deferred();
  const inner = cache.getOrSet("outer", () =>
    cache.getOrSet("inner", async () => {
      await gate.promise;
      return cache.getOrSet("other", () => 1);
    }),
  );
  const other = cache.getOrSet("other", async () => {
    await gate.promise;
    await turns();
    return cache.getOrSet("outer", () => 2);
  });
  gate.resolve();
  for (const result of await Promise.allSettled([inner, other])) {
    const { reason } = result as PromiseRejectedResult;
    expect(reason).toMatchObject(coded("Deadlock"));
    expect(reason.message).toContain('"other" waits for "outer" waits for "inner" waits for "other"');
  }
});

test("loaders that wait for one another without a circle are let be", async () => {
  const results = await loadsThatAsk({
    a: async () => `a${await cache.getOrSet("b", () => 1)}${await cache.getOrSet("c", () => 1)}`,
    b: async () => `b${await cache.getOrSet("c", () => 1)}`,
    c: async () => "c",
  });
  expect(results.map((result) => (result as PromiseFulfilledResult<unknown>).value)).toEqual(["abcc", "bc", "c"]);
});

test("a stale value ends a circle", async () => {
  const options = { ttl: 1000, grace: 5000, softTimeout: 60_000 };
  await cache.getOrSet("a", () => "old a", options);
  now += 1000;
  const started = deferred();
  const b = cache.getOrSet("b", async () => {
    await started.promise;
    return `b of ${await cache.getOrSet("a", () => 1, options)}`;
  });
  const a = cache.getOrSet(
    "a",
    () => {
      started.resolve();
      return cache.getOrSet("b", () => 1);
    },
    options,
  );
  expect(await b).toBe("b of old a");
  expect(await a).toBe("b of old a");
});

test("a call made by a loader waits for its turn for 30 s at most, for what may be a circle through other threads", async () => {
  const held = deferred<string>();
  const other = cache.getOrSet("held", () => held.promise);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const waiting = cache.getOrSet("k", () => cache.getOrSet("held", () => 1));
  const outcome = expect(waiting).rejects.toMatchObject(coded("Timeout"));
  await vi.advanceTimersByTimeAsync(30_000);
  await outcome;
  const patient = cache.getOrSet("k", () => cache.getOrSet("held", () => 1, { hardTimeout: 90_000 }));
  const outside = cache.getOrSet("held", () => 1);
  await vi.advanceTimersByTimeAsync(60_000);
  held.resolve("late");
  vi.useRealTimers();
  expect(await Promise.all([other, patient, outside])).toEqual(["late", "late", "late"]);
});
