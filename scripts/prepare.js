/**
 * npm's `prepare`: builds the native binary and dist/, or does nothing when both match their sources.
 *
 * Needs Rust, a C compiler and the development dependencies. Where something is missing it says so in one line and
 * ends with 1 if the package cannot work, with 0 if what is already built can be used or if the caller asked for less
 * (`--omit=dev`).
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const stampFile = join(root, "target/prepare.json");

/** What each part is built from: files or folders, relative to the root. */
const sources = {
  native: ["Cargo.toml", "Cargo.lock", "package.json", "crates"],
  typescript: ["tsconfig.json", "tsconfig.build.json", "package-lock.json", "scripts/vendor.js", "index.d.ts", "src"],
};

process.exitCode = prepare();

function prepare() {
  const stamp = readStamp();
  const nativeCurrent = localBinary() !== undefined && stamp.native === hash(sources.native);
  // The native build may rewrite index.d.ts, which TypeScript reads, so the second check waits for the first build.
  if (nativeCurrent && isTypescriptCurrent(stamp)) return 0;

  if (!existsSync(join(root, "node_modules/typescript")) || !existsSync(join(root, "node_modules/@napi-rs/cli"))) {
    return withoutTools();
  }
  if (!nativeCurrent) {
    const failed = buildNative(stamp);
    if (failed) return failed;
  }
  if (!isTypescriptCurrent(stamp)) {
    // What a removed source left behind would be published.
    rmSync(join(root, "dist"), { recursive: true, force: true });
    const failed = run("build:ts");
    if (failed) return failed;
    writeStamp({ ...stamp, typescript: hash(sources.typescript) });
  }
  return 0;
}

/** Builds the binary, or falls back to one that is there when there is no Rust. Returns the exit code. */
function buildNative(stamp) {
  if (spawnSync("cargo", ["--version"], { stdio: "ignore" }).error) {
    if (hasBinary()) {
      say("Rust is not installed; the native binary that is already here is used as it is");
      return 0;
    }
    say(
      `not built: no prebuilt native binary for ${process.platform}-${process.arch} and no Rust to build one; ` +
        "install Rust (https://rustup.rs) and run `npm ci` again",
    );
    return 1;
  }
  say("building the native binary (a first build takes a minute or two)");
  const failed = run("build:native");
  if (failed) return failed;
  stamp.native = hash(sources.native);
  writeStamp(stamp);
  return 0;
}

/** The development dependencies are left out: what is built stays in use, and nothing new can be built. */
function withoutTools() {
  if (hasBinary() && isTypescriptBuilt()) return 0;
  say("not built: the development dependencies are left out; run `npm ci` without --omit=dev to build");
  return process.env.npm_config_omit?.split(/\s+/).includes("dev") ? 0 : 1;
}

function isTypescriptCurrent(stamp) {
  return isTypescriptBuilt() && stamp.typescript === hash(sources.typescript);
}

function isTypescriptBuilt() {
  return existsSync(join(root, "dist/index.js")) && existsSync(join(root, "dist/vendor/msgpackr/index.js"));
}

function hasBinary() {
  return localBinary() !== undefined || platformPackage();
}

function localBinary() {
  return readdirSync(root).find((name) => name.startsWith(`tandem.${process.platform}-${process.arch}`));
}

/** Whether the binary of this platform was installed as an optional dependency. */
function platformPackage() {
  const libc = process.platform === "linux" ? "-gnu" : "";
  try {
    createRequire(import.meta.url).resolve(`tandem-cache-${process.platform}-${process.arch}${libc}`);
    return true;
  } catch {
    return false;
  }
}

function run(script) {
  return spawnSync("npm", ["run", "--silent", script], { cwd: root, stdio: "inherit" }).status ?? 1;
}

function say(line) {
  process.stderr.write(`tandem-cache: ${line}\n`);
}

/** Digest of names and contents; times would differ after every clone and checkout. */
function hash(paths) {
  const digest = createHash("sha256");
  for (const path of paths) {
    for (const file of filesUnder(path))
      digest
        .update(`${file}\0`)
        .update(readFileSync(join(root, file)))
        .update("\0");
  }
  return digest.digest("hex");
}

function filesUnder(path) {
  const absolute = join(root, path);
  if (!statSync(absolute).isDirectory()) return [path];
  return readdirSync(absolute)
    .sort()
    .flatMap((name) => (name === "target" ? [] : filesUnder(join(path, name))));
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(stampFile, "utf8"));
  } catch {
    return {};
  }
}

function writeStamp(stamp) {
  mkdirSync(join(root, "target"), { recursive: true });
  writeFileSync(stampFile, JSON.stringify(stamp));
}
