/** G1 to G3, M1, M3, M4: measured in Rust, in benchmark/engine; this builds it and reads what it reports. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../measure/machine.js";
import { dots } from "../report/dots.js";

const manifest = join(root, "benchmark/engine/Cargo.toml");

/** Runs the benchmark program with `args` and returns its report. Builds it first where it is not current. */
export async function engine(args) {
  const cargo = ["run", "--quiet", "--release", "--locked", "--manifest-path", manifest, "--", ...args, "--json"];
  const child = spawn("cargo", cargo, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) throw new Error(`cargo ${cargo.join(" ")} ended with ${code}`);
  return JSON.parse(output);
}

const speed = (size) => ["--rounds", size.rounds, "--entries", size.entries, "--requests", size.entries * 2];

function suite(id, title, args) {
  return {
    id,
    title,
    peers: ["cargo"],
    run: (size) => engine([id.toLowerCase(), ...args(size).map(String)]),
  };
}

export const g1 = suite("G1", "engine: get hit, Zipf 0.99, beside quick_cache", speed);
export const g2 = suite("G2", "engine: 75/25 read/write, Zipf 0.99, beside quick_cache", speed);
export const g3 = suite("G3", "engine: 2 threads over 1, beside a lock-free control", speed);
export const m1 = suite("M1", "engine: memory per entry beyond key and value", (size) => [
  "--rounds",
  size.processes,
  "--entries",
  size.entries,
]);
export const m3 = suite("M3", "engine: longest CPU time of any single operation", (size) => [
  "--rounds",
  size.processes,
  "--entries",
  size.entries * 10,
]);
export const m4 = suite("M4", "engine: live bytes over resident bytes of a full, churning cache", (size) => [
  "--rounds",
  size.processes,
  "--max-bytes",
  size.entries * 256,
]);

export const h = {
  id: "H",
  title: "hit ratios on the reference traces",
  peers: ["cargo", "TANDEM_TRACES"],
  chart: dots,
  run: (size) => engine(["h", ...(size.mode === "smoke" ? ["--only", "lirs"] : [])]),
};
