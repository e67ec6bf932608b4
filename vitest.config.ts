import { defineConfig } from "vitest/config";

// Forks: a crash of the native addon stays in one child process.
// Times are far more than anything takes: only what hangs is to be told by them, on however slow a machine.
const suite = (name: string, testTimeout = 60_000) => ({
  test: {
    name,
    include: [`__test__/${name}/**/*.test.ts`],
    pool: "forks" as const,
    testTimeout,
    hookTimeout: testTimeout,
  },
});

export default defineConfig({
  test: {
    projects: [
      suite("unit"),
      suite("contract"),
      suite("worker", 180_000),
      suite("e2e", 180_000),
      {
        test: {
          name: "types",
          include: [],
          typecheck: { enabled: true, only: true, include: ["__test__/types/**/*.test-d.ts"] },
        },
      },
      // Needs redis-server, memcached or traces: `npm run test:peers`.
      suite("peers", 300_000),
    ],
    passWithNoTests: true,
    // The machine is shared with the caches under test, which have threads of their own.
    maxWorkers: 2,
  },
});
