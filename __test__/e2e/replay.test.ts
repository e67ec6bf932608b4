import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { replay } from "../../src/replay/replay.js";
import { lineWith } from "../peers/server/processes.js";

const main = join(import.meta.dirname, "../../dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "tandem-replay-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function trace(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function tandem(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "replay", ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

// Two keys that are read again and again between 98 that are not.
const keys = Array.from({ length: 1_000 }, (_, at) => (at % 10 === 0 ? at % 20 : 1_000 + at));
const small = trace("small.gz", gzipSync(keys.map((key) => `${key}\n`).join("")));

test("prints a table", () => {
  const { status, stdout, stderr } = tandem(small, "--format", "lirs", "--max-entries", "50", "--policy", "lru");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const rows = Object.fromEntries(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/)),
  );
  expect(rows).toMatchObject({
    trace: "small.gz (lirs)",
    cache: "embedded, 50 entries, policy lru",
    requests: "1,000",
    hits: "98",
    "hit ratio": "9.80 %",
    "byte hit ratio": "9.80 %",
    evictions: "852",
    entries: "50",
  });
  expect(rows["requests/s"]).toMatch(/^[\d.]+( [kM])?$/);
  expect(rows.RSS).toMatch(/^\d+\.\d MiB$/);
  expect(Number(rows["bytes per entry"]?.replaceAll(",", ""))).toBeGreaterThan(100);
});

test("--json is one line for machines", () => {
  const { stdout } = tandem(small, "--format", "lirs", "--max-entries", "50", "--policy", "lru", "--json");
  expect(stdout.endsWith("}\n")).toBe(true);
  expect(JSON.parse(stdout)).toMatchObject({ requests: 1_000, gets: 1_000, hits: 98, hitRatio: 0.098, evictions: 852 });
});

test("sizes count where the trace has them", () => {
  const path = trace("sizes.csv", "time,key,size\n0,a,1000\n1,a,1000\n2,b,5000000\n3,b,5000000\n4,a,1000\n");
  const { stdout } = tandem(path, "--format", "csv", "--max-cost", "1mb", "--json");
  expect(JSON.parse(stdout)).toMatchObject({ requests: 5, hits: 2, refused: 2, entries: 1, byteHitRatio: 2 / 10_003 });
});

test.each([
  [
    "cut.gz",
    gzipSync("1\n".repeat(10_000)).subarray(0, 40),
    "lirs",
    /cut\.gz: about byte \d+ of the file: the compressed data is cut off/,
  ],
  ["cut.bin", Buffer.alloc(30), "oracle-general", /cut\.bin: byte 24: the trace is cut off: 6 bytes of a record of 24/],
  ["empty.csv", "time,key,size\n", "csv", /empty\.csv: there are no requests in it/],
  ["bad.txt", "1 2 3 4\nx\n", "arc", /bad\.txt: line 2: 1 fields where 4 are needed: 'x'/],
])("%s gets one line that says what is wrong", (name, content, format, message) => {
  const { status, stdout, stderr } = tandem(trace(name, content), "--format", format, "--max-entries", "5");
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(/^tandem: [^\n]+\n$/);
  expect(stderr).toMatch(message);
});

test.each([
  [
    ["--format", "lirs"],
    "tandem: a replay needs exactly one of --max-entries, --max-bytes, --max-cost and --server; got none\n",
  ],
  [["--format", "lirs", "--max-entries", "many"], "tandem: --max-entries must be a whole number; got 'many'\n"],
  [
    ["--format", "lirs", "--max-bytes", "1kb"],
    'tandem: --max-bytes must be a whole number of bytes from 1048576 to 35184372088832; got "1kb"\n',
  ],
  [
    ["--format", "lirs", "--max-entries", "5", "--policy", "fifo"],
    /^tandem: option '--policy <name>' argument 'fifo' is invalid/,
  ],
  [["--max-entries", "5"], /^tandem: required option '--format <name>' not specified\n$/],
])("%j is refused in one line", (flags, message) => {
  const { status, stdout, stderr } = tandem(small, ...flags);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(message);
});

test("a server answers as an embedded cache does", async () => {
  const worker = spawn(process.execPath, [main, "worker", "--port", "0", "--max-memory", "16mb"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => {
    worker.kill("SIGKILL");
  });
  const ready = await lineWith(worker.stdout, "ready on");
  const server = /ready on ([^ ]+:\d+)/.exec(ready)?.[1] ?? "";
  const report = await replay(small, { format: "lirs", server });
  expect(report).toMatchObject({ requests: 1_000, hits: 98, refused: 0, entries: 902, evictions: 0 });
  const again = tandem(small, "--format", "lirs", "--server", server, "--max-entries", "50");
  expect(again.stdout).toMatch(/cache +server .*, with its own bound and policy; 50 entries not applied\n/);
  expect(again.stdout).toMatch(/hits +1,000\n/);
});

test("tells its progress and can be cancelled", async () => {
  const long = trace("long", `${Array.from({ length: 50_000 }, (_, at) => `${at % 3} 1000 0 0`).join("\n")}\n`);
  const abort = new AbortController();
  const seen: number[] = [];
  const running = replay(long, {
    format: "arc",
    maxEntries: 100,
    signal: abort.signal,
    onProgress: ({ requests, fraction }) => {
      expect(fraction).toBeGreaterThanOrEqual(0);
      seen.push(requests);
      if (requests > 0) abort.abort();
    },
  });
  await expect(running).rejects.toMatchObject({ code: "Cancelled" });
  expect(seen.at(-1)).toBeLessThan(50_000_000);
});
