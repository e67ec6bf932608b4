import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { Cache, type CacheEvent, type EventName } from "../../../src/index.js";

/** Events come within 20 ms, on a busy machine later. */
const WAIT = { timeout: 50_000, interval: 5 };

const NAMES: EventName[] = ["set", "delete", "evict", "expire", "gap"];

let cache: Cache;
let time = 1_700_000_000_000;
const seen: [EventName, CacheEvent["reason"], CacheEvent["key"]][] = [];

function listen(names: EventName[], options: ConstructorParameters<typeof Cache>[0] = {}) {
  seen.length = 0;
  cache = new Cache({ maxBytes: "64mb", clock: () => time, ...options });
  for (const name of names) {
    cache.on(name, (events) => {
      for (const { reason, key } of events) seen.push([name, reason, key]);
    });
  }
}

afterEach(() => cache.close());

/** Collects the uncaught exceptions of one test in the place of whoever listens for them else. */
function catchUncaught(): unknown[] {
  const uncaught: unknown[] = [];
  const others = process.listeners("uncaughtException");
  const collect = (error: unknown) => uncaught.push(error);
  process.removeAllListeners("uncaughtException").on("uncaughtException", collect);
  onTestFinished(() => {
    process.removeListener("uncaughtException", collect);
    for (const other of others) process.on("uncaughtException", other);
  });
  return uncaught;
}

async function expectEvents(expected: typeof seen) {
  await vi.waitFor(() => expect(seen.length).toBeGreaterThanOrEqual(expected.length), WAIT);
  // Names come in batches; within one name the order is that of the changes.
  const sort = (events: typeof seen) => NAMES.flatMap((name) => events.filter((event) => event[0] === name));
  expect(sort(seen)).toEqual(sort(expected));
}

test("tells of sets, deletes and clears with their reason", async () => {
  listen(["set", "delete"]);
  cache.set("a", 1);
  cache.set("a", 2);
  cache.expire("a", 1000);
  cache.delete("a");
  cache.delete("a");
  cache.set("b", 1);
  cache.take("b");
  await expectEvents([
    ["set", "add", "a"],
    ["set", "replace", "a"],
    ["set", "expiry", "a"],
    ["delete", "delete", "a"],
    ["set", "add", "b"],
    ["delete", "delete", "b"],
  ]);
});

test("tells of evictions and expirations", async () => {
  listen(["evict", "expire"], { policy: "lru", maxEntries: 2 });
  cache.set("a", 1);
  cache.set("b", 1);
  cache.set("c", 1);
  cache.set("d", 1, { ttl: 10 });
  time += 10;
  expect(cache.get("d")).toBeUndefined();
  await expectEvents([
    ["evict", "capacity", "a"],
    ["evict", "capacity", "b"],
    ["expire", "ttl", "d"],
  ]);
});

test("tells of a clear without keys", async () => {
  listen(["delete"], { shards: 1 });
  cache.set("a", 1);
  cache.clear();
  await expectEvents([["delete", "clear", undefined]]);
});

test("says so when changes were lost", async () => {
  listen(["set", "gap"], { maxBytes: "64mb" });
  for (let i = 0; i < 200_000; i += 1) cache.set(`k${i % 1000}`, i);
  await vi.waitFor(() => expect(seen.some(([name]) => name === "gap")).toBe(true), WAIT);
  expect(seen.find(([name]) => name === "gap")).toEqual(["gap", "overflow", undefined]);
});

test("says so when more bytes of keys than may wait were changed", async () => {
  listen(["set", "gap"]);
  const key = "k".repeat(60_000);
  // 18 MB of 16 MiB; far from the bound on their number.
  for (let i = 0; i < 300; i += 1) cache.set(`${key}${i}`, i);
  await vi.waitFor(() => expect(seen.length).toBeGreaterThan(0), WAIT);
  expect(seen.filter(([name]) => name === "gap")).toEqual([["gap", "overflow", undefined]]);
});

test("a listener that was taken off hears no more, others do", async () => {
  listen(["set"]);
  const off = vi.fn();
  cache.on("set", off);
  cache.set("a", 1);
  cache.off("set", off);
  const calls = off.mock.calls.length;
  cache.set("b", 1);
  await expectEvents([
    ["set", "add", "a"],
    ["set", "add", "b"],
  ]);
  expect(off.mock.calls.length).toBe(calls);
});

