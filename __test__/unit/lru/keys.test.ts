import { expect, onTestFinished, test, vi } from "vitest";
import { type Entry, type Key, LRUCache } from "../../../src/lru/index.js";
import { native } from "../../../src/native.js";

const KEYS: Key[] = [
  ...["", "1", "\0", "\0\0", "\0n1", "\0i1", "\0b1", "true", "NaN", "é", "k".repeat(300)],
  ...[0, 1, -1, 0.1, 5e-324, 2 ** 53, 1e21, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[0n, 1n, -1n, 2n ** 64n],
  ...[true, false],
];

test("keys of all kinds are apart, and come out as they went in", () => {
  using cache = new LRUCache<Key, number>({ max: 100 });
  for (const [i, key] of KEYS.entries()) cache.set(key, i);
  expect([...cache.rkeys()]).toEqual(KEYS);
  expect([...cache.rentries()]).toEqual(KEYS.map((key, i) => [key, i]));
  expect(KEYS.map((key) => cache.get(key))).toEqual(KEYS.map((_, i) => i));
  using other = new LRUCache<Key, number>({ max: 100 });
  other.load(cache.dump());
  expect([...other.rkeys()]).toEqual(KEYS);
  expect(KEYS.every((key) => cache.has(key) && cache.info(key) !== undefined && cache.delete(key))).toBe(true);
  expect(cache.size).toBe(0);
});

test("callbacks and methods get keys as they were given", async () => {
  const told: [string, Key][] = [];
  const tell =
    (who: string) =>
    (_: number, key: Key): undefined =>
      void told.push([who, key]);
  using cache = new LRUCache<Key, number>({
    maxSize: 1,
    sizeCalculation: (_, key) => {
      told.push(["sizeCalculation", key]);
      return 1;
    },
    dispose: tell("dispose"),
    disposeAfter: tell("disposeAfter"),
    onInsert: tell("onInsert"),
    fetchMethod: (key) => {
      told.push(["fetchMethod", key]);
      return 2;
    },
    memoMethod: (key) => {
      told.push(["memoMethod", key]);
      return 3;
    },
  });
  await cache.fetch(1);
  cache.memo("\0");
  cache.forEach(tell("forEach"));
  cache.find((_, key) => Boolean(told.push(["find", key])));
  expect(told).toEqual([
    ["fetchMethod", 1],
    ["sizeCalculation", 1],
    ["onInsert", 1],
    ["memoMethod", "\0"],
    ["sizeCalculation", "\0"],
    ["dispose", 1],
    ["onInsert", "\0"],
    ["disposeAfter", 1],
    ["forEach", "\0"],
    ["find", "\0"],
  ]);
});

test("-0 is 0, as in a Map", () => {
  using cache = new LRUCache<number, string>({ max: 5 });
  cache.set(-0, "zero");
  expect(cache.get(0)).toBe("zero");
});

test.each([
  [{}, /a key must be a string, number, bigint or boolean.*got an object \(Object\)/],
  [["a"], /an array/],
  [() => 1, /a function/],
  [Buffer.from("a"), /Buffer/],
  [Symbol("s"), /Symbol\(s\)/],
  [null, /null/],
  [undefined, /undefined/],
])("refuses the key %o", async (key, message) => {
  using cache = new LRUCache<Key, string>({ max: 5, fetchMethod: () => "v" });
  const wrong = key as unknown as Key;
  for (const call of [
    () => cache.get(wrong),
    () => cache.set(wrong, "v"),
    () => cache.has(wrong),
    () => cache.peek(wrong),
    () => cache.delete(wrong),
    () => cache.info(wrong),
    () => cache.load([[wrong, { value: "v" } satisfies Entry<string>]]),
  ]) {
    expect(call).toThrow(TypeError);
    expect(call).toThrow(message);
  }
  await expect(cache.fetch(wrong)).rejects.toThrow(message);
  expect(cache.size).toBe(0);
});

test("keys that go while they are listed hide none of the others", () => {
  using cache = new LRUCache<string, number>({ max: 5_000 });
  for (let number = 0; number < 3_000; number++) cache.set(`key:${number}`, number);
  const { keysByRecency } = native.NativeCache.prototype;
  const gone: string[] = [];
  const listing = vi.spyOn(native.NativeCache.prototype, "keysByRecency");
  onTestFinished(() => listing.mockRestore());
  listing.mockImplementation(function (this: InstanceType<typeof native.NativeCache>, ...call) {
    const page = keysByRecency.apply(this, call);
    // As if they expired before the next page is asked for.
    if (call[0] === null) gone.push(...(page.slice(-3) as string[]));
    for (const key of gone) cache.delete(key);
    return page;
  });
  const keys = [...cache.keys()];
  expect(gone).toHaveLength(3);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).toHaveLength(2_997);
});
