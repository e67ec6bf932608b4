/** Runs a load on one or several servers and reports rate, latencies and CPU time for each request. */
import { setTimeout as pause } from "node:timers/promises";
import { native } from "../native.js";
import { type BenchOptions, parseBenchOptions } from "./options.js";

const POLL_MS = 100;

/** Figures of one server. */
export interface BenchReport {
  /** Its name. */
  name: string;
  /** Requests answered in the rounds that count. */
  requests: number;
  /** Errors among the answers. */
  errors: number;
  /** The first of them, the filling included. */
  firstError?: string;
  /** Answers that say there is no such key. */
  misses: number;
  /** Connections a second that came and went beside the load, of the median round. */
  connects: number;
  /** Those among them that were refused, cut, or not answered within a second. */
  unansweredConnects: number;
  /** Requests a second of the median round. */
  rate: number;
  /** Requests a second of each round. */
  rates: number[];
  /** CPU time of the server for one request in ns, of the median round; absent without a process to look at. */
  cpuNs?: number;
  /** CPU time of the server for one request in ns, of each round. */
  cpusNs: number[];
  /** Part of the time that the client was on a CPU; near 1 it was the bottleneck, not the server. */
  clientLoad?: number;
  /** Latencies of all rounds in ns, told apart to a thousandth. */
  latency: { mean: number; p50: number; p90: number; p99: number; p999: number; p9999: number; max: number };
}

/**
 * Runs the load on a thread of its own. The servers take turns, round by round, with the same requests.
 *
 * @throws {TypeError | RangeError} for bad options.
 * @throws {TandemError} `BadOption` for one out of range; `CannotConnect` for a server that cannot be reached or fails;
 *   `Cancelled` after `signal`.
 */
export async function bench(options: BenchOptions): Promise<BenchReport[]> {
  const settings = parseBenchOptions(options);
  const running = native.NativeBench.start(settings);
  const allRounds = settings.servers.length * (settings.rounds + 1);
  const cancel = () => running.cancel();
  options.signal?.addEventListener("abort", cancel, { once: true });
  if (options.signal?.aborted) cancel();
  try {
    for (let progress = running.progress(); !progress.finished; progress = running.progress()) {
      const { requests, rounds } = progress;
      options.onProgress?.({ requests, rounds, allRounds });
      await pause(POLL_MS);
    }
    return running.result();
  } finally {
    options.signal?.removeEventListener("abort", cancel);
    cancel();
  }
}
