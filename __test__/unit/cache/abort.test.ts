import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { Cache } from "../../../src/index.js";

test("many callers with one signal are no leak to Node, and all of them hear it", async () => {
  using cache = new Cache<string>({ maxBytes: "2mb" });
  const controller = new AbortController();
  const { signal } = controller;
  const callers = Array.from({ length: 50 }, (_, number) => cache.stable(`key:${number % 3}`, { signal }));
  // From eleven on Node warns of a leak.
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  const outcomes = Promise.allSettled(callers);
  controller.abort(new Error("enough"));
  for (const outcome of await outcomes) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { message: "enough" } });
  }
  // Once more on the same signal, which has fired; and one that leaves before it fires.
  await expect(cache.stable("key:1", { signal })).rejects.toThrow("enough");
  const other = new AbortController();
  cache.set("key:1", "value");
  expect(await cache.stable("key:1", { signal: other.signal })).toBe("value");
  expect(getEventListeners(other.signal, "abort")).toEqual([]);
});
