/** The options of a cache as they are in force. lru-cache has them as properties, most of which may be assigned. */
import type { Bytes } from "../cache/options.js";
import type { Key } from "./keys.js";
import { checkOption, FLAGS, type Options, refuse } from "./options.js";

type Flag = (typeof FLAGS)[number];

/** What a cache reads, at each call anew, of its options. */
export interface Settings<K, V, FC> extends Record<Flag, boolean> {
  readonly max: number;
  readonly maxSize: number;
  /** 0: none. */
  maxEntrySize: number;
  /** Whether entries have sizes: fixed when the cache is made. */
  readonly isSized: boolean;
  sizeCalculation: Options<K, V, FC>["sizeCalculation"];
  /** 0: none. */
  ttl: number;
  ttlResolution: number;
  readonly dispose: Options<K, V, FC>["dispose"];
  readonly disposeAfter: Options<K, V, FC>["disposeAfter"];
  readonly onInsert: Options<K, V, FC>["onInsert"];
  readonly fetchMethod: Options<K, V, FC>["fetchMethod"];
  readonly memoMethod: Options<K, V, FC>["memoMethod"];
  readonly perf: { now(): number };
  readonly maxBytes: Bytes | undefined;
}

const DEFAULT_TTL_RESOLUTION = 1;

/** Fills in the defaults of options that were checked. */
export function settingsOf<K, V, FC>(options: Options<K, V, FC>): Settings<K, V, FC> {
  const { max = 0, maxSize = 0, ttl = 0, ttlResolution = DEFAULT_TTL_RESOLUTION, perf = performance } = options;
  const { sizeCalculation, dispose, disposeAfter, onInsert, fetchMethod, memoMethod, maxBytes } = options;
  const maxEntrySize = options.maxEntrySize || maxSize;
  const flags = Object.fromEntries(FLAGS.map((name) => [name, Boolean(options[name])])) as Record<Flag, boolean>;
  const bounds = { max, maxSize, maxEntrySize, isSized: maxEntrySize !== 0, maxBytes };
  const functions = { sizeCalculation, dispose, disposeAfter, onInsert, fetchMethod, memoMethod };
  return { ...flags, ...bounds, ...functions, ttl, ttlResolution, perf };
}

const isFlag = (name: string): name is Flag => (FLAGS as readonly string[]).includes(name);

const FIXED = [
  "max",
  "maxSize",
  "maxBytes",
  "dispose",
  "disposeAfter",
  "onInsert",
  "fetchMethod",
  "memoMethod",
  "perf",
] as const;
const ASSIGNABLE = [...FLAGS, "maxEntrySize", "sizeCalculation", "ttl", "ttlResolution"] as const;

/**
 * Puts a value in force from the next call on, checked as when the cache is made; `undefined` brings the default back.
 *
 * @throws {TypeError} naming the option, what was given and what is allowed.
 */
function assign<K, V, FC>(settings: Settings<K, V, FC>, name: (typeof ASSIGNABLE)[number], value: unknown): void {
  checkOption(name, value);
  if (isFlag(name)) {
    settings[name] = Boolean(value);
    return;
  }
  if (name === "ttl") settings.ttl = (value as number | undefined) ?? 0;
  else if (name === "ttlResolution") settings.ttlResolution = (value as number | undefined) ?? DEFAULT_TTL_RESOLUTION;
  else {
    if (value && !settings.isSized) {
      throw new TypeError(
        `${name} cannot be set: the entries of a cache made without maxSize and maxEntrySize have no size`,
      );
    }
    if (name === "maxEntrySize") settings.maxEntrySize = (value as number | undefined) || settings.maxSize;
    else settings.sizeCalculation = value as Options<K, V, FC>["sizeCalculation"];
  }
}

/** The properties of a cache that are its options. Those that are not read-only may be assigned between calls. */
export abstract class Configured<K extends Key, V extends {}, FC> {
  declare readonly max: number;
  declare readonly maxSize: number;
  /** Bound on all memory, as it was given. */
  declare readonly maxBytes: Bytes | undefined;
  declare readonly dispose: Settings<K, V, FC>["dispose"];
  declare readonly disposeAfter: Settings<K, V, FC>["disposeAfter"];
  declare readonly onInsert: Settings<K, V, FC>["onInsert"];
  declare readonly fetchMethod: Settings<K, V, FC>["fetchMethod"];
  declare readonly memoMethod: Settings<K, V, FC>["memoMethod"];
  declare readonly perf: { now(): number };
  /** For entries that are stored from now on, as with `sizeCalculation`. */
  declare maxEntrySize: number;
  declare sizeCalculation: Settings<K, V, FC>["sizeCalculation"];
  /** For entries that are stored from now on, as with `ttlAutopurge`. */
  declare ttl: number;
  declare ttlResolution: number;
  declare ttlAutopurge: boolean;
  declare allowStale: boolean;
  declare updateAgeOnGet: boolean;
  declare updateAgeOnHas: boolean;
  declare noDeleteOnStaleGet: boolean;
  declare noUpdateTTL: boolean;
  declare noDisposeOnSet: boolean;
  declare noDeleteOnFetchRejection: boolean;
  declare allowStaleOnFetchRejection: boolean;
  declare allowStaleOnFetchAbort: boolean;
  declare ignoreFetchAbort: boolean;

  readonly #settings: Settings<K, V, FC>;

  static {
    type Self = Configured<Key, NonNullable<unknown>, unknown>;
    for (const name of FIXED) {
      Object.defineProperty(Configured.prototype, name, {
        configurable: true,
        get(this: Self) {
          return this.#settings[name];
        },
      });
    }
    for (const name of ASSIGNABLE) {
      Object.defineProperty(Configured.prototype, name, {
        configurable: true,
        get(this: Self) {
          return this.#settings[name];
        },
        set(this: Self, value: unknown) {
          assign(this.#settings, name, value);
        },
      });
    }
  }

  constructor(settings: Settings<K, V, FC>) {
    this.#settings = settings;
  }

  /** Always 0: a fetch in flight takes no place in the cache. */
  get backgroundFetchSize(): number {
    return 0;
  }

  /** @throws {TypeError} always: it cannot be honoured. */
  set backgroundFetchSize(_size: number) {
    refuse("backgroundFetchSize");
  }
}
