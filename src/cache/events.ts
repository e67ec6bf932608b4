/** Change events of one handle: polled in batches, so that a change costs its writer nothing but a copy of its key. */
import type { NativeCache, NativeChange } from "../native.js";
import { describe } from "./describe.js";

/** One change of the cache, by whichever thread or client made it. */
export interface CacheEvent {
  /**
   * - `set`: `add` (the key was absent), `replace`, or `expiry` (only the expiry changed)
   * - `delete`: `delete` or `clear`
   * - `evict`: `capacity`
   * - `expire`: `ttl`
   * - `gap`: `overflow` (more changes than could be kept) or `reset` (a bug emptied a part of the cache)
   */
  readonly reason: "add" | "replace" | "expiry" | "delete" | "clear" | "capacity" | "ttl" | "overflow" | "reset";
  /** The key; a Buffer where its bytes are no UTF-8. Absent where the change is of many keys (`clear`, gaps). */
  readonly key?: string | Buffer;
  /** Version of the entry after the change. */
  readonly version: bigint;
}

/** Names of events. `gap` says that changes were lost: whoever mirrors the cache has to start over. */
export type EventName = "set" | "delete" | "evict" | "expire" | "gap";

/** Gets all events of one name since the last call, in order of version per key. */
export type EventListener = (events: readonly CacheEvent[]) => void;

/** What the engine's `ChangeKind`s mean here. */
const KINDS: Readonly<Record<number, readonly [EventName, CacheEvent["reason"]]>> = {
  1: ["set", "add"],
  2: ["set", "replace"],
  3: ["delete", "delete"],
  4: ["expire", "ttl"],
  5: ["evict", "capacity"],
  6: ["set", "expiry"],
  7: ["delete", "clear"],
  8: ["gap", "overflow"],
  9: ["gap", "reset"],
};

const NAMES: ReadonlySet<string> = new Set(Object.values(KINDS).map(([name]) => name));

/** Time from a change to its event, at most, while the event loop is free. */
const POLL_MS = 20;
/** Changes taken from the engine in one go. */
const BATCH = 4_096;
/** Changes taken before any is delivered, however fast other threads make more. */
const MOST_TAKEN = 1 << 18;
/** Changes delivered in one turn of the event loop; the rest waits for the next, so that others get theirs. */
const TURN = 8_192;

/**
 * Listeners of one handle. Nothing runs while there are none, and a listener keeps neither the process nor the cache
 * alive.
 */
export class Events {
  readonly #cache: NativeCache;
  readonly #listeners = new Map<EventName, Set<EventListener>>();
  #timer: NodeJS.Timeout | undefined;
  /** Changes that are not delivered yet, oldest first. */
  #taken: NativeChange[] = [];
  #isDelivering = false;
  /** The turn that delivers what is left. */
  #next: NodeJS.Immediate | undefined;

  constructor(cache: NativeCache) {
    this.#cache = cache;
  }

  /** Adds a listener. */
  on(name: EventName, listener: EventListener): void {
    if (!NAMES.has(name)) {
      throw new TypeError(`event ${describe(name)} does not exist; there are ${[...NAMES].join(", ")}`);
    }
    if (typeof listener !== "function") {
      throw new TypeError(`a listener must be a function; got ${describe(listener)}`);
    }
    const before = this.#kinds();
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    if (this.#kinds() !== before) this.#resubscribe();
  }

  /** Removes a listener. */
  off(name: EventName, listener: EventListener): void {
    const before = this.#kinds();
    const listeners = this.#listeners.get(name);
    listeners?.delete(listener);
    if (listeners?.size === 0) this.#listeners.delete(name);
    if (this.#kinds() !== before) this.#resubscribe();
  }

  /** Delivers what is there now, without waiting for the next poll. */
  flush(): void {
    this.#take();
    this.#deliverTaken(this.#taken.length);
  }

  /** Delivers what is there, in turns. */
  poll(): void {
    // Where turns take longer than the time between two polls, a poll would deliver beside each of them.
    if (this.#next !== undefined) return;
    if (this.#taken.length === 0) this.#take();
    this.#deliverTaken(TURN);
    if (this.#taken.length === 0) return;
    this.#next = setImmediate(() => {
      this.#next = undefined;
      this.poll();
    }).unref();
  }

  /** Ends all listeners. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#listeners.clear();
    this.#taken = [];
  }

  /** Bits of the kinds somebody listens to. */
  #kinds(): number {
    let kinds = 0;
    for (const [kind, [name]] of Object.entries(KINDS)) {
      if (this.#listeners.has(name)) kinds |= 1 << Number(kind);
    }
    return kinds;
  }

  #resubscribe(): void {
    // What was caught under the old subscription belongs to the listeners that are left.
    this.flush();
    const kinds = this.#kinds();
    if (kinds === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#taken = [];
      this.#cache.unsubscribe();
      return;
    }
    this.#cache.subscribe(kinds, false);
    this.#timer ??= poll(new WeakRef(this));
  }

  #take(): void {
    if (this.#timer === undefined) return;
    for (let count = BATCH; count === BATCH && this.#taken.length < MOST_TAKEN; ) {
      const changes = this.#cache.drain(BATCH);
      for (const change of changes) this.#taken.push(change);
      count = changes.length;
    }
  }

  /** Delivers the first `count` of what was taken. From within a listener nothing: it would overtake its own events. */
  #deliverTaken(count: number): void {
    if (this.#isDelivering || this.#taken.length === 0) return;
    this.#isDelivering = true;
    try {
      this.#deliver(this.#taken.splice(0, count));
    } finally {
      this.#isDelivering = false;
    }
  }

  #deliver(changes: readonly NativeChange[]): void {
    const batches = new Map<EventName, CacheEvent[]>();
    for (const change of changes) {
      const meaning = KINDS[change.kind];
      if (meaning === undefined) continue;
      const [name, reason] = meaning;
      const ofMany = reason === "clear" || name === "gap";
      const event = ofMany ? { reason, version: change.version } : { reason, key: change.key, version: change.version };
      const batch = batches.get(name);
      if (batch === undefined) batches.set(name, [event]);
      else batch.push(event);
    }
    for (const [name, batch] of batches) {
      for (const listener of [...(this.#listeners.get(name) ?? [])]) call(listener, batch);
    }
  }
}

/**
 * Delivers what happened every {@link POLL_MS}, until the owner is gone. Held strongly, a cache that nobody else knows
 * any more could never be closed: neither by the garbage collector nor by anybody.
 */
function poll(owner: WeakRef<Events>): NodeJS.Timeout {
  const timer = setInterval(() => {
    const events = owner.deref();
    if (events === undefined) clearInterval(timer);
    else events.poll();
  }, POLL_MS).unref();
  return timer;
}

/**
 * Calls a listener. What it throws surfaces as an uncaught exception, as with an `EventTarget`: the listeners and
 * events behind it are delivered all the same, and a call like `off`, which delivers too, does not fail for it.
 */
function call(listener: EventListener, batch: readonly CacheEvent[]): void {
  try {
    listener(batch);
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
