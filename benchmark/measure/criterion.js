/** What criterion says of an operation of the engine: its time with a confidence interval. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Runs the benches of `group` and returns for each of `sides` the mean in ns with the bounds of its confidence interval.
 *
 * @param {(args: string[], env: object) => Promise<unknown>} cargo runs cargo in the workspace of the engine's benches
 * @param {string} group
 * @param {string[]} sides
 * @param {{warmUp: number, seconds: number, samples: number}} effort seconds before and while a side is measured
 */
export async function estimates(cargo, group, sides, { warmUp, seconds, samples }) {
  // A folder of its own, so that no figure of another run is taken for one of this.
  const folder = mkdtempSync(join(tmpdir(), "tandem-bench-criterion-"));
  try {
    const limits = ["--warm-up-time", warmUp, "--measurement-time", seconds, "--sample-size", samples].map(String);
    const filter = `^${group}/`;
    await cargo(["bench", "--bench", "operations", "--", "--quiet", ...limits, filter], { CRITERION_HOME: folder });
    return Object.fromEntries(sides.map((side) => [side, estimate(join(folder, group, side, "new/estimates.json"))]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function estimate(file) {
  const { mean } = JSON.parse(readFileSync(file, "utf8"));
  const { confidence_level, lower_bound, upper_bound } = mean.confidence_interval;
  return { unit: "ns", mean: mean.point_estimate, low: lower_bound, high: upper_bound, confidence: confidence_level };
}
