import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const entries = Object.entries(manifest.exports as Record<string, { types: string; default: string }>).filter(
  ([subpath]) => subpath !== "./package.json",
);

/** Runs one line of code in a fresh Node in which the package's own name resolves. */
function evaluate(code: string, type: "module" | "commonjs") {
  const { status, stderr } = spawnSync(process.execPath, [`--input-type=${type}`, "-e", code], {
    cwd: root,
    encoding: "utf8",
  });
  return { status, stderr };
}

describe.each(entries)("entry %s", (subpath, { types, default: module }) => {
  const name = `tandem-cache${subpath.slice(1)}`;

  test("its files are built", () => {
    expect([types, module].filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  test("types come first, as TypeScript takes the first condition that matches", () => {
    expect(Object.keys(manifest.exports[subpath])[0]).toBe("types");
  });

  test("can be imported and required, says nothing, and lets the process exit", () => {
    expect(evaluate(`import * as entry from "${name}"`, "module")).toEqual({ status: 0, stderr: "" });
    expect(evaluate(`require("${name}")`, "commonjs")).toEqual({ status: 0, stderr: "" });
  });
});

test("the versions of the package, the platform packages and the crates are one", () => {
  const platform = JSON.parse(readFileSync(join(root, "npm/linux-x64-gnu/package.json"), "utf8"));
  const cargo = readFileSync(join(root, "Cargo.toml"), "utf8");
  expect(platform.version).toBe(manifest.version);
  expect(cargo).toContain(`\nversion = "${manifest.version}"\n`);
});
