/** A class with the methods of lru-cache 11 over an exact-LRU {@link Cache}. Differences are listed in docs/lru.md. */
import { Fetches } from "./fetches.js";
import type { Key } from "./keys.js";
import {
  checkCallOptions,
  checkOptions,
  type FetchOptions,
  type GetOptions,
  type HasOptions,
  type MemoOptions,
  type Options,
  type PeekOptions,
  type SetOptions,
} from "./options.js";
import { Configured, type Settings, settingsOf } from "./settings.js";
import { Storage } from "./storage.js";
import { plain, Timed } from "./timed.js";

const NO_OPTIONS = {};

/** Options that hold for a fetch unless it brings its own. */
const FETCH_SETTINGS = [
  "allowStale",
  "updateAgeOnGet",
  "noDeleteOnStaleGet",
  "ttl",
  "noDisposeOnSet",
  "sizeCalculation",
  "noUpdateTTL",
  "noDeleteOnFetchRejection",
  "allowStaleOnFetchRejection",
  "ignoreFetchAbort",
  "allowStaleOnFetchAbort",
] as const;

/** An entry with its size and age, as `info` and `dump` give it. */
export interface Entry<V> {
  value: V;
  ttl?: number;
  start?: number;
  size?: number;
}

/**
 * An LRU cache with the interface of lru-cache, outside the V8 heap. Keys are strings, numbers, bigints or booleans,
 * values are copies.
 */
export class LRUCache<K extends Key, V extends {}, FC = unknown> extends Configured<K, V, FC> {
  readonly #settings: Settings<K, V, FC>;
  readonly #storage: Storage<K, V, FC>;
  readonly #fetches: Fetches<K, V, FC>;

