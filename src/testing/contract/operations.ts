/** SEMANTICS 2: what each operation means, but for those that wait. */
import assert from "node:assert/strict";
import type { Check, ContractCache } from "./target.js";

/** Declares the checks. */
export function operationsContract(check: Check): void {
  check("reads many in order", {}, async ({ cache }) => {
    await cache.set("a", 1);
    await cache.set("c", { three: 3 });
    assert.deepEqual(await cache.getMany(["c", "b", "a"]), [{ three: 3 }, undefined, 1]);
    assert.deepEqual(await cache.getMany([]), []);
  });

  check("adds only what is absent and replaces only what is there", {}, async ({ cache }) => {
    assert.equal(await cache.replace("k", 1), false);
    assert.equal(await cache.has("k"), false);
    assert.equal(await cache.add("k", 2), true);
    assert.equal(await cache.add("k", 3), false);
    assert.equal(await cache.get("k"), 2);
    assert.equal(await cache.replace("k", "four"), true);
    assert.equal(await cache.get("k"), "four");
  });

  check("compares and sets by version", {}, async ({ cache }) => {
    const first = await cache.setEntry("k", "one", { ifVersion: 0n });
    await assert.rejects(async () => cache.set("k", "again", { ifVersion: 0n }), { code: "VersionMismatch" });
    const second = await cache.setEntry("k", { two: 2 }, { ifVersion: first });
    assert.equal((await cache.getEntry("k"))?.version, second);
    await assert.rejects(async () => cache.set("k", 3, { ifVersion: first }), { code: "VersionMismatch" });
    assert.deepEqual(await cache.get("k"), { two: 2 });
    assert.equal(await cache.delete("k", { ifVersion: first }), false);
    assert.equal(await cache.delete("k", { ifVersion: second }), true);
    await assert.rejects(async () => cache.set("k", 4, { ifVersion: second }), { code: "VersionMismatch" });
    assert.equal(await cache.has("k"), false);
  });

  check("refuses every call once it is closed", {}, async ({ cache }) => {
    await cache.set("k", 1);
    await cache.close();
    await cache.close();
    for (const call of [
      () => cache.get("k"),
      () => cache.getBuffer("k"),
      () => cache.peek("k"),
      () => cache.has("k"),
      () => cache.getMany(["k"]),
      () => cache.getEntry("k"),
      () => cache.set("k", 2),
      () => cache.setEntry("k", 2),
      () => cache.add("k", 2),
      () => cache.replace("k", 2),
      () => cache.delete("k"),
      () => cache.take("k"),
      () => cache.incr("k"),
      () => cache.decr("k"),
      () => cache.touch("k"),
      () => cache.expire("k", 1000),
      () => cache.ttl("k"),
      () => cache.persist("k"),
      () => cache.scan(),
      () => cache.clear(),
      () => cache.stats(),
      () => cache.resize(4 * 1024 ** 2),
    ]) {
      await assert.rejects(async () => call(), { code: "Closed" }, `${call}`);
    }
  });

  check("deletes and takes", {}, async ({ cache }) => {
    await cache.set("k", "v");
    assert.equal(await cache.delete("k"), true);
    assert.equal(await cache.delete("k"), false);
    await cache.set("k", "w");
    assert.equal(await cache.take("k"), "w");
    assert.equal(await cache.take("k"), undefined);
  });

  check("counts", {}, async ({ cache }) => {
    assert.equal(await cache.incr("n"), 1);
    assert.equal(await cache.incr("n", 41), 42);
    assert.equal(await cache.decr("n", 50), -8);
    assert.equal(await cache.get("n"), -8);
    await cache.set("text", "10");
    assert.equal(await cache.incr("text"), 11);
    assert.equal(await cache.get("text"), 11);
  });

  check("refuses to count what is no integer or would leave the safe range", {}, async ({ cache }) => {
    for (const value of ["x", "1.5", " 1", "01", "", { n: 1 }, null]) {
      await cache.set("k", value);
      await assert.rejects(async () => cache.incr("k"), { code: "NotInteger" });
      assert.deepEqual(await cache.get("k"), value);
    }
    await cache.set("n", Number.MAX_SAFE_INTEGER);
    await assert.rejects(async () => cache.incr("n"), { code: "Overflow" });
    assert.equal(await cache.get("n"), Number.MAX_SAFE_INTEGER);
    await cache.set("n", Number.MIN_SAFE_INTEGER);
    await assert.rejects(async () => cache.decr("n"), { code: "Overflow" });
    assert.equal(await cache.get("n"), Number.MIN_SAFE_INTEGER);
    await assert.rejects(async () => cache.incr("n", 0.5), TypeError);
  });

  check("touches what is there", {}, async ({ cache }) => {
    assert.equal(await cache.touch("k"), false);
    await cache.set("k", "v");
    assert.equal(await cache.touch("k"), true);
  });

  check("clears", {}, async ({ cache }) => {
    for (let i = 0; i < 1000; i += 1) await cache.set(`k${i}`, i);
    await cache.clear();
    assert.equal((await cache.stats()).entries, 0);
    assert.deepEqual(await allKeys(cache), []);
    assert.equal(await cache.get("k1"), undefined);
    await cache.set("k1", 2);
    assert.equal(await cache.get("k1"), 2);
  });

  check("scans every key once while others come, go and change", {}, async ({ cache }) => {
    const lasting = Array.from({ length: 3000 }, (_, i) => `lasting:${i}`);
    for (const key of lasting) await cache.set(key, key);
    const seen = new Map<string, number>();
    let cursor = 0;
    let step = 0;
    do {
      const page = await cache.scan(cursor);
      assert.ok(Number.isSafeInteger(page.cursor));
      for (const key of page.keys) seen.set(String(key), (seen.get(String(key)) ?? 0) + 1);
      for (let i = 0; i < 50; i += 1) await cache.set(`new:${step}:${i}`, "x".repeat(i * 10));
      await cache.set(lasting[step % lasting.length] as string, "y".repeat(500));
      step += 1;
      cursor = page.cursor;
    } while (cursor !== 0 && step < 10_000);
    assert.equal(cursor, 0);
    for (const key of lasting) assert.equal(seen.get(key), 1, key);
  });

  check("scans by pattern", {}, async ({ cache }) => {
    for (const key of ["user:1", "user:2", "user:10", "order:1", "us*r"]) await cache.set(key, 1);
    assert.deepEqual((await allKeys(cache, "user:?")).sort(), ["user:1", "user:2"]);
    assert.deepEqual((await allKeys(cache, "*:1*")).sort(), ["order:1", "user:1", "user:10"]);
    assert.deepEqual(await allKeys(cache, "us\\*r"), ["us*r"]);
    assert.deepEqual((await allKeys(cache, "user:[^2]*")).sort(), ["user:1", "user:10"]);
  });

  check("names what is wrong with an option of a write, and changes nothing", {}, async ({ cache }) => {
    await cache.set("k", "v");
    const before = await cache.getEntry("k");
    for (const cost of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(async () => cache.set("k", 1, { cost }), { name: "RangeError", message: /cost/ });
    }
    for (const ttl of [0, -1, 1.5, Number.NaN]) {
      await assert.rejects(async () => cache.set("k", 1, { ttl }), { name: "RangeError", message: /ttl/ });
    }
    await assert.rejects(async () => cache.set("k", 1, { ttl: "1s" as never }), { name: "TypeError", message: /ttl/ });
    await assert.rejects(async () => cache.set("k", 1, { ttl: 1, keepTtl: true }), TypeError);
    await assert.rejects(async () => cache.set("k", 1, { tll: 1 } as never), { name: "TypeError", message: /tll/ });
    await assert.rejects(async () => cache.set("k", 1, { ifVersion: 1 as never }), TypeError);
    assert.deepEqual(await cache.getEntry("k"), before);
  });
}

async function allKeys(cache: ContractCache, match?: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor = 0;
  do {
    const page = await cache.scan(cursor, match);
    keys.push(...page.keys.map(String));
    cursor = page.cursor;
  } while (cursor !== 0);
  return keys;
}
