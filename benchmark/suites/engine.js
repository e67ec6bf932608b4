/** G1 to G3, M1, M3, M4, H: measured in Rust, in benchmark/engine; this builds it and reads what it reports. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { estimates } from "../measure/criterion.js";
import { root } from "../measure/machine.js";
import { bars } from "../report/bars.js";
import { dots } from "../report/dots.js";

const manifest = join(root, "benchmark/engine/Cargo.toml");

/** Runs cargo in the workspace of the engine's benchmarks and resolves with what it prints. */
async function cargo([command, ...rest], env = {}) {
  const args = [command, "--quiet", "--locked", "--manifest-path", manifest, ...rest];
  const child = spawn("cargo", args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  // Progress and warnings are of interest only where it fails.
  const [code, output, complaints] = await Promise.all([
    new Promise((resolve, reject) => child.on("error", reject).on("close", resolve)),
    text(child.stdout),
    text(child.stderr),
  ]);
  if (code !== 0) throw new Error(`cargo ${args.join(" ")} ended with ${code}\n${complaints}`);
  return output;
}

/** Runs the benchmark program with `args` and returns its report. Builds it first where it is not current. */
async function engine(args) {
  return JSON.parse(await cargo(["run", "--release", "--", ...args, "--json"]));
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

/** A suite that criterion measures as well; the interleaved rounds are judged. */
function withCriterion(plain) {
  const sides = ["tandem", "quick_cache"];
  return {
    ...plain,
    async run(size) {
      const report = await plain.run(size);
      const effort = { warmUp: 2 * size.seconds, seconds: 10 * size.seconds, samples: size.mode === "smoke" ? 10 : 50 };
      const criterion = await estimates(cargo, plain.id, sides, effort);
      const shown = sides.map((name) => {
        const { mean, low, high } = criterion[name];
        return `${name} ${mean.toFixed(1)} ns (${low.toFixed(1)} to ${high.toFixed(1)})`;
      });
      const [first, ...others] = report.rows;
      const note = `criterion, one side after the other, with 95 % confidence: ${shown.join(", ")}`;
      return { ...report, rows: [{ ...first, note, criterion }, ...others] };
    },
  };
}

export const g1 = withCriterion(suite("G1", "engine: get hit, Zipf 0.99, beside quick_cache", speed));
export const g2 = withCriterion(suite("G2", "engine: 75/25 read/write, Zipf 0.99, beside quick_cache", speed));
export const g3 = suite("G3", "engine: 2 threads over 1, beside a lock-free control", speed);
export const m1 = suite(
  "M1",
  "engine: memory per entry beyond key and value, by size of the entry and of the cache",
  ({ processes, entries, caches }) => ["--rounds", processes, "--entries", entries, "--cache-bytes", caches.join()],
);
export const m3 = {
  ...suite("M3", "engine: longest CPU time of any single operation", (size) => [
    "--rounds",
    size.processes,
    "--entries",
    size.entries * 10,
  ]),
  chart: (report) => bars(report, { worst: true }),
};
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
