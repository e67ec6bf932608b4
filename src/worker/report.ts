/** All that a worker tells of itself at one moment. */
import type { NativeCommandStats, NativeServerStats, NativeStats } from "../native.js";

/** Counters of a worker. */
export type WorkerStats = NativeServerStats;

/** What was done of one command. */
export type CommandStats = NativeCommandStats;

/** All that a worker tells of itself at one moment. */
export interface WorkerReport {
  /** Version of the package. */
  readonly version: string;
  /** When the worker began to listen, in ms since the Unix epoch. */
  readonly startedMs: number;
  /** Whether it is stopping: it takes no more connections, and answers what it has received. */
  readonly stopping: boolean;
  readonly server: WorkerStats;
  /** The cache in sum; {@link Cache.stats} has each shard, too. */
  readonly cache: NativeStats;
  /** What was done of each command that was used. */
  readonly commands: readonly CommandStats[];
  /** For each place in `shorter` of a command: durations below so many seconds are counted there. */
  readonly durationBounds: readonly number[];
  /** How many errors were answered, by their code. */
  readonly errors: Readonly<Record<string, number>>;
}
