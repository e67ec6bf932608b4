/** The public entry of `tandem-cache`. */
export { Cache, type CacheStats, type Entry, type ScanStep } from "./cache/cache.js";
export type { Codec } from "./cache/codec.js";
export type { CacheEvent, EventListener, EventName } from "./cache/events.js";
export type { Bytes, CacheOptions } from "./cache/options.js";
export type { SetOptions } from "./cache/write.js";
export { type ErrorCode, TandemError } from "./errors.js";
export type { Key } from "./native.js";
