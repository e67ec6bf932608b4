/**
 * `npm run bench -- [SUITE...] [--smoke | --full | --render]`: runs suites, prints a table, and writes JSON and charts
 * to benchmark/results (a smoke run writes to a folder of its own). Ends with 1 if a suite could not run or its figures
 * make no sense, with 2 if it was not understood; a missed goal is a figure, not a failure.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { commit, machine, root } from "./measure/machine.js";
import { missing } from "./measure/peers.js";
import { check } from "./measure/sanity.js";
import { sizes } from "./measure/size.js";
import { writeChart } from "./report/charts.js";
import { readReport, writeReport } from "./report/json.js";
import { table } from "./report/table.js";
import { suites } from "./suites/index.js";

const results = join(root, "benchmark/results");

const usage = `npm run bench -- [SUITE...] [--smoke | --full | --render]

  (no flag)   rounds for a look, a few of them where every figure takes a fresh process
  --full      nine rounds everywhere, for figures to publish; needs a working tree without changes
  --smoke     tiny sizes: does everything still run? Writes nothing to benchmark/results
  --render    measures nothing: draws the charts of benchmark/results again from their JSON
  --help      this

suites, and how long the full run in benchmark/results took:
`;

// The reader may have seen enough, as `head` has; `print` learns of it by itself.
process.stdout.on("error", (error) => {
  if (error.code !== "EPIPE") throw error;
});

process.exitCode = await main();

async function main() {
  const flags = ["smoke", "full", "render", "help"];
  let values;
  let positionals;
  try {
    const options = Object.fromEntries(flags.map((flag) => [flag, { type: "boolean", default: false }]));
    ({ values, positionals } = parseArgs({ allowPositionals: true, options }));
  } catch (error) {
    return refuse(error.message);
  }
  if (values.help) {
    await print(`${usage}${suites.map(lineOf).join("")}`);
    return 0;
  }
  const given = flags.filter((flag) => values[flag]).map((flag) => `--${flag}`);
  if (given.length > 1) return refuse(`${given.join(" and ")} exclude each other`);
  const unknown = positionals.filter((id) => !suites.some((suite) => suite.id.toLowerCase() === id.toLowerCase()));
  if (unknown.length > 0) {
    const known = suites.map(({ id }) => id.toLowerCase()).join(", ");
    return refuse(`there is no suite ${unknown.join(", ")}; there are ${known}`);
  }
  const chosen = choose(positionals);
  if (values.render) return render(chosen, positionals.length > 0);
  if (values.full && commit().endsWith("+changes")) {
    return refuse("--full is for figures to publish, which name their commit: commit the changes first");
  }
  return measure(chosen, values.smoke ? sizes.smoke : values.full ? sizes.full : sizes.normal);
}

function refuse(message) {
  process.stderr.write(`${message}; see --help\n`);
  return 2;
}

async function measure(chosen, size) {
  const folder = size.mode === "smoke" ? mkdtempSync(join(tmpdir(), "tandem-bench-")) : results;
  mkdirSync(folder, { recursive: true });

  const begun = Date.now();
  const failures = [];
  const missed = [];
  for (const suite of chosen) {
    try {
      const report = await runSuite(suite, size);
      writeReport(folder, report);
      // From the file, as `--render` draws it: its figures have fewer digits.
      writeChart(folder, readReport(folder, suite.id), suite.chart);
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

/** Draws the charts of `chosen` from what was measured before. Suites without figures fail where they were `named`. */
async function render(chosen, named) {
  const lacking = [];
  for (const { id, chart } of chosen) {
    const report = readReport(results, id);
    if (report === undefined) lacking.push(id);
    else writeChart(results, report, chart);
  }
  await print(`charts drawn: ${chosen.length - lacking.length}\n`);
  if (lacking.length > 0) await print(`no figures in benchmark/results: ${lacking.join(", ")}\n`);
  return named && lacking.length > 0 ? 1 : 0;
}

/** Writes `text` to the standard output; false if nobody reads it any more, and nobody waits for further suites. */
function print(text) {
  return new Promise((resolve) => {
    process.stdout.write(text, (error) => resolve(!error));
  });
}

/** The suites that were asked for, or all. */
function choose(ids) {
  const wanted = new Set(ids.map((id) => id.toLowerCase()));
  return suites.filter(({ id }) => wanted.size === 0 || wanted.has(id.toLowerCase()));
}

/** A suite in the list that `--help` prints. */
function lineOf({ id, title }) {
  const report = readReport(results, id);
  const took = report?.mode === "full" ? duration(report.seconds) : "unknown";
  return `  ${id.toLowerCase().padEnd(7)}${took.padEnd(14)}${title}\n`;
}

/** `75` as `1 min 15 s`. */
function duration(seconds) {
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
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
    rows,
  };
}
