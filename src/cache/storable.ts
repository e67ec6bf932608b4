/** Which values MessagePack would store as something else without a word; they are refused. */
import { addExtension } from "#msgpackr";
import { describe } from "./describe.js";

/** A value that cannot be stored; {@link refusalOf} says where it is. */
class Unstorable extends TypeError {}

/** Classes whose instances have no own properties that would stand for them. */
const REFUSED = [Promise, WeakMap, WeakSet, WeakRef, SharedArrayBuffer, String, Number, Boolean, Symbol, BigInt];

/** Answers for classes seen; asking ten times `instanceof` would slow every instance of a class down. */
const seen = new WeakMap<object, boolean>();

/** Stands in for all of {@link REFUSED} among the classes the encoder looks through for what is no plain object. */
const Refused = Object.defineProperty(() => {}, Symbol.hasInstance, {
  value: (value: object): boolean => {
    const type: unknown = value.constructor;
    if (typeof type !== "function") return isRefused(value);
    let refused = seen.get(type);
    if (refused === undefined) {
      // By the class alone: the value may be a plain object with a property of this name.
      refused = REFUSED.some((other) => type === other || type.prototype instanceof other);
      seen.set(type, refused);
    }
    return refused;
  },
});

function isRefused(value: unknown): boolean {
  return REFUSED.some((type) => value instanceof type);
}

addExtension({ Class: Refused, write: refuse });

/** Called by the encoder with a value that it must not store. */
export function refuse(value?: unknown): never {
  throw new Unstorable(`${describe(value)} cannot be stored`);
}

/** The name of a property that would come back under another. */
const PROTO = "__proto__";

/** Refuses a shape that has a key which would come back as another. */
export function checkShape(keys: readonly string[]): void {
  if (keys.includes(PROTO)) throw new Unstorable(`an own property ${PROTO} cannot be stored`);
}

/** What the encoder says of a symbol. */
const SYMBOL_ERROR = "Unknown type: symbol";

/**
 * The refusal of `value`, naming the place of what is to blame, if `error` of the encoder means that something cannot be
 * stored. Only then is the value walked through.
 */
export function refusalOf(value: unknown, error: unknown): TypeError | undefined {
  if (error instanceof Unstorable) return new TypeError(`${error.message}${placeIn(value)}`);
  if (!(error instanceof Error) || error.message !== SYMBOL_ERROR) return undefined;
  return new TypeError(`a symbol cannot be stored${placeIn(value)}`);
}

/** Most values looked at for the place. */
const MAX_VALUES = 100_000;

function placeIn(value: unknown): string {
  let left = MAX_VALUES;
  const path: string[] = [];
  const find = (inner: unknown): boolean => {
    left -= 1;
    if (left < 0) return false;
    if (typeof inner === "function" || typeof inner === "symbol") return true;
    if (typeof inner !== "object" || inner === null || ArrayBuffer.isView(inner)) return false;
    if (isRefused(inner) || Object.hasOwn(inner, PROTO)) return true;
    for (const [name, child] of childrenOf(inner)) {
      path.push(name);
      if (find(child)) return true;
      path.pop();
    }
    return false;
  };
  // Getters may throw, and a value that refers to itself has no end.
  try {
    return find(value) && path.length > 0 ? `; it is at ${path.join("")}` : "";
  } catch {
    return "";
  }
}

function* childrenOf(object: object): Generator<[name: string, child: unknown]> {
  if (object instanceof Map) {
    for (const [key, child] of object) {
      yield ["<key of a Map>", key];
      yield [`.get(${describe(key)})`, child];
    }
  } else if (object instanceof Set) {
    for (const child of object) yield ["<element of a Set>", child];
  } else if (Array.isArray(object)) {
    for (const [index, child] of object.entries()) yield [`[${index}]`, child];
  } else {
    for (const [name, child] of Object.entries(object)) {
      yield [/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? `.${name}` : `[${describe(name)}]`, child];
    }
  }
}
