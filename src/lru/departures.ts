/** What left a cache, for `dispose` and `disposeAfter`: caught from its change stream after each call. */
import type { Cache } from "../cache/cache.js";
import { internals } from "../cache/cache.js";
import { receiveOld } from "../cache/codec.js";
import { decodeKey, type Key } from "./keys.js";
import type { DisposeReason, Disposer } from "./options.js";
import { plain } from "./timed.js";

const CHANGES_PER_DRAIN = 4096;

/** Kinds of changes, as the engine numbers them. */
const REPLACED = 2;
const DELETED = 3;
const EXPIRED = 4;
const EVICTED = 5;
const LISTENED = (1 << REPLACED) | (1 << DELETED) | (1 << EXPIRED) | (1 << EVICTED);

/** An entry that left. */
export interface Departure<K, V> {
  readonly key: K;
  readonly value: V;
  readonly reason: DisposeReason;
}

/** Catches what leaves a cache. */
export class Departures<K extends Key, V> {
  readonly #cache: Cache<unknown>;

  constructor(cache: Cache<unknown>) {
    this.#cache = cache;
    internals(cache).native.subscribe(LISTENED, true);
  }

  /**
   * What left since the last call. Entries that were deleted, rather than evicted or replaced, left for `deleted`.
   * An entry that was replaced comes first, as in lru-cache.
   */
  take(deleted: DisposeReason): Departure<K, V>[] {
    const { native, codec } = internals(this.#cache);
    const reasons: Record<number, DisposeReason> = {
      [REPLACED]: "set",
      [DELETED]: deleted,
      [EXPIRED]: "expire",
      [EVICTED]: "evict",
    };
    const departures: Departure<K, V>[] = [];
    for (let page = native.drain(CHANGES_PER_DRAIN); page.length > 0; page = native.drain(CHANGES_PER_DRAIN)) {
      for (const { kind, key, old, oldKind } of page) {
        const reason = reasons[kind];
        if (reason === undefined || old === undefined) continue;
        const departure = {
          key: decodeKey<K>(key as string),
          value: plain(receiveOld(oldKind, old, codec)) as V,
          reason,
        };
        if (kind === REPLACED) departures.unshift(departure);
        else departures.push(departure);
      }
    }
    return departures;
  }
}

/** Tells a listener of each departure. */
export function tell<K, V>(listener: Disposer<K, V> | undefined, departures: readonly Departure<K, V>[]): void {
  if (listener === undefined) return;
  for (const { value, key, reason } of departures) listener(value, key, reason);
}
