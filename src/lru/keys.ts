/** Keys of the door: strings are stored as they are, other primitives as strings that no string key can be. */
import { describe } from "../cache/describe.js";

/** What a key may be. As in a `Map`, `1` and `"1"` are two keys, `NaN` is one, and `-0` is `0`. */
export type Key = string | number | bigint | boolean;

/** Begins a stored key that is not the key itself. A type follows, or the string that begins with this very character. */
const ESCAPE = "\0";
const NUMBER = "n";
const BIGINT = "i";
const BOOLEAN = "b";

/**
 * The key as it is stored. A string without a leading NUL costs a look at its first character.
 *
 * @throws {TypeError} for what has no value of its own to go by: objects, functions, symbols, `undefined`, `null`.
 */
export function encodeKey(key: Key): string {
  return typeof key === "string" && key.charCodeAt(0) !== 0 ? key : escapeKey(key);
}

/** The key as it was given. */
export function decodeKey<K extends Key>(stored: string): K {
  return (stored.charCodeAt(0) === 0 ? unescapeKey(stored) : stored) as K;
}

function escapeKey(key: Key): string {
  switch (typeof key) {
    case "string":
      return ESCAPE + key;
    case "number":
      return ESCAPE + NUMBER + key;
    case "bigint":
      return ESCAPE + BIGINT + key;
    case "boolean":
      return ESCAPE + BOOLEAN + (key ? 1 : 0);
    default:
      throw new TypeError(
        `a key must be a string, number, bigint or boolean: the cache keeps a copy, which nobody could find by ` +
          `another kind of key; got ${describe(key)}`,
      );
  }
}

function unescapeKey(stored: string): Key {
  switch (stored[1]) {
    case NUMBER:
      return Number(stored.slice(2));
    case BIGINT:
      return BigInt(stored.slice(2));
    case BOOLEAN:
      return stored[2] === "1";
    default:
      return stored.slice(1);
  }
}
