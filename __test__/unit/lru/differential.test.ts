/** Programs run on lru-cache and on the door alike must give the same answers, orders, sizes and callbacks. */
import fc from "fast-check";
import { LRUCache as Reference } from "lru-cache";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { LRUCache as Door, type Key, type Options } from "../../../src/lru/index.js";

// `dump` and `load` go by the wall clock, which must not move between the two sides.
beforeAll(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterAll(() => void vi.useRealTimers());

type Value = string | number | { n: number };
type AnyOptions = Options<Key, Value, unknown>;

interface Both {
  door: Door<Key, Value>;
  reference: Reference<Key, Value>;
  clock: { time: number };
}

type Command = (cache: Door<Key, Value>, clock: { time: number }) => unknown;

/** What programs are made of. */
interface Kind {
  timed: boolean;
  sized: boolean;
  /** Keys of several types, some of which look like others. */
  mixed?: boolean;
  /** Properties are assigned between calls. */
  assigned?: boolean;
}

const strings: fc.Arbitrary<Key> = fc.constantFrom("a", "b", "c", "d", "e", "f");
const mixed: fc.Arbitrary<Key> = fc.constantFrom<Key[]>("1", 1, 1n, true, "\0n1", "\0", Number.NaN, 0.1);
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.constantFrom("x", "y"),
  fc.record({ n: fc.integer({ min: 0, max: 2 }) }),
);
const flag = fc.option(fc.boolean(), { nil: undefined });

/** Options that are there only where they are set: both sides take `undefined` for absent. */
function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, v]) => v !== undefined)) as never;
}

/** JSON, of bigints too, and with NaN apart from null. */
function show(shown: unknown): string {
  return JSON.stringify(shown, (_, part) => {
    const isSpecial = typeof part === "bigint" || Number.isNaN(part);
    return isSpecial ? `${typeof part} ${part}` : part;
  });
}

const sizeOf = (v: Value) => (JSON.stringify(v).length % 7) + 1;

/** Assignments whose effect is the same on both sides. The others have tests of their own. */
function assignments({ timed, sized }: Kind): fc.Arbitrary<[name: string, run: Command]> {
  const assign = (name: string, values: fc.Arbitrary<unknown>) =>
    values.map((v): [string, Command] => [
      `${name} = ${v}`,
      (cache) => {
        (cache as unknown as Record<string, unknown>)[name] = v;
      },
    ]);
  return fc.oneof(
    assign("allowStale", fc.boolean()),
    assign("updateAgeOnGet", fc.boolean()),
    assign("noDeleteOnStaleGet", fc.boolean()),
    assign("noUpdateTTL", fc.boolean()),
    ...(timed ? [assign("ttl", fc.integer({ min: 0, max: 30 }))] : []),
    ...(sized
      ? [
          assign("maxEntrySize", fc.integer({ min: 1, max: 10 })),
          assign("sizeCalculation", fc.constantFrom(undefined, sizeOf)),
        ]
      : []),
  );
}

function commands(kind: Kind): fc.Arbitrary<[name: string, run: Command]> {
  const { timed, sized } = kind;
  const key = kind.mixed ? mixed : strings;
  const setOptions = fc.record({
    ttl: timed ? fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }) : fc.constant(undefined),
    noUpdateTTL: flag,
  });
  // A size that follows from the value: lru-cache ignores the size of a set that stores the very value that is there.
  const sizes = (v: Value) => (sized ? { size: sizeOf(v) } : {});
  const getOptions = fc.record({ allowStale: flag, updateAgeOnGet: flag, noDeleteOnStaleGet: flag });
  const of = <T>(name: string, arguments_: fc.Arbitrary<T>, run: (cache: Door<Key, Value>, with_: T) => unknown) =>
    arguments_.map((a): [string, Command] => [`${name}(${show(a)})`, (cache) => run(cache, a)]);
  return fc.oneof(
    ...(kind.assigned ? [{ weight: 5, arbitrary: assignments(kind) }] : []),
    of("set without a size", fc.tuple(key, value), (c, [k, v]) => orThrown(() => void c.set(k, v))),
    {
      weight: 6,
      arbitrary: of(
        "set",
        fc.tuple(key, value, setOptions),
        (c, [k, v, o]) => void c.set(k, v, { ...given(o), ...sizes(v) }),
      ),
    },
    { weight: 4, arbitrary: of("get", fc.tuple(key, getOptions), (c, [k, o]) => c.get(k, given(o))) },
    { weight: 2, arbitrary: of("plain get", key, (c, k) => c.get(k)) },
    of("peek", fc.tuple(key, fc.record({ allowStale: flag })), (c, [k, o]) => c.peek(k, given(o))),
    of("has", key, (c, k) => c.has(k)),
    of("delete", key, (c, k) => c.delete(k)),
    of("set undefined", key, (c, k) => void c.set(k, undefined, sized ? { size: 1 } : {})),
    of("pop", fc.constant(null), (c) => c.pop()),
    of("clear", fc.constant(null), (c) => c.clear()),
    of("purgeStale", fc.constant(null), (c) => c.purgeStale()),
    of("remaining", key, (c, k) => c.getRemainingTTL(k)),
    of("info", key, (c, k) => withoutStart(c.info(k))),
    of("find", value, (c, v) => c.find((other) => JSON.stringify(other) === JSON.stringify(v))),
    of("dump and load", fc.constant(null), (c) => {
      const dump = c.dump();
      c.load(dump.map(([k, entry]) => [k, { ...entry }]));
      return dump.map(([k, entry]) => [k, withoutStart(entry)]);
    }),
    fc.integer({ min: 1, max: 15 }).map((ms): [string, Command] => [
      `wait(${ms})`,
      (_cache, clock) => {
        clock.time += ms;
      },
    ]),
  );
}

