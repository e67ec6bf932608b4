import { afterEach, beforeEach, expect, test } from "vitest";
import { Cache } from "../../../src/index.js";

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
  expect(() => cache.getInto("text", 5 as never)).toThrow("the target must be a Uint8Array; got 5");
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

test("a closed cache refuses every call, also when its number serves another", async () => {
  cache.set("k", 1);
  expect(cache.closed).toBe(false);
  cache.close();
  cache.close();
  using other = new Cache({ maxBytes: "1mb" });
  other.set("k", "other's");
  const closed = expect.objectContaining({ name: "TandemError", code: "Closed" });
  for (const call of [
    () => cache.size,
    () => cache.getInto("k", new Uint8Array(8)),
    () => [...cache.keys()],
    () => [...cache.entries()],
    () => cache.setMany([["k", 1]]),
    () => cache.set("k", "text"),
    () => cache.set("k", { an: "object" }),
    () => cache.delete("k", { ifVersion: 1n }),
    () => cache.on("set", () => {}),
  ]) {
    expect(call).toThrow(closed);
  }
  expect(cache.closed).toBe(true);
  expect(cache.name).toBeUndefined();
  expect(cache.off("set", () => {})).toBe(cache);
  expect([...other.keys()]).toEqual(["k"]);
});

test("a version that no entry can have is refused, and nothing is deleted", () => {
  using cache = new Cache({ maxBytes: "1mb" });
  cache.set("k", "v");
  const version = cache.getEntry("k")?.version ?? 0n;
  for (const ifVersion of [-version, version + 2n ** 64n]) {
    const refused = new RangeError(`ifVersion must be from 0n to 2n ** 64n - 1n; got ${ifVersion}n`);
    expect(() => cache.delete("k", { ifVersion })).toThrow(refused);
    expect(() => cache.set("k", "w", { ifVersion })).toThrow(refused);
  }
  expect(cache.get("k")).toBe("v");
  expect(cache.delete("k", { ifVersion: version })).toBe(true);
});

test("an array without its memory is no empty key, value or target", () => {
  const detached = new Uint8Array(4);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const ResizableBuffer = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(length: number): void };
  const resizable = new ResizableBuffer(8, { maxByteLength: 16 });
  const beyond = new Uint8Array(resizable, 0, 8);
  resizable.resize(4);
  cache.set("k", 1);
  for (const array of [detached, beyond]) {
    for (const call of [
      () => cache.set(array, "v"),
      () => cache.set("k", array),
      () => cache.set("k", array, { cost: 1 }),
      () => cache.get(array),
      () => cache.persist(array),
      () => cache.getInto("k", array),
    ]) {
      expect(call).toThrow(TypeError);
      expect(call).toThrow(/detached .* or out of the bounds/);
    }
  }
  expect([...cache.entries()]).toEqual([["k", 1]]);
  cache.set(new Uint8Array(0), new Uint8Array(resizable, 4));
  expect(cache.get("")).toEqual(Buffer.alloc(0));
});

test.each([
  ["ttl", 2 ** 53, /ttl .*1 to 8640000000000000; got 9007199254740992/],
  ["expiresAt", 2 ** 53 - 1, /expiresAt .*0 to 8640000000000000; got 9007199254740991/],
  ["idleTtl", 4_000 * 86_400_000, /idleTtl .*1 to 315360000000; got 345600000000/],
])("refuses a write with %s of %d, naming the largest", (option, value, message) => {
  expect(() => cache.set("k", 1, { [option]: value })).toThrow(RangeError);
  expect(() => cache.set("k", 1, { [option]: value })).toThrow(message);
});

test("using closes", () => {
  let leaked: Cache;
  {
    using inner = new Cache({ maxBytes: "1mb" });
    inner.set("k", 1);
    leaked = inner;
  }
  expect(leaked.closed).toBe(true);
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
  for (const [i, one] of caches.entries()) expect(one.closed || one.get("k")).toBe(i % 2 === 0 || i);
  for (const one of [...caches, ...more]) one.close();
});

test.each([
  [5, "5"],
  [-0.5, "-0.5"],
  [7n, "7n"],
  [true, "true"],
  [null, "null"],
  [undefined, "undefined"],
  [["a"], "an array"],
  [{}, "an object"],
  [Symbol("s"), "a symbol"],
  [() => 1, "a function"],
])("names %o where it stands for a key", (key, named) => {
  using cache = new Cache({ maxBytes: "1mb" });
  const message = `a key must be a string or a Uint8Array; got ${named}`;
  expect(() => cache.get(key as never)).toThrow(new TypeError(message));
  expect(() => cache.expire(key as never, 1)).toThrow(new TypeError(message));
});

test("names what is no list of keys or entries", () => {
  using cache = new Cache({ maxBytes: "1mb" });
  expect(() => cache.getMany(5 as never)).toThrow(new TypeError("keys must be iterable; got 5"));
  expect(() => cache.setMany(null as never)).toThrow(new TypeError("entries must be iterable; got null"));
  expect(() => cache.setMany([1] as never)).toThrow(new TypeError("an entry must be an array [key, value]; got 1"));
});
