/** `tandem bench`: a load on one or several servers, and what it costs them. */
import type { BenchReport } from "../../bench/bench.js";
import type { BenchOptions, BenchServer } from "../../bench/options.js";
import { TandemError } from "../../errors.js";
import { findPassword } from "../config/password.js";
import type { Register } from "../program.js";
import { compact } from "../progress-bar.js";
import { UsageError } from "../usage-error.js";

const CLEAR_LINE = "\r\u001b[K";
/** From here on the client is so busy that a faster server would not show. */
const BUSY_CLIENT = 0.95;

/** The flags as commander hands them over. */
interface Flags {
  server: BenchServer[];
  passwordFile?: string;
  connections?: number;
  pipeline?: number;
  keys?: number;
  zipf?: number;
  valueBytes?: [number, number];
  mix?: Record<string, number>;
  rate?: number;
  connects?: number;
  requests?: number;
  duration?: number;
  rounds?: number;
  fill: boolean;
  seed?: number;
  json?: boolean;
}

export const registerBench: Register = (program) => {
  program
    .command("bench")
    .description("put load on servers that speak RESP, and print rate, latencies and CPU time for each request")
    .requiredOption("--server <[name=]host:port[,pid]>", "a server; more of them take turns and are compared", server)
    .option("--password-file <file>", "file with the password of the servers; or put it into TANDEM_PASSWORD")
    .option("--connections <n>", "connections to each server (default: 50)", number("--connections"))
    .option("--pipeline <n>", "requests of one connection under way (default: 1)", number("--pipeline"))
    .option("--keys <n>", "number of keys (default: 100000)", number("--keys"))
    .option("--zipf <exponent>", "choose keys by Zipf's law (default: all equally likely)", number("--zipf"))
    .option("--value-bytes <n[-m]>", "size of a value, or a range of sizes (default: 32)", range)
    .option("--mix <command:share,...>", "get, set, del, incr and ping with shares (default: get:95,set:5)", mix)
    .option("--rate <n>", "open loop: so many requests a second (default: as many as are answered)", number("--rate"))
    .option("--connects <n>", "connections a second that come and go (default: 0)", number("--connects"))
    .option("--requests <n>", "length of a round in requests", number("--requests"))
    .option("--duration <seconds>", "length of a round in seconds (default: 3)", number("--duration"))
    .option("--rounds <n>", "rounds of each server that count (default: 3)", number("--rounds"))
    .option("--no-fill", "do not write every key before the first round")
    .option("--seed <n>", "seed of commands, keys and sizes (default: 1)", number("--seed"))
    .option("--json", "print the figures as one line of JSON")
    .action(run);
};

async function run({ json, server: servers, passwordFile, duration, ...flags }: Flags): Promise<void> {
  const { bench } = await import("../../bench/bench.js");
  const password = findPassword(passwordFile, process.env.TANDEM_PASSWORD).bytes;
  const options: BenchOptions = {
    ...flags,
    servers,
    ...(password === undefined ? {} : { password }),
    ...(duration === undefined ? {} : { duration: duration * 1_000 }),
  };
  const terminal = process.stderr.isTTY ? process.stderr : undefined;
  const onProgress: BenchOptions["onProgress"] = ({ requests, rounds, allRounds }) =>
    terminal?.write(
      `${CLEAR_LINE}round ${Math.min(rounds + 1, allRounds)} of ${allRounds}, ${compact(requests)} requests`,
    );
  const reports = await bench({ ...options, onProgress })
    .catch((error: unknown) => {
      throw misuse(error);
    })
    .finally(() => terminal?.write(CLEAR_LINE));
  process.stdout.write(json ? `${JSON.stringify({ servers: reports })}\n` : table(reports));
  for (const line of warnings(reports)) process.stderr.write(`tandem: ${line}\n`);
}

