/** `insert` and `update`: wait for the writes in flight on their key, then decide on what is there. */
import { TandemError } from "../../errors.js";
import { calls, type Key } from "../../native.js";
import { checkNames } from "../names.js";
import { Condition, type PreparedWrite, prepareWrite } from "../write.js";
import { Answer, Ask, Filled, type GatedCache } from "./ask.js";
import { parseSignal } from "./load-options.js";
import { Code, type Outcome } from "./mailbox.js";
import { DEFAULT_DEADLINE, type StoreOptions } from "./upsert.js";

/** Options of `insert` and `update`. */
export interface InTurnOptions extends StoreOptions {
  /** Withdraws the write while it waits. */
  signal?: AbortSignal;
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof InTurnOptions>(["ttl", "cost", "signal"]);

/** The two operations: the engine's `GateKind`, when they store, and their refusal. */
const KINDS = {
  insert: { gate: 3, condition: Condition.IfAbsent, code: "KeyExists", words: "the key exists" },
  update: { gate: 4, condition: Condition.IfPresent, code: "KeyMissing", words: "the key does not exist" },
} as const;

type Kind = (typeof KINDS)[keyof typeof KINDS];

class InTurnAsk extends Ask<void> {
  readonly #kind: Kind;
  readonly #write: PreparedWrite;

  constructor(cache: GatedCache, key: Key, kind: Kind, write: PreparedWrite, signal: AbortSignal | undefined) {
    super(cache, key, signal);
    this.#kind = kind;
    this.#write = write;
  }

  protected start(): void {
    const answer = calls.gate(this.cache.handle, this.key, this.ticket, this.#kind.gate, DEFAULT_DEADLINE);
    if (answer !== Answer.Queued) this.#store(answer);
  }

  protected receive(outcome: Outcome): void {
    if (outcome.code === Code.Granted) {
      try {
        this.#store(outcome.token);
      } catch (error) {
        this.#fail(error);
      }
    } else if (outcome.code === Code.Ended) this.#fail(outcome.error);
  }

  #store(token: number): void {
    this.hold(token);
    const filled = this.fillHold(this.#write);
    if (filled === Filled.Stored) {
      this.close();
      this.resolve();
    } else if (filled !== Filled.Fenced) {
      this.#fail(new TandemError(this.#kind.code, `${this.#kind.words}; nothing was changed`));
    }
  }

  #fail(error: unknown): void {
    this.close();
    if (!this.settled) this.reject(error);
  }
}

/** Stores `value` in its turn, if the key is then absent (`insert`) or there (`update`). */
export function storeInTurn(
  cache: GatedCache,
  operation: keyof typeof KINDS,
  key: Key,
  value: unknown,
  options: InTurnOptions = {},
): Promise<void> {
  checkNames(operation, options, OPTION_NAMES);
  const kind = KINDS[operation];
  const { signal, ...storeOptions } = options;
  const write = prepareWrite(cache.codec, value, storeOptions, kind.condition);
  // It may be stored much later; what the caller or its codec does to the bytes meanwhile does not matter.
  const own = write.stored instanceof Uint8Array ? { ...write, stored: Buffer.from(write.stored) } : write;
  return new InTurnAsk(cache, key, kind, own, parseSignal(signal)).begin();
}
