/** Names of options, checked where they enter. */
import { describe } from "./describe.js";

/** Refuses names that `operation` does not know. */
export function checkNames(operation: string, options: unknown, names: ReadonlySet<string>): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`the options of ${operation} must be an object; got ${describe(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!names.has(name)) {
      throw new TypeError(`${operation} has no option ${name}; it has ${[...names].join(", ")}`);
    }
  }
}
