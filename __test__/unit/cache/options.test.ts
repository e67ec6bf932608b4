import { expect, test, vi } from "vitest";
import { Cache } from "../../../src/index.js";

const MIB = 1024 ** 2;

function maxBytesOf(maxBytes: number | string): number {
  using cache = new Cache({ maxBytes });
  return cache.stats().maxBytes;
}

test("reads sizes", () => {
  expect(maxBytesOf("64mb")).toBe(64 * MIB);
  expect(maxBytesOf("1.5 GB")).toBe(1536 * MIB);
  expect(maxBytesOf("2097152")).toBe(2 * MIB);
  expect(maxBytesOf("2048kb")).toBe(2 * MIB);
  expect(maxBytesOf(3 * MIB)).toBe(3 * MIB);
});

test("takes at most 512 MiB by default", () => {
  using cache = new Cache();
  const { maxBytes } = cache.stats();
  expect(maxBytes).toBeGreaterThanOrEqual(MIB);
  expect(maxBytes).toBeLessThanOrEqual(512 * MIB);
});

test("takes a quarter of what the container has by default", () => {
  const limit = vi.spyOn(process, "constrainedMemory").mockReturnValue(256 * MIB);
  try {
    using cache = new Cache();
    expect(cache.stats().maxBytes).toBe(64 * MIB);
  } finally {
    limit.mockRestore();
  }
});

test.each([
  [{ maxBytes: "64 bananas" }, TypeError, /maxBytes .*"64 bananas"/],
  [{ maxBytes: true }, TypeError, /maxBytes .*true/],
  [{ maxBytes: 1000 }, RangeError, /maxBytes .*1048576.*1000/],
  [{ maxBytes: "1e9gb" }, TypeError, /maxBytes/],
  [{ maxEntries: 0 }, RangeError, /maxEntries .*0/],
  [{ maxEntries: "7" }, TypeError, /maxEntries .*"7"/],
  [{ maxCost: 1.5 }, RangeError, /maxCost .*1\.5/],
  [{ policy: "fifo" }, TypeError, /policy .*"fifo"/],
  [{ shards: 3 }, RangeError, /shards .*3/],
  [{ shards: 512 }, RangeError, /shards .*512/],
  [{ maxValueBytes: "1gb" }, RangeError, /maxValueBytes .*"1gb"/],
  [{ ttl: 0 }, RangeError, /ttl .*0/],
  [{ idleTtl: -1 }, RangeError, /idleTtl .*-1/],
  [{ compression: "lz4" }, TypeError, /compression .*"lz4"/],
  [{ compression: { minBytes: 0 } }, RangeError, /compression\.minBytes .*0/],
  [{ codec: {} }, TypeError, /codec/],
  [{ clock: 5 }, TypeError, /clock .*5/],
  [{ seed: -1 }, RangeError, /seed .*-1/],
  [{ maxSize: 5 }, TypeError, /maxSize does not exist.*maxBytes/],
  [{ ttl: 2 ** 53 }, RangeError, /ttl .*1 to 8640000000000000; got 9007199254740992/],
  [{ idleTtl: 4_000 * 86_400_000 }, RangeError, /idleTtl .*1 to 315360000000; got 345600000000/],
  [{ maxBytes: "64tb" }, RangeError, /maxBytes .*1048576 to 35184372088832; got "64tb"/],
  ["64mb", TypeError, /options .*"64mb"/],
  [[], TypeError, /options .*an array/],
  [null, TypeError, /options .*null/],
])("refuses %j", (options, type, message) => {
  expect(() => new Cache(options as never)).toThrow(type);
  expect(() => new Cache(options as never)).toThrow(message);
});

test("refuses names that are no names, and a clock that threads cannot share", () => {
  expect(() => Cache.open("")).toThrow(RangeError);
  expect(() => Cache.open("x".repeat(257))).toThrow(RangeError);
  expect(() => Cache.open(7 as never)).toThrow(TypeError);
  expect(() => Cache.open(undefined as never)).toThrow(TypeError);
  expect(() => Cache.open("clock", { clock: Date.now })).toThrow(/clock/);
});

test.each([
  [Number.NaN, RangeError, /option clock .*0 to 8640000000000000; got NaN/],
  [-1, RangeError, /option clock .*got -1/],
  [1e300, RangeError, /option clock .*got 1e\+300/],
  [1.5, RangeError, /option clock .*got 1\.5/],
  ["12", TypeError, /option clock .*got "12"/],
])("refuses a clock that says %j, whenever it does", (time, type, message) => {
  expect(() => new Cache({ clock: () => time as number })).toThrow(type);
  let now: unknown = 1;
  using cache = new Cache({ maxBytes: "1mb", clock: () => now as number });
  cache.set("k", 1, { ttl: 10 });
  now = time;
  for (const call of [() => cache.get("k"), () => cache.set("k", 2), () => cache.ttl("k"), () => cache.size]) {
    expect(call).toThrow(type);
    expect(call).toThrow(message);
  }
  now = 2;
  expect(cache.ttl("k")).toBe(9);
});

test("the largest maxBytes can be had, and a resize says what is the largest", async () => {
  using huge = new Cache({ maxBytes: "32tb" });
  huge.set("k", "v");
  expect(huge.get("k")).toBe("v");
  using cache = new Cache({ maxBytes: "1mb" });
  await cache.resize("4mb");
  await expect(cache.resize("5mb")).rejects.toThrow(RangeError);
  await expect(cache.resize("5mb")).rejects.toThrow(/maxBytes: 5242880 is outside 1048576 to 4194304/);
});

test("of two resizes at once the later one holds", async () => {
  using cache = new Cache({ maxBytes: "64mb" });
  for (let key = 0; key < 100_000; key++) cache.set(`k${key}`, "v".repeat(200));
  const first = cache.resize("4mb");
  await cache.resize("64mb");
  await first;
  expect(cache.stats().maxBytes).toBe(64 * 1024 ** 2);
});

test("options other than those the cache of that name has are a coded error", () => {
  using _one = Cache.open("other-options", { maxBytes: "2mb" });
  const reopen = () => Cache.open("other-options", { maxBytes: "3mb" });
  expect(reopen).toThrow(expect.objectContaining({ name: "TandemError", code: "BadOption" }));
});

test("a seed makes runs repeatable", () => {
  const keys = () => {
    using cache = new Cache({ maxBytes: "1mb", shards: 1, seed: 42 });
    for (let i = 0; i < 100; i += 1) cache.set(`k${i}`, i);
    return [...cache.keys()];
  };
  expect(keys()).toEqual(keys());
});
