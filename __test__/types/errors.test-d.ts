import { expectTypeOf, test } from "vitest";
import { type ErrorCode, TandemError } from "../../src/errors.js";

test("a code is one of the closed set", () => {
  expectTypeOf(new TandemError("Closed", "").code).toEqualTypeOf<ErrorCode>();
  // @ts-expect-error not in the set
  new TandemError("Unknown", "");
});
