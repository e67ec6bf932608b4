/** Options of the door, with the names of lru-cache 11; checked where they enter. */
import { describe } from "../cache/describe.js";
import type { Bytes } from "../cache/options.js";

/** Why an entry left. */
export type DisposeReason = "evict" | "set" | "delete" | "expire" | "fetch";
/** Why an entry came. */
export type InsertReason = "add" | "update" | "replace";
/** Is told of an entry that left. The value is a copy. */
export type Disposer<K, V> = (value: V, key: K, reason: DisposeReason) => void;
/** Is told of an entry that came. */
export type Inserter<K, V> = (value: V, key: K, reason: InsertReason) => void;
/** Says what an entry counts towards `maxSize`, at least 1. */
export type SizeCalculator<K, V> = (value: V, key: K) => number;

/** What a fetch method gets beside key and stale value. */
export interface FetcherOptions<K, V, FC> {
  signal: AbortSignal;
  options: FetchOptions<K, V, FC>;
  context: FC;
}

/** Loads a value. */
export type Fetcher<K, V, FC> = (
  key: K,
  staleValue: V | undefined,
  options: FetcherOptions<K, V, FC>,
) => Promise<V | undefined> | V | undefined;

/** Computes a value. */
export type Memoizer<K, V, FC> = (
  key: K,
  staleValue: V | undefined,
  options: { options: Omit<MemoOptions<K, V, FC>, "context" | "forceRefresh">; context: FC },
) => V;

/** Options of `get`. */
export interface GetOptions {
  allowStale?: boolean;
  updateAgeOnGet?: boolean;
  noDeleteOnStaleGet?: boolean;
}

/** Options of `has`. */
export interface HasOptions {
  updateAgeOnHas?: boolean;
}

/** Options of `peek`. */
export interface PeekOptions {
  allowStale?: boolean;
}

/** Options of `set`. */
export interface SetOptions<K, V> {
  ttl?: number;
  start?: number;
  size?: number;
  sizeCalculation?: SizeCalculator<K, V>;
  noDisposeOnSet?: boolean;
  noUpdateTTL?: boolean;
}

/** Options of `fetch`. */
export interface FetchOptions<K, V, FC> extends GetOptions, Omit<SetOptions<K, V>, "start"> {
  forceRefresh?: boolean;
  context?: FC;
  signal?: AbortSignal;
  noDeleteOnFetchRejection?: boolean;
  allowStaleOnFetchRejection?: boolean;
  allowStaleOnFetchAbort?: boolean;
  ignoreFetchAbort?: boolean;
}

/** Options of `memo`. */
export interface MemoOptions<K, V, FC> extends GetOptions, SetOptions<K, V> {
  forceRefresh?: boolean;
  context?: FC;
}

/** Options of the cache. At least one of `max`, `maxSize` and `ttl` is needed. */
export interface Options<K, V, FC> {
  /** Most entries. */
  max?: number;
  /** Largest sum of sizes. */
  maxSize?: number;
  /** Largest size of an entry; larger ones are not stored. Default: `maxSize`. */
  maxEntrySize?: number;
  sizeCalculation?: SizeCalculator<K, V>;
  /** Milliseconds until an entry is stale. */
  ttl?: number;
  /** Accepted; the clock is read anew each time, so that ttls are exact. Default: 1. */
  ttlResolution?: number;
  /** Stale entries leave on their own. */
  ttlAutopurge?: boolean;
  allowStale?: boolean;
  updateAgeOnGet?: boolean;
  updateAgeOnHas?: boolean;
  noDeleteOnStaleGet?: boolean;
  noUpdateTTL?: boolean;
  noDisposeOnSet?: boolean;
  dispose?: Disposer<K, V>;
  disposeAfter?: Disposer<K, V>;
  onInsert?: Inserter<K, V>;
  fetchMethod?: Fetcher<K, V, FC>;
  memoMethod?: Memoizer<K, V, FC>;
  noDeleteOnFetchRejection?: boolean;
  allowStaleOnFetchRejection?: boolean;
  allowStaleOnFetchAbort?: boolean;
  ignoreFetchAbort?: boolean;
  /** The clock of ttls; `performance` by default. */
  perf?: { now(): number };
  /** Bound on all memory in bytes, which lru-cache does not have. Default as for `Cache`. */
  maxBytes?: Bytes;
}

/** Options of lru-cache that the door refuses, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  backgroundFetchSize: "a fetch in flight takes no place in the cache here",
  status: "operations do not keep a log; use stats() or events of Cache",
  length: "it was renamed to sizeCalculation in lru-cache 7",
  maxAge: "it was renamed to ttl in lru-cache 7",
  stale: "it was renamed to allowStale in lru-cache 7",
};

/** Options that are on or off. */
export const FLAGS = [
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
] as const;
const COUNTS = ["max", "maxSize", "maxEntrySize", "ttl", "ttlResolution"] as const;
const FUNCTIONS = ["sizeCalculation", "dispose", "disposeAfter", "onInsert", "fetchMethod", "memoMethod"] as const;
const KNOWN: ReadonlySet<string> = new Set([...FLAGS, ...COUNTS, ...FUNCTIONS, "perf", "maxBytes"]);
const COUNT_NAMES: ReadonlySet<string> = new Set(COUNTS);
const FUNCTION_NAMES: ReadonlySet<string> = new Set(FUNCTIONS);

/**
 * Checks the options of a new cache. Another cache, whose options it is to have, is taken for them, too.
 *
 * @throws {TypeError} naming the option, what was given and what is allowed.
 */
export function checkOptions(options: object): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`options must be an object; got ${describe(options)}`);
  }
  const given = options as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    refuse(name);
    if (!KNOWN.has(name)) throw new TypeError(`option ${name} does not exist; there are ${[...KNOWN].join(", ")}`);
  }
  for (const name of KNOWN) checkOption(name, given[name]);
  const { perf } = given as { perf?: { now?: unknown } };
  if (perf !== undefined && typeof perf?.now !== "function") {
    throw new TypeError(`option perf must have a now() method; got ${describe(perf)}`);
  }
  if (!given.max && !given.maxSize && !given.ttl) {
    throw new TypeError("at least one of the options max, maxSize and ttl is needed");
  }
  if (given.sizeCalculation && !given.maxSize && !given.maxEntrySize) {
    throw new TypeError("option sizeCalculation needs maxSize or maxEntrySize");
  }
}

/** Checks one option by itself. Flags are taken as conditions are: anything is on or off. */
export function checkOption(name: string, value: unknown): void {
  if (value === undefined) return;
  if (COUNT_NAMES.has(name) && !(Number.isSafeInteger(value) && (value as number) >= 0)) {
    throw new TypeError(`option ${name} must be a whole number, at least 0; got ${describe(value)}`);
  }
  if (FUNCTION_NAMES.has(name) && typeof value !== "function") {
    throw new TypeError(`option ${name} must be a function; got ${describe(value)}`);
  }
}

/** Refuses what a single call cannot honour. */
export function checkCallOptions(options: object): void {
  if ("status" in options && options.status !== undefined) refuse("status");
}

/** Refuses an option of lru-cache that cannot be honoured, with the reason. */
export function refuse(name: string): void {
  if (Object.hasOwn(REFUSED, name)) throw new TypeError(`option ${name} cannot be honoured: ${REFUSED[name]}`);
}
