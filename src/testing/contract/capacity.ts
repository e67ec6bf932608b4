/** SEMANTICS 4: bounds, the order of eviction, what counts as a use. */
import assert from "node:assert/strict";
import type { Check, ContractCache } from "./target.js";

/** Exact LRU over costs. */
const lru = (maxCost: number) => ({ policy: "lru", maxCost }) as const;

const MIB = 1024 ** 2;

/** Declares the checks. */
export function capacityContract(check: Check): void {
  check("golden: a read keeps an entry", lru(5), async ({ cache }) => {
    await cache.set("a", 1, { cost: 2 });
    await cache.set("b", 1, { cost: 2 });
    await cache.get("a");
    await cache.set("x", 1, { cost: 3 });
    await assertKeys(cache, ["a", "x"]);
  });

  check("golden: a write releases the cost of its own key and never evicts it", lru(5), async ({ cache }) => {
    await cache.set("a", 1, { cost: 2 });
    await cache.set("b", 1, { cost: 2 });
    await cache.set("b", 2, { cost: 4 });
    await assertKeys(cache, ["b"]);
    assert.equal(await cache.get("b"), 2);
  });

  check("golden: a write that does not store is no use", lru(4), async ({ cache }) => {
    await cache.set("a", 1, { cost: 3 });
    await cache.set("b", 1, { cost: 1 });
    assert.equal(await cache.add("a", 2, { cost: 1 }), false);
    assert.equal(await cache.add("c", 1, { cost: 1 }), true);
    await assertKeys(cache, ["b", "c"]);
  });

  check("golden: a cost of the whole capacity empties everything else", lru(5), async ({ cache }) => {
    await cache.set("a", 1, { cost: 1 });
    await cache.set("b", 1, { cost: 2 });
    await cache.add("x", 1, { cost: 5 });
    await assertKeys(cache, ["x"]);
    assert.equal((await cache.stats()).cost, 5);
  });

  check("refuses a cost beyond the capacity and changes nothing", lru(5), async ({ cache }) => {
    await cache.set("a", 1, { cost: 2 });
    await assert.rejects(async () => cache.set("b", 1, { cost: 6 }), { code: "TooLarge" });
    await assert.rejects(async () => cache.set("a", 2, { cost: 6 }), { code: "TooLarge" });
    assert.equal(await cache.get("a"), 1);
    await assertKeys(cache, ["a"]);
  });

  const uses: [name: string, isUse: boolean, action: (cache: ContractCache) => unknown][] = [
    ["get", true, (cache) => cache.get("a")],
    ["getBuffer", true, (cache) => cache.getBuffer("a")],
    ["getMany", true, (cache) => cache.getMany(["a"])],
    ["touch", true, (cache) => cache.touch("a")],
    ["set", true, (cache) => cache.set("a", 2)],
    ["replace", true, (cache) => cache.replace("a", 2)],
    ["incr", true, (cache) => cache.incr("a")],
    ["peek", false, (cache) => cache.peek("a")],
    ["has", false, (cache) => cache.has("a")],
    ["getEntry", false, (cache) => cache.getEntry("a")],
    ["ttl", false, (cache) => cache.ttl("a")],
    ["scan", false, (cache) => cache.scan()],
    ["an add that fails", false, (cache) => cache.add("a", 2)],
    ["expire", false, (cache) => cache.expire("a", 60_000)],
    ["persist", false, (cache) => cache.persist("a")],
  ];
  for (const [name, isUse, action] of uses) {
    check(`${name} is ${isUse ? "a" : "no"} use`, { policy: "lru", maxEntries: 2 }, async ({ cache }) => {
      await cache.set("a", 1);
      await cache.set("b", 1);
      await action(cache);
      await cache.set("c", 1);
      await assertKeys(cache, isUse ? ["a", "c"] : ["b", "c"]);
    });
  }

  check("holds maxEntries", { maxEntries: 100 }, async ({ cache }) => {
    for (let i = 0; i < 1000; i += 1) {
      await cache.set(`k${i}`, i);
      assert.ok((await cache.stats()).entries <= 100);
      assert.equal(await cache.get(`k${i}`), i, "the key just written is there");
    }
    assert.equal((await cache.stats()).entries, 100);
  });

  for (const policy of ["default", "lru"] as const) {
    check(`holds maxBytes after every call (${policy})`, { policy, maxBytes: 2 * MIB }, async ({ cache }) => {
      for (let i = 0; i < 3000; i += 1) {
        const size = (i * 7919) % (i % 100 === 0 ? 200_000 : 4000);
        await cache.set(`key:${i % 1500}`, Buffer.alloc(size, i));
        const { bytes, maxBytes } = await cache.stats();
        assert.equal(maxBytes, 2 * MIB);
        assert.ok(bytes <= maxBytes, `${bytes} bytes after write ${i}`);
        assert.equal(await cache.has(`key:${i % 1500}`), true, "the key just written is there");
      }
    });
  }

  check("refuses values beyond maxValueBytes and changes nothing", { maxValueBytes: 1000 }, async ({ cache }) => {
    await cache.set("k", "v");
    for (const value of ["x".repeat(1001), Buffer.alloc(1001), { text: "x".repeat(1001) }, "x".repeat(200_000)]) {
      await assert.rejects(async () => cache.set("k", value), { code: "TooLarge" });
    }
    assert.equal(await cache.get("k"), "v");
    await cache.set("k", "x".repeat(1000));
    assert.equal(await cache.get("k"), "x".repeat(1000));
  });

  check("resizes", { maxBytes: 8 * MIB, compression: false }, async ({ cache }) => {
    const value = Buffer.alloc(1000, 1);
    for (let i = 0; i < 6000; i += 1) await cache.set(`k${i}`, value);
    await cache.resize(2 * MIB);
    const small = await cache.stats();
    assert.equal(small.maxBytes, 2 * MIB);
    assert.ok(small.bytes <= 2 * MIB);
    assert.ok(small.entries > 0 && small.entries < 2100);
    await cache.resize(8 * MIB);
    for (let i = 0; i < 6000; i += 1) await cache.set(`k${i}`, value);
    assert.ok((await cache.stats()).entries > small.entries * 2);
  });
}

async function assertKeys(cache: ContractCache, expected: string[]): Promise<void> {
  const { entries } = await cache.stats();
  const present: string[] = [];
  for (const key of ["a", "b", "c", "x"]) {
    if (await cache.has(key)) present.push(key);
  }
  assert.deepEqual(present, expected);
  assert.equal(entries, expected.length);
}
