/** What the differential tests leave out: assignments that lru-cache does not check, or that it honours otherwise. */
import { expect, test, vi } from "vitest";
import { LRUCache } from "../../../src/lru/index.js";

const assign = (cache: object, name: string, value: unknown) => {
  (cache as Record<string, unknown>)[name] = value;
};

test.each([
  ["ttl", -1, /option ttl .*-1/],
  ["ttl", "1s", /option ttl .*"1s"/],
  ["ttlResolution", 1.5, /option ttlResolution .*1\.5/],
  ["maxEntrySize", -1, /option maxEntrySize .*-1/],
  ["maxEntrySize", 5, /maxEntrySize cannot be set: .*maxSize/],
  ["sizeCalculation", 7, /option sizeCalculation .*7/],
  ["sizeCalculation", () => 1, /sizeCalculation cannot be set: .*maxSize/],
  ["backgroundFetchSize", 2, /backgroundFetchSize cannot be honoured/],
  ["max", 7, /max/],
  ["dispose", () => undefined, /dispose/],
  ["perf", performance, /perf/],
])("refuses %s = %o, and keeps what was", (name, value, message) => {
  using cache = new LRUCache<string, number>({ max: 5, ttl: 100 });
  const before = cache[name as "max"];
  expect(() => assign(cache, name, value)).toThrow(TypeError);
  expect(() => assign(cache, name, value)).toThrow(message);
  expect(cache[name as "max"]).toBe(before);
});

test("undefined brings the default back, and flags become booleans", () => {
  using cache = new LRUCache<string, number>({ maxSize: 10, maxEntrySize: 5, ttl: 100, ttlResolution: 7 });
  for (const name of ["ttl", "ttlResolution", "maxEntrySize", "allowStale"]) assign(cache, name, undefined);
  expect([cache.ttl, cache.ttlResolution, cache.maxEntrySize, cache.allowStale]).toEqual([0, 1, 10, false]);
  assign(cache, "allowStale", 1);
  expect(cache.allowStale).toBe(true);
});

test("noDisposeOnSet counts from its assignment on", () => {
  const dispose = vi.fn();
  using cache = new LRUCache<string, number>({ max: 2, dispose });
  cache.set("a", 1);
  cache.noDisposeOnSet = true;
  cache.set("a", 2);
  expect(dispose).not.toHaveBeenCalled();
  cache.noDisposeOnSet = false;
  cache.set("a", 3);
  expect(dispose.mock.calls).toEqual([[2, "a", "set"]]);
});

test("updateAgeOnHas counts from its assignment on", () => {
  let now = 1000;
  using cache = new LRUCache<string, string>({ max: 5, ttl: 100, perf: { now: () => now } });
  cache.set("k", "v");
  now += 80;
  cache.has("k");
  expect(cache.getRemainingTTL("k")).toBe(20);
  cache.updateAgeOnHas = true;
  cache.has("k");
  expect(cache.getRemainingTTL("k")).toBe(100);
});

test("ttlAutopurge counts for what is stored after its assignment", async () => {
  using cache = new LRUCache<string, string>({ max: 5, ttl: 1 });
  cache.set("before", "v");
  cache.ttlAutopurge = true;
  cache.set("after", "v");
  await vi.waitFor(() => expect([...cache.dump().map(([key]) => key)]).toEqual(["before"]), { timeout: 50_000 });
});

test("an option that a call gives as undefined is not given", () => {
  let now = 1000;
  using cache = new LRUCache<string, string>({ max: 5, ttl: 100, allowStale: true, perf: { now: () => now } });
  cache.set("k", "v", { ttl: undefined } as never);
  now += 101;
  expect(cache.peek("k", { allowStale: undefined } as never)).toBe("v");
  expect(cache.get("k", { allowStale: undefined } as never)).toBe("v");
  expect(cache.size).toBe(0);
});

test("an entry beyond maxSize is not stored, whatever maxEntrySize allows", () => {
  using cache = new LRUCache<string, string>({
    maxSize: 10,
    maxEntrySize: 20,
    sizeCalculation: (value) => value.length,
  });
  cache.set("small", "x").set("large", "x".repeat(11));
  expect([...cache.keys()]).toEqual(["small"]);
});

test("a cache is made by the options of another one", () => {
  using cache = new LRUCache<string, string>({ max: 5, maxBytes: "2mb", ttl: 100, memoMethod: () => "memo" });
  cache.allowStale = true;
  cache.set("k", "v");
  using other = new LRUCache<string, string>(cache);
  expect([other.max, other.maxBytes, other.ttl, other.allowStale, other.size]).toEqual([5, "2mb", 100, true, 0]);
  expect(other.memo("k")).toBe("memo");
});
