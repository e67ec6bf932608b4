/**
 * Values on the wire, which has no types: texts and integers are what a Redis client would write, everything else begins
 * with a zero byte and a letter. A text that is an integer's comes back as that integer.
 */
import { deserialize, serialize } from "node:v8";
import type { Key } from "../../cache/cache.js";

const MARK = 0;
const [TEXT, BYTES, CODED] = ["t", "b", "c"].map((letter) => letter.charCodeAt(0)) as [number, number, number];

/** The bytes of a key. @throws {TypeError} for what is none. */
export function keyOf(key: Key): Buffer {
  if (typeof key === "string") return utf8(key);
  if (key instanceof Uint8Array) return Buffer.from(key);
  throw new TypeError("a key is a string or a Uint8Array");
}

/** @throws {TypeError} for what has no bytes. */
export function encodeValue(value: unknown): Buffer {
  if (typeof value === "string") return value.startsWith("\0") ? marked(TEXT, utf8(value)) : utf8(value);
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return Buffer.from(String(value));
  if (value instanceof Uint8Array) return marked(BYTES, value);
  if (value === undefined || typeof value === "function" || typeof value === "symbol") {
    throw new TypeError(`a ${typeof value} cannot be stored`);
  }
  return marked(CODED, serialize(value));
}

/** The value behind `bytes`. */
export function decodeValue(bytes: Buffer): unknown {
  if (bytes[0] === MARK && bytes.length > 1) {
    const rest = bytes.subarray(2);
    if (bytes[1] === BYTES) return Buffer.from(rest);
    return bytes[1] === CODED ? deserialize(rest) : rest.toString();
  }
  const text = bytes.toString();
  return /^(0|-?[1-9]\d*)$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
}

/** The bytes of a text, of an integer's digits, or those that were stored. */
export function bytesOf(stored: Buffer): Buffer {
  const isMarked = stored[0] === MARK && (stored[1] === BYTES || stored[1] === TEXT);
  return Buffer.from(isMarked ? stored.subarray(2) : stored);
}

function utf8(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.toString() !== text) throw new TypeError("a lone surrogate has no bytes");
  return bytes;
}

function marked(kind: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([MARK, kind]), bytes]);
}
