/** SEMANTICS 2 and 3: operations that wait, and what overtakes them. */
import assert from "node:assert/strict";
import type { Check, WaitingCache } from "./target.js";

/** Declares the checks; implementations without these operations have nothing to prove here. */
export function waitingContract(declare: Check): void {
  const check = (title: string, body: (cache: WaitingCache) => Promise<void>) =>
    declare(title, {}, async ({ cache }) => {
      if (isWaiting(cache)) await body(cache);
    });

  check("a load serves all who ask, each with a copy", async (cache) => {
    let loads = 0;
    const load = async () => {
      loads += 1;
      return { n: 1 };
    };
    const [one, two] = await Promise.all([cache.getOrSet("k", load), cache.getOrSet("k", load)]);
    assert.deepEqual([one, two, loads], [{ n: 1 }, { n: 1 }, 1]);
    assert.notEqual(one, two);
    assert.deepEqual(await cache.getOrSet("k", load), { n: 1 });
    assert.equal(loads, 1);
  });

  check("null is loaded once, undefined is not stored", async (cache) => {
    assert.equal(await cache.getOrSet("null", () => null), null);
    assert.equal(await cache.getOrSet("null", () => 1), null);
    assert.equal(await cache.getOrSet("nothing", () => undefined), undefined);
    assert.equal(await cache.has("nothing"), false);
  });

  check("the error of a loader reaches all who ask, and is not kept", async (cache) => {
    const failure = later<never>();
    const asked = [cache.getOrSet("k", () => failure.promise), cache.getOrSet("k", () => 1)];
    failure.reject(Object.assign(new RangeError("no row"), { code: "E_ROW" }));
    for (const promise of asked) await rejects(promise, "E_ROW", "no row");
    assert.equal(await cache.getOrSet("k", () => 2), 2);
  });

  check("a value set while loading wins", async (cache) => {
    const value = later<string>();
    const asked = cache.getOrSet("k", () => value.promise);
    await cache.set("k", "set");
    assert.equal(await asked, "set");
    value.resolve("late");
    assert.equal(await cache.stable("k"), "set");
  });

  check("a delete while loading keeps the loaded value out", async (cache) => {
    const value = later<string>();
    const asked = cache.getOrSet("k", () => value.promise);
    await cache.delete("k");
    assert.equal(await cache.getOrSet("k", () => "new"), "new");
    value.resolve("old");
    assert.equal(await asked, "old");
    assert.equal(await cache.get("k"), "new");
  });

  check("upserts of one key are one sequence", async (cache) => {
    const addOne = async (current: unknown) => ((current as number | undefined) ?? 0) + 1;
    await Promise.all(Array.from({ length: 50 }, () => cache.upsert("n", addOne)));
    assert.equal(await cache.get("n"), 50);
  });

  check("an upsert stores, keeps or deletes", async (cache) => {
    assert.equal(await cache.upsert("k", (_, { store }) => store("v", { cost: 2 })), "stored");
    assert.equal((await cache.getEntry("k"))?.cost, 2);
    assert.equal(await cache.upsert("k", (_, { keep }) => keep()), "unchanged");
    assert.equal(await cache.upsert("k", (_, context) => context.delete()), "deleted");
    assert.equal(await cache.has("k"), false);
  });

  check("a throw of the transform fails the upsert, or counts as unchanged", async (cache) => {
    await cache.set("k", "v");
    const failing = () => Promise.reject(new Error("no"));
    await rejects(cache.upsert("k", failing), "TransformFailed");
    assert.equal(await cache.upsert("k", failing, { onThrow: "keep" }), "unchanged");
    assert.equal(await cache.get("k"), "v");
  });

  check("what commits overtakes an upsert; what does not, does not", async (cache) => {
    const go = later<string>();
    await cache.set("k", "v");
    const first = cache.upsert("k", () => go.promise);
    await cache.add("k", "no");
    await cache.expire("k", 60_000);
    await cache.set("other", 1);
    const second = cache.upsert("k", (current) => `${current}, second`);
    await cache.set("k", "set");
    await rejects(first, "Preempted");
    assert.equal(await second, "stored");
    go.resolve("late");
    assert.equal(await cache.stable("k"), "set, second");
  });

  check("insert and update wait and decide in their turn", async (cache) => {
    const go = later<void>();
    const upserted = cache.upsert("k", async (_, { keep }) => {
      await go.promise;
      return keep();
    });
    const [update, insert, again] = [cache.update("k", 1), cache.insert("k", 2), cache.insert("k", 3)];
    assert.equal(await cache.has("k"), false);
    go.resolve();
    await upserted;
    await rejects(update, "KeyMissing");
    await insert;
    await rejects(again, "KeyExists");
    assert.equal(await cache.get("k"), 2);
  });

  check("stable waits for the key and for rest", async (cache) => {
    const stable = cache.stable("k");
    await cache.set("k", "set");
    assert.equal(await stable, "set");
    const go = later<string>();
    const upserted = cache.upsert("k", () => go.promise);
    const rested = cache.stable("k");
    go.resolve("upserted");
    assert.equal(await rested, "upserted");
    await upserted;
  });

  check("asking for one's own key fails at once", async (cache) => {
    await rejects(
      cache.getOrSet("k", () => cache.getOrSet("k", () => 1)),
      "Deadlock",
    );
    assert.equal(await cache.getOrSet("k", () => cache.getOrSet("other", () => 1)), 1);
  });

  check("one caller's abort concerns only that caller", async (cache) => {
    const value = later<string>();
    const controller = new AbortController();
    const leaving = cache.getOrSet("k", () => value.promise, { signal: controller.signal });
    const staying = cache.getOrSet("k", () => "other");
    controller.abort(Object.assign(new Error("gone"), { code: "GONE" }));
    await rejects(leaving, "GONE");
    value.resolve("loaded");
    assert.equal(await staying, "loaded");
  });

  check("close answers those who wait", async (cache) => {
    const waiting = [cache.stable("absent"), cache.getOrSet("k", () => new Promise(() => undefined))];
    // Looked at before the close, so that no rejection goes unseen.
    const refused = Promise.all(waiting.map((promise) => rejects(promise, "Closed")));
    await cache.close();
    await refused;
  });
}

function isWaiting(cache: object): cache is WaitingCache {
  return "getOrSet" in cache;
}

function rejects(promise: Promise<unknown>, code: string, message?: string): Promise<void> {
  return assert.rejects(promise, (error: { code?: unknown; message?: unknown }) => {
    assert.equal(error.code, code);
    if (message !== undefined) assert.equal(error.message, message);
    return true;
  });
}

/** A promise that the check settles. */
function later<T>(): { promise: Promise<T>; resolve(value: T): void; reject(reason: unknown): void } {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((res, rej) => {
    resolve = res;
    reject = rej;
  });
  return { promise, resolve, reject };
}
