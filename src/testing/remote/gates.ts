/** The operations that wait, by the key gates of the wire. */
import type { Key } from "../../cache/cache.js";
import { TandemError } from "../../errors.js";
import type { WaitingCache } from "../contract/target.js";
import type { Reply } from "./connection.js";
import { decodeValue, encodeValue, keyOf } from "./values.js";

type Waiting = Pick<WaitingCache, "getOrSet" | "upsert" | "insert" | "update" | "stable">;

interface Outcome {
  readonly promise: Promise<Reply>;
  resolve(reply: Reply): void;
  reject(reason: unknown): void;
}

/** What a transform said to do. */
type Verdict = { do: "store"; value: unknown; cost?: number | undefined } | { do: "keep" } | { do: "delete" };

export abstract class Gates implements Waiting {
  /** By the id of the request; made by whoever comes first, who waits or the push. */
  readonly #outcomes = new Map<number, Outcome>();

  protected abstract ask(...request: (string | Buffer)[]): Promise<Reply>;

  /** A push: `gate id outcome` is what a request that had to wait has come to. */
  protected onPush([kind, id, outcome]: Reply[]): void {
    if (String(kind) !== "gate") return;
    const { resolve, reject } = this.#outcome(id as number);
    if (outcome instanceof TandemError) reject(outcome);
    else resolve(outcome ?? null);
  }

  /** The connection has ended: nothing that waits is answered any more. */
  protected onClose(): void {
    for (const { reject } of this.#outcomes.values()) reject(new TandemError("Closed", "the connection is closed"));
    this.#outcomes.clear();
  }

  async getOrSet(
    key: Key,
    load: (...args: never[]) => unknown,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<unknown> {
    const loaded = this.#load(keyOf(key), load as () => unknown);
    if (signal === undefined) return loaded;
    // What is left of it goes on for the others.
    loaded.catch(() => {});
    return Promise.race([
      loaded,
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true })),
    ]);
  }

  async #load(name: Buffer, load: () => unknown): Promise<unknown> {
    const answer = (await this.#turn("TANDEM.LEASE", name)) as Buffer | [Buffer, Buffer] | null;
    if (!Array.isArray(answer)) return answer === null ? undefined : decodeValue(answer);
    const [what, rest] = answer;
    if (String(what) === "HIT") return decodeValue(rest);
    const token = String(rest);
    try {
      const value = await load();
      if (value === undefined) await this.ask("TANDEM.FILL", name, token, "KEEP");
      else await this.ask("TANDEM.FILL", name, token, "STORE", encodeValue(value));
      // A copy, as everybody else gets.
      return value === undefined ? undefined : decodeValue(encodeValue(value));
    } catch (error) {
      if (!TandemError.is(error)) await this.ask("TANDEM.FILL", name, token, "FAIL", String((error as Error)?.message));
      throw error;
    }
  }

  upsert: WaitingCache["upsert"] = async (key, transform, options = {}) => {
    const name = keyOf(key);
    const [, token, value] = (await this.#turn("TANDEM.GATE", name)) as [Buffer, Buffer, Buffer | null];
    const fill = (...how: (string | Buffer)[]) => this.ask("TANDEM.FILL", name, String(token), ...how);
    let verdict: Verdict;
    try {
      verdict = await verdictOf(transform as Transform, value === null ? undefined : decodeValue(value));
    } catch (error) {
      await fill("KEEP");
      if (options.onThrow === "keep") return "unchanged";
      throw new TandemError("TransformFailed", "the transform threw", { cause: error });
    }
    if (verdict.do === "store") {
      const cost = verdict.cost === undefined ? [] : ["COST", String(verdict.cost)];
      await fill("STORE", encodeValue(verdict.value), ...cost);
      return "stored";
    }
    await fill(verdict.do === "keep" ? "KEEP" : "DELETE");
    return verdict.do === "keep" ? "unchanged" : "deleted";
  };

  async insert(key: Key, value: unknown): Promise<void> {
    await this.#turn("TANDEM.INSERT", keyOf(key), encodeValue(value));
  }

  async update(key: Key, value: unknown): Promise<void> {
    await this.#turn("TANDEM.UPDATE", keyOf(key), encodeValue(value));
  }

  async stable(key: Key): Promise<unknown> {
    return decodeValue((await this.#turn("TANDEM.STABLE", keyOf(key))) as Buffer);
  }

  /** What a request comes to, at once or when its turn has come. */
  async #turn(...request: (string | Buffer)[]): Promise<Reply> {
    const reply = await this.ask(...request);
    if (!Array.isArray(reply) || String(reply[0]) !== "QUEUED") return reply;
    const id = reply[1] as number;
    return this.#outcome(id).promise.finally(() => this.#outcomes.delete(id));
  }

  #outcome(id: number): Outcome {
    let outcome = this.#outcomes.get(id);
    if (outcome === undefined) {
      let resolve!: Outcome["resolve"];
      let reject!: Outcome["reject"];
      const promise = new Promise<Reply>((...both) => {
        [resolve, reject] = both;
      });
      // Whoever waits looks at it; nobody has to.
      promise.catch(() => {});
      outcome = { promise, resolve, reject };
      this.#outcomes.set(id, outcome);
    }
    return outcome;
  }
}

type Transform = (current: unknown, context: object) => unknown;

async function verdictOf(transform: Transform, current: unknown): Promise<Verdict> {
  const verdicts = new WeakSet<object>();
  const verdict = <T extends Verdict>(made: T) => {
    verdicts.add(made);
    return made;
  };
  const answer = await transform(current, {
    store: (value: unknown, options?: { cost?: number }) => verdict({ do: "store", value, cost: options?.cost }),
    keep: () => verdict({ do: "keep" }),
    delete: () => verdict({ do: "delete" }),
  });
  const isVerdict = typeof answer === "object" && answer !== null && verdicts.has(answer);
  return isVerdict ? (answer as Verdict) : { do: "store", value: answer };
}
