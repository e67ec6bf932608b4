/**
 * The closed set of error codes; the engine, the wire and TypeScript use the same words.
 */
export type ErrorCode =
  | "KeyTooLong"
  | "TooLarge"
  | "BadCost"
  | "NotInteger"
  | "Overflow"
  | "WrongKind"
  | "Overloaded"
  | "BadOption"
  | "OutOfMemory"
  | "Closed"
  | "Preempted"
  | "Timeout"
  | "KeyExists"
  | "KeyMissing"
  | "TransformFailed"
  | "Fenced"
  | "Cancelled"
  | "Deadlock"
  | "VersionMismatch"
  | "CodecMismatch"
  | "CannotListen"
  | "CannotConnect"
  | "BadTrace"
  | "Internal"
  | "NativeUnavailable";

const brand = Symbol.for("tandem-cache.error");

/**
 * Every failure of this package that is not plain misuse of a type or range (those are `TypeError` and `RangeError`).
 * Recognise it by {@link TandemError.is} and `code`, never by its message.
 */
export class TandemError extends Error {
  override readonly name: string = "TandemError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Whether `error` came from this package, also from another installed copy of it. */
  static is(error: unknown): error is TandemError {
    return typeof error === "object" && error !== null && brand in error;
  }
}
