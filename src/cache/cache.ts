/** The embedded cache. Every call but `resize` and those that wait for other writers is synchronous: it takes microseconds. */
import { calls, type Key, type NativeCache, type NativeStats, native } from "../native.js";
import { createCodec, receive, receiveBytes, type ValueCodec } from "./codec.js";
import { describe } from "./describe.js";
import { type EventListener, type EventName, Events } from "./events.js";
import { Gated } from "./gates/gated.js";
import type { InTurnOptions } from "./gates/in-turn.js";
import type { Loader } from "./gates/load.js";
import type { LoadOptions } from "./gates/load-options.js";
import type { StableOptions } from "./gates/stable.js";
import type { Transform, UpsertOptions, UpsertResult } from "./gates/upsert.js";
import { type Bytes, type CacheOptions, parseMaxBytes, parseOptions } from "./options.js";
import { type ScanStep, scanKeys, scanStep } from "./scan.js";
import { duration, timeOf } from "./time.js";
import { header } from "./window.js";
import {
  Condition,
  checkSetOptions,
  checkVersion,
  commit,
  Expiry,
  prepareWrite,
  type SetOptions,
  versionMismatch,
  writeOther,
} from "./write.js";

export type { Key } from "../native.js";

/** A number no handle has: calls with it find a closed cache. */
const CLOSED_HANDLE = 0xffff_ffff;

const { get, has, touch, setText } = calls;
const remove = calls.delete;

/** An entry with what is stored beside its value. */
export interface Entry<V> {
  readonly value: V;
  /** Opaque; for `ifVersion`. Every change of the entry changes it. */
  readonly version: bigint;
  /** Milliseconds since the Unix epoch; `undefined`: the entry does not expire. */
  readonly expiresAt: number | undefined;
  /** What the entry counts towards `maxCost`. */
  readonly cost: number;
}

/** Counters of a cache, in sum and per shard. Byte figures add up to `bytes`. */
export interface CacheStats extends NativeStats {
  readonly perShard: readonly NativeStats[];
}

/** What the parts of this package that build on {@link Cache} see of one. */
export interface Internals {
  readonly native: NativeCache;
  readonly codec: ValueCodec;
  /** The handle for the calls of the data path, or that of a closed cache. */
  readonly handle: number;
}

/** Opens a cache up to other modules of this package. Not part of the public API. */
export let internals: <V>(cache: Cache<V>) => Internals;

/**
 * A cache outside the V8 heap, bounded in real bytes.
 *
 * Strings, bytes (they come back as a Buffer) and safe integers are stored as they are, everything else through the
 * codec. What comes out is a copy. `undefined` is a miss; `null` and empty values are hits.
 *
 * Give the memory back with `close()` or `using`.
 */
