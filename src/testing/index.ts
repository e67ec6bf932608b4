/** For tests of code that uses this package, and of other implementations of its cache. */
export * from "./contract/index.js";
