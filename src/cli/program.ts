/**
 * The `tandem` program: its name, version, help and wording of errors. Each command registers itself.
 */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { registerBench } from "./commands/bench.js";
import { registerConfig } from "./commands/config.js";
import { registerReplay } from "./commands/replay.js";
import { registerWorker } from "./commands/worker.js";

/**
 * Adds one command to the program. Commands live one to a file in `commands/` and load what needs the native binding
 * with `await import()` inside their action, so that `tandem --help` works without it.
 */
export type Register = (program: Command) => void;

/** The registered commands, in the order of the help text. */
const commands: Register[] = [registerWorker, registerReplay, registerBench, registerConfig];

/** Builds the program; `parseAsync` runs it. Mistakes of the caller throw commander's `CommanderError`. */
export function createProgram(register: readonly Register[] = commands): Command {
  const program = new Command("tandem")
    .description("A cache for Node.js that also serves any Redis client.")
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(errorLine(text)) });
  for (const add of register) add(program);
  return program;
}

/** Turns commander's `error: ...` with its suggestion on a line of its own into one line. */
function errorLine(text: string): string {
  const message = text.trim().replace(/^error: /, "");
  return `tandem: ${message.replaceAll(/\s*\n\s*/g, " ")}\n`;
}

function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return manifest.version;
}
