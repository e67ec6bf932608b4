/** Whether what a suite compares with is there. A suite whose peer is missing fails; it is never skipped in silence. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const programs = new Set(["redis-server", "redis-benchmark", "memcached", "cargo", "taskset"]);

/** The `peers` that are not installed. */
export function missing(peers) {
  return peers.filter((peer) => !isThere(peer));
}

function isThere(peer) {
  // The folder of the request traces, which no checkout holds.
  if (peer === "TANDEM_TRACES") return process.env.TANDEM_TRACES !== undefined && existsSync(process.env.TANDEM_TRACES);
  return programs.has(peer) ? runs(peer) : resolves(peer);
}

function runs(program) {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;
}

function resolves(name) {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}
