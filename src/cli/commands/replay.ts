/** `tandem replay`: hit ratios of a request trace. */
import { basename } from "node:path";
import { Option } from "commander";
import type { ReplayOptions } from "../../replay/options.js";
import type { ReplayReport } from "../../replay/replay.js";
import type { Register } from "../program.js";
import { compact, progressLine } from "../progress-bar.js";
import { UsageError } from "../usage-error.js";

const CLEAR_LINE = "\r\u001b[K";

/** The flags as commander hands them over. */
interface Flags {
  format: ReplayOptions["format"];
  maxEntries?: number;
  maxBytes?: string;
  maxCost?: string;
  policy: "default" | "lru";
  shards?: number;
  server?: string;
  payloadBytes?: string;
  seed?: number;
  json?: boolean;
}

export const registerReplay: Register = (program) => {
  program
    .command("replay")
    .description("run a request trace through a cache and print its hit ratio")
    .argument("<file>", "the trace; gz, xz and zst are recognised")
    .requiredOption(
      "--format <name>",
      "format of the trace: lirs, arc, cache2k, corda, adaptsize, oracle-general or csv",
    )
    .option("--max-entries <n>", "bound of the cache: number of entries", whole("--max-entries"))
    .option("--max-bytes <size>", "bound of the cache: all its memory, such as 64mb")
    .option("--max-cost <size>", "bound of the cache: sum of the sizes of its objects, such as 64mb")
    .addOption(new Option("--policy <name>", "order of eviction").choices(["default", "lru"]).default("default"))
    .option("--shards <n>", "number of shards of the cache", whole("--shards"))
    .option("--server <host:port>", "replay against a server that speaks RESP, with its own bound and policy")
    .option("--payload-bytes <size>", "size of objects whose size the trace does not say (default: 100)")
    .option("--seed <n>", "seed of payloads and key hash (default: 1)", whole("--seed"))
    .option("--json", "print the figures as one line of JSON")
    .action(run);
};

async function run(file: string, { json, ...flags }: Flags): Promise<void> {
  const { replay } = await import("../../replay/replay.js");
  const { parseReplayOptions } = await import("../../replay/options.js");
  const options = optionsOf(flags);
  try {
    parseReplayOptions(file, options);
  } catch (error) {
    throw new UsageError(flagNames(error instanceof Error ? error.message : String(error)));
  }
  const terminal = process.stderr.isTTY ? process.stderr : undefined;
  const report = await replay(file, {
    ...options,
    onProgress: (progress) => terminal?.write(CLEAR_LINE + progressLine(progress, terminal.columns ?? 80)),
  }).finally(() => terminal?.write(CLEAR_LINE));
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : table(file, flags, report));
}

/** A server has its own bound and policy: what is given all the same is not applied, and the table says so. */
function optionsOf(flags: Flags): ReplayOptions {
  if (flags.server === undefined) return flags;
  const { maxEntries: _entries, maxBytes: _bytes, maxCost: _cost, policy: _policy, shards: _shards, ...rest } = flags;
  return rest;
}

/** The figures, one a line. */
function table(file: string, flags: Flags, report: ReplayReport): string {
  const count = (figure: number | undefined) => figure?.toLocaleString("en-US") ?? "not told";
  const bytes = (figure: number | undefined) =>
    figure === undefined ? "not told" : `${(figure / 1024 ** 2).toFixed(1)} MiB`;
  const percent = (ratio: number) => `${(100 * ratio).toFixed(2)} %`;
  const rows: [string, string][] = [
    ["trace", `${basename(file)} (${flags.format})`],
    ["cache", cacheOf(flags)],
    ["requests", count(report.requests)],
    ["hits", count(report.hits)],
    ["hit ratio", percent(report.hitRatio)],
    ["byte hit ratio", percent(report.byteHitRatio)],
    ["evictions", count(report.evictions)],
    ["entries", count(report.entries)],
    ["requests/s", compact(report.requestsPerSecond)],
    ["RSS", bytes(report.rssBytes)],
    ["bytes per entry", count(report.bytesPerEntry === undefined ? undefined : Math.round(report.bytesPerEntry))],
  ];
  if (report.refused > 0) rows.splice(7, 0, ["not stored", `${count(report.refused)} (larger than the cache)`]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
}

function cacheOf({ server, maxEntries, maxBytes, maxCost, policy }: Flags): string {
  const bound = [
    maxEntries === undefined ? [] : `${maxEntries.toLocaleString("en-US")} entries`,
    maxBytes === undefined ? [] : `${maxBytes} of memory`,
    maxCost === undefined ? [] : `${maxCost} of objects`,
  ].flat();
  if (server === undefined) return `embedded, ${bound.join(", ")}, policy ${policy}`;
  const unused = bound.length > 0 ? `; ${bound.join(", ")} not applied` : "";
  return `server ${server}, with its own bound and policy${unused}`;
}

function whole(flag: string): (text: string) => number {
  return (text) => {
    if (!/^\d{1,16}$/.test(text)) throw new UsageError(`${flag} must be a whole number; got '${text}'`);
    return Number(text);
  };
}

/** The message of the API with its option names turned into flags. */
function flagNames(message: string): string {
  return message
    .replace(/^option /, "")
    .replaceAll(/\b(max|payload)(Entries|Bytes|Cost)\b/g, (_, first, second) => `${first}-${second.toLowerCase()}`)
    .replaceAll(/\b(max-(?:entries|bytes|cost)|payload-bytes|server|shards|seed|format|policy)\b/g, "--$1");
}
