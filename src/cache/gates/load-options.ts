/** Options of `getOrSet`, checked where they enter. */
import { describe } from "../describe.js";
import { checkNames } from "../names.js";
import { duration } from "../time.js";
import { costOf } from "../write.js";

/** Options of `getOrSet`. Times are whole numbers of milliseconds, at least 1. */
export interface LoadOptions {
  /** How long a loaded value stays fresh; `Infinity`: it does not expire. Default: the cache's `ttl`. */
  ttl?: number;
  /** How long a loaded `null` is kept instead of `ttl`: for what is known not to exist. */
  negativeTtl?: number;
  /** What the entry counts towards `maxCost`, a whole number of at least 1. Default: 1. */
  cost?: number;
  /**
   * How much longer than `ttl` (which must then be given) a value is kept: it is served while it is refreshed, and when
   * refreshing fails.
   */
  grace?: number;
  /** How long a caller waits for a refresh before it takes the stale value. Default: not at all. Needs `grace`. */
  softTimeout?: number;
  /**
   * How long a caller waits at most; then it gets the stale value, if there is one, or `Timeout`. Default: no limit, but
   * 30,000 for a caller that is itself a loader or transform and waits for another one.
   */
  hardTimeout?: number;
  /**
   * Share of `ttl` (which must then be given), above 0 and below 1: a hit after it starts a refresh in the background.
   */
  earlyRefresh?: number;
  /** Withdraws this caller. The load goes on while others wait for it. */
  signal?: AbortSignal;
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof LoadOptions>([
  "ttl",
  "negativeTtl",
  "cost",
  "grace",
  "softTimeout",
  "hardTimeout",
  "earlyRefresh",
  "signal",
]);

/** Checked options. */
export interface ParsedLoadOptions {
  readonly ttl: number | undefined;
  readonly negativeTtl: number | undefined;
  readonly cost: number | undefined;
  readonly grace: number;
  readonly softTimeout: number;
  readonly hardTimeout: number | undefined;
  /** Remaining ms of freshness below which a hit starts a refresh; 0 for none. */
  readonly refreshBelow: number;
  readonly signal: AbortSignal | undefined;
}

const DEFAULTS: ParsedLoadOptions = {
  ttl: undefined,
  negativeTtl: undefined,
  cost: undefined,
  grace: 0,
  softTimeout: 0,
  hardTimeout: undefined,
  refreshBelow: 0,
  signal: undefined,
};

/**
 * @throws {TypeError} for a value of a wrong type, an option that does not exist, or one that needs another.
 * @throws {RangeError} for a value out of range.
 */
export function parseLoadOptions(options: LoadOptions | undefined): ParsedLoadOptions {
  if (options === undefined) return DEFAULTS;
  checkNames("getOrSet", options, OPTION_NAMES);
  const { ttl, earlyRefresh, softTimeout } = options;
  if (ttl !== Number.POSITIVE_INFINITY) duration("ttl", ttl);
  const grace = duration("grace", options.grace) ?? 0;
  costOf(options.cost);
  const hasTtl = ttl !== undefined && ttl !== Number.POSITIVE_INFINITY;
  if (grace > 0 && !hasTtl) throw new TypeError("grace needs a ttl: it says how long a value is kept beyond it");
  const negativeTtl = duration("negativeTtl", options.negativeTtl);
  // A value is kept for both together.
  if (hasTtl) duration("ttl + grace", ttl + grace);
  if (negativeTtl !== undefined) duration("negativeTtl + grace", negativeTtl + grace);
  if (softTimeout !== undefined && grace === 0) {
    throw new TypeError("softTimeout needs grace: without it there is no stale value to take");
  }
  return {
    ttl,
    negativeTtl,
    cost: options.cost,
    grace,
    softTimeout: duration("softTimeout", softTimeout) ?? 0,
    hardTimeout: timer("hardTimeout", options.hardTimeout),
    refreshBelow: earlyRefresh === undefined ? 0 : parseEarlyRefresh(earlyRefresh, hasTtl ? ttl : undefined),
    signal: parseSignal(options.signal),
  };
}

/** Longest delay of a Node timer; a longer one would fire at once. */
const MAX_DELAY = 2 ** 31 - 1;

/** A duration that a timer can take. */
export function timer(option: string, value: unknown): number | undefined {
  return duration(option, value, MAX_DELAY);
}

/** An AbortSignal or `undefined`. */
export function parseSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw new TypeError(`signal must be an AbortSignal; got ${describe(signal)}`);
}

function parseEarlyRefresh(share: unknown, ttl: number | undefined): number {
  if (typeof share !== "number") throw new TypeError(`earlyRefresh must be a number; got ${describe(share)}`);
  if (!(share > 0 && share < 1)) throw new RangeError(`earlyRefresh must be above 0 and below 1; got ${share}`);
  if (ttl === undefined) throw new TypeError("earlyRefresh needs a ttl: it is a share of it");
  return ttl - Math.round(ttl * share);
}
