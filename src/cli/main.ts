#!/usr/bin/env node
/**
 * The `tandem` command. Exit codes: 0 done, 1 a defect or a failure while running, 2 a wrong call or a start that was
 * refused (unknown flag, bad value, taken port, too little memory), always with one line that says why.
 */
import { CommanderError } from "commander";
import { createProgram } from "./program.js";
import { EXIT_REFUSED, isRefusal } from "./refusal.js";

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Writes what the user must know about `error` and returns the exit code. */
function report(error: unknown): number {
  // Commander has already written its line, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_REFUSED;
  if (isRefusal(error)) {
    process.stderr.write(`tandem: ${error.message}\n`);
    return EXIT_REFUSED;
  }
  process.stderr.write(`tandem: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}
