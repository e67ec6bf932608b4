/** A progress bar on one line of a terminal. */
import type { ReplayProgress } from "../replay/options.js";

const BAR_CELLS = 24;

/** The line for `progress`, at most `columns` wide: bar, rate, time left, hit ratio. */
export function progressLine({ requests, hits, fraction, seconds }: ReplayProgress, columns: number): string {
  const filled = Math.floor(fraction * BAR_CELLS);
  const bar = `[${"#".repeat(filled)}${".".repeat(BAR_CELLS - filled)}]`;
  const parts = [
    `${bar} ${String(Math.floor(fraction * 100)).padStart(3)} %`,
    `${compact(seconds > 0 ? requests / seconds : 0)} requests/s`,
    timeLeft(fraction, seconds),
    requests > 0 ? `hit ratio ${((100 * hits) / requests).toFixed(2)} %` : "",
  ];
  return parts
    .filter((part) => part !== "")
    .join("  ")
    .slice(0, Math.max(0, columns - 1));
}

/** A count with three digits and a unit: 950, 1.23 k, 45.6 M. */
export function compact(count: number): string {
  const units = ["", " k", " M", " G"];
  let power = 0;
  let rest = count;
  while (rest >= 999.5 && power < units.length - 1) {
    rest /= 1000;
    power++;
  }
  return `${power === 0 ? Math.round(rest) : Number(rest.toPrecision(3))}${units[power]}`;
}

function timeLeft(fraction: number, seconds: number): string {
  if (fraction <= 0 || seconds < 0.5) return "";
  const left = Math.ceil((seconds * (1 - fraction)) / fraction);
  if (left < 60) return `${left} s left`;
  const minutes = Math.floor(left / 60);
  return minutes < 60 ? `${minutes} min ${left % 60} s left` : `${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}
