/** Which chart a report gets. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { bars } from "./bars.js";

/** Writes the chart of `report` to `folder`: its suite's own, or bars. */
export function writeCharts(folder, report) {
  const draw = report.chart ?? bars;
  writeFileSync(join(folder, `${report.suite.toLowerCase()}.svg`), draw(report));
}