  /** Makes an empty cache, by options or by those of another cache. */
  constructor(options: Options<K, V, FC> | LRUCache<K, V, FC>) {
    checkOptions(options);
    const settings = settingsOf(options as Options<K, V, FC>);
    super(settings);
    this.#settings = settings;
    this.#storage = new Storage(settings);
    this.#fetches = new Fetches({
      call: (key, stale, fetcherOptions) => settings.fetchMethod?.call(this, key, stale, fetcherOptions),
      store: (key, value, fetchOptions) => this.#storage.store(key, value, fetchOptions),
      drop: (key) => this.#storage.remove(key, "fetch"),
    });
  }

  /** Number of entries, stale ones included. */
  get size(): number {
    return this.#storage.size;
  }

  /** Sum of the sizes of all entries. */
  get calculatedSize(): number {
    return this.#storage.calculatedSize;
  }

  /** The value, which becomes the most recently used. */
  get(key: K, options: GetOptions = NO_OPTIONS): V | undefined {
    if (options === NO_OPTIONS && !this.#storage.isTimed) return this.#storage.get(key) as V | undefined;
    checkCallOptions(options);
    const settings = this.#settings;
    const { allowStale = settings.allowStale, updateAgeOnGet = settings.updateAgeOnGet } = options;
    const { noDeleteOnStaleGet = settings.noDeleteOnStaleGet } = options;
    const found = this.#storage.peek(key);
    if (this.#storage.isStale(found)) {
      if (!noDeleteOnStaleGet && !this.#fetches.has(key)) this.#storage.remove(key, "expire");
      return allowStale ? (plain(found) as V) : undefined;
    }
    if (found !== undefined) this.#use(key, found, updateAgeOnGet);
    return plain(found) as V | undefined;
  }

  /** The value, without using it. */
  peek(key: K, options: PeekOptions = NO_OPTIONS): V | undefined {
    checkCallOptions(options);
    const { allowStale = this.#settings.allowStale } = options;
    const found = this.#storage.peek(key);
    return allowStale || !this.#storage.isStale(found) ? (plain(found) as V | undefined) : undefined;
  }

  /** Whether the key is there and not stale, without using it. */
  has(key: K, options: HasOptions = NO_OPTIONS): boolean {
    checkCallOptions(options);
    if (!this.#storage.isTimed) return this.#storage.has(key);
    const found = this.#storage.peek(key);
    if (found === undefined || this.#storage.isStale(found)) return false;
    const { updateAgeOnHas = this.#settings.updateAgeOnHas } = options;
    if (updateAgeOnHas && found instanceof Timed) this.#storage.restart(key, found);
    return true;
  }

  /** Stores a value; `undefined` deletes. */
  set(key: K, value: V | undefined, options: SetOptions<K, V> = NO_OPTIONS): this {
    checkCallOptions(options);
    if (value === undefined) {
      this.delete(key);
      return this;
    }
    this.#fetches.abort(key, "replaced");
    this.#storage.store(key, value, options);
    return this;
  }

  /** Deletes the key; says whether it was there. */
  delete(key: K): boolean {
    this.#fetches.abort(key, "deleted");
    return this.#storage.remove(key, "delete");
  }

  /** Deletes everything. */
  clear(): void {
    this.#fetches.abortAll();
    this.#storage.clear();
  }

  /** Deletes the least recently used entry and returns its value. */
  pop(): V | undefined {
    return plain(this.#storage.pop()) as V | undefined;
  }

  /** Deletes what is stale; says whether there was any. */
  purgeStale(): boolean {
    let purged = false;
    for (const key of this.#storage.isTimed ? this.#storage.keys(false) : []) {
      const found = this.#storage.peek(key);
      if (this.#storage.isStale(found)) purged = this.#storage.remove(key, "expire") || purged;
    }
    return purged;
  }

  /** Milliseconds until the entry is stale: `Infinity` without a ttl, 0 where there is no entry. */
  getRemainingTTL(key: K): number {
    const found = this.#storage.peek(key);
    if (found === undefined) return 0;
    return found instanceof Timed ? found.remaining(this.#storage.now()) : Number.POSITIVE_INFINITY;
  }

  /** The entry with its size and age, stale or not. */
  info(key: K): Entry<V> | undefined {
    const entry = this.#entry(key);
    if (entry === undefined) return undefined;
    const { found, ...info } = entry;
    if (found instanceof Timed && found.start !== 0) {
      info.ttl = found.remaining(this.#storage.now());
      info.start = Date.now();
    }
    return info;
  }

  /** All entries, stale ones too, least recently used first, for `load`. */
  dump(): [K, Entry<V>][] {
    const entries: [K, Entry<V>][] = [];
    for (const key of this.#storage.keys(false)) {
      const entry = this.#entry(key);
      if (entry === undefined) continue;
      const { found, ...dumped } = entry;
      if (this.#storage.isTimed) {
        const [ttl, start] = found instanceof Timed ? [found.ttl, found.start] : [0, 0];
        // Relative to the wall clock: the other end may run by another clock.
        dumped.ttl = ttl;
        dumped.start = Math.floor(Date.now() - (this.#storage.now() - start));
      }
      entries.push([key, dumped]);
    }
    return entries;
  }

  /** Empties the cache and stores what `dump` gave. */
  load(entries: Iterable<[K, Entry<V>]>): void {
    this.clear();
    for (const [key, entry] of entries) {
      const start = entry.start ? { start: this.#storage.now() - (Date.now() - entry.start) } : {};
      this.#storage.store(key, entry.value, { ...entry, ...start });
    }
  }

  /** The value, loaded by `fetchMethod` where it is absent or stale; one load at a time per key. */
  async fetch(key: K, options: FetchOptions<K, V, FC> = {}): Promise<V | undefined> {
    checkCallOptions(options);
    if (this.#settings.fetchMethod === undefined) return this.get(key, options);
    const merged = this.#inForce(options);
    const found = this.#storage.peek(key);
    const isFresh = found !== undefined && !this.#storage.isStale(found);
    if (isFresh && !options.forceRefresh && !this.#fetches.has(key)) {
      this.#use(key, found, merged.updateAgeOnGet);
      return plain(found) as V;
    }
    return this.#fetches.join(key, plain(found) as V | undefined, merged);
  }

  /** Like `fetch`, but an error where there is no value. */
  async forceFetch(key: K, options: FetchOptions<K, V, FC> = {}): Promise<V> {
    const value = await this.fetch(key, options);
    if (value === undefined) throw new Error("fetch() returned undefined");
    return value;
  }

  /** The value, computed by `memoMethod` where it is absent or stale. */
  memo(key: K, options: MemoOptions<K, V, FC> = {}): V {
    const { memoMethod } = this.#settings;
    if (memoMethod === undefined) throw new Error("memo() needs the option memoMethod");
    const { context, forceRefresh, ...rest } = options;
    const found = this.get(key, rest);
    if (found !== undefined && !forceRefresh) return found;
    const value = memoMethod.call(this, key, found, { options: rest, context: context as FC });
    this.set(key, value, rest);
    return value;
  }

  /** Value of the first entry, most recently used first, that `test` accepts; it counts as a `get`. */
  find(test: (value: V, key: K, cache: this) => boolean, options: GetOptions = {}): V | undefined {
    for (const [key, value] of this.entries()) {
      if (test(value, key, this)) return this.get(key, options);
    }
    return undefined;
  }

  forEach(each: (value: V, key: K, cache: this) => unknown, thisArgument: unknown = this): void {
    for (const [key, value] of this.entries()) each.call(thisArgument, value, key, this);
  }

  rforEach(each: (value: V, key: K, cache: this) => unknown, thisArgument: unknown = this): void {
    for (const [key, value] of this.rentries()) each.call(thisArgument, value, key, this);
  }

  /** Entries that are not stale, most recently used first, in the order of the moment this begins. */
  entries(): Generator<[K, V], void, unknown> {
    return this.#entries(true);
  }

  /** Like `entries`, least recently used first. */
  rentries(): Generator<[K, V], void, unknown> {
    return this.#entries(false);
  }

  *keys(): Generator<K, void, unknown> {
    for (const [key] of this.entries()) yield key;
  }

  *rkeys(): Generator<K, void, unknown> {
    for (const [key] of this.rentries()) yield key;
  }

  *values(): Generator<V, void, unknown> {
    for (const [, value] of this.entries()) yield value;
  }

  *rvalues(): Generator<V, void, unknown> {
    for (const [, value] of this.rentries()) yield value;
  }

  [Symbol.iterator](): Generator<[K, V], void, unknown> {
    return this.entries();
  }

  get [Symbol.toStringTag](): string {
    return "LRUCache";
  }

  /** Gives the memory back; lru-cache has no such call. */
  close(): void {
    this.#fetches.abortAll();
    this.#storage.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What holds for a fetch, whatever is assigned while it is in flight. */
  #inForce(options: FetchOptions<K, V, FC>): FetchOptions<K, V, FC> {
    const defaults = FETCH_SETTINGS.filter((name) => options[name] === undefined && this.#settings[name] !== undefined);
    return { ...options, ...Object.fromEntries(defaults.map((name) => [name, this.#settings[name]])) };
  }

  #entry(key: K): (Entry<V> & { found: unknown }) | undefined {
    const entry = this.#storage.entry(key);
    if (entry === undefined) return undefined;
    const value = plain(entry.value) as V;
    return { found: entry.value, value, ...(this.#settings.isSized ? { size: entry.cost } : {}) };
  }

  /** Counts a read of `found` as a use. */
  #use(key: K, found: unknown, updateAge: boolean | undefined): void {
    if (updateAge && found instanceof Timed) this.#storage.restart(key, found);
    else this.#storage.touch(key);
  }

  *#entries(newestFirst: boolean): Generator<[K, V], void, unknown> {
    for (const key of this.#storage.keys(newestFirst)) {
      const value = this.peek(key);
      if (value !== undefined) yield [key, value];
    }
  }
}
