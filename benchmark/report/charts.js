/** Which chart a report gets. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { bars } from "./bars.js";

/** Writes the chart of `report` to `folder`, drawn by the `chart` of its suite, or as bars. */
export function writeChart(folder, report, chart = bars) {
  writeFileSync(join(folder, `${report.suite.toLowerCase()}.svg`), chart(report));
}
