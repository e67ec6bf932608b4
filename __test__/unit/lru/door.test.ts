import { expect, test, vi } from "vitest";
import { LRUCache } from "../../../src/lru/index.js";

test.each([
  [{}, /max, maxSize and ttl/],
  [{ max: -1 }, /max .*-1/],
  [{ max: 1.5 }, /max .*1\.5/],
  [{ max: 5, ttl: "1s" }, /ttl .*"1s"/],
  [{ max: 5, dispose: 7 }, /dispose .*7/],
  [{ max: 5, perf: {} }, /perf/],
  [{ max: 5, sizeCalculation: () => 1 }, /sizeCalculation needs maxSize/],
  [{ max: 5, maxBytes: 5 }, /maxBytes/],
  [{ max: 5, backgroundFetchSize: 2 }, /backgroundFetchSize cannot be honoured: a fetch in flight/],
  [{ max: 5, maxAge: 1000 }, /maxAge cannot be honoured: .*renamed to ttl/],
  [{ max: 5, sise: 1 }, /sise does not exist/],
  [undefined, /options/],
])("refuses %j", (options, message) => {
  expect(() => new LRUCache(options as never)).toThrow(message);
});

test("refuses what a call cannot honour, and sizes that are missing", () => {
  using cache = new LRUCache<string, string>({ maxSize: 10 });
  expect(() => cache.get("k", { status: {} } as never)).toThrow(/status cannot be honoured/);
  expect(() => cache.set("k", "v")).toThrow(/sizeCalculation/);
  expect(() => cache.set("k", "v", { size: 0 })).toThrow(/at least 1/);
  using unsized = new LRUCache<string, string>({ max: 10 });
  expect(() => unsized.set("k", "v", { size: 1 })).toThrow(/maxSize/);
});

test("noDisposeOnSet keeps quiet about what was overwritten, not about what was evicted", () => {
  const dispose = vi.fn();
  using cache = new LRUCache<string, number>({ max: 2, noDisposeOnSet: true, dispose });
  cache.set("a", 1).set("a", 2).set("b", 1).set("c", 1);
  expect(dispose.mock.calls).toEqual([[2, "a", "evict"]]);
});

test("a dispose callback may use the cache", () => {
  const gone: string[] = [];
  using cache = new LRUCache<string, number>({
    max: 2,
    disposeAfter: (_, key, reason) => {
      gone.push(`${key}:${reason}`);
      if (key === "a") cache.set("resurrected", 1);
    },
  });
  cache.set("a", 1).set("b", 1).set("c", 1);
  expect(gone).toEqual(["a:evict", "b:evict"]);
  expect([...cache.keys()]).toEqual(["resurrected", "c"]);
});

test("memo computes once", () => {
  const memoMethod = vi.fn((key: string, stale: string | undefined, { context }: { context: unknown }) =>
    [key, stale, context].join(),
  );
  using cache = new LRUCache<string, string>({ max: 5, memoMethod });
  expect(cache.memo("k", { context: 1 })).toBe("k,,1");
  expect(cache.memo("k", { context: 2 })).toBe("k,,1");
  expect(cache.memo("k", { context: 3, forceRefresh: true })).toBe("k,k,,1,3");
  expect(() => new LRUCache({ max: 1 }).memo("k")).toThrow(/memoMethod/);
});

test("with ttlAutopurge stale entries leave on their own", async () => {
  using cache = new LRUCache<string, string>({ ttl: 1000, ttlAutopurge: true });
  cache.set("k", "v");
  expect(cache.get("k")).toBe("v");
  await vi.waitFor(() => expect(cache.size).toBe(0), { timeout: 50_000 });
});

test("an entry may change while it is iterated over", () => {
  using cache = new LRUCache<string, number>({ max: 5000 });
  for (let i = 0; i < 3000; i += 1) cache.set(`k${i}`, i);
  let seen = 0;
  for (const [key, value] of cache) {
    expect(key).toBe(`k${value}`);
    if (value % 2 === 0) cache.delete(key);
    else cache.get(key);
    seen += 1;
  }
  expect(seen).toBe(3000);
  expect(cache.size).toBe(1500);
  expect(cache.rkeys().next().value).toBe("k2999");
});

test("updateAgeOnHas starts the ttl anew", () => {
  let now = 1000;
  using cache = new LRUCache<string, string>({ max: 5, ttl: 100, updateAgeOnHas: true, perf: { now: () => now } });
  cache.set("k", "v");
  now += 80;
  expect(cache.has("k")).toBe(true);
  now += 80;
  expect(cache.get("k")).toBe("v");
});

test("onInsert says how an entry came", () => {
  const onInsert = vi.fn();
  using cache = new LRUCache<string, number>({ max: 5, onInsert });
  cache.set("a", 1).set("a", 1).set("a", 2);
  expect(onInsert.mock.calls).toEqual([
    [1, "a", "add"],
    [1, "a", "update"],
    [2, "a", "replace"],
  ]);
});

test.each([0, Number.NaN, null, undefined])("a ttl of %s means none, as in lru-cache", (ttl) => {
  using cache = new LRUCache<string, string>({ max: 10 });
  cache.set("k", "v", { ttl } as never);
  expect([cache.get("k"), cache.getRemainingTTL("k")]).toEqual(["v", Number.POSITIVE_INFINITY]);
});

test("refuses a ttl that is no number", () => {
  using cache = new LRUCache<string, string>({ max: 10 });
  expect(() => cache.set("k", "v", { ttl: "1s" } as never)).toThrow(
    new TypeError('ttl must be a number of ms, 0 for none; got "1s"'),
  );
  expect(cache.has("k")).toBe(false);
});
