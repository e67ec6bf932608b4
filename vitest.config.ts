import { defineConfig } from "vitest/config";

// Forks: a crash of the native addon stays in one child process.
const suite = (name: string, testTimeout = 10_000) => ({
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
      suite("worker", 60_000),
      suite("e2e", 60_000),
      {
        test: {
          name: "types",
          include: [],
          typecheck: { enabled: true, only: true, include: ["__test__/types/**/*.test-d.ts"] },
        },
      },
      // Needs redis-server, memcached or traces: `npm run test:peers`.
      suite("peers", 120_000),
    ],
    passWithNoTests: true,
    // The machine is shared with the caches under test, which have threads of their own.
    maxWorkers: 2,
  },
});
