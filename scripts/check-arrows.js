/**
 * Checks which part of the project may import which: Rust crates by their manifests, TypeScript folders by their
 * imports. Prints every arrow that is not allowed and ends with 1 if there is one.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

const root = join(import.meta.dirname, "..");

/** Crate -> crates of ours that it may depend on. */
const crates = {
  "tandem-engine": [],
  "tandem-wire": [],
  "tandem-cluster": ["tandem-engine", "tandem-wire"],
  "tandem-bench": ["tandem-wire"],
  "tandem-replay": ["tandem-engine", "tandem-wire"],
  "tandem-server": ["tandem-engine", "tandem-wire", "tandem-cluster"],
  "tandem-node": ["tandem-engine", "tandem-wire", "tandem-cluster", "tandem-server", "tandem-bench", "tandem-replay"],
};

const leaves = ["errors", "observe", "vendor"];
const core = [...leaves, "native", "cache"];

/** Part of src/ (a folder, or a file at its top) -> parts that it may import. The entry `index` may import all. */
const parts = {
  errors: [],
  observe: [],
  vendor: [],
  native: ["errors"],
  cache: [...leaves, "native"],
  lru: core,
  bench: core,
  replay: core,
  worker: core,
  replication: [...core, "worker"],
  orchestrator: [...core, "worker", "replication"],
  cli: [...core, "bench", "replay", "worker", "replication", "orchestrator", "client"],
  dashboard: [...core, "worker", "replication", "orchestrator"],
  // Loads without the native binding: a remote-only user needs no binary.
  client: leaves,
  adapters: [...leaves, "cache", "client"],
  testing: [...leaves, "cache", "client"],
};

const violations = [...checkCrates(), ...checkSources()];
for (const violation of violations) process.stdout.write(`${violation}\n`);
process.stdout.write(`import directions: ${violations.length} not allowed\n`);
process.exitCode = violations.length > 0 ? 1 : 0;

function checkCrates() {
  const metadata = execFileSync("cargo", ["metadata", "--format-version", "1", "--no-deps", "--offline"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  return JSON.parse(metadata).packages.flatMap(({ name, dependencies }) => {
    const allowed = crates[name];
    if (!allowed) return [`${name}: crate without a rule in ${relative(root, import.meta.filename)}`];
    return dependencies
      .map((dependency) => dependency.name)
      .filter((to) => (to.startsWith("tandem-") ? !allowed.includes(to) : /^napi\b/.test(to) && name !== "tandem-node"))
      .map((to) => `${name} -> ${to}`);
  });
}

function checkSources() {
  const src = join(root, "src");
  const files = readdirSync(src, { recursive: true }).filter((file) => file.endsWith(".ts"));
  return files.flatMap((file) => imports(join(src, file)).flatMap((target) => checkImport(src, file, target)));
}

function checkImport(src, file, target) {
  const from = partOf(file);
  const inside = relative(src, target);
  if (inside.startsWith("..")) {
    return from === "native" ? [] : [`src/${file} -> ${relative(root, target)}: only src/native.ts leaves src/`];
  }
  const to = partOf(inside);
  if (from === to || from === "index") return [];
  if (!parts[from]) return [`src/${file}: part "${from}" has no rule in ${relative(root, import.meta.filename)}`];
  return parts[from].includes(to) ? [] : [`src/${file} -> src/${inside}`];
}

/** The first path element without extension: `cache` for cache/codec.ts, `native` for native.ts. */
function partOf(file) {
  return file.split(sep)[0].replace(/(\.d)?\.[jt]s$/, "");
}

/** Absolute paths of the files of ours that `file` names in any way: import, export, import(), require, worker URL. */
function imports(file) {
  const source = readFileSync(file, "utf8");
  const relativePaths = [...source.matchAll(/["'`](\.{1,2}\/[^"'`\s]+\.(?:[cm]?[jt]s|node))["'`]/g)];
  const ownPackage = [...source.matchAll(/\b(?:from|import|import\()\s*["'](#[\w/-]+|tandem-cache[\w/-]*)["']/g)];
  return [
    ...relativePaths.map(([, path]) => resolve(dirname(file), path)),
    ...ownPackage.map(([, name]) => join(root, "src", name.startsWith("#") ? `vendor/${name.slice(1)}` : "index.ts")),
  ];
}
