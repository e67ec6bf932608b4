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

// The reader may have seen enough, as `head` has; `print` learns of it by itself.
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
});

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

  const begun = Date.now();
  const failures = [];
  const missed = [];
  for (const suite of chosen) {
    try {
      const report = await runSuite(suite, size);
      writeReport(folder, report);
      writeCharts(folder, report);
      if (!(await print(`${table(report)}  took ${duration(report.seconds)}\n\n`))) break;
      missed.push(...report.rows.filter(({ met }) => met === false).map(({ label }) => `${suite.id} ${label}`));
    } catch (error) {
      failures.push(suite.id);
      if (!(await print(`${suite.id}  FAILED: ${error.stack}\n\n`))) break;
    }
  }
  if (size.mode === "smoke") rmSync(folder, { recursive: true });
  else if (missed.length > 0) await print(`goals missed: ${missed.join("; ")}\n`);
  if (failures.length > 0) await print(`suites failed: ${failures.join(", ")}\n`);
  const seconds = Math.round((Date.now() - begun) / 1000);
  await print(`suites run: ${chosen.length - failures.length} of ${chosen.length} in ${duration(seconds)}\n`);
  return failures.length > 0 ? 1 : 0;
}

/** Writes `text` to the standard output; false if nobody reads it any more, and nobody waits for further suites. */
function print(text) {
  return new Promise((resolve) => {
    process.stdout.write(text, (error) => resolve(!error));
  });
}

/** `75` as `1 min 15 s`. */
function duration(seconds) {
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
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
