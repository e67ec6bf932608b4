import { afterEach, beforeEach, expect, test } from "vitest";
import { Cache, TandemError } from "../../../src/index.js";

let cache: Cache;
beforeEach(() => {
  cache = new Cache({ maxBytes: "64mb" });
});
afterEach(() => cache.close());

test("reads into a buffer of the caller's", () => {
  const target = new Uint8Array(8).fill(9);
  cache.set("text", "grün");
  expect(cache.getInto("text", target)).toBe(5);
  expect(Buffer.from(target.subarray(0, 5)).toString()).toBe("grün");
  expect(target[5]).toBe(9);
  cache.set("long", Buffer.alloc(9, 1));
  expect(cache.getInto("long", target)).toBe(9);
  expect(target[5]).toBe(9);
  cache.set("n", -42);
  expect(cache.getInto("n", target)).toBe(3);
  expect(Buffer.from(target.subarray(0, 3)).toString()).toBe("-42");
  expect(cache.getInto("absent", target)).toBeUndefined();
  const part = new Uint8Array(new ArrayBuffer(100), 40, 10);
  expect(cache.getInto("long", part)).toBe(9);
  expect([...new Uint8Array(part.buffer)].filter((byte) => byte === 1)).toHaveLength(9);
  expect(() => cache.getInto("text", "x" as never)).toThrow(TypeError);
  expect(() => cache.getInto("text", new Uint16Array(4) as never)).toThrow(TypeError);
});

test("reads key bytes out of a view", () => {
  const bytes = Buffer.from("..key..");
  cache.set("key", 1);
  expect(cache.get(bytes.subarray(2, 5))).toBe(1);
  expect(cache.get(new Uint8Array(bytes.buffer, bytes.byteOffset + 2, 3))).toBe(1);
});

test("a string cut out of another, put together, or in two bytes is read as it is", () => {
  const long = "0123456789".repeat(30);
  const cut = long.slice(3, 150);
  const built = `${cut}-${long.slice(1, 200)}`;
  for (const value of [cut, built, "日本".repeat(50), `${"a".repeat(100)}é`]) {
    cache.set(value, value);
    expect(cache.get(value)).toBe(value);
  }
});

test("walks keys, values and entries", () => {
  const entries: [string, unknown][] = [
    ["a", 1],
    ["b", null],
    ["c", { c: 3 }],
  ];
  cache.setMany(entries);
  const byKey = (one: [unknown, unknown], other: [unknown, unknown]) => (String(one[0]) < String(other[0]) ? -1 : 1);
  expect([...cache.keys()].sort()).toEqual(["a", "b", "c"]);
  expect([...cache.entries()].sort(byKey)).toEqual(entries);
  expect([...cache].sort(byKey)).toEqual(entries);
  expect(new Set(cache.values())).toEqual(new Set([1, null, { c: 3 }]));
  expect(cache.size).toBe(3);
});

test("refuses a cursor and a pattern that cannot be one", () => {
  for (const cursor of [-1, 0.5, "0", Number.NaN]) expect(() => cache.scan(cursor as never)).toThrow(/cursor/);
  expect(() => cache.scan(0, 5 as never)).toThrow(TypeError);
  expect(() => cache.scan(0, "a".repeat(1025))).toThrow(RangeError);
  // A cursor of nowhere is harmless.
  expect(cache.scan(Number.MAX_SAFE_INTEGER).keys).toEqual([]);
});

test("gives keys that are no UTF-8 as Buffers", () => {
  cache.set(Buffer.from([0xff, 0x01]), 1);
  expect([...cache.keys()]).toEqual([Buffer.from([0xff, 0x01])]);
});

test("stats add up, in sum and per shard", () => {
  for (let i = 0; i < 1000; i += 1) cache.set(`k${i}`, "x".repeat(i));
  cache.get("k1");
  cache.get("absent");
  const stats = cache.stats();
  expect(stats).toMatchObject({ entries: 1000, hits: 1, misses: 1, sets: 1000 });
  const { bytes, keyBytes, valueBytes, overheadBytes, deadBytes, reserveBytes } = stats;
  expect(keyBytes + valueBytes + overheadBytes + deadBytes + reserveBytes).toBe(bytes);
  expect(stats.perShard).toHaveLength(stats.shards);
  expect(stats.perShard.reduce((sum, shard) => sum + shard.entries, 0)).toBe(1000);
});

test("a closed cache reads misses and refuses writes", () => {
  cache.set("k", 1);
  cache.close();
  cache.close();
  expect(cache.get("k")).toBeUndefined();
  expect(cache.has("k")).toBe(false);
  expect(cache.size).toBe(0);
  for (const write of [
    () => cache.set("k", "v"),
    () => cache.set("k", 1),
    () => cache.delete("k"),
    () => cache.take("k"),
    () => cache.incr("k"),
    () => cache.clear(),
    () => cache.stats(),
  ]) {
    expect(write).toThrow(TandemError);
    expect(write).toThrow(expect.objectContaining({ code: "Closed" }));
  }
  // Its number may serve another cache by now.
  using other = new Cache({ maxBytes: "1mb" });
  other.set("k", "other's");
  expect(cache.get("k")).toBeUndefined();
});

test("using closes", () => {
  let leaked: Cache;
  {
    using inner = new Cache({ maxBytes: "1mb" });
    inner.set("k", 1);
    leaked = inner;
  }
  expect(leaked.get("k")).toBeUndefined();
});

test("an integer beyond the safe range, as a Redis client may make it, comes back as a bigint", () => {
  // Two steps on text, which counts as an integer, stay within 64 bits.
  cache.set("n", "9007199254740993");
  expect(() => cache.incr("n")).toThrow(expect.objectContaining({ code: "Overflow" }));
  expect(cache.getBuffer("n")?.toString()).toBe("9007199254740993");
});

test("many caches do not get in each other's way", () => {
  const caches = Array.from({ length: 50 }, () => new Cache({ maxBytes: "1mb" }));
  for (const [i, one] of caches.entries()) one.set("k", i);
  for (const one of caches.filter((_, i) => i % 2 === 0)) one.close();
  const more = Array.from({ length: 10 }, () => new Cache({ maxBytes: "1mb" }));
  for (const one of more) expect(one.get("k")).toBeUndefined();
  for (const [i, one] of caches.entries()) expect(one.get("k")).toBe(i % 2 === 0 ? undefined : i);
  for (const one of [...caches, ...more]) one.close();
});
