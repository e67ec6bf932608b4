/** `getOrSet`: a hit, or one load for all who ask, in all threads. */
import { TandemError } from "../../errors.js";
import { calls, type Key } from "../../native.js";
import { receiveApart } from "../codec.js";
import { Condition, prepareWrite, type SetOptions } from "../write.js";
import { Answer, Ask, End, Filled, type GatedCache } from "./ask.js";
import { holding } from "./held-keys.js";
import type { ParsedLoadOptions } from "./load-options.js";
import { decodeError, encodeError } from "./loader-error.js";
import { Code, type Outcome } from "./mailbox.js";

/** What a loader is told. */
export interface LoadContext<V> {
  /** Fires when nobody waits for the value any more, or another one was stored meanwhile. */
  readonly signal: AbortSignal;
  /** The value that is to be refreshed, if there is one. */
  readonly stale: V | undefined;
}

/** Loads the value of a key; `undefined`: there is none, and nothing is stored. */
export type Loader<V, R extends V | undefined = V> = (key: Key, context: LoadContext<V>) => R | PromiseLike<R>;

/** A caller of `getOrSet` who found nothing, or something that is to be refreshed. */
class LoadAsk extends Ask<unknown> {
  readonly #load: Loader<unknown>;
  readonly #options: ParsedLoadOptions;
  readonly #stale: unknown;
  #timer: NodeJS.Timeout | undefined;

  constructor(cache: GatedCache, key: Key, load: Loader<unknown>, options: ParsedLoadOptions, stale: unknown) {
    super(cache, key, options.signal);
    this.#load = load;
    this.#options = options;
    this.#stale = stale;
  }

  /** Asks for the load: to run it, or to wait for who does. */
  protected start(): void {
    const answer = this.#lease();
    if (answer === Answer.Hit) return;
    if (answer === Answer.Busy) {
      this.#finish(this.#stale);
      return;
    }
    this.#startTimer();
    if (answer !== Answer.Queued) void this.#run(answer);
  }

  /** Whoever has a stale value in hand gets it, also where no further caller may wait. */
  protected override refused(error: unknown): void {
    this.#fail(error);
  }

  protected override get turnLimit(): number | undefined {
    return this.#stale === undefined && this.#options.hardTimeout === undefined ? super.turnLimit : undefined;
  }

