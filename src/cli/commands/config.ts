/** `tandem config print`: what holds, and why. */
import type { Command } from "commander";
import { addSettings } from "../config/flags.js";
import { type Resolved, resolve } from "../config/resolve.js";
import type { Register } from "../program.js";
import { warn } from "../warn.js";

export const registerConfig: Register = (program) => {
  const config = program.command("config").description("look at the settings of a worker");
  addSettings(config.command("print").description("print every setting with its value and where it comes from")).action(
    (flags: Record<string, unknown>, command: Command) => {
      const write = command.configureOutput().writeOut ?? ((text: string) => process.stdout.write(text));
      const { rows, warnings } = resolve({ flags, environment: process.env });
      warn(warnings);
      write(table(rows));
    },
  );
};

/** The rows under a header, in columns. */
function table(rows: readonly Resolved[]): string {
  const lines = [["setting", "value", "origin"], ...rows.map(({ key, value, origin }) => [key, String(value), origin])];
  const widths = [0, 1].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}
