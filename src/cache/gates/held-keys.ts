/**
 * Which keys the running code holds, by async context, and which keys those holds wait for: a gated operation that
 * would wait for itself, directly or through other holds of this thread, is refused instead.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { TandemError } from "../../errors.js";
import type { Key } from "../../native.js";
import { describe } from "../describe.js";

/** A loader or transform that runs. */
interface Hold {
  readonly cache: number;
  readonly key: string;
  readonly outer: Hold | undefined;
  /** Keys that calls made from inside wait for, with the number of those calls. */
  waits: Map<string, number> | undefined;
  /** False once the hold is over; code it left running (a timer, say) may then ask for the key as anybody. */
  active: boolean;
}

const holds = new AsyncLocalStorage<Hold>();
/** Holds of this thread, by {@link idOf}. */
const running = new Map<string, Hold>();
/** Async contexts cost every promise something, so they are not looked at before the first hold. */
let used = false;

/** Runs `body` as the holder of `key`; what it returns may be a promise, the hold lasts until that is settled. */
export async function holding<T>(cache: number, key: Key, body: () => T | PromiseLike<T>): Promise<T> {
  used = true;
  const hold: Hold = { cache, key: canonical(key), outer: current(), waits: undefined, active: true };
  const id = idOf(cache, hold.key);
  running.set(id, hold);
  try {
    return await holds.run(hold, body);
  } finally {
    hold.active = false;
    // After a change of the key another hold of it may have begun.
    if (running.get(id) === hold) running.delete(id);
  }
}

/**
 * @throws {TandemError} `Deadlock` where the running code holds `key` of that cache.
 */
export function refuseSelfWait(cache: number, key: Key): void {
  if (!used) return;
  let hold = current();
  if (hold === undefined || !isKey(key)) return;
  const wanted = canonical(key);
  for (; hold !== undefined; hold = hold.outer) {
    if (hold.active && hold.cache === cache && hold.key === wanted) {
      const name = typeof key === "string" ? JSON.stringify(key) : "this key";
      throw new TandemError(
        "Deadlock",
        `the loader or transform of ${name} asks for its own key: it would wait for itself`,
      );
    }
  }
}

/** A call that was made by a loader or transform. */
export interface InnerCall {
  /**
   * The refusal, if the call would never be answered: the holder of its key, itself in this thread, waits for a key that
   * is held by the code which made the call.
   */
  deadlock(): TandemError | undefined;
  /** The call is answered. */
  end(): void;
}

/** Notes that the running code asks for `key`; `undefined` where that holds nothing. */
export function innerCall(cache: number, key: Key): InnerCall | undefined {
  const hold = used ? current() : undefined;
  if (hold === undefined || !isKey(key)) return undefined;
  const wanted = idOf(cache, canonical(key));
  hold.waits ??= new Map();
  const { waits } = hold;
  waits.set(wanted, (waits.get(wanted) ?? 0) + 1);
  return {
    deadlock() {
      const path = pathBack(wanted, hold);
      if (path === undefined) return undefined;
      const keys = [hold, ...path].map(({ key }) => describe(Buffer.from(key, "latin1").toString()));
      return new TandemError(
        "Deadlock",
        `loaders or transforms wait for each other's keys: ${[...keys, keys[0]].join(" waits for ")}`,
      );
    },
    end() {
      const calls = waits.get(wanted) ?? 0;
      if (calls > 1) waits.set(wanted, calls - 1);
      else waits.delete(wanted);
    },
  };
}

/** The holds that wait for one another, from the holder of the key `id` to those `asker` runs in, if they do. */
function pathBack(id: string, asker: Hold): Hold[] | undefined {
  /** Each key that is waited for, with the hold that waits for it. */
  const waiting = new Map<string, Hold>([[id, asker]]);
  // A map may grow while it is walked.
  for (const wanted of waiting.keys()) {
    const holder = running.get(wanted);
    if (holder === undefined) continue;
    const around = outwards(asker, holder);
    if (around === undefined) {
      for (const next of holder.waits?.keys() ?? []) if (!waiting.has(next)) waiting.set(next, holder);
      continue;
    }
    const path = [...around];
    for (let hold = waiting.get(wanted); hold !== undefined && hold !== asker; ) {
      path.unshift(hold);
      hold = waiting.get(idOf(hold.cache, hold.key));
    }
    return path;
  }
  return undefined;
}

/** The holds around `from` out to `to`, outermost first; `undefined` where that is not around it. */
function outwards(from: Hold, to: Hold): Hold[] | undefined {
  const around: Hold[] = [];
  for (let hold: Hold | undefined = from; hold !== undefined; hold = hold.outer) {
    if (hold !== from && hold.active) around.unshift(hold);
    if (hold === to) return around;
  }
  return undefined;
}

/** The innermost hold that is not over. Skipping those that are keeps chains short where loaders start loaders for ever. */
function current(): Hold | undefined {
  let hold = holds.getStore();
  while (hold !== undefined && !hold.active) hold = hold.outer;
  return hold;
}

/** Native code refuses what is none. */
function isKey(key: unknown): key is Key {
  return typeof key === "string" || key instanceof Uint8Array;
}

function idOf(cache: number, key: string): string {
  return `${cache}:${key}`;
}

/** The key's bytes as a string, the same for a string and a Uint8Array that are one key. */
function canonical(key: Key): string {
  const bytes = typeof key === "string" ? Buffer.from(key) : Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return bytes.toString("latin1");
}
