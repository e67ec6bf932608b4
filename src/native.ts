/**
 * The only module that loads the native binding.
 *
 * It is required rather than imported so that a missing binary becomes one error that says what to do.
 */
import { createRequire } from "node:module";
import type * as Binding from "../index.js";
import { type ErrorCode, TandemError } from "./errors.js";

function load(): typeof Binding {
  try {
    return createRequire(import.meta.url)("../index.js");
  } catch (cause) {
    throw new TandemError(
      "NativeUnavailable",
      `tandem-cache has no native binary for ${process.platform}-${process.arch}: install it with optional ` +
        "dependencies, or, in a checkout with Rust and a C compiler, run `npm ci`",
      { cause },
    );
  }
}

/** The raw binding: what `crates/node` exports. */
export const native: typeof Binding = load();

export type {
  CacheOptions as NativeCacheOptions,
  NativeCache,
  NativeChange,
  NativeCommandStats,
  NativeReplay,
  NativeReplayProgress,
  NativeReplayReport,
  NativeServer,
  NativeServerStats,
  NativeStats,
} from "../index.js";

/** A key: a string stands for its UTF-8, so "a" and a Buffer with the one byte 0x61 are the same key. */
export type Key = string | Uint8Array;

/**
 * A value as the data path hands it over: a string, a number, a bigint (an integer beyond 2^53 - 1), a Buffer,
 * an ArrayBuffer (bytes for the codec), `null` (bytes in the window), `undefined` (a miss).
 */
export type Delivered = string | number | bigint | Buffer | ArrayBuffer | null | undefined;

/** A value with what is to hold for it. */
type Write = [
  value: unknown,
  kind: number,
  codec: number,
  expiry: number,
  expiryMs: number,
  idleTtl: number,
  cost: number,
  condition: number,
  version: bigint,
];

/** The calls of the data path (`crates/node/src/calls`). The first argument is always the number of a handle. */
export interface Calls {
  readonly window: ArrayBuffer;
  get(handle: number, key: Key): Delivered;
  peek(handle: number, key: Key): Delivered;
  getBytes(handle: number, key: Key): Buffer | null | undefined;
  getInto(handle: number, key: Key, target: Uint8Array): number | undefined;
  getEntry(handle: number, key: Key): Delivered;
  inspect(handle: number, key: Key): boolean;
  take(handle: number, key: Key): Delivered;
  has(handle: number, key: Key): boolean;
  touch(handle: number, key: Key): boolean;
  delete(handle: number, key: Key): boolean;
  setText(handle: number, key: Key, value: string): void;
  setBytes(handle: number, key: Key, value: Uint8Array, codec: number): void;
  setCoded(handle: number, key: Key, buffer: Uint8Array, codec: number, start: number, end: number): void;
  setInteger(handle: number, key: Key, value: number): void;
  setWith(handle: number, key: Key, ...write: Write): boolean;
  incr(handle: number, key: Key, delta: number): number;
  openMailbox(deliver: (posts: unknown[]) => void): void;
  holdLoop(hold: boolean): void;
  identity(handle: number): number;
  lease(handle: number, key: Key, ticket: number, refresh: number): number;
  gate(handle: number, key: Key, ticket: number, kind: number, holdMs: number): number;
  stable(handle: number, key: Key, ticket: number): [codec: number, value: Delivered] | undefined;
  fill(handle: number, key: Key, ...writeAndToken: [...write: Write, token: number]): number;
  endHold(handle: number, key: Key, token: number, how: number, error?: Uint8Array): number;
  cancel(handle: number, key: Key, ticket: number): number;
}

const { apply } = Reflect;
const { at } = Uint8Array.prototype;

/** Whether an array is attached to its buffer and within it: the methods of JavaScript refuse one that is not. */
function isInBounds(array: Uint8Array): boolean {
  try {
    apply(at, array, [0]);
    return true;
  } catch {
    return false;
  }
}

/** The calls of this environment. */
export const calls = native.bind((code, message) => new TandemError(code as ErrorCode, message), isInBounds) as Calls;