/** A mistake in the flags as one line that names the flag. */
function misuse(error: unknown): unknown {
  const isMisuse =
    error instanceof TypeError || error instanceof RangeError || (TandemError.is(error) && error.code === "BadOption");
  if (!isMisuse) return error;
  const message = error.message.replace(/^option /, "").replace(/^servers\b/, "server");
  return new UsageError(`--${message.replace(/^valueBytes\b/, "value-bytes")}`);
}

/** The figures, one server a line, and below the first its ratios to the others. */
function table(reports: readonly BenchReport[]): string {
  const [first] = reports;
  const micro = (ns: number | undefined) =>
    ns === undefined ? "not known" : `${(ns / 1_000).toFixed(ns < 1e5 ? 2 : 0)} us`;
  const header = [
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
  ];
  const rows = reports.map(({ name, rate, cpuNs, latency, misses, requests }) => [
    name,
    Math.round(rate).toLocaleString("en-US"),
    micro(cpuNs),
    ...[latency.mean, latency.p50, latency.p90, latency.p99, latency.p999, latency.p9999, latency.max].map(micro),
    `${((100 * misses) / requests).toFixed(1)} %`,
  ]);
  const ratio = (part: number | undefined, whole: number | undefined) =>
    part === undefined || whole === undefined || whole === 0 ? "" : (part / whole).toFixed(3);
  const ratios = reports
    .slice(1)
    .map((other) => [
      `${first?.name} / ${other.name}`,
      ratio(first?.rate, other.rate),
      ratio(first?.cpuNs, other.cpuNs),
      ...(["mean", "p50", "p90", "p99", "p999", "p9999", "max"] as const).map((name) =>
        ratio(first?.latency[name], other.latency[name]),
      ),
      "",
    ]);
  const lines = [header, ...rows, ...ratios];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) => line.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))))
    .map((line) => `${line.join("  ").trimEnd()}\n`)
    .join("");
}

function warnings(reports: readonly BenchReport[]): string[] {
  return reports.flatMap(({ name, errors, firstError, clientLoad, unansweredConnects }) => [
    ...(firstError === undefined
      ? []
      : [`${name} answered errors (${errors} in the rounds that count): ${firstError}`]),
    ...(unansweredConnects > 0
      ? [`${name} left ${unansweredConnects} of the connections that came and went without an answer`]
      : []),
    ...((clientLoad ?? 0) > BUSY_CLIENT
      ? [`with ${name} the load generator was busy all the time: the rate is its own, CPU/request is the server's`]
      : []),
  ]);
}

/** `name=host:port,pid`, as often as wanted. */
function server(text: string, earlier: BenchServer[] = []): BenchServer[] {
  const found = /^(?:([^=,]+)=)?([^=,]+)(?:,(\d{1,10}))?$/.exec(text);
  const address = found?.[2];
  if (address === undefined) throw new UsageError(`--server must be [name=]host:port[,pid]; got '${text}'`);
  const pid = found?.[3];
  return [...earlier, { name: found?.[1] ?? address, address, ...(pid === undefined ? {} : { pid: Number(pid) }) }];
}

function number(flag: string): (text: string) => number {
  return (text) => {
    if (!/^\d{1,15}(\.\d{1,9})?$/.test(text)) throw new UsageError(`${flag} must be a number; got '${text}'`);
    return Number(text);
  };
}

function range(text: string): [number, number] {
  const found = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text);
  if (found === null) throw new UsageError(`--value-bytes must be a number or a range such as 8-1024; got '${text}'`);
  return [Number(found[1]), Number(found[2] ?? found[1])];
}

function mix(text: string): Record<string, number> {
  const shares = text.split(",").map((part) => /^([a-z]+)(?::(\d{1,9}(?:\.\d{1,9})?))?$/i.exec(part));
  const entries = shares.map((found): [string, number] => {
    if (found?.[1] === undefined) {
      throw new UsageError(`--mix must be commands with shares, such as get:95,set:5; got '${text}'`);
    }
    return [found[1], Number(found[2] ?? 1)];
  });
  return Object.fromEntries(entries);
}
