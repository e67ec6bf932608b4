/** Each scenario runs on lru-cache and on the door; both must tell the same story. */
import { getEventListeners } from "node:events";
import { LRUCache as Reference } from "lru-cache";
import { describe, expect, test } from "vitest";
import { LRUCache as Door, type Options } from "../../../src/lru/index.js";

type Subject = Door<string, string>;

interface Stage {
  cache: Subject;
  clock: { time: number };
  /** Loads in flight, in order; each is settled by the scenario. */
  loads: {
    key: string;
    stale: unknown;
    signal: AbortSignal;
    resolve(value?: string): void;
    reject(error: Error): void;
  }[];
}

const makers: [name: string, make: (options: Options<string, string, unknown>) => Subject][] = [
  ["lru-cache", (options) => new Reference<string, string>({ ...options, ttlResolution: 0 } as never) as never],
  ["door", (options) => new Door<string, string>(options)],
];

/** The same, with the flags as properties of a cache that was made without them. */
for (const [name, make] of [...makers]) {
  makers.push([
    `${name}, assigned`,
    (options) => {
      const flags = Object.entries(options).filter(([, value]) => typeof value === "boolean");
      const others = Object.entries(options).filter(([, value]) => typeof value !== "boolean");
      return Object.assign(make(Object.fromEntries(others)), Object.fromEntries(flags));
    },
  ]);
}

function stage(make: (typeof makers)[number][1], options: Partial<Options<string, string, unknown>>): Stage {
  const clock = { time: 1000 };
  const loads: Stage["loads"] = [];
  const cache = make({
    max: 10,
    ttl: 100,
    perf: { now: () => clock.time },
    fetchMethod: (key, stale, { signal }) =>
      new Promise((resolve, reject) => loads.push({ key, stale, signal, resolve, reject })),
    ...options,
  });
  return { cache, clock, loads };
}

/** What a promise came to, in a form that can be compared. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error: error instanceof Error ? error.message : error };
  }
}

type Scenario = (stage: Stage) => Promise<unknown>;

/** A stale entry whose load fails: what the asker gets, and what is left. */
const failToRefresh: Scenario = async ({ cache, clock, loads }) => {
  cache.set("k", "old");
  clock.time += 101;
  const asked = outcome(cache.fetch("k"));
  loads[0]?.reject(new Error("down"));
  return [await asked, cache.size, cache.peek("k", { allowStale: true })];
};

