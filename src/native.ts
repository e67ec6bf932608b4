/**
 * The only module that loads the native binding.
 *
 * It is required rather than imported so that a missing binary becomes one error that says what to do.
 */
import { createRequire } from "node:module";
import type * as Binding from "../index.js";
import { TandemError } from "./errors.js";

function load(): typeof Binding {
  try {
    return createRequire(import.meta.url)("../index.js");
  } catch (cause) {
    throw new TandemError(
      "NativeUnavailable",
      `tandem-cache has no native binary for ${process.platform}-${process.arch}: install it with optional ` +
        "dependencies, or, in a checkout with Rust and a C compiler, run `npm ci`",
      { cause },
    );
  }
}

/** The raw binding: what `crates/node` exports. */
export const native: typeof Binding = load();