/** Messages differ; that there is one does not. */
function orThrown(run: () => unknown): unknown {
  try {
    return run();
  } catch {
    return "thrown";
  }
}

/** `start` is by the wall clock, which moves between the two sides. */
function withoutStart<T extends { start?: number }>(entry: T | undefined): unknown {
  if (entry === undefined) return undefined;
  const { start: _, ...rest } = entry;
  return rest;
}

const PROPERTIES = [
  "max",
  "maxSize",
  "maxEntrySize",
  "sizeCalculation",
  "ttl",
  "ttlResolution",
  "ttlAutopurge",
  "allowStale",
  "updateAgeOnGet",
  "updateAgeOnHas",
  "noDeleteOnStaleGet",
  "noUpdateTTL",
  "noDisposeOnSet",
  "noDeleteOnFetchRejection",
  "allowStaleOnFetchRejection",
  "allowStaleOnFetchAbort",
  "ignoreFetchAbort",
  "fetchMethod",
  "memoMethod",
  "perf",
] as const;

function state(cache: Door<Key, Value>) {
  const visited: unknown[] = [];
  cache.forEach((v, k) => void visited.push([k, v]));
  return {
    visited,
    properties: PROPERTIES.map((name) => [name, cache[name]]),
    keys: [...cache.keys()],
    rkeys: [...cache.rkeys()],
    values: [...cache.values()],
    entries: [...cache],
    rentries: [...cache.rentries()],
    rvalues: [...cache.rvalues()],
    size: cache.size,
    calculatedSize: cache.calculatedSize,
  };
}

function build(options: AnyOptions): Both & { seen: [unknown[], unknown[]] } {
  const clock = { time: 1_000 };
  const seen: [unknown[], unknown[]] = [[], []];
  const listeners = (into: unknown[]) => ({
    dispose: (...args: unknown[]) => void into.push(["dispose", ...args]),
    disposeAfter: (...args: unknown[]) => void into.push(["disposeAfter", ...args]),
    onInsert: (...args: unknown[]) => void into.push(["onInsert", ...args]),
  });
  const common = { ...options, perf: { now: () => clock.time }, ttlResolution: 0 };
  return {
    clock,
    seen,
    door: new Door<Key, Value>({ ...common, maxBytes: "4mb", ...listeners(seen[0]) }),
    reference: new Reference<Key, Value>({ ...common, ...listeners(seen[1]) } as never),
  };
}

/** lru-cache compares values by identity: an equal object is another value there, and always one here. */
function isOrderFree(calls: unknown[]): unknown {
  return calls.map(show).sort();
}

const plain: Kind = { timed: false, sized: false };
const timed: Kind = { timed: true, sized: false };
const sized: Kind = { timed: false, sized: true };
const both: Kind = { timed: true, sized: true };
const caches: [name: string, options: AnyOptions, kind: Kind][] = [
  ["max", { max: 3 }, plain],
  ["max, keys of several types", { max: 3 }, { ...plain, mixed: true }],
  ["maxSize", { maxSize: 10 }, sized],
  ["max and maxSize", { max: 3, maxSize: 12, maxEntrySize: 5 }, sized],
  ["maxSize and assignments", { maxSize: 10 }, { ...sized, assigned: true }],
  ["ttl", { max: 4, ttl: 20 }, timed],
  ["ttl, keys of several types", { max: 4, ttl: 20 }, { ...timed, mixed: true }],
  ["ttl with stale values", { max: 4, ttl: 20, allowStale: true, updateAgeOnGet: true }, timed],
  ["ttl with entries that stay stale", { max: 4, ttl: 20, noDeleteOnStaleGet: true, noUpdateTTL: true }, timed],
  ["ttl and assignments", { max: 4, ttl: 20 }, { ...timed, assigned: true }],
  ["ttl and maxSize", { maxSize: 10, ttl: 20 }, both],
  ["ttl, maxSize and assignments", { maxSize: 10, ttl: 20 }, { ...both, assigned: true }],
  ["ttl per entry", { max: 4 }, timed],
  ["ttl assigned later", { max: 4 }, { ...timed, assigned: true }],
];

for (const [name, options, kind] of caches) {
  test(`answers like lru-cache: ${name}`, () => {
    const program = fc.array(commands(kind), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(program, (steps) => {
        const { door, reference, clock, seen } = build(options);
        try {
          for (const [step, run] of steps) {
            const time = clock.time;
            const mine = run(door, clock);
            const after = clock.time;
            clock.time = time;
            const theirs = run(reference as unknown as Door<Key, Value>, clock);
            clock.time = after;
            expect(mine, step).toEqual(theirs);
            expect(state(door), step).toEqual(state(reference as unknown as Door<Key, Value>));
            expect(isOrderFree(seen[0]), `callbacks of ${step}`).toEqual(isOrderFree(seen[1]));
          }
        } finally {
          door.close();
        }
      }),
      { numRuns: 300 },
    );
  });
}
