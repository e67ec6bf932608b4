/** What all operations that may have to wait have in common: a ticket, a promise, a signal, and an end. */
import { TandemError } from "../../errors.js";
import { calls, type Key } from "../../native.js";
import type { ValueCodec } from "../codec.js";
import { fill, type PreparedWrite } from "../write.js";
import { offAbort, onAbort } from "./abort.js";
import { type InnerCall, innerCall } from "./held-keys.js";
import { closeTicket, type Outcome, openTicket } from "./mailbox.js";

/** What gated operations need to know of their cache. */
export interface GatedCache {
  readonly handle: number;
  /** A number that all handles of one cache share. */
  readonly identity: number;
  readonly codec: ValueCodec;
  /** Reads the value as a use. */
  get(key: Key): unknown;
  /** Reads the value. */
  peek(key: Key): unknown;
  /** When the entry expires, in ms since the Unix epoch; `undefined`: never, or there is none. */
  expiresAt(key: Key): number | undefined;
  /** Milliseconds since the Unix epoch, as the cache sees it. */
  now(): number;
  /** Operations that are not settled. */
  readonly asks: Set<Pick<Ask<unknown>, "abandon">>;
}

/** Answers of `lease` and `gate` that are no tokens, as in `crates/node/src/calls/gated.rs`. */
export const Answer = { Queued: 0, Hit: -1, Busy: -2 } as const;

/** What became of a hold that its holder ended. */
export const Filled = { Stored: 0, ConditionFailed: 1, NotStored: 2, Ended: 3, Fenced: 4 } as const;

/** How a hold ends without a value. */
export const End = { Keep: 0, Delete: 1, Fail: 2, Abandon: 3 } as const;

const Cancelled = { Left: 0, StillLoading: 1, Unknown: 2 } as const;

/** How long a call made by a loader or transform waits for its turn, in ms, unless it has a time-out of its own. */
const INNER_WAIT_MS = 30_000;

/** A signal as callers give it. */
export type Signal = AbortSignal | undefined;

/**
 * One caller who waits. Its promise is settled exactly once; its ticket may outlive the promise, when it goes on
 * loading for others.
 */
export abstract class Ask<T> {
  readonly #promise: Promise<T>;
  protected readonly cache: GatedCache;
  protected readonly key: Key;
  protected readonly ticket: number;
  #resolve!: (value: T) => void;
  #reject!: (reason: unknown) => void;
  #settled = false;
  #closed = false;
  /** Set while the key is held here. */
  #token: number | undefined;
  #controller: AbortController | undefined;
  /** Set when a hold ended from outside. */
  #ended: { readonly reason: unknown } | undefined;
  readonly #signal: Signal;
  readonly #onAbort = () => this.cancel(this.#signal?.reason);
  readonly #inner: InnerCall | undefined;
  /** Runs while a call from inside a hold waits for its turn. */
  #turn: NodeJS.Timeout | undefined;

