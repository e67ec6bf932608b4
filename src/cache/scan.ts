/** Walks over all keys, step by step. */
import type { NativeCache } from "../native.js";
import { describe } from "./describe.js";

/** Longest pattern in characters. */
const MAX_PATTERN_LENGTH = 1024;

/** One step of a scan. */
export interface ScanStep {
  /** For the next step; 0 when the scan is complete. */
  readonly cursor: number;
  /** Keys of this step; a Buffer where the bytes are no UTF-8. */
  readonly keys: (string | Buffer)[];
}

/**
 * Takes one step.
 *
 * @throws {TypeError | RangeError} for a cursor or a pattern that cannot be one.
 */
export function scanStep(cache: NativeCache, cursor: number, match: string | undefined): ScanStep {
  if (!Number.isSafeInteger(cursor) || cursor < 0) {
    throw new RangeError(`cursor must be 0 or come from the step before; got ${describe(cursor)}`);
  }
  if (match !== undefined && typeof match !== "string") {
    throw new TypeError(`match must be a pattern; got ${describe(match)}`);
  }
  if (match !== undefined && match.length > MAX_PATTERN_LENGTH) {
    throw new RangeError(`match must have at most ${MAX_PATTERN_LENGTH} characters; got ${match.length}`);
  }
  return cache.scan(cursor, match);
}

/** Yields the keys of all steps. */
export function* scanKeys(step: (cursor: number) => ScanStep): Generator<string | Buffer, void, undefined> {
  let cursor = 0;
  do {
    const { keys, cursor: next } = step(cursor);
    yield* keys;
    cursor = next;
  } while (cursor !== 0);
}
