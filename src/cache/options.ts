/** Options of a cache, checked where they enter. */
import { totalmem } from "node:os";
import type { NativeCacheOptions } from "../native.js";
import type { Codec } from "./codec.js";
import { describe } from "./describe.js";
import { checkNames } from "./names.js";
import { duration, idleDuration, timeOf } from "./time.js";

const MIB = 1024 ** 2;
const MIN_MAX_BYTES = MIB;
const MAX_MAX_BYTES = 32 * 1024 ** 4;
const DEFAULT_MAX_BYTES = 512 * MIB;
const DEFAULT_MAX_VALUE_BYTES = 16 * MIB;
const MAX_MAX_VALUE_BYTES = 256 * MIB - 1;
const MAX_SHARDS = 256;
/** Values below do not pay for the time LZ4 takes. */
const DEFAULT_COMPRESS_FROM = 512;
const MAX_NAME_LENGTH = 256;

/** A number of bytes, or a string such as `"512mb"` (units b, kb, mb, gb, tb; a kb is 1024 bytes). */
export type Bytes = number | string;

/** Options of {@link Cache}. */
export interface CacheOptions {
  /**
   * Bound on all memory of the cache: keys, values, index and free space. 1 MiB to 32 TiB.
   * Default: the smaller of 512 MiB and a quarter of the memory of the machine or container.
   */
  maxBytes?: Bytes;
  /** Bound on the number of entries, at least 1. Default: none. */
  maxEntries?: number;
  /** Bound on the sum of the costs that writes give (1 if they give none), at least 1. Default: none. */
  maxCost?: number;
  /** Order of eviction: scan-resistant (`"default"`) or exact least-recently-used (`"lru"`). */
  policy?: "default" | "lru";
  /** Number of shards, a power of two up to 256. Default: by size; 1 for `lru` and with `maxCost`. */
  shards?: number;
  /** Largest value, 1 byte to 256 MiB - 1. Default: 16 MiB. */
  maxValueBytes?: Bytes;
  /** Milliseconds an entry lives, for writes that say nothing: 1 to 8.64e15. Default: no expiry. */
  ttl?: number;
  /**
   * Milliseconds an entry lives without being used, for writes that say nothing: 1 to 315,360,000,000 (3,650 days).
   * Default: no such limit.
   */
  idleTtl?: number;
  /** LZ4 for values of at least `minBytes` (default 512), kept where it saves a tenth or more; `false`: never. */
  compression?: boolean | { minBytes: number };
  /** Turns values that are neither strings, bytes nor safe integers into bytes. Default: MessagePack. */
  codec?: Codec;
  /**
   * Milliseconds since the Unix epoch, a whole number from 0 to 8.64e15, for tests. Asked before every call; only for
   * caches without a name.
   */
  clock?: () => number;
  /** Seed of the key hash, 0 to 2^53 - 1, for reproducible runs. Default: random. */
  seed?: number;
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof CacheOptions>([
  "maxBytes",
  "maxEntries",
  "maxCost",
  "policy",
  "shards",
  "maxValueBytes",
  "ttl",
  "idleTtl",
  "compression",
  "codec",
  "clock",
  "seed",
]);

/** Checked options, ready for the native side. */
export interface ParsedOptions {
  native: NativeCacheOptions;
  codec: Codec | undefined;
  clock: (() => number) | undefined;
}

/**
 * Checks `options`. `name` is `undefined` for a cache of its own.
 *
 * @throws {TypeError} for a value of a wrong type or an option that does not exist.
 * @throws {RangeError} for a value out of range.
 */
export function parseOptions(name: string | undefined, options: CacheOptions | undefined): ParsedOptions {
  if (name !== undefined) checkName(name);
  const isObject = typeof options === "object" && options !== null;
  if (options !== undefined && (!isObject || Array.isArray(options) || options instanceof Map)) {
    throw new TypeError(`options must be an object; got ${describe(options)}`);
  }
  const given: CacheOptions = options ?? {};
  for (const option of Object.keys(given)) {
    if (!OPTION_NAMES.has(option)) {
      throw new TypeError(`option ${option} does not exist; there are ${[...OPTION_NAMES].join(", ")}`);
    }
  }
  const { codec, clock } = given;
  if (codec !== undefined) checkCodec(codec);
  if (clock !== undefined && typeof clock !== "function") {
    throw new TypeError(`option clock must be a function that returns milliseconds; got ${describe(clock)}`);
  }
  if (clock !== undefined && name !== undefined) {
    throw new TypeError("option clock is only for caches without a name: threads cannot share a function");
  }
  const limits = {
    maxBytes: parseBytes("maxBytes", given.maxBytes, MIN_MAX_BYTES, MAX_MAX_BYTES) ?? defaultMaxBytes(),
    maxValueBytes: parseBytes("maxValueBytes", given.maxValueBytes, 1, MAX_MAX_VALUE_BYTES) ?? DEFAULT_MAX_VALUE_BYTES,
    ...present({
      maxEntries: integer("maxEntries", given.maxEntries, 1),
      maxCost: integer("maxCost", given.maxCost, 1),
      shards: shards(given.shards),
      ttl: duration("option ttl", given.ttl),
      idleTtl: idleDuration("option idleTtl", given.idleTtl),
      compressFrom: compression(given.compression),
      seed: integer("seed", given.seed, 0),
    }),
    lru: policy(given.policy) === "lru",
  };
  const described = { ...limits, codec: codec === undefined ? "msgpack" : "custom" };
  return {
    native: {
      ...limits,
      ...present({ name, now: clock && timeOf(clock) }),
      explicit: options !== undefined,
      description: JSON.stringify(described),
    },
    codec,
    clock,
  };
}

/**
 * Reads a number of bytes for `option`.
 *
 * @throws {TypeError | RangeError} naming the option, the value and what is allowed.
 */
export function parseBytes(option: string, value: unknown, min: number, max: number): number | undefined {
  if (value === undefined) return undefined;
  const bytes = typeof value === "string" ? bytesOf(value) : value;
  if (typeof bytes !== "number") {
    throw new TypeError(
      `option ${option} must be a number of bytes or a string such as "512mb" (b, kb, mb, gb, tb); ` +
        `got ${describe(value)}`,
    );
  }
  if (!Number.isSafeInteger(bytes) || bytes < min || bytes > max) {
    throw new RangeError(
      `option ${option} must be a whole number of bytes from ${min} to ${max}; got ${describe(value)}`,
    );
  }
  return bytes;
}

/** Reads the bound for a resize. */
export function parseMaxBytes(value: Bytes): number {
  const bytes = parseBytes("maxBytes", value, MIN_MAX_BYTES, MAX_MAX_BYTES);
  if (bytes === undefined) throw new TypeError("maxBytes is missing");
  return bytes;
}

const UNITS: Record<string, number> = { b: 1, kb: 1024, mb: MIB, gb: 1024 ** 3, tb: 1024 ** 4 };

function bytesOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?b)?$/i.exec(text.trim());
  const unit = UNITS[match?.[2]?.toLowerCase() ?? "b"];
  return match?.[1] === undefined || unit === undefined ? undefined : Math.floor(Number(match[1]) * unit);
}

