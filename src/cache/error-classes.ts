/** JavaScript's own classes of errors that take a message first. */
const CLASSES: Readonly<Record<string, ErrorConstructor>> = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
};

/** The class of that name; `Error` where JavaScript has none. */
export function errorClass(name: string | undefined): ErrorConstructor {
  return (name !== undefined && Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined) ?? Error;
}
