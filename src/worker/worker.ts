/** A cache behind TCP: any Redis client can talk to it. */
import { Cache, internals } from "../cache/cache.js";
import { describe } from "../cache/describe.js";
import { checkNames } from "../cache/names.js";
import type { CacheOptions } from "../cache/options.js";
import { type NativeServer, type NativeServerStats, native } from "../native.js";
import { type ListenOptions, parseListenOptions } from "./options.js";

/** How long `close` waits by default for clients that do not take their replies. */
const DEFAULT_DRAIN_MS = 10_000;
const MAX_DRAIN_MS = 2 ** 32 - 1;
/** The longest interval a timer takes. */
const LONG_MS = 2 ** 31 - 1;

/** Options of {@link Worker.listen}. */
export interface WorkerOptions extends ListenOptions {
  /**
   * The cache to serve: an open one, which stays the caller's, or an object with at least one option for one of the
   * worker's own, which is closed with it. Default: one of its own with the defaults of {@link Cache}.
   */
  // biome-ignore lint/suspicious/noExplicitAny: what values the caller reads from the cache does not matter here
  cache?: Cache<any> | CacheOptions;
}

const WORKER_OPTIONS: ReadonlySet<string> = new Set<keyof WorkerOptions>([
  "port",
  "bind",
  "threads",
  "password",
  "maxClients",
  "idleTimeout",
  "scripts",
  "allowShutdown",
  "cache",
]);
const CLOSE_OPTIONS: ReadonlySet<string> = new Set(["drain"]);

/** Counters of a worker. */
export type WorkerStats = NativeServerStats;

/**
 * A server around a cache. It runs on threads of its own: a busy event loop does not slow it down.
 *
 * It keeps the process alive until it is closed, with `close()` or `await using`.
 */
export class Worker implements AsyncDisposable {
  /** The cache that is served. */
  readonly cache: Cache<unknown>;
  /** The address it listens on. */
  readonly bind: string;
  /** The port it listens on; the one that was chosen where 0 was asked for. */
  readonly port: number;
  readonly #server: NativeServer;
  readonly #ownsCache: boolean;
  readonly #keepsAlive: NodeJS.Timeout;
  #closed: Promise<void> | undefined;

  private constructor(cache: Cache<unknown>, ownsCache: boolean, bind: string, server: NativeServer) {
    this.cache = cache;
    this.bind = bind;
    this.port = server.port;
    this.#server = server;
    this.#ownsCache = ownsCache;
    // The native threads are none that Node would wait for. The timer also holds this object.
    this.#keepsAlive = setInterval(() => this.port, LONG_MS);
  }

  /**
   * Listens; when it resolves, clients can connect.
   *
   * @throws {TypeError | RangeError} for a bad option, naming it, its value and what is allowed.
   * @throws {TandemError} `CannotListen` for an address that is taken or not of this machine; `BadOption` for one that
   * other machines can reach.
   */
  static async listen(options: WorkerOptions = {}): Promise<Worker> {
    checkNames("Worker.listen", options, WORKER_OPTIONS);
    const listen = parseListenOptions(options);
    const given = checkCache(options.cache);
    const owns = !(given instanceof Cache);
    const cache: Cache<unknown> = owns ? new Cache(given) : given;
    try {
      return new Worker(cache, owns, listen.bind, native.NativeServer.listen(internals(cache).native, listen));
    } catch (error) {
      if (owns) cache.close();
      throw error;
    }
  }

  /** Counters as of now. */
  stats(): WorkerStats {
    return this.#server.stats();
  }

  /**
   * Stops: accepts no more, answers every request received so far, closes every connection and the worker's own cache.
   * Resolves when that is done; gives up on clients that do not take their replies after `drain` ms (default 10,000).
   */
  close(options: { drain?: number } = {}): Promise<void> {
    checkNames("close", options, CLOSE_OPTIONS);
    const { drain = DEFAULT_DRAIN_MS } = options;
    if (!Number.isInteger(drain) || drain < 0 || drain > MAX_DRAIN_MS) {
      throw new RangeError(`drain must be a whole number of ms from 0 to ${MAX_DRAIN_MS}; got ${drain}`);
    }
    this.#closed ??= this.#stop(drain);
    return this.#closed;
  }

  /** Closes with the default drain time. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #stop(drain: number): Promise<void> {
    try {
      await this.#server.stop(drain);
    } finally {
      clearInterval(this.#keepsAlive);
      if (this.#ownsCache) this.cache.close();
    }
  }
}

/** What looks like options must have some: anything else is an object that was taken for a cache by mistake. */
function checkCache(cache: unknown): Cache<unknown> | CacheOptions | undefined {
  if (cache === undefined || cache instanceof Cache) return cache;
  const isPlain =
    typeof cache === "object" && cache !== null && [Object.prototype, null].includes(Object.getPrototypeOf(cache));
  if (!isPlain || Object.keys(cache).length === 0) {
    const got = isPlain ? "an object without any" : describe(cache);
    throw new TypeError(`option cache must be a Cache, or an object with options of one such as maxBytes; got ${got}`);
  }
  return cache;
}
