/**
 * `npm run bench -- [SUITE...] [--smoke | --full]`: runs suites, prints a table, and writes JSON and charts to
 * benchmark/results (a smoke run writes to a folder of its own). Ends with 1 if a suite could not run or its figures
 * make no sense; a missed goal is a figure, not a failure.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { commit, machine, root } from "./measure/machine.js";
import { missing } from "./measure/peers.js";
import { check } from "./measure/sanity.js";
import { sizes } from "./measure/size.js";
import { writeCharts } from "./report/charts.js";
import { writeReport } from "./report/json.js";
import { table } from "./report/table.js";
import { suites } from "./suites/index.js";

process.exitCode = await main();

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { smoke: { type: "boolean", default: false }, full: { type: "boolean", default: false } },
  });
  const chosen = choose(positionals);
  if (chosen === undefined) return 2;
  const size = values.smoke ? sizes.smoke : values.full ? sizes.full : sizes.normal;
  const folder = size.mode === "smoke" ? mkdtempSync(join(tmpdir(), "tandem-bench-")) : join(root, "benchmark/results");
  mkdirSync(folder, { recursive: true });

  const failures = [];
  const missed = [];
  for (const suite of chosen) {
    try {
      const report = await runSuite(suite, size);
      process.stdout.write(`${table(report)}\n`);
      writeReport(folder, report);
      writeCharts(folder, report);
      missed.push(...report.rows.filter(({ met }) => met === false).map(({ label }) => `${suite.id} ${label}`));
    } catch (error) {
      failures.push(suite.id);
      process.stdout.write(`${suite.id}  FAILED: ${error.stack}\n\n`);
    }
  }
  if (size.mode === "smoke") rmSync(folder, { recursive: true });
  else if (missed.length > 0) process.stdout.write(`goals missed: ${missed.join("; ")}\n`);
  if (failures.length > 0) process.stdout.write(`suites failed: ${failures.join(", ")}\n`);
  process.stdout.write(`suites run: ${chosen.length - failures.length} of ${chosen.length}\n`);
  return failures.length > 0 ? 1 : 0;
}

/** The suites that were asked for, or all; `undefined` after a message if one does not exist. */
function choose(ids) {
  const unknown = ids.filter((id) => !suites.some((suite) => suite.id.toLowerCase() === id.toLowerCase()));
  if (unknown.length > 0) {
    const known = suites.map(({ id }) => id.toLowerCase()).join(", ");
    process.stderr.write(`there is no suite ${unknown.join(", ")}; there are ${known}\n`);
    return undefined;
  }
  const wanted = new Set(ids.map((id) => id.toLowerCase()));
  return suites.filter(({ id }) => wanted.size === 0 || wanted.has(id.toLowerCase()));
}

async function runSuite(suite, size) {
  const lacking = missing(suite.peers);
  if (lacking.length > 0) throw new Error(`not run: ${lacking.join(", ")} missing`);
  const begun = Date.now();
  const { rows, title } = await suite.run(size);
  check(rows);
  return {
    suite: suite.id,
    title: title ?? suite.title,
    mode: size.mode,
    date: new Date(begun).toISOString(),
    seconds: Math.round((Date.now() - begun) / 1000),
    commit: commit(),
    machine: machine(),
    chart: suite.chart,
    rows,
  };
}
