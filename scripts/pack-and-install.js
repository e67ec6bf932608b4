/**
 * Packs both packages, installs them in an empty folder as a user would, with npm's defaults and no Rust in PATH, and
 * runs the README's first snippet and the command there, on this Node and on Node 24. Needs a build and the registry.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { runSnippet, snippetsOf } from "./snippets.js";
import { stageRelease } from "./stage-release.js";

const root = join(import.meta.dirname, "..");
const work = mkdtempSync(join(tmpdir(), "tandem-pack-"));
try {
  const { env, app } = install();
  const [firstSnippet] = snippetsOf(readFileSync(join(root, "README.md"), "utf8"));
  for (const node of [process.execPath, installNode24(env)]) {
    runSnippet(firstSnippet, app, { node, env });
    const command = join(app, "node_modules/.bin/tandem");
    const version = execFileSync(node, [command, "--version"], { env, encoding: "utf8" });
    check(version === `${manifestOf(root).version}\n`, `tandem --version printed ${version}`);
    await serve(node, command, env);
    done(`the README's first snippet and a server run on Node ${execFileSync(node, ["-p", "process.version"])}`);
  }
} catch (error) {
  process.stderr.write(`pack-and-install: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Packs and installs; returns the environment and the folder of a user. */
function install() {
  const { main, platform } = stageRelease(join(work, "stage"));
  const platformName = manifestOf(platform).name;
  check(
    manifestOf(main).optionalDependencies?.[platformName] === manifestOf(main).version,
    `the staged manifest does not name ${platformName} at its own version`,
  );
  for (const script of ["preinstall", "install", "postinstall"]) {
    check(!manifestOf(main).scripts?.[script], `the manifest has a script "${script}"`);
  }
  const tarballs = [main, platform].map((folder) => {
    // The working tree's `prepare` has no place in a staged copy.
    const [{ filename }] = JSON.parse(npm(["pack", "--json", "--ignore-scripts", "--pack-destination", work], folder));
    return join(work, filename);
  });
  done("both packages pack");

  const env = userEnvironment();
  const app = join(work, "app");
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), "{}\n");
  const { status, stdout, stderr } = spawnSync("npm", ["install", ...tarballs], { cwd: app, env, encoding: "utf8" });
  check(status === 0, `npm install failed:\n${stderr}`);
  check(!/\bwarn/i.test(stdout + stderr), `npm install warned:\n${stdout}${stderr}`);
  const lock = JSON.parse(readFileSync(join(app, "package-lock.json"), "utf8"));
  const scripted = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript);
  check(scripted.length === 0, `packages with install scripts: ${scripted.map(([name]) => name).join(", ")}`);
  done("they install without a warning, an install script or Rust");
  return { env, app };
}

/** Starts a server on a free port, talks to it, and stops it as a supervisor does. */
async function serve(node, command, env) {
  const server = spawn(node, [command, "worker", "--port", "0"], { env, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const lines = createInterface({ input: server.stdout });
    const [line] = await once(lines, "line", { signal: AbortSignal.timeout(120_000) });
    const port = Number(line.match(/ready on 127\.0\.0\.1:(\d+)/)?.[1]);
    check(port > 0, `the server began with: ${line}`);
    const client = connect({ host: "127.0.0.1", port }).setEncoding("utf8").end("PING\r\n");
    const [reply] = await once(client, "data", { signal: AbortSignal.timeout(120_000) });
    check(reply === "+PONG\r\n", `the server answered PING with: ${reply}`);
    const exit = once(server, "exit", { signal: AbortSignal.timeout(120_000) });
    server.kill("SIGTERM");
    const [code] = await exit;
    check(code === 0, `the server ended with ${code} after SIGTERM`);
  } finally {
    server.kill("SIGKILL");
  }
}

/** Installs the package that ships Node 24's binary, which no script has to fetch, and returns the binary's path. */
function installNode24(env) {
  const folder = join(work, "node24");
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), "{}\n");
  const name = `node-${process.platform}-${process.arch}`;
  npm(["install", `${name}@24`], folder, env);
  return join(folder, "node_modules", name, "bin/node");
}

/** This environment without npm's settings (also those of the npm that runs this script) and without Rust. */
function userEnvironment() {
  const userConfig = join(work, "npmrc");
  writeFileSync(userConfig, "");
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const path = process.env.PATH.split(delimiter).filter((folder) => !existsSync(join(folder, "cargo")));
  const env = { ...Object.fromEntries(inherited), PATH: path.join(delimiter), NPM_CONFIG_USERCONFIG: userConfig };
  check(spawnSync("cargo", ["--version"], { env }).error, "Rust is still in PATH");
  return env;
}

function npm(args, cwd, env = process.env) {
  return execFileSync("npm", args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

function check(holds, message) {
  if (!holds) throw new Error(message);
}

function done(what) {
  process.stdout.write(`ok: ${what.trimEnd()}\n`);
}
