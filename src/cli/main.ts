#!/usr/bin/env node
/**
 * The `tandem` command. Exit codes: 0 done, 1 a defect or a failure while running, 2 a wrong call or a start that was
 * refused (unknown flag, bad value, taken port, too little memory), always with one line that says why.
 */
import { CommanderError } from "commander";
import { TandemError } from "../errors.js";
import { createProgram } from "./program.js";
import { UsageError } from "./usage-error.js";

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Writes what the user must know about `error` and returns the exit code. */
function report(error: unknown): number {
  // Commander has already written its line, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof UsageError || TandemError.is(error) || isSystemError(error)) {
    process.stderr.write(`tandem: ${error.message}\n`);
    return 2;
  }
  process.stderr.write(`tandem: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}

/** A refusal by the operating system, such as a port that is taken or a file that cannot be read. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
