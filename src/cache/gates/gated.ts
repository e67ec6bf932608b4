/** The operations of a cache that may have to wait for others: what `Cache` delegates to. */
import { calls, type Key } from "../../native.js";
import type { ValueCodec } from "../codec.js";
import { describe } from "../describe.js";
import { header } from "../window.js";
import type { Ask, GatedCache } from "./ask.js";
import { refuseSelfWait } from "./held-keys.js";
import { type InTurnOptions, storeInTurn } from "./in-turn.js";
import { getOrLoad, type Loader } from "./load.js";
import { type LoadOptions, parseLoadOptions } from "./load-options.js";
import { readStable, type StableOptions } from "./stable.js";
import { type Transform, type UpsertOptions, type UpsertResult, upsert } from "./upsert.js";

/** What the operations need of the cache they belong to. */
export interface GateHost {
  /** The handle as it is now: once the cache is closed, its old number may be another cache's. */
  handle(): number;
  readonly codec: ValueCodec;
  get(key: Key): unknown;
  peek(key: Key): unknown;
  now(): number;
}

export class Gated implements GatedCache {
  readonly codec: ValueCodec;
  readonly asks = new Set<Pick<Ask<unknown>, "abandon">>();
  readonly #host: GateHost;
  #identity: number | undefined;

  constructor(host: GateHost) {
    this.#host = host;
    this.codec = host.codec;
  }

  get handle(): number {
    return this.#host.handle();
  }

  get identity(): number {
    this.#identity ??= calls.identity(this.handle);
    return this.#identity;
  }

  async getOrSet(key: Key, load: Loader<unknown>, options?: LoadOptions): Promise<unknown> {
    const parsed = parseLoadOptions(options);
    checkFunction("the loader", load);
    refuseSelfWait(this.identity, key);
    parsed.signal?.throwIfAborted();
    return getOrLoad(this, key, load, parsed);
  }

  async upsert(key: Key, transform: Transform<unknown>, options?: UpsertOptions): Promise<UpsertResult> {
    checkFunction("the transform", transform);
    refuseSelfWait(this.identity, key);
    return upsert(this, key, transform, options);
  }

  async insert(key: Key, value: unknown, options?: InTurnOptions): Promise<void> {
    refuseSelfWait(this.identity, key);
    return storeInTurn(this, "insert", key, value, options);
  }

  async update(key: Key, value: unknown, options?: InTurnOptions): Promise<void> {
    refuseSelfWait(this.identity, key);
    return storeInTurn(this, "update", key, value, options);
  }

  async stable(key: Key, options?: StableOptions): Promise<unknown> {
    refuseSelfWait(this.identity, key);
    return readStable(this, key, options);
  }

  /** Settles everything that waits here, and lets others go on with what is held here. */
  close(): void {
    for (const ask of [...this.asks]) ask.abandon();
  }

  get(key: Key): unknown {
    return this.#host.get(key);
  }

  peek(key: Key): unknown {
    return this.#host.peek(key);
  }

  expiresAt(key: Key): number | undefined {
    return calls.inspect(this.handle, key) ? header.expiresAt : undefined;
  }

  now(): number {
    return this.#host.now();
  }
}

function checkFunction(what: string, value: unknown): void {
  if (typeof value !== "function") throw new TypeError(`${what} must be a function; got ${describe(value)}`);
}
