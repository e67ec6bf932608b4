import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Cache } from "../../../src/index.js";
import { coded, turns } from "./deferred.js";

let cache: Cache<unknown>;
let now = 1_000_000;
const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);

beforeEach(() => {
  now = 1_000_000;
  cache = new Cache({ maxBytes: "1mb", clock: () => now });
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});
afterEach(() => {
  process.off("unhandledRejection", note);
  cache.close();
});

/** Lets others wait until no more may: they are kept with their keys, in a quarter of `maxBytes`. */
async function fillWithWaits(): Promise<void> {
  const closed = () => undefined;
  for (let i = 0; i < 5; i += 1) cache.stable(`${i}:${"k".repeat(60_000)}`).catch(closed);
  await expect(cache.getOrSet("new", () => 1)).rejects.toMatchObject(coded("Overloaded"));
}

test("a hit is a hit, also where its early refresh is refused", async () => {
  const early = { ttl: 1000, earlyRefresh: 0.5 };
  await cache.getOrSet("k", () => "old", early);
  now += 500;
  await fillWithWaits();
  const loader = vi.fn(() => "new");
  expect(await cache.getOrSet("k", loader, early)).toBe("old");
  await turns();
  expect(loader).not.toHaveBeenCalled();
  // Left to itself, Node would have ended the process.
  expect(unhandled).toEqual([]);
});

test.each([
  ["at once", {}],
  ["with a softTimeout", { softTimeout: 10_000 }],
])("a stale value is handed out where its refresh is refused, %s", async (_, softTimeout) => {
  const graceful = { ttl: 1000, grace: 5000, ...softTimeout };
  await cache.getOrSet("k", () => "old", graceful);
  now += 1000;
  await fillWithWaits();
  const loader = vi.fn(() => "new");
  expect(await cache.getOrSet("k", loader, graceful)).toBe("old");
  await turns();
  expect(loader).not.toHaveBeenCalled();
  expect(unhandled).toEqual([]);
});
