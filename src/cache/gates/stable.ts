/** `stable`: the value at a moment when no change of the key is in flight or queued. */
import { calls, type Key } from "../../native.js";
import { receiveApart } from "../codec.js";
import { checkNames } from "../names.js";
import { Ask, type GatedCache } from "./ask.js";
import { parseSignal } from "./load-options.js";
import { Code, type Outcome } from "./mailbox.js";

/** Options of `stable`. */
export interface StableOptions {
  /** Ends the wait. */
  signal?: AbortSignal;
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof StableOptions>(["signal"]);

class StableAsk extends Ask<unknown> {
  protected start(): void {
    const found = calls.stable(this.cache.handle, this.key, this.ticket);
    if (found !== undefined) this.#finish(receiveApart(found[1], found[0], this.cache.codec));
  }

  protected receive(outcome: Outcome): void {
    try {
      if (outcome.code === Code.Value) this.#finish(receiveApart(outcome.value, outcome.codec, this.cache.codec));
      else if (outcome.code === Code.Stored) this.start();
      else if (outcome.code === Code.Ended) this.#fail(outcome.error);
    } catch (error) {
      this.#fail(error);
    }
  }

  #finish(value: unknown): void {
    this.close();
    this.resolve(value);
  }

  #fail(error: unknown): void {
    this.close();
    if (!this.settled) this.reject(error);
  }
}

/** Resolves once the key is there and at rest. */
export function readStable(cache: GatedCache, key: Key, options: StableOptions = {}): Promise<unknown> {
  checkNames("stable", options, OPTION_NAMES);
  return new StableAsk(cache, key, parseSignal(options.signal)).begin();
}
