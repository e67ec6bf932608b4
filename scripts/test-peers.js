/**
 * Runs the tests that need redis-server, memcached or real traces. Where a peer is missing, its tests are not run, and
 * the last line says how many and why; under CI=true that is a failure, but for a right that the machine does not give:
 * nothing that CI could install would help.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const inRust = referenceTable();
const inTypescript = peersProject();
const RIGHTS = ["network-namespaces"];
const notRun = [...inRust.notRun, ...inTypescript.notRun];
const peers = [...new Set(notRun)].sort().join(", ");
process.stdout.write(notRun.length === 0 ? "0 not run\n" : `${notRun.length} not run: ${peers} missing\n`);
const missingCounts = process.env.CI === "true" && notRun.some((peer) => !RIGHTS.includes(peer));
process.exitCode = inRust.passed && inTypescript.passed && !missingCounts ? 0 : 1;

/** The hit ratios on real traces (crates/replay/tests/reference.rs). */
function referenceTable() {
  if (!process.env.TANDEM_TRACES) return { passed: true, notRun: ["TANDEM_TRACES"] };
  const args = ["test", "-p", "tandem-replay", "--test", "reference", "--", "--ignored", "--nocapture"];
  return { passed: spawnSync("cargo", args, { cwd: root, stdio: "inherit" }).status === 0, notRun: [] };
}

/** The vitest project `peers`. */
function peersProject() {
  const folder = mkdtempSync(join(tmpdir(), "tandem-peers-"));
  try {
    const report = join(folder, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const vitest = join(root, "node_modules/.bin/vitest");
    const { status } = spawnSync(vitest, ["run", "--project", "peers", ...reporters], { cwd: root, stdio: "inherit" });
    return { passed: status === 0, notRun: peersOfSkipped(JSON.parse(readFileSync(report, "utf8"))) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The peer of each skipped test, by the `[needs PEER]` in the title of its group (__test__/peers/needs.ts). */
function peersOfSkipped(report) {
  return report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === "skipped" || status === "pending")
    .flatMap(({ fullName }) => fullName.match(/\[needs ([\w-]+)\]/)?.[1] ?? []);
}
