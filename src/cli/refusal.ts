/** What ends a command without being a defect. */
import { TandemError } from "../errors.js";
import { UsageError } from "./usage-error.js";

/** Exit code of a wrong call, or of a start that was refused. */
export const EXIT_REFUSED = 2;

/** Whether `error` is a mistake in how the command was called, or something that the system or a setting forbids. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof UsageError || TandemError.is(error) || isSystemError(error);
}

/** A refusal by the operating system, such as a port that is taken or a file that cannot be read. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}
