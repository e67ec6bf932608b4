/** How the codec keeps errors: class, name, message, stack, cause, and the errors of an `AggregateError`. */
import { addExtension } from "#msgpackr";
import { errorClass } from "./error-classes.js";

type Stored = [name: string, message: string, stack: unknown, cause: unknown, errors?: unknown[]];

addExtension({
  Class: Error,
  type: 0x45,
  write(error: Error): Stored {
    const { name, message, stack, cause } = error;
    const stored: Stored = [`${name}`, `${message}`, stack, cause];
    if (error instanceof AggregateError) stored.push(error.errors);
    return stored;
  },
  read([name, message, stack, cause, errors]: Stored): Error {
    const options = cause === undefined ? undefined : { cause };
    const isAggregate = Array.isArray(errors);
    const error = isAggregate ? new AggregateError(errors, message, options) : new (errorClass(name))(message, options);
    if (error.name !== name) define(error, "name", name);
    if (typeof stack === "string") define(error, "stack", stack);
    return error;
  },
});

function define(error: Error, property: "name" | "stack", value: string): void {
  Object.defineProperty(error, property, { value, configurable: true, writable: true });
}
