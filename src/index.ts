/** The public entry of `tandem-cache`. */
export { type ErrorCode, TandemError } from "./errors.js";
