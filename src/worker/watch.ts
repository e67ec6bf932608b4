/** Turns counters of a worker that have grown into log lines: at most one a second for each kind, however often it happens. */
import type { Logger, LogLevel } from "../observe/logger.js";
import type { WorkerReport } from "./report.js";

const EVERY_MS = 1_000;

type Counters = Pick<WorkerReport, "server" | "cache">;

/** What is worth a line: the level, the name of the event, the message, and where its counter is. */
const KINDS: readonly (readonly [LogLevel, string, string, (counters: Counters) => number])[] = [
  ["warn", "clients refused", "clients were refused: a limit is reached", ({ server }) => server.rejected],
  ["warn", "clients cut", "clients were cut: they took no replies, or held too much", ({ server }) => server.cut],
  ["warn", "passwords refused", "clients gave a wrong password", ({ server }) => server.refusedPasswords],
  ["debug", "clients silent", "clients were closed: they were silent for too long", ({ server }) => server.silent],
  ["error", "requests panicked", "requests met a defect of the server", ({ server }) => server.panics],
  ["error", "cache reset", "a defect emptied a part of the cache", ({ cache }) => cache.resets],
];

/** A watch over one worker. Its timer does not keep the process alive. */
export class Watch {
  readonly #log: Logger;
  readonly #read: () => Counters;
  readonly #timer: NodeJS.Timeout;
  #last: number[];

  constructor(log: Logger, read: () => Counters) {
    this.#log = log;
    this.#read = read;
    this.#last = this.#counts();
    this.#timer = setInterval(() => this.look(), EVERY_MS).unref();
  }

  /** Logs what has happened since the last look. */
  look(): void {
    const counts = this.#counts();
    KINDS.forEach(([level, event, message], place) => {
      const total = counts[place] ?? 0;
      const count = total - (this.#last[place] ?? 0);
      if (count > 0) this.#log[level]({ event, count, total }, message);
    });
    this.#last = counts;
  }

  /** Looks for the last time. */
  end(): void {
    clearInterval(this.#timer);
    this.look();
  }

  #counts(): number[] {
    const counters = this.#read();
    return KINDS.map(([, , , count]) => count(counters));
  }
}
