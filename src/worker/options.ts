/** Options of a worker, checked where they enter. */
import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import { describe } from "../cache/describe.js";
import { TandemError } from "../errors.js";
import { LOG_LEVELS, type Logger } from "../observe/logger.js";

/** The port a worker listens on by default. */
export const DEFAULT_PORT = 7379;
export const DEFAULT_BIND = "127.0.0.1";
const MAX_THREADS = 256;
/** More event loops than this seldom pay by default: the cores are wanted for the application, too. */
const DEFAULT_MAX_THREADS = 16;
const MAX_CLIENTS = 1_000_000;
/** Longest password in bytes. */
export const MAX_PASSWORD_BYTES = 1024;
/** What one request of the text protocol may be. */
export const TEXT_FRAMINGS = ["line", "message"] as const;
export type TextFraming = (typeof TEXT_FRAMINGS)[number];
const DEFAULT_TEXT_IDLE_MS = 60_000;
const MIN_IDLE_MS = 1_000;
const DEFAULT_KEEPALIVE_MS = 300_000;
const MAX_KEEPALIVE_MS = 3_600_000;
const MAX_IDLE_MS = 30 * 24 * 60 * 60 * 1_000;

/** Where and how a worker listens. */
export interface ListenOptions {
  /** Port, 0 to 65535; 0 takes a free one. Default: 7379. */
  port?: number;
  /** IP address, or `"localhost"` (default: 127.0.0.1). One that other machines can reach needs a `password`. */
  bind?: string;
  /** What clients must say by `AUTH` before anything else: 1 to 1,024 bytes, text as UTF-8. Default: none. */
  password?: string | Uint8Array;
  /** Event loops, each on a thread of its own, 1 to 256. Default: one a core, at most 16. */
  threads?: number;
  /** Connections in all, 1 to 1,000,000. Default: 10,000, or what the limit on open files leaves. */
  maxClients?: number;
  /** Time in ms after which a silent client is closed, 1,000 to 2,592,000,000 (30 days). Default: never. */
  idleTimeout?: number;
  /** The same for a client of the text protocol; 0: never. Default: 60,000. */
  textIdleTimeout?: number;
  /**
   * Time in ms, whole seconds, after which the system asks a silent peer whether it is still there: one that is gone
   * without a word is found after twice that. 1,000 to 3,600,000; 0: never. Default: 300,000.
   */
  keepalive?: number;
  /** One request of the text protocol: a `"line"`, or the `"message"` that one read delivers. Default: `"line"`. */
  textFraming?: "line" | "message";
  /** Whether clients may run Lua scripts. Default: true. */
  scripts?: boolean;
  /**
   * Port on 127.0.0.1 for `/livez`, `/readyz`, `/stats` and `/metrics` over HTTP, 0 to 65535; 0 takes a free one.
   * Default: none.
   */
  adminPort?: number;
  /** Whether `SHUTDOWN` of a client may end this process, as SIGTERM does. Default: no. */
  allowShutdown?: boolean;
  /** Takes log lines, such as a `pino` logger. They hold neither keys nor values. Default: nothing is logged. */
  logger?: Logger;
}

/** One event loop a core, at most 16. */
export function defaultThreads(): number {
  return Math.min(availableParallelism(), DEFAULT_MAX_THREADS);
}

/** Checks the options and fills in the defaults. */
export function parseListenOptions(options: ListenOptions) {
  checkLogger(options.logger);
  if (options.adminPort !== undefined) whole("adminPort", options.adminPort, 0, 65_535);
  const { port = DEFAULT_PORT, threads = defaultThreads(), maxClients, idleTimeout } = options;
  const { textIdleTimeout = DEFAULT_TEXT_IDLE_MS, textFraming = "line" } = options;
  const { scripts = true, allowShutdown = false } = options;
  const password = options.password === undefined ? undefined : passwordBytes(options.password);
  if (!TEXT_FRAMINGS.includes(textFraming)) {
    const got = JSON.stringify(textFraming) ?? String(textFraming);
    throw new TypeError(`option textFraming must be "line" or "message"; got ${got}`);
  }
  const textIdleMs =
    textIdleTimeout === 0 ? undefined : whole("textIdleTimeout", textIdleTimeout, MIN_IDLE_MS, MAX_IDLE_MS);
  const keepaliveMs = options.keepalive ?? DEFAULT_KEEPALIVE_MS;
  if (keepaliveMs !== 0) whole("keepalive", keepaliveMs, 1_000, MAX_KEEPALIVE_MS);
  if (keepaliveMs % 1_000 !== 0) throw new RangeError(`option keepalive must be whole seconds; got ${keepaliveMs} ms`);
  return {
    ...(keepaliveMs === 0 ? {} : { keepaliveS: keepaliveMs / 1_000 }),
    textMessages: textFraming === "message",
    ...(textIdleMs === undefined ? {} : { textIdleMs }),
    port: whole("port", port, 0, 65_535),
    bind: address(options.bind ?? DEFAULT_BIND, password !== undefined),
    threads: whole("threads", threads, 1, MAX_THREADS),
    scripts: flag("scripts", scripts),
    ownsProcess: flag("allowShutdown", allowShutdown),
    ...(password === undefined ? {} : { password }),
    ...(maxClients === undefined ? {} : { maxClients: whole("maxClients", maxClients, 1, MAX_CLIENTS) }),
    ...(idleTimeout === undefined ? {} : { idleMs: whole("idleTimeout", idleTimeout, MIN_IDLE_MS, MAX_IDLE_MS) }),
  };
}

function checkLogger(logger: unknown): void {
  if (logger === undefined) return;
  const missing = LOG_LEVELS.find((level) => typeof (logger as Partial<Logger> | null)?.[level] !== "function");
  if (missing !== undefined) {
    throw new TypeError(`option logger must have the functions ${LOG_LEVELS.join(", ")}; it has no ${missing}`);
  }
}

function flag(option: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw new TypeError(`option ${option} must be true or false; got ${describe(value)}`);
  return value;
}

/** The bytes of a password. What was given is in no message. */
function passwordBytes(password: unknown): Uint8Array {
  if (typeof password !== "string" && !(password instanceof Uint8Array)) {
    throw new TypeError(`option password must be a string or a Uint8Array; got a value of type ${typeof password}`);
  }
  const bytes = typeof password === "string" ? Buffer.from(password) : password;
  if (bytes.length === 0 || bytes.length > MAX_PASSWORD_BYTES) {
    throw new RangeError(`option password must have 1 to ${MAX_PASSWORD_BYTES} bytes; got ${bytes.length}`);
  }
  return bytes;
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
function address(bind: unknown, hasPassword: boolean): string {
  if (typeof bind !== "string") {
    throw new TypeError(`option bind must be a string; got ${JSON.stringify(bind) ?? String(bind)}`);
  }
  const digits = bind === "localhost" ? DEFAULT_BIND : bind;
  if (isIP(digits) === 0) {
    throw new RangeError(`option bind must be an IP address or "localhost"; got ${JSON.stringify(bind)}`);
  }
  if (!hasPassword && !isLoopback(digits)) {
    throw new TandemError(
      "BadOption",
      `option bind: ${bind} can be reached from other machines, and there is no password; ` +
        "set one, or use a loopback address such as 127.0.0.1",
    );
  }
  return digits;
}

/** Whether `address` can be reached from this machine only. */
function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1" || /^::ffff:127\.\d+\.\d+\.\d+$/i.test(address);
}
