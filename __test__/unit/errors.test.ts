import { expect, test } from "vitest";
import { TandemError } from "../../src/errors.js";

test("an error carries its code and its cause", () => {
  const cause = new Error("inner");
  const error = new TandemError("Closed", "the cache is closed", { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error.name).toBe("TandemError");
  expect(error.code).toBe("Closed");
  expect(error.cause).toBe(cause);
});

test("recognises its own errors, those of another copy, and nothing else", () => {
  const foreign = Object.assign(new Error("from another copy"), { [Symbol.for("tandem-cache.error")]: true });
  expect(TandemError.is(new TandemError("Timeout", "late"))).toBe(true);
  expect(TandemError.is(foreign)).toBe(true);
  for (const other of [new Error("plain"), { code: "Closed" }, null, undefined, "Closed"]) {
    expect(TandemError.is(other)).toBe(false);
  }
});
