/** What a log takes. Apart from `log.ts`, so that whoever only takes a logger need not load one. */

/**
 * How much is told, from least to most: what ends the process or loses data; what needs a look; the life of the process;
 * rare things that are no fault.
 */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ["json", "text"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** What a line tells beside its message. */
export interface LogFields {
  /** What happened, in one or two words that stay the same. */
  readonly event: string;
  readonly [field: string]: string | number | boolean | undefined;
}

/** Takes what is worth a line. A `pino` logger is one. */
export type Logger = Record<LogLevel, (fields: LogFields, message: string) => void>;
