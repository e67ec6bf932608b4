/** Fetches in flight: at most one per key, beside the cache rather than in it. */
import { offAbort, onAbort } from "../cache/gates/abort.js";
import type { FetcherOptions, FetchOptions } from "./options.js";

/** What a fetch needs of the cache it fills. */
export interface FetchHost<K, V, FC> {
  call(key: K, stale: V | undefined, options: FetcherOptions<K, V, FC>): unknown;
  store(key: K, value: V, options: FetchOptions<K, V, FC>): void;
  drop(key: K): void;
}

interface InFlight<V> {
  readonly promise: Promise<V | undefined>;
  readonly stale: V | undefined;
  readonly controller: AbortController;
  /** Somebody waits for it, so a failure must reach them. */
  awaited: boolean;
}

/** The fetches in flight of one cache. */
export class Fetches<K, V, FC> {
  readonly #host: FetchHost<K, V, FC>;
  readonly #inFlight = new Map<K, InFlight<V>>();

  constructor(host: FetchHost<K, V, FC>) {
    this.#host = host;
  }

  /** Whether `key` is being fetched. */
  has(key: K): boolean {
    return this.#inFlight.has(key);
  }

  /** Ends the fetch of `key`, because its entry was written or deleted. */
  abort(key: K, reason: "replaced" | "deleted"): void {
    const fetch = this.#inFlight.get(key);
    if (fetch === undefined) return;
    this.#inFlight.delete(key);
    fetch.controller.abort(new Error(reason));
  }

  /** Ends all fetches. */
  abortAll(): void {
    for (const key of [...this.#inFlight.keys()]) this.abort(key, "deleted");
  }

  /** The value of the fetch in flight, or of a new one: the stale value at once where that is allowed. */
  join(key: K, stale: V | undefined, options: FetchOptions<K, V, FC>): Promise<V | undefined> | V | undefined {
    const fetch = this.#inFlight.get(key) ?? this.#begin(key, stale, options);
    if (options.allowStale && fetch.stale !== undefined) return fetch.stale;
    fetch.awaited = true;
    return fetch.promise;
  }

  #begin(key: K, stale: V | undefined, options: FetchOptions<K, V, FC>): InFlight<V> {
    const controller = new AbortController();
    const { signal } = options;
    const abort = () => controller.abort(signal?.reason);
    if (signal !== undefined) onAbort(signal, abort);
    if (signal?.aborted) abort();
    const fetch: InFlight<V> = {
      stale,
      controller,
      awaited: false,
      promise: this.#run(key, stale, options, controller)
        .finally(() => signal && offAbort(signal, abort))
        .then(
          (value) => this.#succeed(key, fetch, value, options),
          (error) => this.#fail(key, fetch, error, options),
        ),
    };
    this.#inFlight.set(key, fetch);
    return fetch;
  }

  /** Calls the method; an abort that is not to be ignored answers before it does. */
  async #run(
    key: K,
    stale: V | undefined,
    options: FetchOptions<K, V, FC>,
    controller: AbortController,
  ): Promise<V | undefined> {
    const { signal } = controller;
    const loaded = (async () =>
      (await this.#host.call(key, stale, { signal, options, context: options.context as FC })) as V | undefined)();
    if (options.ignoreFetchAbort && !options.allowStaleOnFetchAbort) return loaded;
    const aborted = new Promise<undefined>((resolve) => {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener("abort", () => resolve(undefined), { once: true });
    });
    const first = await Promise.race([loaded, aborted]);
    if (signal.aborted && options.allowStaleOnFetchAbort) {
      // The askers have the stale value; what is still loaded may fill the cache.
      loaded.then(
        (value) => {
          if (value !== undefined && !this.has(key)) this.#host.store(key, value, options);
        },
        () => undefined,
      );
    }
    return first;
  }

  #succeed(key: K, fetch: InFlight<V>, value: V | undefined, options: FetchOptions<K, V, FC>): V | undefined {
    const { aborted, reason } = fetch.controller.signal;
    if (aborted && !(options.ignoreFetchAbort && value !== undefined)) {
      return this.#fail(key, fetch, reason, options);
    }
    if (this.#leave(key, fetch)) {
      if (value !== undefined) this.#host.store(key, value, options);
      else if (fetch.stale === undefined) this.#host.drop(key);
    }
    return value;
  }

  #fail(key: K, fetch: InFlight<V>, error: unknown, options: FetchOptions<K, V, FC>): V | undefined {
    const { aborted } = fetch.controller.signal;
    const allowStale = (aborted && options.allowStaleOnFetchAbort) || options.allowStaleOnFetchRejection;
    const keep = (allowStale || options.noDeleteOnFetchRejection) && fetch.stale !== undefined;
    if (this.#leave(key, fetch) && !keep) this.#host.drop(key);
    if (allowStale) return fetch.stale;
    if (fetch.awaited) throw error;
    return undefined;
  }

  /** Takes `fetch` out; false where something else has taken its place. */
  #leave(key: K, fetch: InFlight<V>): boolean {
    return this.#inFlight.get(key) === fetch && this.#inFlight.delete(key);
  }
}
