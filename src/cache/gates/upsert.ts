/** `upsert`: computes a value from the one that is there, while nobody else changes the key. */
import { TandemError } from "../../errors.js";
import { calls, type Key } from "../../native.js";
import { describe } from "../describe.js";
import { checkNames } from "../names.js";
import { Condition, prepareWrite } from "../write.js";
import { Answer, Ask, End, Filled, type GatedCache } from "./ask.js";
import { holding } from "./held-keys.js";
import { parseSignal, timer } from "./load-options.js";
import { messageOf } from "./loader-error.js";
import { Code, type Outcome } from "./mailbox.js";

/** How long a transform may take unless told otherwise, in ms; also how long an insert or update in turn may. */
export const DEFAULT_DEADLINE = 30_000;

/** What became of an upsert. */
export type UpsertResult = "stored" | "unchanged" | "deleted";

/** How the value is stored. */
export interface StoreOptions {
  /** Milliseconds the entry lives, at least 1; `Infinity`: it does not expire. Default: the cache's `ttl`. */
  ttl?: number;
  /** What the entry counts towards `maxCost`, a whole number of at least 1. Default: 1. */
  cost?: number;
}

/** What a transform decided; made by {@link UpsertContext}. */
export class Decision {
  readonly end: "store" | "keep" | "delete";
  readonly value: unknown;
  readonly options: StoreOptions;

  constructor(end: "store" | "keep" | "delete", value?: unknown, options: StoreOptions = {}) {
    this.end = end;
    this.value = value;
    this.options = options;
  }
}

/** What a transform is told, and how it answers. */
export interface UpsertContext<V> {
  /** Fires when the upsert was overtaken by another change of the key, or its deadline passed. */
  readonly signal: AbortSignal;
  /** Stores a value; to return a value is the same as `store(value)`. */
  store(value: V, options?: StoreOptions): Decision;
  /** Leaves the key as it is. */
  keep(): Decision;
  /** Deletes the key. */
  delete(): Decision;
}

/** Computes a value from the current one, `undefined` where the key is absent. */
export type Transform<V> = (
  current: V | undefined,
  context: UpsertContext<V>,
) => V | Decision | PromiseLike<V | Decision>;

/** Options of `upsert`. */
export interface UpsertOptions {
  /** How long the transform may take, in ms, from its start. Default: 30,000. */
  deadline?: number;
  /** What a throw of the transform means: the upsert fails (default), or leaves the key as it is. */
  onThrow?: "fail" | "keep";
  /** Withdraws the upsert, also while its transform runs. */
  signal?: AbortSignal;
}

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof UpsertOptions>(["deadline", "onThrow", "signal"]);

const STORE_OPTION_NAMES: ReadonlySet<string> = new Set<keyof StoreOptions>(["ttl", "cost"]);

/** The engine's `GateKind`. */
const UPSERT = 2;

interface ParsedUpsertOptions {
  readonly deadline: number;
  readonly onThrow: "fail" | "keep";
  readonly signal: AbortSignal | undefined;
}

class UpsertAsk extends Ask<UpsertResult> {
  readonly #transform: Transform<unknown>;
  readonly #options: ParsedUpsertOptions;

  constructor(cache: GatedCache, key: Key, transform: Transform<unknown>, options: ParsedUpsertOptions) {
    super(cache, key, options.signal);
    this.#transform = transform;
    this.#options = options;
  }

  protected start(): void {
    const answer = calls.gate(this.cache.handle, this.key, this.ticket, UPSERT, this.#options.deadline);
    if (answer !== Answer.Queued) void this.#run(answer);
  }

  protected receive(outcome: Outcome): void {
    if (outcome.code === Code.Granted) void this.#run(outcome.token);
    else if (outcome.code === Code.Ended) this.#fail(outcome.error);
  }

  async #run(token: number): Promise<void> {
    this.hold(token);
    const signal = () => this.holdSignal;
    const context = {
      ...answers,
      get signal() {
        return signal();
      },
    };
    try {
      const answer = await holding(this.cache.identity, this.key, () =>
        this.#transform(this.cache.peek(this.key), context),
      );
      this.#decided(answer instanceof Decision ? answer : answers.store(answer));
    } catch (error) {
      this.#threw(error);
    }
  }

  // Where the hold has ended from outside, `endHold` and `fillHold` say so, and its outcome settles the promise.

  #decided({ end, value, options }: Decision): void {
    if (end === "keep") this.#ended(End.Keep, "unchanged");
    else if (end === "delete") this.#ended(End.Delete, "deleted");
    else this.#store(value, options);
  }

  #store(value: unknown, options: StoreOptions): void {
    const write = prepareWrite(this.cache.codec, value, options, Condition.Always);
    let filled: number;
    try {
      filled = this.fillHold(write);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (filled !== Filled.Fenced) this.#finish("stored");
  }

  #threw(error: unknown): void {
    if (this.#options.onThrow === "keep") {
      this.#ended(End.Keep, "unchanged");
      return;
    }
    if (!this.endHold(End.Keep)) return;
    this.#fail(new TandemError("TransformFailed", `the transform failed: ${messageOf(error)}`, { cause: error }));
  }

  #ended(end: number, result: UpsertResult): void {
    if (this.endHold(end)) this.#finish(result);
  }

  #finish(result: UpsertResult): void {
    this.close();
    this.resolve(result);
  }

  #fail(error: unknown): void {
    this.close(error);
    if (!this.settled) this.reject(error);
  }
}

const answers = {
  store(value: unknown, options: StoreOptions = {}) {
    checkNames("store", options, STORE_OPTION_NAMES);
    return new Decision("store", value, options);
  },
  keep: () => new Decision("keep"),
  delete: () => new Decision("delete"),
};

/** Waits for its turn on `key` and runs `transform`. */
export function upsert(
  cache: GatedCache,
  key: Key,
  transform: Transform<unknown>,
  options: UpsertOptions = {},
): Promise<UpsertResult> {
  checkNames("upsert", options, OPTION_NAMES);
  const { onThrow = "fail" } = options;
  if (onThrow !== "fail" && onThrow !== "keep") {
    throw new TypeError(`onThrow must be "fail" or "keep"; got ${describe(onThrow)}`);
  }
  const deadline = timer("deadline", options.deadline) ?? DEFAULT_DEADLINE;
  return new UpsertAsk(cache, key, transform, { deadline, onThrow, signal: parseSignal(options.signal) }).begin();
}
