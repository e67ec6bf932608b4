/** The figures as JSON: machine, commit, and every raw figure of both sides. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes `report` to `folder` under the name of its suite. */
export function writeReport(folder, report) {
  const { chart: _, ...rest } = report;
  writeFileSync(join(folder, `${report.suite.toLowerCase()}.json`), `${JSON.stringify(rest, figures, 2)}\n`);
}

/** Six digits say more than any clock knows. */
function figures(_, value) {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
