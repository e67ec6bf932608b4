import { defineConfig } from "vitest/config";

// What needs a newer Node than the one that runs the tests has a folder of its own (see run.js).
const newer = process.versions.node.split(".").map(Number)[0] >= 22;

export default defineConfig({
  test: {
    include: newer ? ["newer-node/*.test.js"] : ["*.test.js"],
    pool: "forks",
    // Far more than anything takes: only what hangs is to be told by it.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
