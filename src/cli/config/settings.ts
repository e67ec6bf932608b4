/** The settings of `tandem worker`: one row gives the flag, the environment variable and the key of the file. */
import { isIP } from "node:net";
import * as v from "valibot";
import { defaultMaxBytes, parseBytes } from "../../cache/options.js";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "../../observe/logger.js";
import { DEFAULT_BIND, DEFAULT_PORT, defaultThreads, TEXT_FRAMINGS, type TextFraming } from "../../worker/options.js";

const MIN_MEMORY = 1024 ** 2;
const MAX_MEMORY = 32 * 1024 ** 4;

/** One setting. Flags and variables arrive as text, values of a file with a type of their own. */
export interface Setting<T> {
  /** What follows `--` in the flag; also the key in the file, and with TANDEM_ in front the variable. */
  readonly key: string;
  /** What stands for the value in the help; absent for a flag that takes none. */
  readonly placeholder?: string;
  readonly description: string;
  /** What is allowed, as the end of "... is not". */
  readonly allowed: string;
  readonly schema: v.GenericSchema<unknown, T>;
  readonly fallback: () => T;
  /** What is shown for a fallback that is `undefined`. */
  readonly unset?: string;
}

function wholeNumber(min: number, max: number) {
  const digits = v.pipe(v.string(), v.regex(/^\d{1,15}$/), v.transform(Number));
  return v.pipe(v.union([v.number(), digits]), v.integer(), v.minValue(min), v.maxValue(max));
}

function isMemory(value: string | number): boolean {
  try {
    return parseBytes("max-memory", value, MIN_MEMORY, MAX_MEMORY) !== undefined;
  } catch {
    return false;
  }
}

const port: Setting<number> = {
  key: "port",
  placeholder: "number",
  description: "port to listen on; 0 takes a free one",
  allowed: "a whole number from 0 to 65535",
  schema: wholeNumber(0, 65_535),
  fallback: () => DEFAULT_PORT,
};

const bind: Setting<string> = {
  key: "bind",
  placeholder: "address",
  description: "address to listen on; without a password only a loopback one",
  allowed: 'an IP address or "localhost"',
  schema: v.pipe(
    v.string(),
    v.check((text) => text === "localhost" || isIP(text) !== 0),
  ),
  fallback: () => DEFAULT_BIND,
};

const maxMemory: Setting<string | number> = {
  key: "max-memory",
  placeholder: "size",
  description: "bound on all memory of the cache, such as 512mb or 1gb",
  allowed: "a size from 1mb to 32tb, such as 512mb or 1gb",
  schema: v.pipe(v.union([v.string(), v.number()]), v.check(isMemory)),
  fallback: () => `${Math.floor(defaultMaxBytes() / 1024 ** 2)}mb`,
};

const threads: Setting<number> = {
  key: "threads",
  placeholder: "number",
  description: "event loops, each on a thread of its own",
  allowed: "a whole number from 1 to 256",
  schema: wholeNumber(1, 256),
  fallback: defaultThreads,
};

const policy: Setting<"default" | "lru"> = {
  key: "policy",
  placeholder: "name",
  description: "order of eviction: default (scan-resistant) or lru (exact)",
  allowed: "default or lru",
  schema: v.picklist(["default", "lru"]),
  fallback: () => "default",
};

const maxClients: Setting<number | undefined> = {
  key: "max-clients",
  placeholder: "number",
  description: "connections in all; by default 10000, or what the limit on open files leaves",
  allowed: "a whole number from 1 to 1000000",
  schema: wholeNumber(1, 1_000_000),
  fallback: () => undefined,
  unset: "automatic",
};

const passwordFile: Setting<string | undefined> = {
  key: "password-file",
  placeholder: "file",
  description: "file with the password that clients must give; or put it into TANDEM_PASSWORD",
  allowed: "the path of a file",
  schema: v.pipe(v.string(), v.minLength(1)),
  fallback: () => undefined,
};

const idleTimeout: Setting<number> = {
  key: "idle-timeout",
  placeholder: "seconds",
  description: "time after which a silent client is closed; 0 (the default): never",
  allowed: "a whole number of seconds from 0 to 2592000",
  schema: wholeNumber(0, 2_592_000),
  fallback: () => 0,
};

const adminPort: Setting<number | undefined> = {
  key: "admin-port",
  placeholder: "number",
  description: "port on 127.0.0.1 for /livez, /readyz, /stats and /metrics; 0 takes a free one; by default none",
  allowed: "a whole number from 0 to 65535",
  schema: wholeNumber(0, 65_535),
  fallback: () => undefined,
  unset: "none",
};

const logLevel: Setting<LogLevel> = {
  key: "log-level",
  placeholder: "level",
  description: "what is told on standard error: error, warn (the default at a terminal), info (else) or debug",
  allowed: "error, warn, info or debug",
  schema: v.picklist(LOG_LEVELS),
  // Whoever looks at it has started it, and sees the ready line.
  fallback: () => (process.stderr.isTTY ? "warn" : "info"),
};

const logFormat: Setting<LogFormat> = {
  key: "log-format",
  placeholder: "format",
  description: "json or text; by default text at a terminal, else json",
  allowed: "json or text",
  schema: v.picklist(LOG_FORMATS),
  fallback: () => (process.stderr.isTTY ? "text" : "json"),
};

const textIdleTimeout: Setting<number> = {
  key: "text-idle-timeout",
  placeholder: "seconds",
  description: "the same for clients of the text protocol; 60 by default",
  allowed: "a whole number of seconds from 0 to 2592000",
  schema: wholeNumber(0, 2_592_000),
  fallback: () => 60,
};

const tcpKeepalive: Setting<number> = {
  key: "tcp-keepalive",
  placeholder: "seconds",
  description: "time after which a silent peer is asked whether it is there; 300 by default, 0: never",
  allowed: "a whole number of seconds from 0 to 3600",
  schema: wholeNumber(0, 3_600),
  fallback: () => 300,
};

const textFraming: Setting<TextFraming> = {
  key: "text-framing",
  placeholder: "name",
  description: "one request of the text protocol: line, or message (what one read delivers)",
  allowed: "line or message",
  schema: v.picklist(TEXT_FRAMINGS),
  fallback: () => "line",
};

const noScripts: Setting<boolean> = {
  key: "no-scripts",
  description: "refuse Lua scripts",
  allowed: "true or false",
  schema: v.union([
    v.boolean(),
    v.pipe(
      v.picklist(["true", "false"]),
      v.transform((text) => text === "true"),
    ),
  ]),
  fallback: () => false,
};

/** All settings, by their name in code; the order is that of the help. */
export const settings = {
  port,
  bind,
  passwordFile,
  maxMemory,
  threads,
  policy,
  maxClients,
  idleTimeout,
  textIdleTimeout,
  tcpKeepalive,
  textFraming,
  noScripts,
  adminPort,
  logLevel,
  logFormat,
};

/** The settings with their values. */
export type Values = { [K in keyof typeof settings]: ReturnType<(typeof settings)[K]["fallback"]> };

/** All that the settings say: their values, and what only the environment or another file may hold. */
export interface Configuration extends Values {
  /** The password, from the file that is named or from the environment. */
  readonly password: Uint8Array | undefined;
}