  constructor(cache: GatedCache, key: Key, signal: Signal) {
    this.cache = cache;
    // Waiting must not depend on what the caller does to its bytes meanwhile.
    this.key = key instanceof Uint8Array ? Buffer.from(key) : key;
    this.#promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.ticket = openTicket((outcome) => this.receive(outcome));
    this.#signal = signal;
    if (signal !== undefined) onAbort(signal, this.#onAbort);
    cache.asks.add(this);
    this.#inner = innerCall(cache.identity, this.key);
  }

  /** Makes the request. Where it is refused, {@link refused} settles the promise. */
  begin(): Promise<T> {
    if (this.#signal?.aborted) {
      this.close();
      this.reject(this.#signal.reason);
      return this.#promise;
    }
    try {
      this.start();
      this.#guard();
    } catch (error) {
      this.refused(error);
    }
    return this.#promise;
  }

  /** Makes the request. */
  protected abstract start(): void;

  /** Takes note that the request was refused. */
  protected refused(error: unknown): void {
    this.close();
    this.reject(error);
  }

  /** Takes what was posted. */
  protected abstract receive(outcome: Outcome): void;

  /** Whether the promise is settled. */
  protected get settled(): boolean {
    return this.#settled;
  }

  /** How long a call from inside a hold waits for its turn, in ms; `undefined`: something else ends the wait. */
  protected get turnLimit(): number | undefined {
    return INNER_WAIT_MS;
  }

  /** Ends a wait that may have no end. */
  protected giveUp(reason: TandemError): void {
    this.cancel(reason);
  }

  /** Begins a hold. */
  protected hold(token: number): void {
    this.#token = token;
    clearTimeout(this.#turn);
  }

  /** Code that holds a key and waits for another must not wait for ever: the other's holder may wait for it. */
  #guard(): void {
    if (this.#inner === undefined || this.#settled || this.holds) return;
    const deadlock = this.#inner.deadlock();
    const { turnLimit } = this;
    if (deadlock !== undefined) this.giveUp(deadlock);
    else if (turnLimit !== undefined) this.#turn = setTimeout(() => this.giveUp(turnTimeout()), turnLimit);
  }

  /** Fires when the hold ends from outside. Made when it is asked for: most loaders and transforms never do. */
  protected get holdSignal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ended !== undefined) this.#controller.abort(this.#ended.reason);
    return this.#controller.signal;
  }

  /**
   * Ends the hold without a value. False if it had ended from outside: then its outcome is on the way.
   */
  protected endHold(end: number, error?: Uint8Array): boolean {
    const token = this.#token;
    if (token === undefined) return false;
    this.#token = undefined;
    return calls.endHold(this.cache.handle, this.key, token, end, error) !== Filled.Fenced;
  }

  /** Whether the key is held here. */
  protected get holds(): boolean {
    return this.#token !== undefined;
  }

  /**
   * Ends the hold by storing a value.
   *
   * @throws {TandemError} `TooLarge`, `Overloaded`: the hold has ended without it.
   */
  protected fillHold(write: PreparedWrite): number {
    const token = this.#token;
    if (token === undefined) return Filled.Fenced;
    this.#token = undefined;
    return fill(this.cache.handle, this.key, write, token);
  }

  protected resolve(value: T): void {
    this.#settle();
    this.#resolve(value);
  }

  protected reject(reason: unknown): void {
    this.#settle();
    this.#reject(reason);
  }

  /** Nothing more is expected. Fires the signal of a hold that is not over. */
  protected close(reason?: unknown): void {
    if (this.#closed) return;
    const held = this.#token !== undefined;
    this.#closed = true;
    this.#token = undefined;
    closeTicket(this.ticket);
    this.cache.asks.delete(this);
    if (held) {
      this.#ended = { reason };
      this.#controller?.abort(reason);
    }
  }

  /** Withdraws this caller, and no other; the promise is rejected with `reason`. */
  cancel(reason: unknown): void {
    if (this.#settled) return;
    const cancelled = this.#closed ? Cancelled.Unknown : calls.cancel(this.cache.handle, this.key, this.ticket);
    if (cancelled !== Cancelled.StillLoading) this.close(reason);
    this.reject(reason);
  }

  /** The cache's handle is about to close: gives back what is held, so that others can go on. */
  abandon(): void {
    const closed = new TandemError("Closed", "the cache was closed while this operation waited");
    if (this.#token !== undefined) calls.endHold(this.cache.handle, this.key, this.#token, End.Abandon);
    else if (!this.#closed) calls.cancel(this.cache.handle, this.key, this.ticket);
    this.close(closed);
    if (!this.#settled) this.reject(closed);
  }

  #settle(): void {
    this.#settled = true;
    clearTimeout(this.#turn);
    this.#inner?.end();
    if (this.#signal !== undefined) offAbort(this.#signal, this.#onAbort);
  }
}

function turnTimeout(): TandemError {
  return new TandemError(
    "Timeout",
    `a call made by a loader or transform waited ${INNER_WAIT_MS} ms for the holder of its key, which may wait for it`,
  );
}
