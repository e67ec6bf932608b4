/** A cache behind TCP: any Redis client can talk to it. */
import { Cache, internals } from "../cache/cache.js";
import { describe } from "../cache/describe.js";
import { checkNames } from "../cache/names.js";
import type { CacheOptions } from "../cache/options.js";
import { type NativeServer, native } from "../native.js";
import type { Logger } from "../observe/logger.js";
import { AdminServer } from "./admin/server.js";
import { type ListenOptions, parseListenOptions } from "./options.js";
import type { WorkerReport, WorkerStats } from "./report.js";
import { Watch } from "./watch.js";

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
  "textIdleTimeout",
  "keepalive",
  "textFraming",
  "scripts",
  "adminPort",
  "allowShutdown",
  "logger",
  "cache",
]);
const CLOSE_OPTIONS: ReadonlySet<string> = new Set(["drain"]);

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
  readonly #startedMs = Date.now();
  readonly #log: Logger | undefined;
  readonly #watch: Watch | undefined;
  #admin: AdminServer | undefined;
  #closed: Promise<void> | undefined;

  private constructor(cache: Cache<unknown>, ownsCache: boolean, bind: string, server: NativeServer, log?: Logger) {
    this.cache = cache;
    this.bind = bind;
    this.port = server.port;
    this.#server = server;
    this.#ownsCache = ownsCache;
    // The native threads are none that Node would wait for. The timer also holds this object.
    this.#keepsAlive = setInterval(() => this.port, LONG_MS);
    this.#log = log;
    if (log !== undefined) this.#watch = new Watch(log, () => ({ server: server.stats(), cache: server.cacheStats() }));
  }

  /** The admin port, if there is one; the one that was chosen where 0 was asked for. */
  get adminPort(): number | undefined {
    return this.#admin?.port;
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
    let worker: Worker;
    try {
      const server = native.NativeServer.listen(internals(cache).native, listen);
      worker = new Worker(cache, owns, listen.bind, server, options.logger);
    } catch (error) {
      if (owns) cache.close();
      throw error;
    }
    try {
      await worker.#open(options.adminPort);
    } catch (error) {
      await worker.close();
      throw error;
    }
    return worker;
  }

  /** Counters as of now. */
  stats(): WorkerStats {
    return this.#server.stats();
  }

  /** All that it tells of itself, as of now: what `/stats` shows. */
  report(): WorkerReport {
    return {
      version: native.nativeVersion(),
      startedMs: this.#startedMs,
      stopping: this.#closed !== undefined,
      server: this.#server.stats(),
      cache: this.#server.cacheStats(),
      commands: this.#server.commands(),
      durationBounds: native.NativeServer.durationBounds(),
      errors: this.#server.errors(),
    };
  }

  /**
   * Stops: accepts no more, answers every request received so far, closes every connection and the worker's own cache.
   * Resolves when that is done; gives up on clients that do not take their replies after `drain` ms (default 10,000).
   */
  async close(options: { drain?: number } = {}): Promise<void> {
    checkNames("close", options, CLOSE_OPTIONS);
    const { drain = DEFAULT_DRAIN_MS } = options;
    if (!Number.isInteger(drain) || drain < 0 || drain > MAX_DRAIN_MS) {
      throw new RangeError(`drain must be a whole number of ms from 0 to ${MAX_DRAIN_MS}; got ${drain}`);
    }
    this.#closed ??= this.#stop(drain);
    await this.#closed;
  }

  /** Closes with the default drain time. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #open(adminPort: number | undefined): Promise<void> {
    if (adminPort !== undefined) {
      const answers = (withinMs: number) => this.#server.answers(withinMs);
      this.#admin = await AdminServer.listen(adminPort, { report: () => this.report(), answers });
    }
    const { bind, port } = this;
    this.#log?.info({ event: "ready", bind, port, adminPort: this.adminPort }, "ready");
  }

  async #stop(drain: number): Promise<void> {
    const begun = performance.now();
    this.#log?.info({ event: "stopping", clients: this.stats().clients }, "stopping");
    try {
      await this.#server.stop(drain);
    } finally {
      clearInterval(this.#keepsAlive);
      this.#watch?.end();
      const tookMs = Math.round(performance.now() - begun);
      this.#log?.info({ event: "stopped", requests: this.stats().commands, tookMs }, "stopped");
      await this.#admin?.close();
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
