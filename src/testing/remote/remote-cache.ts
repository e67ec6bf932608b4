/** The operations of the contract, over the wire. For tests: it asks one thing at a time and hides nothing. */
import type { Key } from "../../cache/cache.js";
import { duration, timestamp } from "../../cache/time.js";
import { checkSetOptions, costOf, type SetOptions } from "../../cache/write.js";
import { TandemError } from "../../errors.js";
import type { ContractCache } from "../contract/target.js";
import { Connection, type Reply } from "./connection.js";
import { Gates } from "./gates.js";
import { bytesOf, decodeValue, encodeValue, keyOf } from "./values.js";

type Part = string | Buffer;

/** A cache behind a port of this machine. */
export class RemoteCache extends Gates implements ContractCache {
  readonly #connection: Connection;

  private constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }

  static async connect(port: number): Promise<RemoteCache> {
    let cache: RemoteCache | undefined;
    const connection = await Connection.open(
      port,
      (push) => cache?.onPush(push),
      () => cache?.onClose(),
    );
    cache = new RemoteCache(connection);
    return cache;
  }

  protected ask(...request: Part[]): Promise<Reply> {
    return this.#connection.ask(request);
  }

  async get(key: Key): Promise<unknown> {
    return decoded(await this.ask("GET", keyOf(key)));
  }

  async getBuffer(key: Key): Promise<Buffer | undefined> {
    const stored = await this.ask("GET", keyOf(key));
    return stored === null ? undefined : bytesOf(stored as Buffer);
  }

  async peek(key: Key): Promise<unknown> {
    return (await this.getEntry(key))?.value;
  }

  async has(key: Key): Promise<boolean> {
    return (await this.ask("EXISTS", keyOf(key))) === 1;
  }

  async getMany(keys: Iterable<Key>): Promise<unknown[]> {
    const names = Array.from(keys, keyOf);
    return names.length === 0 ? [] : ((await this.ask("MGET", ...names)) as Reply[]).map(decoded);
  }

  /** The wire shows no costs: every entry counts as one. */
  async getEntry(key: Key) {
    const name = keyOf(key);
    const [entry, expiry] = await this.#connection.transaction([
      ["TANDEM.GETV", name],
      ["PEXPIRETIME", name],
    ]);
    if (entry === null) return undefined;
    const [value, version] = entry as [Buffer, Buffer];
    const expiresAt = Number(expiry) < 0 ? undefined : Number(expiry);
    return { value: decodeValue(value), version: BigInt(version.toString()), expiresAt, cost: 1 };
  }

  async set(key: Key, value: unknown, options: SetOptions = {}): Promise<void> {
    await this.#write(key, value, options);
  }

  async setEntry(key: Key, value: unknown, options: SetOptions = {}): Promise<bigint> {
    const version = await this.#write(key, value, options);
    return version ?? (await this.getEntry(key))?.version ?? 0n;
  }

  async add(key: Key, value: unknown, options: SetOptions = {}): Promise<boolean> {
    return (await this.ask("SET", keyOf(key), encodeValue(value), "NX", ...partsOf(options))) !== null;
  }

  async replace(key: Key, value: unknown, options: SetOptions = {}): Promise<boolean> {
    return (await this.ask("SET", keyOf(key), encodeValue(value), "XX", ...partsOf(options))) !== null;
  }

  async delete(key: Key, options?: { ifVersion: bigint }): Promise<boolean> {
    const name = keyOf(key);
    if (options === undefined) return (await this.ask("DEL", name)) === 1;
    await this.ask("WATCH", name);
    const entry = (await this.ask("TANDEM.GETV", name)) as [Buffer, Buffer] | null;
    if (entry === null || BigInt(entry[1].toString()) !== options.ifVersion) {
      await this.ask("UNWATCH");
      return false;
    }
    return (await this.#connection.transaction([["DEL", name]])) !== null;
  }

  async take(key: Key): Promise<unknown> {
    return decoded(await this.ask("GETDEL", keyOf(key)));
  }

  async incr(key: Key, delta = 1): Promise<number> {
    if (!Number.isSafeInteger(delta)) throw new TypeError(`delta must be a whole number; got ${delta}`);
    return (await this.ask("INCRBY", keyOf(key), String(delta))) as number;
  }

  decr(key: Key, delta = 1): Promise<number> {
    return this.incr(key, -delta);
  }

  async touch(key: Key): Promise<boolean> {
    return (await this.ask("TOUCH", keyOf(key))) === 1;
  }

  async expire(key: Key, ttl: number): Promise<boolean> {
    return (await this.ask("PEXPIRE", keyOf(key), String(ttl))) === 1;
  }

  async ttl(key: Key): Promise<number | undefined> {
    const left = (await this.ask("PTTL", keyOf(key))) as number;
    if (left === -2) return undefined;
    return left === -1 ? Number.POSITIVE_INFINITY : left;
  }

  async persist(key: Key): Promise<boolean> {
    return (await this.ask("PERSIST", keyOf(key))) === 1;
  }

  async scan(cursor = 0, match?: string): Promise<{ cursor: number; keys: (string | Buffer)[] }> {
    const [next, keys] = (await this.ask("SCAN", String(cursor), ...(match === undefined ? [] : ["MATCH", match]))) as [
      Buffer,
      Buffer[],
    ];
    return { cursor: Number(next.toString()), keys: keys.map(String) };
  }

  async clear(): Promise<void> {
    await this.ask("FLUSHALL");
  }

  async stats() {
    const [info, entries] = await this.#connection.transaction([["INFO", "memory"], ["DBSIZE"]]);
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(String(info))?.[1]);
    return { entries: entries as number, bytes: field("used_memory"), maxBytes: field("maxmemory"), cost: 0 };
  }

  async resize(maxBytes: number): Promise<void> {
    await this.ask("CONFIG", "SET", "maxmemory", String(maxBytes));
    for (let now = await this.stats(); now.bytes > maxBytes; now = await this.stats());
  }

  close(): void {
    this.#connection.close();
    this.onClose();
  }

  /** Writes whatever is there, or what has a version, whose new one is the result. */
  async #write(key: Key, value: unknown, options: SetOptions): Promise<bigint | undefined> {
    const [name, stored, parts] = [keyOf(key), encodeValue(value), partsOf(options)];
    const { ifVersion } = options;
    if (ifVersion === undefined) {
      const write = ["SET", name, stored, ...parts];
      // The server's default ttl holds for a write that says nothing about expiry.
      const forEver = options.ttl === Number.POSITIVE_INFINITY;
      if (forEver) await this.#connection.transaction([write, ["PERSIST", name]]);
      else await this.ask(...write);
      return undefined;
    }
    if (typeof ifVersion !== "bigint") throw new TypeError("ifVersion must be a bigint");
    const version = await this.ask("TANDEM.CAS", name, String(ifVersion), stored, ...parts);
    if (version === null) throw new TandemError("VersionMismatch", `the entry has not version ${ifVersion}`);
    return BigInt(String(version));
  }
}

function decoded(stored: Reply): unknown {
  return stored === null ? undefined : decodeValue(stored as Buffer);
}

/** The options of `SET` that say the same. */
function partsOf(options: SetOptions): string[] {
  const { ttl, expiresAt, keepTtl, idleTtl, cost } = checkSetOptions(options);
  costOf(cost);
  if (cost !== undefined || idleTtl !== undefined) throw new TypeError("SET has no cost and no idleTtl");
  if (Number(ttl !== undefined) + Number(expiresAt !== undefined) + Number(keepTtl === true) > 1) {
    throw new TypeError("ttl, expiresAt and keepTtl exclude each other; give one");
  }
  if (keepTtl) return ["KEEPTTL"];
  if (expiresAt !== undefined) return ["PXAT", String(timestamp("expiresAt", expiresAt))];
  return ttl === undefined || ttl === Number.POSITIVE_INFINITY ? [] : ["PX", String(duration("ttl", ttl))];
}
