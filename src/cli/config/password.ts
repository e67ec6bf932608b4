/**
 * Where the password comes from: a file, or the environment. Never a flag, which every user of the machine can read in
 * the list of processes, and never the configuration file, which is shown around.
 */
import { readFileSync } from "node:fs";
import { MAX_PASSWORD_BYTES } from "../../worker/options.js";
import { UsageError } from "../usage-error.js";

const VARIABLE = "TANDEM_PASSWORD";

/** A password, and how `tandem config print` shows it. */
export interface FoundPassword {
  readonly bytes: Uint8Array | undefined;
  readonly shown: "none" | "set";
  readonly origin: string;
}

/**
 * Looks the password up. In the file one line break at the end does not belong to it.
 *
 * @throws {UsageError} if there are two, if the file cannot be read, and for one that is empty or too long.
 */
export function findPassword(path: string | undefined, variable: string | undefined): FoundPassword {
  if (path !== undefined && variable !== undefined) {
    throw new UsageError(`there are two passwords: password-file ${path} and environment ${VARIABLE}; keep one`);
  }
  if (path !== undefined) return found(readPassword(path), `file ${path}`);
  if (variable !== undefined) return found(Buffer.from(variable), `environment ${VARIABLE}`);
  return { bytes: undefined, shown: "none", origin: "default" };
}

function found(bytes: Buffer, origin: string): FoundPassword {
  if (bytes.length === 0 || bytes.length > MAX_PASSWORD_BYTES) {
    throw new UsageError(`${origin}: a password has 1 to ${MAX_PASSWORD_BYTES} bytes; this one has ${bytes.length}`);
  }
  return { bytes, shown: "set", origin };
}

function readPassword(path: string): Buffer {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (error) {
    throw new UsageError(`cannot read the password file ${path}: ${error instanceof Error ? error.message : error}`);
  }
  const line = content.at(-1) === 0x0a ? content.subarray(0, -1) : content;
  return line.length < content.length && line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
}
