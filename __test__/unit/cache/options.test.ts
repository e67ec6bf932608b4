import { expect, test } from "vitest";
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
  ["64mb", TypeError, /options .*"64mb"/],
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

test("a seed makes runs repeatable", () => {
  const keys = () => {
    using cache = new Cache({ maxBytes: "1mb", shards: 1, seed: 42 });
    for (let i = 0; i < 100; i += 1) cache.set(`k${i}`, i);
    return [...cache.keys()];
  };
  expect(keys()).toEqual(keys());
});
