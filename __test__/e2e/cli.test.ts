import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

function tandem(...args: string[]) {
  const main = join(root, "dist/cli/main.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("--version prints the package's version", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(tandem("--version")).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
});

test("--help goes to stdout and succeeds", () => {
  const { status, stdout, stderr } = tandem("--help");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^Usage: tandem /);
});

test.each([["no-such-command"], ["--no-such-flag"]])("%s is one line on stderr and exit code 2", (...args) => {
  const { status, stdout, stderr } = tandem(...args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(/^tandem: [^\n]+\n$/);
});
