/**
 * Errors of loaders on their way to askers in other threads: code, name, message, stack, causes and the errors of an
 * `AggregateError` travel, as do plain values that were thrown. Askers get a copy; only the caller whose loader ran gets the very object.
 */
import { inspect } from "node:util";
import { type ErrorCode, TandemError } from "../../errors.js";
import { describe } from "../describe.js";
import { errorClass } from "../error-classes.js";

/** Longest form that travels, in bytes; beyond it stacks and causes stay behind, then the message is cut. */
const MAX_BYTES = 64 * 1024;
const MAX_CAUSES = 8;
const MAX_MESSAGE = 4096;
/** Longest name and code of an error that is cut. */
const MAX_NAME = 256;

interface Travelling {
  /** Set for anything but an error. */
  thrown?: unknown;
  name?: string;
  message?: string;
  code?: string | number;
  stack?: string;
  cause?: Travelling;
  /** Set for an `AggregateError`. */
  errors?: Travelling[];
  ours?: true;
}

const NONDESCRIPT = "something was thrown that cannot be described: reading it throws";

/** The words of what was thrown. Never throws, whatever a getter or `inspect` of its own does. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.message}` : describe(thrown);
  } catch {
    return NONDESCRIPT;
  }
}

/** The bytes that stand for what a loader threw. Never throws: somebody waits for them. */
export function encodeError(thrown: unknown): Uint8Array {
  try {
    return encode(thrown);
  } catch {
    return Buffer.from(JSON.stringify({ name: "Error", message: NONDESCRIPT } satisfies Travelling));
  }
}

function encode(thrown: unknown): Uint8Array {
  const whole = Buffer.from(JSON.stringify(pack(thrown, 0)));
  if (whole.length <= MAX_BYTES) {
    return whole;
  }
  const { name, message, code, ours } = pack(thrown, MAX_CAUSES);
  const short = {
    name: name?.slice(0, MAX_NAME),
    message: message?.slice(0, MAX_MESSAGE) ?? "the loader threw a large value",
    code: typeof code === "string" ? code.slice(0, MAX_NAME) : code,
    ours,
  };
  return Buffer.from(JSON.stringify(short));
}

/** Builds what {@link encodeError} packed. */
export function decodeError(bytes: Uint8Array): unknown {
  return unpack(JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()));
}

function pack(thrown: unknown, depth: number): Travelling {
  if (!(thrown instanceof Error)) {
    return { thrown: isPlain(thrown) ? thrown : inspect(thrown, { depth: 1 }) };
  }
  const { name, message, stack, cause } = thrown;
  const { code } = thrown as { code?: unknown };
  const packed: Travelling = { name: `${name}`, message: `${message}` };
  if (typeof code === "string" || typeof code === "number") {
    packed.code = code;
  }
  if (typeof stack === "string") {
    packed.stack = stack;
  }
  if (cause !== undefined && depth < MAX_CAUSES) {
    packed.cause = pack(cause, depth + 1);
  }
  if (thrown instanceof AggregateError && depth < MAX_CAUSES) {
    packed.errors = Array.from(thrown.errors, (error) => pack(error, depth + 1));
  }
  if (TandemError.is(thrown)) {
    packed.ours = true;
  }
  return packed;
}

/** Whether JSON gives the same value back. */
function isPlain(value: unknown): boolean {
  return value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

function unpack(packed: Travelling): unknown {
  if (packed.message === undefined) {
    return packed.thrown;
  }
  const error = construct(packed);
  const define = (name: string, value: unknown) =>
    Object.defineProperty(error, name, { value, configurable: true, writable: true });
  if (error.name !== packed.name) {
    define("name", packed.name);
  }
  if (packed.stack !== undefined) {
    define("stack", packed.stack);
  }
  if (packed.cause !== undefined) {
    define("cause", unpack(packed.cause));
  }
  if (packed.code !== undefined && !packed.ours) {
    (error as { code?: unknown }).code = packed.code;
  }
  return error;
}

function construct({ ours, code, name, message = "", errors }: Travelling): Error {
  if (ours) {
    return new TandemError(code as ErrorCode, message);
  }
  if (errors !== undefined) {
    return new AggregateError(errors.map(unpack), message);
  }
  return new (errorClass(name))(message);
}
