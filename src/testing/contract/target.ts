/** What the contract asks of an implementation and of a test framework. */
import type { Cache, Key } from "../../cache/cache.js";
import type { CacheOptions } from "../../cache/options.js";
import type { SetOptions } from "../../cache/write.js";

/** A result now, or the promise of one: the contract holds for embedded and remote caches alike. */
export type Awaitable<T> = T | Promise<T>;

/** The operations the contract speaks of; {@link Cache} has them. */
export interface ContractCache {
  get(key: Key): Awaitable<unknown>;
  getBuffer(key: Key): Awaitable<Buffer | undefined>;
  peek(key: Key): Awaitable<unknown>;
  has(key: Key): Awaitable<boolean>;
  getMany(keys: Iterable<Key>): Awaitable<unknown[]>;
  getEntry(
    key: Key,
  ): Awaitable<{ value: unknown; version: bigint; expiresAt: number | undefined; cost: number } | undefined>;
  set(key: Key, value: unknown, options?: SetOptions): Awaitable<void>;
  setEntry(key: Key, value: unknown, options?: SetOptions): Awaitable<bigint>;
  add(key: Key, value: unknown, options?: SetOptions): Awaitable<boolean>;
  replace(key: Key, value: unknown, options?: SetOptions): Awaitable<boolean>;
  delete(key: Key, options?: { ifVersion: bigint }): Awaitable<boolean>;
  take(key: Key): Awaitable<unknown>;
  incr(key: Key, delta?: number): Awaitable<number>;
  decr(key: Key, delta?: number): Awaitable<number>;
  touch(key: Key): Awaitable<boolean>;
  expire(key: Key, ttl: number): Awaitable<boolean>;
  ttl(key: Key): Awaitable<number | undefined>;
  persist(key: Key): Awaitable<boolean>;
  scan(cursor?: number, match?: string): Awaitable<{ cursor: number; keys: (string | Buffer)[] }>;
  clear(): Awaitable<void>;
  stats(): Awaitable<{ entries: number; bytes: number; maxBytes: number; cost: number }>;
  resize(maxBytes: number): Promise<void>;
  close(): Awaitable<void>;
}

/** The operations that wait. An implementation has all of them or none. */
export interface WaitingCache
  extends ContractCache,
    Pick<Cache<unknown>, "getOrSet" | "upsert" | "insert" | "update" | "stable"> {}

/** Options the contract creates caches with. */
export type ContractOptions = Pick<
  CacheOptions,
  "maxBytes" | "maxEntries" | "maxCost" | "policy" | "shards" | "maxValueBytes" | "ttl" | "idleTtl" | "compression"
>;

/** An empty cache and the clock it lives by. */
export interface Subject {
  cache: ContractCache;
  /** Moves the clock of the cache forwards. */
  advance(ms: number): Awaitable<void>;
  /** Milliseconds since the Unix epoch by the clock of the cache. */
  now(): number;
}

/** The part of vitest, jest or `node:test` that the contract uses. */
export interface Framework {
  describe(name: string, body: () => void): unknown;
  test(name: string, body: () => Promise<void>): unknown;
}

/** Declares one test on a fresh cache, which is closed afterwards. */
export type Check = (name: string, options: ContractOptions, body: (subject: Subject) => Promise<void>) => void;
