/** Options of a worker, checked where they enter. */
import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import { TandemError } from "../errors.js";

/** The port a worker listens on by default. */
export const DEFAULT_PORT = 7379;
export const DEFAULT_BIND = "127.0.0.1";
const MAX_THREADS = 256;
/** More event loops than this seldom pay by default: the cores are wanted for the application, too. */
const DEFAULT_MAX_THREADS = 16;
const MAX_CLIENTS = 1_000_000;

/** Where and how a worker listens. */
export interface ListenOptions {
  /** Port, 0 to 65535; 0 takes a free one. Default: 7379. */
  port?: number;
  /** IP address, or `"localhost"`. Only loopback addresses are allowed as long as there is no password. */
  bind?: string;
  /** Event loops, each on a thread of its own, 1 to 256. Default: one a core, at most 16. */
  threads?: number;
  /** Connections in all, 1 to 1,000,000. Default: 10,000, or what the limit on open files leaves. */
  maxClients?: number;
}

/** One event loop a core, at most 16. */
export function defaultThreads(): number {
  return Math.min(availableParallelism(), DEFAULT_MAX_THREADS);
}

/** Checks the options and fills in the defaults. */
export function parseListenOptions(options: ListenOptions) {
  const { port = DEFAULT_PORT, bind = DEFAULT_BIND, threads = defaultThreads(), maxClients } = options;
  return {
    port: whole("port", port, 0, 65_535),
    bind: loopback(bind),
    threads: whole("threads", threads, 1, MAX_THREADS),
    ...(maxClients === undefined ? {} : { maxClients: whole("maxClients", maxClients, 1, MAX_CLIENTS) }),
  };
}

function whole(option: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") {
    throw new TypeError(`option ${option} must be a number; got ${JSON.stringify(value) ?? String(value)}`);
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`option ${option} must be a whole number from ${min} to ${max}; got ${value}`);
  }
  return value;
}

/** The address as digits. */
function loopback(bind: unknown): string {
  if (typeof bind !== "string") {
    throw new TypeError(`option bind must be a string; got ${JSON.stringify(bind) ?? String(bind)}`);
  }
  const address = bind === "localhost" ? DEFAULT_BIND : bind;
  if (isIP(address) === 0) {
    throw new RangeError(`option bind must be an IP address or "localhost"; got ${JSON.stringify(bind)}`);
  }
  if (!isLoopback(address)) {
    throw new TandemError(
      "BadOption",
      `option bind: ${bind} can be reached from other machines, and this version knows no password; ` +
        "use a loopback address such as 127.0.0.1",
    );
  }
  return address;
}

/** Whether `address` can be reached from this machine only. */
function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1" || /^::ffff:127\.\d+\.\d+\.\d+$/i.test(address);
}
