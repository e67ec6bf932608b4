/** How the door stores entries: ages beside values, sizes as costs, callbacks after each change. */
import { Cache, type Entry, internals } from "../cache/cache.js";
import { describe } from "../cache/describe.js";
import { Departures, tell } from "./departures.js";
import { decodeKey, encodeKey, type Key } from "./keys.js";
import type { DisposeReason, InsertReason, SetOptions } from "./options.js";
import type { Settings } from "./settings.js";
import { Timed } from "./timed.js";

/** The largest the engine allows: lru-cache knows no limit on a value. */
const MAX_VALUE_BYTES = 256 * 1024 ** 2 - 1;
const KEYS_PER_PAGE = 1024;

/** The entries of one {@link LRUCache}. */
export class Storage<K extends Key, V extends {}, FC> {
  readonly #cache: Cache<unknown>;
  readonly #settings: Settings<K, V, FC>;
  readonly #departures: Departures<K, V> | undefined;
  #isTimed: boolean;

  constructor(settings: Settings<K, V, FC>) {
    this.#settings = settings;
    const { max, maxSize, maxBytes, ttl, dispose, disposeAfter, onInsert } = settings;
    this.#cache = new Cache({
      policy: "lru",
      shards: 1,
      maxValueBytes: MAX_VALUE_BYTES,
      ...(max ? { maxEntries: max } : {}),
      ...(maxSize ? { maxCost: maxSize } : {}),
      ...(maxBytes === undefined ? {} : { maxBytes }),
    });
    this.#isTimed = ttl !== 0;
    const listens = Boolean(dispose ?? disposeAfter ?? onInsert);
    this.#departures = listens ? new Departures(this.#cache) : undefined;
  }

  /** Number of entries. */
  get size(): number {
    return this.#cache.size;
  }

  /** Sum of the sizes of all entries. */
  get calculatedSize(): number {
    return this.#settings.isSized ? this.#cache.stats().cost : 0;
  }

  /** Whether any entry may have an age. */
  get isTimed(): boolean {
    return this.#isTimed;
  }

  /** Milliseconds by the clock of ttls. */
  now(): number {
    return this.#settings.perf.now();
  }

  /** Whether what was found is beyond its ttl. */
  isStale(found: unknown): boolean {
    return found instanceof Timed && found.isStale(this.now());
  }

  /** What is stored under the key, as a use. */
  get(key: K): unknown {
    return this.#cache.get(encodeKey(key));
  }

  /** What is stored under the key. */
  peek(key: K): unknown {
    return this.#cache.peek(encodeKey(key));
  }

  /** What is stored under the key, with its size. */
  entry(key: K): Entry<unknown> | undefined {
    return this.#cache.getEntry(encodeKey(key));
  }

  has(key: K): boolean {
    return this.#cache.has(encodeKey(key));
  }

  /** A use. */
  touch(key: K): void {
    this.#cache.touch(encodeKey(key));
  }

  /** Stores a value with its size and age, or drops the entry where the size is beyond `maxEntrySize`. */
  store(key: K, value: V, options: SetOptions<K, V>): void {
    const settings = this.#settings;
    const { start, noUpdateTTL = settings.noUpdateTTL } = options;
    const ttl = ttlOf(options.ttl ?? settings.ttl);
    const { noDisposeOnSet = settings.noDisposeOnSet } = options;
    const size = this.#sizeOf(key, value, options);
    if (size !== undefined && size > this.#largestSize()) {
      this.remove(key, "set");
      return;
    }
    this.#isTimed ||= ttl !== 0;
    const old = noUpdateTTL && this.#isTimed ? this.peek(key) : undefined;
    const isNew = this.#departures !== undefined && !this.has(key);
    this.#put(key, old === undefined ? timed(value, start ?? this.now(), ttl) : withAgeOf(old, value), size);

    const departures = this.#departures?.take("set") ?? [];
    const replaced = departures.find(({ reason }) => reason === "set");
    const isSame = replaced?.value === value;
    const told = departures.filter((departure) => departure !== replaced || !(noDisposeOnSet || isSame));
    const { dispose, disposeAfter, onInsert } = settings;
    tell(dispose, told);
    onInsert?.(value, key, insertReason(isNew, isSame));
    tell(disposeAfter, told);
  }

  /** Lets the ttl of an entry start anew. The entry is stored again, because its age lies beside its value. */
  restart(key: K, found: Timed): void {
    const size = this.#settings.isSized ? this.entry(key)?.cost : undefined;
    this.#put(key, new Timed(found.value, this.now(), found.ttl), size);
    // To whoever watches it the entry is the same.
    this.#tell(this.#departures?.take("set").filter(({ reason }) => reason !== "set"));
  }

  /** Deletes an entry; says whether it was there. */
  remove(key: K, reason: DisposeReason): boolean {
    const removed = this.#cache.delete(encodeKey(key));
    this.#tell(this.#departures?.take(reason));
    return removed;
  }

  /** Deletes all entries. */
  clear(): void {
    if (this.#departures === undefined) {
      this.#cache.clear();
      return;
    }
    // One by one: the engine does not report what was in a cache that it cleared.
    for (const key of this.#storedKeys(false)) this.#cache.delete(key);
    this.#tell(this.#departures.take("delete"));
  }

  /** Deletes the least recently used entry and returns what was stored. */
  pop(): unknown {
    const [key] = internals(this.#cache).native.keysByRecency(null, 1, false);
    if (key === undefined) return undefined;
    const found = this.#cache.take(key);
    this.#tell(this.#departures?.take("evict"));
    return found;
  }

  /** All keys in order of use. They are taken at once, so that the caller may change the cache meanwhile. */
  keys(newestFirst: boolean): K[] {
    return this.#storedKeys(newestFirst).map((key) => decodeKey<K>(key));
  }

  /** Gives the memory back. */
  close(): void {
    this.#cache.close();
  }

  #storedKeys(newestFirst: boolean): string[] {
    const { native } = internals(this.#cache);
    const page = (after: string | null) => native.keysByRecency(after, KEYS_PER_PAGE, newestFirst) as string[];
    const keys = page(null);
    for (let isFull = keys.length === KEYS_PER_PAGE; isFull; ) {
      // The last key may have gone since: then it goes on behind the one before.
      let last = keys.length - 1;
      let more = page(keys[last] as string);
      while (more.length === 0 && last > 0) more = page(keys[--last] as string);
      isFull = more.length === KEYS_PER_PAGE;
      const known = new Set(keys.slice(last));
      for (const key of more) if (!known.has(key)) keys.push(key);
    }
    return keys;
  }

  #put(key: K, value: unknown, size: number | undefined): void {
    const stored = encodeKey(key);
    const leaves = this.#settings.ttlAutopurge && value instanceof Timed && value.start !== 0;
    if (!leaves && size === undefined) {
      this.#cache.set(stored, value);
      return;
    }
    // In lru-cache an entry is stale when its age is beyond the ttl; in the engine it ends at its ttl.
    const ttl = leaves ? { ttl: Math.max(1, Math.floor(value.remaining(this.now())) + 1) } : {};
    this.#cache.set(stored, value, { ...ttl, ...(size === undefined ? {} : { cost: size }) });
  }

  #sizeOf(key: K, value: V, options: SetOptions<K, V>): number | undefined {
    const { size, sizeCalculation = this.#settings.sizeCalculation } = options;
    if (!this.#settings.isSized) {
      if (size || sizeCalculation) throw new TypeError("a size needs the option maxSize or maxEntrySize");
      return undefined;
    }
    const isGiven = Number.isSafeInteger(size) && (size as number) > 0;
    const calculated = isGiven ? size : sizeCalculation?.(value, key);
    if (!Number.isSafeInteger(calculated) || (calculated as number) < 1) {
      throw new TypeError(
        "with maxSize or maxEntrySize every entry needs a size, a whole number of at least 1, from sizeCalculation " +
          `or the option size; got ${describe(calculated)}`,
      );
    }
    return calculated;
  }

  /** The largest size of an entry. One beyond `maxSize` would have to drive everything out, and itself. */
  #largestSize(): number {
    const { maxEntrySize, maxSize } = this.#settings;
    return Math.min(maxEntrySize || Number.POSITIVE_INFINITY, maxSize || Number.POSITIVE_INFINITY);
  }

  #tell(departures: ReturnType<Departures<K, V>["take"]> = []): void {
    const { dispose, disposeAfter } = this.#settings;
    tell(dispose, departures);
    tell(disposeAfter, departures);
  }
}

/** As in lru-cache, what is falsy (0, NaN) means none. */
function ttlOf(ttl: unknown): number {
  if (!ttl) return 0;
  if (typeof ttl !== "number") throw new TypeError(`ttl must be a number of ms, 0 for none; got ${describe(ttl)}`);
  return ttl;
}

function timed(value: unknown, start: number, ttl: number): unknown {
  return ttl === 0 ? value : new Timed(value, start, ttl);
}

function withAgeOf(old: unknown, value: unknown): unknown {
  return old instanceof Timed ? new Timed(value, old.start, old.ttl) : value;
}

function insertReason(isNew: boolean, isSame: boolean): InsertReason {
  if (isNew) return "add";
  return isSame ? "update" : "replace";
}
