/** Options of a load, brought into the form that the binding takes. It checks the ranges and names what is wrong. */
import { describe } from "../cache/describe.js";
import { parseBytes } from "../cache/options.js";
import type { native } from "../native.js";

/** The commands of a mix. */
export const benchCommands = ["get", "set", "del", "incr", "ping"] as const;

/** A command of a mix. */
export type BenchCommand = (typeof benchCommands)[number];

const MAX_VALUE_BYTES = 64 * 1024 ** 2;
const MAX_U32 = 2 ** 32 - 1;

/** A server to measure. */
export interface BenchServer {
  /** How the report calls it. */
  name: string;
  /** `host:port`. */
  address: string;
  /** The process whose CPU time is measured. Default: the one that the server names, if it is on this machine. */
  pid?: number;
}

/** What to run. */
export interface BenchOptions {
  /** The servers, one or more; the others are compared to the first. */
  servers: readonly BenchServer[];
  /** What to say to servers that want a password. */
  password?: Uint8Array;
  /** Connections to each server, 1 to 10,000. Default: 50. */
  connections?: number;
  /** Requests of one connection under way, 1 to 10,000. A closed loop sends so many at once. Default: 1. */
  pipeline?: number;
  /** Number of keys, 1 to 10^12. Default: 100,000. */
  keys?: number;
  /** Exponent of Zipf's law by which keys are chosen, 0 to 10. Default: all keys are equally likely. */
  zipf?: number;
  /** Size of a value in bytes, or the least and the greatest one. Default: 32. */
  valueBytes?: number | readonly [least: number, greatest: number];
  /** Commands with their shares, in proportion to the sum. Default: 95 get, 5 set. */
  mix?: Partial<Record<BenchCommand, number>>;
  /** Requests a second, whatever the server does (open loop). Default: as many as it answers (closed loop). */
  rate?: number;
  /**
   * Connections a second, 1 to 100,000, that come and go beside the load: half of them say PING, hear the answer and
   * close, the others say it and are gone. Default: none.
   */
  connects?: number;
  /** Requests of a round. Default: as many as `duration` takes. */
  requests?: number;
  /** Length of a round in ms. Default: 3,000. */
  duration?: number;
  /** Rounds of each server that count; another one before them does not. 1 to 10,000. Default: 3. */
  rounds?: number;
  /** Whether every key is written first. Default: yes. */
  fill?: boolean;
  /** Seed of commands, keys and sizes, 0 to 2^53 - 1. Default: 1. */
  seed?: number;
  /** Ends the load early; it then rejects with a `TandemError` of code `Cancelled`. */
  signal?: AbortSignal;
  /** Told now and then how far the load is. */
  onProgress?: (progress: BenchProgress) => void;
}

/** How far a load is. */
export interface BenchProgress {
  /** Requests answered. */
  requests: number;
  /** Rounds that have ended, of all there will be. */
  rounds: number;
  allRounds: number;
}

type Settings = Parameters<typeof native.NativeBench.start>[0];

/**
 * Checks types and fills in the defaults.
 *
 * @throws {TypeError | RangeError} for a value of a wrong type, or one that cannot be passed on.
 */
export function parseBenchOptions(options: BenchOptions): Settings {
  const { zipf, rate, connects, requests, mix = { get: 95, set: 5 }, valueBytes = 32, fill = true } = options;
  const [least, greatest] = typeof valueBytes === "number" ? [valueBytes, valueBytes] : valueBytes;
  const bytes = (value: unknown) => parseBytes("valueBytes", value, 0, MAX_VALUE_BYTES) ?? 0;
  return {
    servers: options.servers.map(({ name, address, pid }) => ({
      name,
      address: hostAndPort(address),
      ...(pid === undefined ? {} : { pid: whole("pid", pid, MAX_U32) }),
    })),
    ...(options.password === undefined ? {} : { password: options.password }),
    connections: whole("connections", options.connections ?? 50, MAX_U32),
    pipeline: whole("pipeline", options.pipeline ?? 1, MAX_U32),
    keys: whole("keys", options.keys ?? 100_000),
    ...(zipf === undefined ? {} : { zipf: finite("zipf", zipf) }),
    leastValueBytes: bytes(least),
    greatestValueBytes: bytes(greatest),
    mix: Object.entries(mix).map(([command, share]) => ({ command, share: finite("mix", share) })),
    ...(rate === undefined ? {} : { rate: finite("rate", rate) }),
    ...(connects === undefined ? {} : { connects: finite("connects", connects) }),
    ...(requests === undefined ? {} : { requests: whole("requests", requests) }),
    durationMs: finite("duration", options.duration ?? 3_000),
    rounds: whole("rounds", options.rounds ?? 3, MAX_U32),
    fill,
    seed: whole("seed", options.seed ?? 1),
  };
}

function whole(option: string, value: unknown, max = Number.MAX_SAFE_INTEGER): number {
  const number = finite(option, value);
  if (!Number.isInteger(number) || number < 0 || number > max) {
    throw new RangeError(`option ${option} must be a whole number from 0 to ${max}; got ${number}`);
  }
  return number;
}

function finite(option: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw new TypeError(`option ${option} must be a number; got ${describe(value)}`);
  }
  return value;
}

function hostAndPort(address: unknown): string {
  const port = typeof address === "string" ? Number(/^.+:(\d{1,5})$/.exec(address)?.[1] ?? Number.NaN) : Number.NaN;
  if (typeof address !== "string" || !(port >= 1 && port <= 65_535)) {
    throw new TypeError(`option servers: an address must be HOST:PORT; got ${describe(address)}`);
  }
  return address;
}