test("what a listener throws is an uncaught exception, and costs nobody an event", async () => {
  const uncaught = catchUncaught();
  listen([]);
  cache.on("set", () => {
    throw new Error("of the listener");
  });
  cache.on("set", (events) => seen.push(...events.map(({ reason, key }): (typeof seen)[0] => ["set", reason, key])));
  cache.on("delete", (events) =>
    seen.push(...events.map(({ reason, key }): (typeof seen)[0] => ["delete", reason, key])),
  );
  cache.set("a", 1);
  cache.set("b", 1);
  cache.delete("a");
  await expectEvents([
    ["set", "add", "a"],
    ["set", "add", "b"],
    ["delete", "delete", "a"],
  ]);
  await vi.waitFor(() => expect(uncaught.length).toBeGreaterThan(0), WAIT);
  for (const error of uncaught) expect(error).toEqual(new Error("of the listener"));
});

test("two handles on one cache hear the same", async () => {
  cache = Cache.open("events");
  using other = Cache.open("events");
  const heard: [string, unknown][] = [];
  cache.on("set", (events) => heard.push(...events.map(({ key }): [string, unknown] => ["one", key])));
  other.on("set", (events) => heard.push(...events.map(({ key }): [string, unknown] => ["other", key])));
  cache.set("a", 1);
  other.set("b", 1);
  await vi.waitFor(() => expect(heard.length).toBe(4), WAIT);
  expect(heard.sort()).toEqual([
    ["one", "a"],
    ["one", "b"],
    ["other", "a"],
    ["other", "b"],
  ]);
});

test("refuses what is no event and no listener", () => {
  listen([]);
  expect(() => cache.on("evicted" as never, () => undefined)).toThrow(/evicted/);
  expect(() => cache.on("evict", 5 as never)).toThrow(TypeError);
});

test("a listener that writes for every event leaves the event loop to others", async () => {
  cache = new Cache({ maxBytes: "64mb" });
  let calls = 0;
  let stop = false;
  cache.on("set", (events) => {
    calls += 1;
    // More than are taken from the engine at a time, each time.
    if (!stop) for (const { key } of events) cache.set(key as string, calls);
  });
  for (let number = 0; number < 10_000; number++) cache.set(`key:${number}`, 0);
  await vi.waitFor(() => expect(calls).toBeGreaterThan(2), WAIT);
  stop = true;
});

test("many events come in several turns of the event loop, in order", async () => {
  cache = new Cache({ maxBytes: "64mb" });
  const sizes: number[] = [];
  const versions: bigint[] = [];
  let turns = 0;
  const count = () => {
    turns += 1;
    if (versions.length < 50_000) setImmediate(count);
  };
  cache.on("set", (events) => {
    sizes.push(events.length);
    for (const { version } of events) versions.push(version);
  });
  for (let number = 0; number < 50_000; number++) cache.set("key", number);
  setImmediate(count);
  await vi.waitFor(() => expect(versions).toHaveLength(50_000), WAIT);
  expect(Math.max(...sizes)).toBeLessThan(10_000);
  expect(turns).toBeGreaterThanOrEqual(sizes.length - 1);
  expect(versions.every((version, index) => index === 0 || version > (versions[index - 1] as bigint))).toBe(true);
});

test("a listener that writes and changes the subscription overtakes no events", async () => {
  cache = new Cache({ maxBytes: "4mb" });
  const values: bigint[] = [];
  const other = () => {};
  let isFirst = true;
  cache.on("delete", other);
  cache.on("set", () => {
    if (!isFirst) return;
    isFirst = false;
    cache.set("key", 2);
    cache.off("delete", other);
  });
  cache.on("set", (events) => {
    for (const { version } of events) values.push(version);
  });
  cache.set("key", 1);
  await vi.waitFor(() => expect(values).toHaveLength(2), WAIT);
  expect(values[0]).toBeLessThan(values[1] as bigint);
});

test("a listener that is added while events are delivered hears of the next ones", async () => {
  cache = new Cache({ maxBytes: "64mb" });
  const heard: CacheEvent["key"][] = [];
  const late = (events: readonly CacheEvent[]) => heard.push(...events.map(({ key }) => key));
  const first = vi.fn(() => void cache.on("set", late));
  cache.on("set", first);
  cache.set("before", 1);
  await vi.waitFor(() => expect(first).toHaveBeenCalled(), WAIT);
  cache.set("after", 1);
  await vi.waitFor(() => expect(heard).toContain("after"), WAIT);
  expect(heard).toEqual(["after"]);
});
