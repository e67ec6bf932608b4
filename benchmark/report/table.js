/** The report as a table for the terminal. */
import { short } from "./number.js";

const columns = ["case", "tandem", "peer", "", "ratio", "rounds", "noise", "goal", ""];

/** All rows of a report, one line each, with the remarks below. */
export function table(report) {
  const lines = [columns, ...report.rows.map(cells)];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => line[at].length)));
  const used = widths.map((width, at) => (lines.slice(1).some((line) => line[at] !== "") ? width : 0));
  const text = lines.map((line) =>
    line
      .map((cell, at) =>
        used[at] === 0 ? undefined : at === 0 || at === 3 ? cell.padEnd(used[at]) : cell.padStart(used[at]),
      )
      .filter((cell) => cell !== undefined)
      .join("  ")
      .trimEnd(),
  );
  const notes = report.rows.filter(({ note }) => note !== undefined).map(({ label, note }) => `  ${label}: ${note}`);
  return [`${report.suite}  ${report.title}`, ...text.map((line) => `  ${line}`), ...notes, ""].join("\n");
}

function cells(row) {
  const { ratio, noise, goal, met } = row;
  return [
    row.label,
    `${short(row.ours.median)} ${row.unit}`,
    row.peer === undefined ? "" : `${short(row.peer.median)} ${row.unit}`,
    row.peer?.name ?? "",
    ratio === undefined ? "" : ratio.median.toFixed(3),
    ratio === undefined ? "" : `${ratio.low.toFixed(2)}-${ratio.high.toFixed(2)}`,
    noise === undefined ? "" : deviation(noise),
    goal === undefined ? "" : `${goal.of === "ratio" ? "ratio " : ""}${goal.bound} ${goal.value}`,
    met === undefined ? "" : met ? "met" : "MISSED",
  ];
}

/** The noise: a ratio around 1, or a difference around 0 in its unit. */
function deviation({ median, low, high, unit }) {
  if (unit === undefined) return `${median.toFixed(3)} (${low.toFixed(2)}-${high.toFixed(2)})`;
  return `${median.toFixed(2)} ${unit} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}