  protected override giveUp(reason: TandemError): void {
    if (this.#stale === undefined) this.cancel(reason);
    else this.resolve(this.#stale);
  }

  /** Asks until the answer is no hit, or a hit that is still there when it is read. */
  #lease(): number {
    for (;;) {
      const answer = calls.lease(this.cache.handle, this.key, this.ticket, this.#stale === undefined ? 0 : 1);
      if (answer !== Answer.Hit) return answer;
      const value = this.cache.get(this.key);
      if (value !== undefined) {
        this.#finish(value);
        return answer;
      }
    }
  }

  #startTimer(): void {
    const { hardTimeout, softTimeout } = this.#options;
    if (this.#stale === undefined) {
      if (hardTimeout === undefined || this.#timer !== undefined) return;
      const late = () => this.cancel(new TandemError("Timeout", `the value was not there after ${hardTimeout} ms`));
      this.#timer = setTimeout(late, hardTimeout);
      return;
    }
    const wait = Math.min(softTimeout, hardTimeout ?? softTimeout);
    if (wait === 0) this.resolve(this.#stale);
    else this.#timer = setTimeout(() => this.resolve(this.#stale), wait);
  }

  protected receive(outcome: Outcome): void {
    switch (outcome.code) {
      case Code.Granted:
        // Its caller has left; the next one is to load.
        if (this.settled) {
          this.hold(outcome.token);
          this.endHold(End.Abandon);
          this.close();
        } else void this.#run(outcome.token);
        break;
      case Code.Stored:
        this.#readStored();
        break;
      case Code.Value:
        this.#finishBy(() => receiveApart(outcome.value, outcome.codec, this.cache.codec));
        break;
      case Code.Absent:
        this.#finish(undefined);
        break;
      case Code.Failed:
        this.#fail(decodeError(outcome.error));
        break;
      case Code.Ended:
        this.#fail(outcome.error);
        break;
    }
  }

  protected override resolve(value: unknown): void {
    clearTimeout(this.#timer);
    super.resolve(value);
  }

  protected override reject(reason: unknown): void {
    clearTimeout(this.#timer);
    super.reject(reason);
  }

  #readStored(): void {
    try {
      const value = this.cache.peek(this.key);
      if (value !== undefined) this.#finish(value);
      else if (this.settled) this.close(this.holds ? overtaken() : undefined);
      else this.start();
    } catch (error) {
      // The codec refused the value, or the cache the request.
      this.#fail(error);
    }
  }

  async #run(token: number): Promise<void> {
    this.hold(token);
    const signal = () => this.holdSignal;
    const context = {
      stale: this.#stale,
      get signal() {
        return signal();
      },
    };
    try {
      const value = await holding(this.cache.identity, this.key, () => this.#load(this.key, context));
      this.#loaded(value);
    } catch (error) {
      // Where the hold has ended from outside, its outcome settles the promise.
      if (this.endHold(End.Fail, encodeError(error))) this.#fail(error);
    }
  }

  #loaded(value: unknown): void {
    if (value === undefined) {
      if (this.endHold(End.Keep)) this.#finish(undefined);
      return;
    }
    const { cache, key } = this;
    const write = prepareWrite(cache.codec, value, this.#setOptions(value), Condition.Always);
    let filled: number;
    try {
      filled = this.fillHold(write);
    } catch (error) {
      // A value that cannot be kept is handed out all the same; native code has done so for the other askers.
      if (!TandemError.is(error) || (error.code !== "TooLarge" && error.code !== "Overloaded")) throw error;
      filled = Filled.NotStored;
    }
    if (filled === Filled.Fenced) return;
    this.#finishBy(() => (filled === Filled.Stored ? cache.peek(key) : undefined) ?? copyOf(value, cache));
  }

  #setOptions(value: unknown): SetOptions {
    const { ttl, negativeTtl, cost, grace } = this.#options;
    const options: SetOptions = {};
    const fresh = value === null ? (negativeTtl ?? ttl) : ttl;
    if (fresh !== undefined) options.ttl = fresh + grace;
    if (cost !== undefined) options.cost = cost;
    return options;
  }

  #finishBy(read: () => unknown): void {
    let value: unknown;
    try {
      value = read();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#finish(value);
  }

  #finish(value: unknown): void {
    this.close(this.holds ? overtaken() : undefined);
    if (!this.settled) this.resolve(value);
  }

  #fail(error: unknown): void {
    this.close(error);
    if (this.settled) return;
    if (this.#stale !== undefined) this.resolve(this.#stale);
    else this.reject(error);
  }
}

function overtaken(): TandemError {
  return new TandemError("Preempted", "another value was stored while this one was loaded");
}

/** Values handed out are copies, also to the caller whose loader made them. */
function copyOf(value: unknown, { codec }: GatedCache): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value);
  return codec.decode(Buffer.from(codec.encode(value)));
}

/** The value of `key`, from the cache or from `load`. The key is not held by the running code. */
export function getOrLoad(
  cache: GatedCache,
  key: Key,
  load: Loader<unknown>,
  options: ParsedLoadOptions,
): Promise<unknown> {
  const value = cache.get(key);
  if (value === undefined) return ask(cache, key, load, options, undefined);
  const { grace, negativeTtl } = options;
  // The share is one of `ttl`, which a `null` with a ttl of its own does not have.
  const refreshBelow = value === null && negativeTtl !== undefined ? 0 : options.refreshBelow;
  if (grace > 0 || refreshBelow > 0) {
    const expiresAt = cache.expiresAt(key);
    const left = expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - grace - cache.now();
    if (left <= 0) return ask(cache, key, load, options, value);
    if (left <= refreshBelow) {
      // The caller has its value: nobody hears what becomes of the refresh, and its failure must not end the process.
      ask(cache, key, load, { ...options, softTimeout: 0 }, value).catch(() => undefined);
    }
  }
  return Promise.resolve(value);
}

function ask(
  cache: GatedCache,
  key: Key,
  load: Loader<unknown>,
  options: ParsedLoadOptions,
  stale: unknown,
): Promise<unknown> {
  return new LoadAsk(cache, key, load, options, stale).begin();
}
