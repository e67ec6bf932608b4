/** What a figure depends on: machine, versions, commit. */
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");

/** The machine and the versions a run took place on. */
export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    rust: output("rustc", ["--version"]),
  };
}

/** The commit, with `+changes` where the working tree differs from it. */
export function commit() {
  const hash = output("git", ["rev-parse", "--short=12", "HEAD"]);
  const changes = output("git", ["status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmark/results"]);
  return changes === "" ? hash : `${hash}+changes`;
}

function output(program, args) {
  try {
    return execFileSync(program, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}
