/** The figures as JSON: machine, commit, and every raw figure of both sides. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes `report` to `folder` under the name of its suite. */
export function writeReport(folder, report) {
  writeFileSync(fileOf(folder, report.suite), `${JSON.stringify(report, figures, 2)}\n`);
}

/** The report of the suite `id` that lies in `folder`; `undefined` where there is none. */
export function readReport(folder, id) {
  const file = fileOf(folder, id);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

function fileOf(folder, id) {
  return join(folder, `${id.toLowerCase()}.json`);
}

/** Six digits say more than any clock knows. */
function figures(_, value) {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
