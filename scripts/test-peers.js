/**
 * Runs the tests that need redis-server, memcached or real traces. Where a peer is missing, its tests are not run, and
 * the last line says how many and why; under CI=true that is a failure.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "tandem-peers-"));
try {
  const report = join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const vitest = join(root, "node_modules/.bin/vitest");
  const { status } = spawnSync(vitest, ["run", "--project", "peers", ...reporters], { cwd: root, stdio: "inherit" });
  const { count, peers } = notRun(JSON.parse(readFileSync(report, "utf8")));
  process.stdout.write(count === 0 ? "0 not run\n" : `${count} not run: ${peers.join(", ")} missing\n`);
  process.exitCode = status !== 0 || (count > 0 && process.env.CI === "true") ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Counts skipped tests by the `[needs PEER]` in the title of their group (__test__/peers/needs.ts). */
function notRun(report) {
  const skipped = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === "skipped" || status === "pending")
    .flatMap(({ fullName }) => fullName.match(/\[needs ([\w-]+)\]/)?.[1] ?? []);
  return { count: skipped.length, peers: [...new Set(skipped)].sort() };
}
