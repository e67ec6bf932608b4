/** Programs run on lru-cache and on the door alike must give the same answers, orders, sizes and callbacks. */
import fc from "fast-check";
import { LRUCache as Reference } from "lru-cache";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { LRUCache as Door, type Options } from "../../../src/lru/index.js";

// `dump` and `load` go by the wall clock, which must not move between the two sides.
beforeAll(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterAll(() => void vi.useRealTimers());

type Value = string | number | { n: number };
type AnyOptions = Options<string, Value, unknown>;

interface Both {
  door: Door<string, Value>;
  reference: Reference<string, Value>;
  clock: { time: number };
}

type Command = (cache: Door<string, Value>, clock: { time: number }) => unknown;

const key = fc.constantFrom("a", "b", "c", "d", "e", "f");
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

function commands(timed: boolean, sized: boolean): fc.Arbitrary<[name: string, run: Command]> {
  const setOptions = fc.record({
    ttl: timed ? fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }) : fc.constant(undefined),
    noUpdateTTL: flag,
  });
  // A size that follows from the value: lru-cache ignores the size of a set that stores the very value that is there.
  const sizes = (v: Value) => (sized ? { size: (JSON.stringify(v).length % 7) + 1 } : {});
  const getOptions = fc.record({ allowStale: flag, updateAgeOnGet: flag, noDeleteOnStaleGet: flag });
  const of = <T>(name: string, arguments_: fc.Arbitrary<T>, run: (cache: Door<string, Value>, with_: T) => unknown) =>
    arguments_.map((a): [string, Command] => [`${name}(${JSON.stringify(a)})`, (cache) => run(cache, a)]);
  return fc.oneof(
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

/** `start` is by the wall clock, which moves between the two sides. */
function withoutStart<T extends { start?: number }>(entry: T | undefined): unknown {
  if (entry === undefined) return undefined;
  const { start: _, ...rest } = entry;
  return rest;
}

function state(cache: Door<string, Value>) {
  return {
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
    door: new Door<string, Value>({ ...common, maxBytes: "4mb", ...listeners(seen[0]) }),
    reference: new Reference<string, Value>({ ...common, ...listeners(seen[1]) } as never),
  };
}

/** lru-cache compares values by identity: an equal object is another value there, and always one here. */
function isOrderFree(calls: unknown[]): unknown {
  return calls.map((call) => JSON.stringify(call)).sort();
}

const caches: [name: string, options: AnyOptions, timed: boolean, sized: boolean][] = [
  ["max", { max: 3 }, false, false],
  ["maxSize", { maxSize: 10 }, false, true],
  ["max and maxSize", { max: 3, maxSize: 12, maxEntrySize: 5 }, false, true],
  ["ttl", { max: 4, ttl: 20 }, true, false],
  ["ttl with stale values", { max: 4, ttl: 20, allowStale: true, updateAgeOnGet: true }, true, false],
  ["ttl with entries that stay stale", { max: 4, ttl: 20, noDeleteOnStaleGet: true, noUpdateTTL: true }, true, false],
  ["ttl and maxSize", { maxSize: 10, ttl: 20 }, true, true],
  ["ttl per entry", { max: 4 }, true, false],
];

for (const [name, options, timed, sized] of caches) {
  test(`answers like lru-cache: ${name}`, () => {
    const program = fc.array(commands(timed, sized), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(program, (steps) => {
        const { door, reference, clock, seen } = build(options);
        try {
          for (const [step, run] of steps) {
            const time = clock.time;
            const mine = run(door, clock);
            const after = clock.time;
            clock.time = time;
            const theirs = run(reference as unknown as Door<string, Value>, clock);
            clock.time = after;
            expect(mine, step).toEqual(theirs);
            expect(state(door), step).toEqual(state(reference as unknown as Door<string, Value>));
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
