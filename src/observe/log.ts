/**
 * Log lines of a process: one JSON object a line on standard error, or text for a person at a terminal. They say what
 * happened and how often; keys and values of a cache are in none of them.
 */
import { pino } from "pino";
import type { LogFormat, Logger, LogLevel } from "./logger.js";

const STANDARD_ERROR = 2;

/** A log of `component`. Every line is written at once: none is lost when the process ends. */
export function createLog(component: string, level: LogLevel, format: LogFormat): Logger {
  const destination = pino.destination({ fd: STANDARD_ERROR, sync: true });
  return pino(
    {
      level,
      base: { pid: process.pid, component },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    format === "json" ? destination : { write: (line: string) => destination.write(asText(line)) },
  );
}

/** A line for people: `tandem: message (field value, ...)`. */
function asText(line: string): string {
  const { level, time: _time, pid: _pid, component: _component, event: _event, msg, ...fields } = JSON.parse(line);
  const details = Object.entries(fields).map(([field, value]) => `${field} ${value}`);
  const prefix = level === "warn" ? "warning: " : "";
  return `tandem: ${prefix}${msg}${details.length > 0 ? ` (${details.join(", ")})` : ""}\n`;
}
