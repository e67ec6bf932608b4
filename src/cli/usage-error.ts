/** A mistake in how `tandem` was called. It is shown as one line, without a stack, and ends with exit code 2. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}
