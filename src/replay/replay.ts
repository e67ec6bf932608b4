/** Runs request traces through a cache and reports hit ratios, evictions, speed and memory. */
import { setTimeout as pause } from "node:timers/promises";
import { native } from "../native.js";
import { parseReplayOptions, type ReplayOptions, type ReplayProgress } from "./options.js";

const POLL_MS = 100;

/** Figures of a replay. What a server does not tell is absent. */
export interface ReplayReport {
  /** Requests of the trace. */
  requests: number;
  /** Reads among them. */
  gets: number;
  /** Reads that found the object. */
  hits: number;
  /** Hits among reads, 0 to 1. */
  hitRatio: number;
  /** Bytes hit among bytes asked for, 0 to 1. */
  byteHitRatio: number;
  /** Objects that were not stored because they do not fit into the whole cache. */
  refused: number;
  /** Entries at the end. */
  entries?: number;
  /** Entries evicted; of a server, since it started. */
  evictions?: number;
  /** Seconds the replay took, reading the trace included. */
  seconds: number;
  /** Requests a second. */
  requestsPerSecond: number;
  /** What the cache occupies at the end, by its own account. */
  cacheBytes?: number;
  /** Resident memory at the end of the process that holds the cache. */
  rssBytes?: number;
  /** `cacheBytes` over `entries`. */
  bytesPerEntry?: number;
}

/**
 * Replays the trace at `path`. A read that misses is followed by a write of the object, with seeded bytes that no codec
 * can shrink. It runs on a thread of its own.
 *
 * @throws {TypeError | RangeError} for bad options.
 * @throws {TandemError} `BadTrace` for a file that cannot be read, is broken or cut off, with the line or byte, or has no requests;
 *   `CannotConnect` for a server that fails; `Cancelled` after `signal`; what the cache refuses.
 */
export async function replay(path: string, options: ReplayOptions): Promise<ReplayReport> {
  const running = native.NativeReplay.start(parseReplayOptions(path, options));
  const start = performance.now();
  const cancel = () => running.cancel();
  options.signal?.addEventListener("abort", cancel, { once: true });
  if (options.signal?.aborted) cancel();
  try {
    for (let progress = running.progress(); !progress.finished; progress = running.progress()) {
      options.onProgress?.(progressOf(progress, performance.now() - start));
      await pause(POLL_MS);
    }
    return running.result();
  } finally {
    options.signal?.removeEventListener("abort", cancel);
    cancel();
  }
}

function progressOf(
  { requests, hits, bytesRead, bytesTotal }: ReturnType<InstanceType<typeof native.NativeReplay>["progress"]>,
  elapsedMs: number,
): ReplayProgress {
  const fraction = bytesTotal > 0 ? Math.min(1, bytesRead / bytesTotal) : 0;
  return { requests, hits, fraction, seconds: elapsedMs / 1000 };
}
