/** The public entry of `tandem-cache`. */
export { Cache, type CacheStats, type Entry } from "./cache/cache.js";
export type { Codec } from "./cache/codec.js";
export type { CacheEvent, EventListener, EventName } from "./cache/events.js";
export type { InTurnOptions } from "./cache/gates/in-turn.js";
export type { LoadContext, Loader } from "./cache/gates/load.js";
export type { LoadOptions } from "./cache/gates/load-options.js";
export type { StableOptions } from "./cache/gates/stable.js";
export type {
  StoreOptions,
  Transform,
  UpsertContext,
  UpsertOptions,
  UpsertResult,
} from "./cache/gates/upsert.js";
export type { Bytes, CacheOptions } from "./cache/options.js";
export type { ScanStep } from "./cache/scan.js";
export type { SetOptions } from "./cache/write.js";
export { type ErrorCode, TandemError } from "./errors.js";
export type { Key } from "./native.js";
export type { LogFields, Logger, LogLevel } from "./observe/logger.js";
export type { ReplayOptions, ReplayProgress, TraceFormat } from "./replay/options.js";
export { type ReplayReport, replay } from "./replay/replay.js";
export type { ListenOptions } from "./worker/options.js";
export type { CommandStats, WorkerReport, WorkerStats } from "./worker/report.js";
export { Worker, type WorkerOptions } from "./worker/worker.js";