export class Cache<V = unknown> {
  static {
    internals = (cache) => ({ native: cache.#native, codec: cache.#codec, handle: cache.#handle });
  }

  readonly #native: NativeCache;
  readonly #codec: ValueCodec;
  readonly #clock: (() => number) | undefined;
  readonly #name: string | undefined;
  #handle: number;
  #events: Events | undefined;
  #gated: Gated | undefined;

  /**
   * Creates a cache of its own.
   *
   * @throws {TypeError | RangeError} for a bad option, naming it, its value and what is allowed.
   */
  constructor(options?: CacheOptions);
  /** @internal `name` is given by {@link Cache.open}. */
  constructor(options: CacheOptions | undefined, name?: string) {
    const parsed = parseOptions(name, options);
    this.#native = native.NativeCache.open(parsed.native);
    this.#handle = this.#native.handle;
    this.#codec = createCodec(this.#native, parsed.codec);
    this.#clock = parsed.clock;
    this.#name = name;
  }

  /**
   * Opens the cache of that name, which all threads of the process share. The first call creates it; later ones leave
   * `options` out or give the same ones. It closes when every thread has closed it or ended.
   *
   * @throws {TandemError} `BadOption` when the cache is open with other options; the message shows both.
   */
  static open<V = unknown>(name: string, options?: CacheOptions): Cache<V> {
    if (name === undefined) throw new TypeError("the name of a cache must be a string; got undefined");
    const Named = Cache<V> as new (options: CacheOptions | undefined, name: string) => Cache<V>;
    return new Named(options, name);
  }

  /** The name it was opened by. */
  get name(): string | undefined {
    return this.#name;
  }

  /** The value, or `undefined`. A use. */
  get(key: Key): V | undefined {
    if (this.#clock !== undefined) this.#tick();
    const delivered = get(this.#handle, key);
    return (typeof delivered === "object" ? receive(delivered, this.#codec) : delivered) as V | undefined;
  }

  /** The bytes of the value: UTF-8 of a string, digits of an integer, the codec's bytes of anything else. A use. */
  getBuffer(key: Key): Buffer | undefined {
    this.#tick();
    return receiveBytes(calls.getBytes(this.#handle, key));
  }

  /**
   * Copies the bytes of the value (as `getBuffer`) into `target` and returns how many they are. If they are more than
   * fit, nothing is copied. A use.
   */
  getInto(key: Key, target: Uint8Array): number | undefined {
    this.#tick();
    return calls.getInto(this.#handle, key, target);
  }

  /** Like `get`, but no use. */
  peek(key: Key): V | undefined {
    this.#tick();
    return receive(calls.peek(this.#handle, key), this.#codec) as V | undefined;
  }

  /** Whether the key is there. No use. */
  has(key: Key): boolean {
    if (this.#clock !== undefined) this.#tick();
    return has(this.#handle, key);
  }

  /** `get` for each key, in order. */
  getMany(keys: Iterable<Key>): (V | undefined)[] {
    const values: (V | undefined)[] = [];
    checkIterable("keys", keys);
    for (const key of keys) values.push(this.get(key));
    return values;
  }

  /** The value with version, expiry and cost. No use. */
  getEntry(key: Key): Entry<V> | undefined {
    this.#tick();
    const delivered = calls.getEntry(this.#handle, key);
    if (delivered === undefined) return undefined;
    // The header is read before the value is decoded: a codec may call into the cache.
    const { version, expiresAt, cost } = header;
    return { value: receive(delivered, this.#codec) as V, version, expiresAt, cost };
  }

  /**
   * Stores a value; with `ifVersion` only over the entry of that version. Never waits for other writers.
   *
   * @throws {TandemError} `TooLarge`, `KeyTooLong`, `VersionMismatch`, `Overloaded`, `Closed`. Nothing is changed then.
   */
  set(key: Key, value: V, options?: SetOptions): void {
    if (this.#clock !== undefined) this.#tick();
    if (options !== undefined) this.#write(key, value, options);
    else if (typeof value === "string") setText(this.#handle, key, value);
    else writeOther(this.#handle, this.#codec, key, value);
  }

  /** `set` for each pair, in order; stops at the first that is refused. */
  setMany(entries: Iterable<readonly [Key, V]>, options?: SetOptions): void {
    checkIterable("entries", entries);
    for (const entry of entries) {
      if (!Array.isArray(entry)) throw new TypeError(`an entry must be an array [key, value]; got ${describe(entry)}`);
      this.set(entry[0], entry[1], options);
    }
  }

  /** Like `set`, and returns the version of the new entry. */
  setEntry(key: Key, value: V, options: SetOptions = {}): bigint {
    this.#tick();
    this.#write(key, value, options);
    return header.version;
  }

  /** Stores if the key is absent; says whether it did. */
  add(key: Key, value: V, options: Omit<SetOptions, "ifVersion" | "keepTtl"> = {}): boolean {
    return this.#writeIf(Condition.IfAbsent, key, value, options);
  }

  /** Stores if the key is there; says whether it did. */
  replace(key: Key, value: V, options: Omit<SetOptions, "ifVersion"> = {}): boolean {
    return this.#writeIf(Condition.IfPresent, key, value, options);
  }

  /** Deletes the key, with `ifVersion` only the entry of that version; says whether an entry went. */
  delete(key: Key, options?: { ifVersion: bigint }): boolean {
    if (this.#clock !== undefined) this.#tick();
    if (options === undefined) return remove(this.#handle, key);
    return this.#native.deleteVersion(key, checkVersion(options?.ifVersion));
  }

  /** Deletes the key and returns its value. */
  take(key: Key): V | undefined {
    this.#tick();
    return receive(calls.take(this.#handle, key), this.#codec) as V | undefined;
  }

  /**
   * Adds `delta` to the integer under the key, an absent one counting as 0, and returns the sum. Keeps the expiry.
   *
   * @throws {TandemError} `NotInteger`; `Overflow` beyond 2^53 - 1. Nothing is changed then.
   */
  incr(key: Key, delta = 1): number {
    if (!Number.isSafeInteger(delta)) {
      throw new TypeError(`delta must be a safe integer; got ${describe(delta)}`);
    }
    this.#tick();
    return calls.incr(this.#handle, key, delta);
  }

  /** `incr` with the negative of `delta`. */
  decr(key: Key, delta = 1): number {
    return this.incr(key, -delta);
  }

  /** A use without a value; says whether the key is there. */
  touch(key: Key): boolean {
    if (this.#clock !== undefined) this.#tick();
    return touch(this.#handle, key);
  }

  /** Lets the entry expire in `ttl` ms; says whether the key is there. */
  expire(key: Key, ttl: number): boolean {
    const ms = duration("ttl", ttl);
    if (ms === undefined) throw new TypeError("ttl must be a number of ms; got undefined");
    this.#tick();
    return this.#native.setExpiry(key, Expiry.In, ms);
  }

  /** Milliseconds until the entry expires, `Infinity` if it does not, `undefined` if there is none. */
  ttl(key: Key): number | undefined {
    this.#tick();
    if (!calls.inspect(this.#handle, key)) return undefined;
    const { expiresAt } = header;
    return expiresAt === undefined ? Number.POSITIVE_INFINITY : Math.max(0, expiresAt - this.#now());
  }

  /** Lets the entry live without expiry; says whether the key is there. */
  persist(key: Key): boolean {
    this.#tick();
    return this.#native.setExpiry(key, Expiry.Never, 0);
  }

  /**
   * One step of a walk over all keys, from `cursor` (0 starts) on. A key that exists throughout appears exactly once.
   *
   * @param match pattern as in Redis: `*`, `?`, `[a-z]`, `\`; compared byte by byte.
   */
  scan(cursor = 0, match?: string): ScanStep {
    this.#tick();
    return scanStep(this.#native, cursor, match);
  }

  /** All keys, step by step; writers may go on meanwhile. */
  keys(): Generator<string | Buffer, void, undefined> {
    return scanKeys((cursor) => this.scan(cursor));
  }

  /** All entries, step by step, without using them. */
  *entries(): Generator<[key: string | Buffer, value: V], void, undefined> {
    for (const key of this.keys()) {
      const value = this.peek(key);
      if (value !== undefined) yield [key, value];
    }
  }

  /** All values, step by step, without using them. */
  *values(): Generator<V, void, undefined> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): Generator<[key: string | Buffer, value: V], void, undefined> {
    return this.entries();
  }

  /** Number of entries. */
  get size(): number {
    this.#tick();
    return this.#native.size;
  }

  /** Deletes everything. Memory returns in small steps. */
  clear(): void {
    this.#native.clear();
  }

  /** Counters. */
  stats(): CacheStats {
    this.#tick();
    return { ...this.#native.stats(), perShard: this.#native.shardStats() };
  }

  /** Sets a new `maxBytes`; resolves when the bound holds, or another one that was set meanwhile. */
  async resize(maxBytes: Bytes): Promise<void> {
    let done = this.#native.resize(parseMaxBytes(maxBytes));
    while (!done) {
      await new Promise((resume) => setImmediate(resume));
      this.#native.maintain();
      done = this.#native.isWithinBound();
    }
  }

  /**
   * The value, or what `load` returns; then it is stored. Of all callers in all threads one loads, the others wait for
   * it. A value stored meanwhile wins; after a delete meanwhile the loaded value is handed out, but not stored. Errors of
   * the loader reach every caller. `undefined` is handed out, but not stored. See docs/gates.md.
   *
   * @throws {TandemError} `Timeout`, `Overloaded`, `Closed`, `Deadlock` (called by the loader of the same key).
   */
  getOrSet<R extends V | undefined = V>(key: Key, load: Loader<V, R>, options?: LoadOptions): Promise<V | R> {
    return this.#gates().getOrSet(key, load as Loader<unknown>, options) as Promise<V | R>;
  }

  /**
   * Computes a new value from the current one, while no other upsert, insert, update or load of the key runs. Other
   * keys are not held up. Any immediate change of the key (`set`, `delete`, `incr`, `clear`, ...) overtakes it.
   *
   * @throws {TandemError} `Preempted`, `Timeout`, `TransformFailed`, `TooLarge`, `Overloaded`, `Closed`, `Deadlock`.
   */
  upsert(key: Key, transform: Transform<V>, options?: UpsertOptions): Promise<UpsertResult> {
    return this.#gates().upsert(key, transform as Transform<unknown>, options);
  }

  /** Stores in its turn, if the key is then absent. @throws {TandemError} `KeyExists`, and those of `set` and `upsert`. */
  insert(key: Key, value: V, options?: InTurnOptions): Promise<void> {
    return this.#gates().insert(key, value, options);
  }

  /** Stores in its turn, if the key is then there. @throws {TandemError} `KeyMissing`, and those of `set` and `upsert`. */
  update(key: Key, value: V, options?: InTurnOptions): Promise<void> {
    return this.#gates().update(key, value, options);
  }

  /** The value, once the key is there and no change of it is in flight or queued. No use. */
  stable(key: Key, options?: StableOptions): Promise<V> {
    return this.#gates().stable(key, options) as Promise<V>;
  }

  /**
   * Calls `listener` with batches of events, of changes by any thread, from now on and for as long as something refers
   * to this object. See {@link EventName}.
   */
  on(event: EventName, listener: EventListener): this {
    this.#events ??= new Events(this.#native);
    this.#events.on(event, listener);
    return this;
  }

  /** Ends what `on` began. */
  off(event: EventName, listener: EventListener): this {
    this.#events?.off(event, listener);
    return this;
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#handle === CLOSED_HANDLE;
  }

  /**
   * Gives the handle back; the memory goes with the last handle. Afterwards every call throws, or rejects with,
   * {@link TandemError} `Closed`, but for `close`, `closed`, `name` and `off`. What waits is rejected with it now.
   */
  close(): void {
    this.#gated?.close();
    this.#events?.close();
    this.#handle = CLOSED_HANDLE;
    this.#native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #write(key: Key, value: V, options: SetOptions): void {
    const checked = checkSetOptions(options);
    const write = prepareWrite(this.#codec, value, checked, Condition.Always);
    if (!commit(this.#handle, key, write)) throw versionMismatch(checked.ifVersion ?? 0n);
  }

  #writeIf(condition: number, key: Key, value: V, options: SetOptions): boolean {
    const checked = checkSetOptions(options);
    if (checked.ifVersion !== undefined) throw new TypeError("ifVersion is for set and setEntry");
    this.#tick();
    return commit(this.#handle, key, prepareWrite(this.#codec, value, checked, condition));
  }

  #gates(): Gated {
    this.#gated ??= new Gated({
      handle: () => this.#handle,
      codec: this.#codec,
      get: (key) => this.get(key),
      peek: (key) => this.peek(key),
      now: () => this.#now(),
    });
    return this.#gated;
  }

  #now(): number {
    return this.#clock === undefined ? Date.now() : timeOf(this.#clock);
  }

  /** Tells the engine what the injected clock says; it cannot ask JavaScript while it holds a lock. */
  #tick(): void {
    if (this.#clock !== undefined) this.#native.setClock(timeOf(this.#clock));
  }
}

function checkIterable(name: string, given: Iterable<unknown>): void {
  if (typeof given?.[Symbol.iterator] !== "function") {
    throw new TypeError(`${name} must be iterable; got ${describe(given)}`);
  }
}
