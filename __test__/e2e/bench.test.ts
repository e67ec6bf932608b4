import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { BenchReport } from "../../src/bench/bench.js";
import { lineWith } from "../peers/server/processes.js";

const main = join(import.meta.dirname, "../../dist/cli/main.js");

/** A worker in a process of its own, whose CPU time is then not that of this one. */
async function worker(environment: NodeJS.ProcessEnv = {}): Promise<string> {
  const child = spawn(process.execPath, [main, "worker", "--port", "0", "--max-memory", "16mb", "--threads", "1"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const line = await lineWith(child.stdout, "ready on");
  return `127.0.0.1:${/ready on [^ ]+:(\d+)/.exec(line)?.[1]}`;
}

function bench(args: string[], environment: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "bench", ...args], {
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });
  return { status, stdout, stderr };
}

function reports(stdout: string): BenchReport[] {
  return JSON.parse(stdout).servers;
}

const short = ["--keys", "100", "--connections", "4", "--rounds", "2", "--requests", "2000"];

test("measures servers in turn and compares them to the first", async () => {
  const [one, other] = [await worker(), await worker()];
  const { status, stdout, stderr } = bench([...short, "--server", `one=${one}`, "--server", other]);
  expect(status).toBe(0);
  // A server that is faster than the generator is said to be so, and nothing else.
  expect(stderr).toMatch(/^(tandem: with \S+ the load generator was busy all the time: [^\n]+\n)*$/);
  const [header, first, second, ratio, ...rest] = stdout.split("\n").map((line) => line.split(/ {2,}/));
  expect(header).toEqual([
    "server",
    "requests/s",
    "CPU/request",
    "mean",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "p99.99",
    "max",
    "misses",
  ]);
  expect(first?.[0]).toBe("one");
  expect(second?.[0]).toBe(other);
  const time = expect.stringMatching(/^[\d.]+ (ns|us|ms)$/);
  expect(first?.slice(2, 10)).toEqual(Array(8).fill(time));
  expect(first?.at(-1)).toBe("0.0 %");
  expect(ratio?.[0]).toBe(`one / ${other}`);
  expect(ratio).toHaveLength(10);
  expect(rest).toEqual([[""]]);
});

test("--json has the figures of every round", async () => {
  const server = await worker();
  const { stdout } = bench([
    ...short,
    "--pipeline",
    "8",
    "--mix",
    "get:3,set:1,incr,ping",
    "--json",
    "--server",
    server,
  ]);
  const [report] = reports(stdout);
  expect(report).toMatchObject({ name: server, requests: 4_000, errors: 0, misses: 0 });
  expect(report?.rates).toHaveLength(2);
  expect(report?.cpusNs).toHaveLength(2);
  expect(report?.cpuNs).toBeGreaterThan(0);
  expect(report?.latency.p50).toBeGreaterThan(0);
  expect(report?.latency.max).toBeGreaterThanOrEqual(report?.latency.p999 ?? Number.POSITIVE_INFINITY);
});

test("an open loop keeps its rate", async () => {
  const args = ["--keys", "100", "--rounds", "1", "--duration", "0.5", "--rate", "1000", "--json", "--no-fill"];
  const [report] = reports(bench([...args, "--mix", "get", "--server", await worker()]).stdout);
  expect(report).toMatchObject({ requests: 500, misses: 500 });
  expect(report?.rate).toBeLessThan(1_050);
});

test("a server with a password is told it, from a file or the environment", async () => {
  const server = await worker({ TANDEM_PASSWORD: "secret" });
  const args = [...short, "--server", server];
  expect(bench(args)).toMatchObject({ status: 2, stderr: `tandem: server ${server}: ${server} wants a password\n` });
  expect(bench(args, { TANDEM_PASSWORD: "secret" }).status).toBe(0);

  const folder = await mkdtemp(join(tmpdir(), "tandem-bench-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "password");
  writeFileSync(file, "secret\n");
  expect(bench([...args, "--password-file", file]).status).toBe(0);
});

test.each([
  [[], "tandem: required option '--server <[name=]host:port[,pid]>' not specified\n"],
  [["--server", "nowhere"], 'tandem: --server: an address must be HOST:PORT; got "nowhere"\n'],
  [["--server", "a:1,b"], "tandem: --server must be [name=]host:port[,pid]; got 'a:1,b'\n"],
  [["--server", "a:1", "--server", "a:1"], 'tandem: --server: two are called "a:1"\n'],
  [["--server", "a:1", "--connections", "0"], "tandem: --connections: 0 is outside 1 to 10000\n"],
  [["--server", "a:1", "--rounds", "1.5"], "tandem: --rounds must be a whole number from 0 to 4294967295; got 1.5\n"],
  [["--server", "a:1", "--mix", "get:1,lpush:1"], 'tandem: --mix: "lpush" is none of get, set, del, incr, ping\n'],
  [["--server", "a:1", "--value-bytes", "9-1"], "tandem: --value-bytes: 9 to 1 is no range within 0 to 67108864\n"],
  [["--server", "a:1", "--zipf", "11"], "tandem: --zipf: 11 is outside 0 to 10\n"],
  [["--server", "a:1", "--rate", "0"], "tandem: --rate: 0 is outside 1 to 100000000 requests a second\n"],
  [["--server", "127.0.0.1:1"], "tandem: server 127.0.0.1:1: 127.0.0.1:1 Connection refused (os error 111)\n"],
])("%j is one line and exit code 2", (args, line) => {
  expect(bench(args)).toEqual({ status: 2, stdout: "", stderr: line });
});
