/** Options of a replay, checked where they enter. */
import { describe } from "../cache/describe.js";
import { parseSignal } from "../cache/gates/load-options.js";
import { checkNames } from "../cache/names.js";
import { type Bytes, parseBytes } from "../cache/options.js";
import type { native } from "../native.js";

/** The trace formats. */
export const traceFormats = ["lirs", "arc", "cache2k", "corda", "adaptsize", "oracle-general", "csv"] as const;

/** A trace format; docs/replay.md describes them. */
export type TraceFormat = (typeof traceFormats)[number];

const MIN_MAX_BYTES = 1024 ** 2;
const MAX_MAX_BYTES = 32 * 1024 ** 4;
const MAX_OBJECT_BYTES = 256 * 1024 ** 2 - 1;
const MAX_SHARDS = 256;
const DEFAULT_PAYLOAD_BYTES = 100;
const DEFAULT_SEED = 1;

/** What to replay against what. Exactly one of `maxEntries`, `maxBytes`, `maxCost` and `server` is needed. */
export interface ReplayOptions {
  /** Format of the trace. Its compression is recognised. */
  format: TraceFormat;
  /** Bound of an embedded cache: number of entries, at least 1. */
  maxEntries?: number;
  /** Bound of an embedded cache: all its memory, 1 MiB to 32 TiB. */
  maxBytes?: Bytes;
  /** Bound of an embedded cache: sum of the sizes of its objects, what simulators call the cache size. */
  maxCost?: Bytes;
  /** `host:port` of a server that speaks RESP. Its bound and policy are its own. */
  server?: string;
  /** Order of eviction of an embedded cache. */
  policy?: "default" | "lru";
  /** Number of shards of an embedded cache, a power of two up to 256. Default: by size. */
  shards?: number;
  /** Size of objects whose size the trace does not say. Default: 100 bytes. */
  payloadBytes?: Bytes;
  /** Seed of the payloads and the key hash, 0 to 2^53 - 1. Default: 1. */
  seed?: number;
  /** Ends the replay early; it then rejects with a `TandemError` of code `Cancelled`. */
  signal?: AbortSignal;
  /** Told now and then how far the replay is. */
  onProgress?: (progress: ReplayProgress) => void;
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof ReplayOptions>([
  "format",
  "maxEntries",
  "maxBytes",
  "maxCost",
  "server",
  "policy",
  "shards",
  "payloadBytes",
  "seed",
  "signal",
  "onProgress",
]);

/** How far a replay is. */
export interface ReplayProgress {
  /** Requests done. */
  requests: number;
  /** Hits among them. */
  hits: number;
  /** Part of the trace file that was read, 0 to 1. */
  fraction: number;
  /** Seconds since the start. */
  seconds: number;
}

type Settings = Parameters<typeof native.NativeReplay.start>[0];

/**
 * Checks the options.
 *
 * @throws {TypeError} for a value of a wrong type, an option that does not exist, and unless there is exactly one bound or
 *   server.
 * @throws {RangeError} for a value out of range.
 */
export function parseReplayOptions(path: string, options: ReplayOptions): Settings {
  if (typeof path !== "string") throw new TypeError(`the trace must be a path; got ${describe(path)}`);
  checkNames("replay", options, OPTION_NAMES);
  parseSignal(options.signal);
  const { onProgress } = options;
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new TypeError(`option onProgress must be a function; got ${describe(onProgress)}`);
  }
  const { format, server, policy = "default" } = options;
  if (!traceFormats.includes(format)) {
    throw new TypeError(`option format must be one of ${traceFormats.join(", ")}; got ${describe(format)}`);
  }
  const bounds = {
    maxEntries: whole("maxEntries", options.maxEntries, 1, Number.MAX_SAFE_INTEGER),
    maxBytes: parseBytes("maxBytes", options.maxBytes, MIN_MAX_BYTES, MAX_MAX_BYTES),
    maxCost: parseBytes("maxCost", options.maxCost, 1, MAX_MAX_BYTES),
    server: server === undefined ? undefined : address(server),
  };
  const given = Object.entries(bounds).filter(([, value]) => value !== undefined);
  if (given.length !== 1) {
    const found = given.length === 0 ? "none" : given.map(([name]) => name).join(" and ");
    throw new TypeError(`a replay needs exactly one of maxEntries, maxBytes, maxCost and server; got ${found}`);
  }
  if (policy !== "default" && policy !== "lru") {
    throw new TypeError(`option policy must be "default" or "lru"; got ${describe(policy)}`);
  }
  const shards = whole("shards", options.shards, 1, MAX_SHARDS);
  return {
    path,
    format,
    lru: policy === "lru",
    seed: whole("seed", options.seed, 0, Number.MAX_SAFE_INTEGER) ?? DEFAULT_SEED,
    payloadBytes: parseBytes("payloadBytes", options.payloadBytes, 0, MAX_OBJECT_BYTES) ?? DEFAULT_PAYLOAD_BYTES,
    ...(shards === undefined ? {} : { shards }),
    ...Object.fromEntries(given),
  };
}

function whole(option: string, value: unknown, min: number, max: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number") throw new TypeError(`option ${option} must be a number; got ${describe(value)}`);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`option ${option} must be a whole number from ${min} to ${max}; got ${value}`);
  }
  return value;
}

function address(server: unknown): string {
  const port = typeof server === "string" ? Number(/^.+:(\d{1,5})$/.exec(server)?.[1] ?? Number.NaN) : Number.NaN;
  if (typeof server !== "string" || !(port >= 1 && port <= 65_535)) {
    throw new TypeError(`option server must be HOST:PORT; got ${describe(server)}`);
  }
  return server;
}
