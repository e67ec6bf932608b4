/**
 * Which keys the running code holds, by async context: a gated operation on one of them would wait for itself.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { TandemError } from "../../errors.js";
import type { Key } from "../../native.js";

interface Hold {
  readonly cache: number;
  readonly key: string;
  readonly outer: Hold | undefined;
  /** False once the hold is over; code it left running (a timer, say) may then ask for the key as anybody. */
  active: boolean;
}

const holds = new AsyncLocalStorage<Hold>();
/** Async contexts cost every promise something, so they are not looked at before the first hold. */
let used = false;

/** Runs `body` as the holder of `key`; what it returns may be a promise, the hold lasts until that is settled. */
export async function holding<T>(cache: number, key: Key, body: () => T | PromiseLike<T>): Promise<T> {
  used = true;
  const hold: Hold = { cache, key: canonical(key), outer: current(), active: true };
  try {
    return await holds.run(hold, body);
  } finally {
    hold.active = false;
  }
}

/**
 * @throws {TandemError} `Deadlock` where the running code holds `key` of that cache.
 */
export function refuseSelfWait(cache: number, key: Key): void {
  if (!used) return;
  let hold = current();
  if (hold === undefined || !(typeof key === "string" || key instanceof Uint8Array)) return;
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

/** The innermost hold that is not over. Skipping those that are keeps chains short where loaders start loaders for ever. */
function current(): Hold | undefined {
  let hold = holds.getStore();
  while (hold !== undefined && !hold.active) hold = hold.outer;
  return hold;
}

/** The key's bytes as a string, the same for a string and a Uint8Array that are one key. */
function canonical(key: Key): string {
  const bytes = typeof key === "string" ? Buffer.from(key) : Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return bytes.toString("latin1");
}
