/** Tells the user on standard error, a line each. */
export function warn(messages: readonly string[]): void {
  for (const message of messages) process.stderr.write(`tandem: ${message}\n`);
}