function integer(option: string, value: unknown, min: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number") throw new TypeError(`option ${option} must be a number; got ${describe(value)}`);
  if (!Number.isSafeInteger(value) || value < min) {
    throw new RangeError(`option ${option} must be a whole number from ${min} to 2^53 - 1; got ${value}`);
  }
  return value;
}

function shards(value: unknown): number | undefined {
  const count = integer("shards", value, 1);
  if (count !== undefined && (count > MAX_SHARDS || !Number.isInteger(Math.log2(count)))) {
    throw new RangeError(`option shards must be a power of two from 1 to ${MAX_SHARDS}; got ${count}`);
  }
  return count;
}

function policy(value: unknown): "default" | "lru" {
  if (value === undefined || value === "default" || value === "lru") return value ?? "default";
  throw new TypeError(`option policy must be "default" or "lru"; got ${describe(value)}`);
}

const COMPRESSION_NAMES: ReadonlySet<string> = new Set(["minBytes"]);

function compression(value: unknown): number | undefined {
  if (value === undefined || value === true) return DEFAULT_COMPRESS_FROM;
  if (value === false) return undefined;
  if (typeof value === "object" && value !== null && "minBytes" in value) {
    checkNames("option compression", value, COMPRESSION_NAMES);
    return integer("compression.minBytes", value.minBytes, 1);
  }
  throw new TypeError(`option compression must be a boolean or { minBytes }; got ${describe(value)}`);
}

function checkCodec(codec: Codec): void {
  if (typeof codec?.encode !== "function" || typeof codec.decode !== "function") {
    throw new TypeError(`option codec must be an object with encode and decode; got ${describe(codec)}`);
  }
}

function checkName(name: string): void {
  if (typeof name !== "string") throw new TypeError(`the name of a cache must be a string; got ${describe(name)}`);
  if (Buffer.from(name).toString() !== name) {
    throw new TypeError(`the name of a cache must have a UTF-8 form; got ${describe(name)}`);
  }
  if (name.length === 0 || name.length > MAX_NAME_LENGTH) {
    throw new RangeError(`the name of a cache must have 1 to ${MAX_NAME_LENGTH} characters; got ${name.length}`);
  }
}

/** The smaller of 512 MiB and a quarter of the memory of the machine or container. */
export function defaultMaxBytes(): number {
  // The limit of the container; 0, absent or beyond the machine where there is none.
  const constrained = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  const quarter = Math.floor(Math.min(constrained, totalmem()) / 4);
  return Math.max(MIN_MAX_BYTES, Math.min(DEFAULT_MAX_BYTES, quarter));
}

/** Leaves out what is undefined: the native side takes an option that is there as given. */
function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