const scenarios: [
  name: string,
  options: Partial<Options<string, string, unknown>>,
  scenario: Scenario,
  expected: unknown,
][] = [
  [
    "one load for all askers",
    {},
    async ({ cache, loads }) => {
      const asked = [cache.fetch("k"), cache.fetch("k"), cache.fetch("k")];
      await Promise.resolve();
      loads[0]?.resolve("loaded");
      return [loads.length, await Promise.all(asked), cache.get("k"), cache.size];
    },
    [1, ["loaded", "loaded", "loaded"], "loaded", 1],
  ],
  [
    "a hit loads nothing",
    {},
    async ({ cache, loads }) => {
      cache.set("k", "there");
      return [await cache.fetch("k"), loads.length];
    },
    ["there", 0],
  ],
  [
    "a stale entry is loaded anew, and its value handed to the method",
    {},
    async ({ cache, clock, loads }) => {
      cache.set("k", "old");
      clock.time += 101;
      const asked = cache.fetch("k");
      const { stale } = loads[0] as Stage["loads"][number];
      const during = [cache.get("k"), cache.peek("k"), cache.has("k")];
      loads[0]?.resolve("new");
      return [stale, during, await asked, cache.get("k")];
    },
    ["old", [undefined, undefined, false], "new", "new"],
  ],
  [
    "allowStale answers at once and refreshes behind",
    { allowStale: true },
    async ({ cache, clock, loads }) => {
      cache.set("k", "old");
      clock.time += 101;
      const first = await cache.fetch("k");
      const second = await cache.fetch("k");
      loads[0]?.resolve("new");
      await new Promise(setImmediate);
      return [first, second, loads.length, cache.get("k")];
    },
    ["old", "old", 1, "new"],
  ],
  [
    "forceRefresh loads although there is a value",
    {},
    async ({ cache, loads }) => {
      cache.set("k", "old");
      const asked = cache.fetch("k", { forceRefresh: true });
      loads[0]?.resolve("new");
      return [await asked, cache.get("k")];
    },
    ["new", "new"],
  ],
  [
    "a failed load reaches all askers and leaves nothing",
    {},
    async ({ cache, loads }) => {
      const asked = [cache.fetch("k"), cache.fetch("k")];
      loads[0]?.reject(new Error("down"));
      return [await Promise.all(asked.map(outcome)), cache.has("k"), cache.size];
    },
    [[{ error: "down" }, { error: "down" }], false, 0],
  ],
  ["a failed load deletes the stale entry", {}, failToRefresh, [{ error: "down" }, 0, undefined]],
  [
    "noDeleteOnFetchRejection keeps it",
    { noDeleteOnFetchRejection: true },
    failToRefresh,
    [{ error: "down" }, 1, "old"],
  ],
  [
    "allowStaleOnFetchRejection hands it out",
    { allowStaleOnFetchRejection: true },
    failToRefresh,
    [{ value: "old" }, 1, "old"],
  ],
  [
    "undefined is handed out and not stored",
    {},
    async ({ cache, loads }) => {
      const asked = cache.fetch("k");
      loads[0]?.resolve();
      return [await asked, cache.size];
    },
    [undefined, 0],
  ],
  [
    "a set meanwhile aborts the load and wins",
    {},
    async ({ cache, loads }) => {
      const asked = outcome(cache.fetch("k"));
      cache.set("k", "set");
      const load = loads[0] as Stage["loads"][number];
      const { aborted, reason } = load.signal;
      load.resolve("late");
      return [aborted, (reason as Error).message, await asked, cache.get("k")];
    },
    [true, "replaced", { error: "replaced" }, "set"],
  ],
  [
    "a delete meanwhile aborts the load",
    {},
    async ({ cache, loads }) => {
      const asked = outcome(cache.fetch("k"));
      cache.delete("k");
      const load = loads[0] as Stage["loads"][number];
      load.resolve("late");
      return [load.signal.aborted, await asked, cache.get("k")];
    },
    [true, { error: "deleted" }, undefined],
  ],
  [
    "a signal of the caller's aborts the load",
    {},
    async ({ cache, loads }) => {
      const controller = new AbortController();
      const asked = outcome(cache.fetch("k", { signal: controller.signal }));
      controller.abort(new Error("enough"));
      return [loads[0]?.signal.aborted, await asked, cache.size];
    },
    [true, { error: "enough" }, 0],
  ],
  [
    "ignoreFetchAbort lets it finish and stores",
    { ignoreFetchAbort: true },
    async ({ cache, loads }) => {
      const controller = new AbortController();
      const asked = outcome(cache.fetch("k", { signal: controller.signal }));
      controller.abort(new Error("enough"));
      loads[0]?.resolve("loaded");
      return [await asked, cache.get("k")];
    },
    [{ value: "loaded" }, "loaded"],
  ],
  [
    "allowStaleOnFetchAbort hands the stale value out",
    { allowStaleOnFetchAbort: true },
    async ({ cache, clock, loads }) => {
      cache.set("k", "old");
      clock.time += 101;
      const controller = new AbortController();
      const asked = outcome(cache.fetch("k", { signal: controller.signal }));
      controller.abort(new Error("enough"));
      return [await asked, loads[0]?.signal.aborted, cache.size];
    },
    [{ value: "old" }, true, 1],
  ],
  [
    "without a method fetch is a get",
    { fetchMethod: undefined as never },
    async ({ cache }) => {
      cache.set("k", "there");
      return [await cache.fetch("k"), await cache.fetch("absent")];
    },
    ["there", undefined],
  ],
  [
    "forceFetch takes no undefined for an answer",
    {},
    async ({ cache, loads }) => {
      const asked = outcome(cache.forceFetch("k"));
      loads[0]?.resolve();
      return asked;
    },
    { error: "fetch() returned undefined" },
  ],
  [
    "options of a fetch hold for what it stores",
    {},
    async ({ cache, clock, loads }) => {
      const asked = cache.fetch("k", { ttl: 500 });
      loads[0]?.resolve("loaded");
      await asked;
      clock.time += 300;
      return [cache.get("k"), cache.getRemainingTTL("k")];
    },
    ["loaded", 200],
  ],
];

for (const [name, make] of makers) {
  describe(name, () => {
    test.each(scenarios)("%s", async (_, options, scenario, expected) => {
      const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
      const without = "fetchMethod" in options ? { ...given, fetchMethod: undefined } : given;
      const set = stage(
        (all) => make(Object.fromEntries(Object.entries(all).filter(([, v]) => v !== undefined)) as never),
        without as never,
      );
      expect(await scenario(set)).toEqual(expected);
    });
  });
}

test("a signal that outlives its fetches is left without listeners", async () => {
  using cache = new Door<string, string>({ max: 10, fetchMethod: async (key) => key });
  const { signal } = new AbortController();
  const fetched = Array.from({ length: 20 }, (_, number) => cache.fetch(`${number}`, { signal }));
  // From eleven on Node warns of a leak.
  expect(getEventListeners(signal, "abort")).toHaveLength(1);
  await Promise.all(fetched);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
