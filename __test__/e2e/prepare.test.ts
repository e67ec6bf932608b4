import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const sources = [
  "package.json",
  "package-lock.json",
  "Cargo.toml",
  "Cargo.lock",
  "tsconfig.json",
  "tsconfig.build.json",
  "index.js",
  "index.d.ts",
  "scripts",
  "src",
];
const pathWithoutRust = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((folder) => !existsSync(join(folder, "cargo")))
  .join(delimiter);

let checkout: string;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), "tandem-prepare-"));
  for (const path of sources) cpSync(join(root, path), join(checkout, path), { recursive: true });
  symlinkSync(join(root, "crates"), join(checkout, "crates"));
});

afterEach(() => rmSync(checkout, { recursive: true, force: true }));

function prepare(env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(checkout, "scripts/prepare.js")], {
    env: { ...process.env, npm_config_omit: "", ...env },
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

const installTools = () => symlinkSync(join(root, "node_modules"), join(checkout, "node_modules"));

test("without development dependencies it says so in one line; only --omit=dev makes that a success", () => {
  const line = expect.stringMatching(/^tandem-cache: not built: the development dependencies are left out[^\n]*\n$/);
  expect(prepare()).toEqual({ status: 1, output: line });
  expect(prepare({ npm_config_omit: "dev" })).toEqual({ status: 0, output: line });
});

test("without Rust and without a binary it fails with one line", () => {
  installTools();
  const line = expect.stringMatching(/^tandem-cache: not built: no prebuilt native binary[^\n]*install Rust[^\n]*\n$/);
  expect(prepare({ PATH: pathWithoutRust })).toEqual({ status: 1, output: line });
});

test("without Rust it builds on a binary that is there, and the next run does nothing more", () => {
  installTools();
  writeFileSync(join(checkout, `tandem.${process.platform}-${process.arch}-gnu.node`), "");
  const line = expect.stringMatching(/^tandem-cache: Rust is not installed; [^\n]*\n$/);
  expect(prepare({ PATH: pathWithoutRust })).toEqual({ status: 0, output: line });
  expect(existsSync(join(checkout, "dist/index.js"))).toBe(true);
  expect(existsSync(join(checkout, "dist/vendor/msgpackr/index.js"))).toBe(true);
  expect(prepare({ PATH: pathWithoutRust })).toEqual({ status: 0, output: line });
});

test("when both builds match their sources it does nothing; a change of a source builds again", () => {
  installTools();
  for (const binary of readdirSync(root).filter((name) => name.endsWith(".node"))) {
    cpSync(join(root, binary), join(checkout, binary));
  }
  cpSync(join(root, "target/prepare.json"), join(checkout, "target/prepare.json"));
  cpSync(join(root, "dist"), join(checkout, "dist"), { recursive: true });
  expect(prepare({ PATH: pathWithoutRust })).toEqual({ status: 0, output: "" });

  writeFileSync(join(checkout, "src/added.ts"), "export const added = 1;\n");
  expect(prepare({ PATH: pathWithoutRust })).toEqual({ status: 0, output: "" });
  expect(existsSync(join(checkout, "dist/added.js"))).toBe(true);
});
