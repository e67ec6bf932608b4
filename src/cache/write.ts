/** Writes with options. Those without take a shorter way in `cache.ts`. */
import { TandemError } from "../errors.js";
import { calls, type Key } from "../native.js";
import type { ValueCodec } from "./codec.js";
import { describe } from "./describe.js";
import { duration, idleDuration, timestamp } from "./time.js";
import { header, Kind } from "./window.js";

/** Options of a write. */
export interface SetOptions {
  /** Milliseconds the entry lives, 1 to 8.64e15; `Infinity`: it does not expire. Default: the cache's `ttl`. */
  ttl?: number;
  /** When the entry expires, in ms since the Unix epoch, 0 to 8.64e15. In the past: the write deletes. */
  expiresAt?: number;
  /** Keeps the expiry that an entry has which is overwritten. */
  keepTtl?: boolean;
  /**
   * Milliseconds the entry lives without being used, 1 to 315,360,000,000 (3,650 days). Beyond 131 s it may end up to
   * 0.0016 % early. Default: the cache's `idleTtl`.
   */
  idleTtl?: number;
  /** What the entry counts towards `maxCost`, a whole number of at least 1. Default: 1. */
  cost?: number;
  /** Stores only if the entry has this version; `0n`: only if there is none. */
  ifVersion?: bigint;
}

/** When a write takes effect; numbered as `crates/node/src/calls/write.rs` reads it. */
export const Condition = { Always: 0, IfAbsent: 1, IfPresent: 2, IfVersion: 3 } as const;

/** How an expiry is meant; numbered as `crates/node/src/calls/write.rs` reads it. */
export const Expiry = { Default: 0, Never: 1, At: 2, In: 3, Keep: 4 } as const;

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof SetOptions>([
  "ttl",
  "expiresAt",
  "keepTtl",
  "idleTtl",
  "cost",
  "ifVersion",
]);

/** A write whose value is encoded and whose options are checked. */
export interface PreparedWrite {
  readonly stored: unknown;
  readonly kind: number;
  readonly codecId: number;
  readonly expiry: readonly [mode: number, ms: number];
  readonly idleTtl: number;
  readonly cost: number;
  readonly condition: number;
  readonly version: bigint;
}

/**
 * Prepares a write that takes effect under `condition`; `ifVersion` takes its place. Bytes are not copied: who does not
 * write at once must copy them first.
 */
export function prepareWrite(codec: ValueCodec, value: unknown, options: SetOptions, condition: number): PreparedWrite {
  const version = versionOf(options.ifVersion);
  const write = (kind: number, stored: unknown, codecId: number) => ({
    stored,
    kind,
    codecId,
    expiry: expiryOf(options),
    idleTtl: idleDuration("idleTtl", options.idleTtl) ?? Number.NaN,
    cost: costOf(options.cost),
    condition: version === undefined ? condition : Condition.IfVersion,
    version: version ?? 0n,
  });
  if (typeof value === "string") return write(Kind.Text, value, 0);
  if (isStorableInteger(value)) return write(Kind.Integer, value, 0);
  if (value instanceof Uint8Array) return write(Kind.Bytes, value, 0);
  return write(Kind.Coded, encode(codec, value), codec.id);
}

/** Commits a write if its condition holds; says whether it did. `header.version` is then that of the entry there. */
export function commit(handle: number, key: Key, write: PreparedWrite): boolean {
  const { stored, kind, codecId, expiry, idleTtl, cost, condition, version } = write;
  return calls.setWith(handle, key, stored, kind, codecId, expiry[0], expiry[1], idleTtl, cost, condition, version);
}

/** Ends the hold of `token` with a prepared write; says what became of it (`Filled` in `gates/ask.ts`). */
export function fill(handle: number, key: Key, write: PreparedWrite, token: number): number {
  const { stored, kind, codecId, expiry, idleTtl, cost, condition, version } = write;
  return calls.fill(handle, key, stored, kind, codecId, expiry[0], expiry[1], idleTtl, cost, condition, version, token);
}

/** Stores a value that is no string, with default options. */
export function writeOther(handle: number, codec: ValueCodec, key: Key, value: unknown): void {
  if (isStorableInteger(value)) calls.setInteger(handle, key, value);
  else if (value instanceof Uint8Array) calls.setBytes(handle, key, value, 0);
  else {
    checkStorable(value);
    codec.store(handle, key, value);
  }
}

/** Checks options that are not known to be right; unknown names are errors. */
export function checkSetOptions(options: SetOptions): SetOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`write options must be an object; got ${describe(options)}`);
  }
  for (const option in options) {
    if (!OPTION_NAMES.has(option)) {
      throw new TypeError(`write option ${option} does not exist; there are ${[...OPTION_NAMES].join(", ")}`);
    }
  }
  return options;
}

/** The refusal of a write whose version did not match. */
export function versionMismatch(expected: bigint): TandemError {
  const actual = header.version;
  return new TandemError(
    "VersionMismatch",
    `the entry ${actual === 0n ? "is absent" : `has version ${actual}`}, not ${expected}; nothing was changed`,
  );
}

function encode(codec: ValueCodec, value: unknown): Uint8Array {
  checkStorable(value);
  return codec.encode(value);
}

function checkStorable(value: unknown): void {
  if (value === undefined || typeof value === "function" || typeof value === "symbol") {
    const advice = value === undefined ? "; delete the key instead" : "";
    throw new TypeError(`${describe(value)} cannot be stored${advice}`);
  }
}

/** Integers are stored as such, so that `incr` and Redis clients can use them; -0 comes back as 0. */
function isStorableInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function expiryOf({ ttl, expiresAt, keepTtl }: SetOptions): [mode: number, ms: number] {
  if (Number(ttl !== undefined) + Number(expiresAt !== undefined) + Number(keepTtl === true) > 1) {
    throw new TypeError("ttl, expiresAt and keepTtl exclude each other; give one");
  }
  if (keepTtl !== undefined && typeof keepTtl !== "boolean") {
    throw new TypeError(`keepTtl must be a boolean; got ${describe(keepTtl)}`);
  }
  if (keepTtl) return [Expiry.Keep, 0];
  if (expiresAt !== undefined) return [Expiry.At, timestamp("expiresAt", expiresAt)];
  if (ttl === undefined) return [Expiry.Default, 0];
  if (ttl === Number.POSITIVE_INFINITY) return [Expiry.Never, 0];
  return [Expiry.In, duration("ttl", ttl) ?? 0];
}

/** A cost as native code takes it; NaN for none. */
export function costOf(cost: unknown): number {
  if (cost === undefined) return Number.NaN;
  if (typeof cost !== "number") throw new TypeError(`cost must be a number; got ${describe(cost)}`);
  if (!Number.isSafeInteger(cost) || cost < 1) {
    throw new RangeError(`cost must be a whole number from 1 to 2^53 - 1; got ${cost}`);
  }
  return cost;
}

function versionOf(version: unknown): bigint | undefined {
  return version === undefined ? undefined : checkVersion(version);
}

/** A version that an entry can have; 0n stands for none. */
export function checkVersion(version: unknown): bigint {
  if (typeof version !== "bigint") {
    throw new TypeError(`ifVersion must be a bigint from getEntry; got ${describe(version)}`);
  }
  if (version < 0n || version >= 2n ** 64n) {
    throw new RangeError(`ifVersion must be from 0n to 2n ** 64n - 1n; got ${describe(version)}`);
  }
  return version;
}
