/** Times and durations in milliseconds, checked where they enter. */
import { describe } from "./describe.js";

/** Latest time and longest duration: the last millisecond a `Date` can hold. */
const MAX_TIME = 8.64e15;
/** The engine's `MAX_IDLE_TTL_MS`. */
const MAX_IDLE_TTL = 3_650 * 86_400_000;

/** A whole number of ms from 1 to `max` for `option`, or `undefined`. */
export function duration(option: string, value: unknown, max = MAX_TIME): number | undefined {
  return value === undefined ? undefined : milliseconds(option, value, 1, max);
}

/** An idle ttl for `option`, or `undefined`. */
export function idleDuration(option: string, value: unknown): number | undefined {
  return duration(option, value, MAX_IDLE_TTL);
}

/** A whole number of ms since the Unix epoch. */
export function timestamp(option: string, value: unknown): number {
  return milliseconds(option, value, 0, MAX_TIME);
}

/** What an injected clock says. */
export function timeOf(clock: () => number): number {
  return timestamp("the time that option clock returns", clock());
}

function milliseconds(option: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") throw new TypeError(`${option} must be a number of ms; got ${describe(value)}`);
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`${option} must be a whole number of ms from ${min} to ${max}; got ${value}`);
  }
  return value;
}
