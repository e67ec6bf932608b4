import { expect, test } from "vitest";
import { compact, progressLine } from "../../../src/cli/progress-bar.js";

const half = { requests: 1_000_000, hits: 250_000, fraction: 0.5, seconds: 2 };

test("shows how far it is, the rate, the time left and the hit ratio", () => {
  expect(progressLine(half, 120)).toBe(
    "[############............]  50 %  500 k requests/s  2 s left  hit ratio 25.00 %",
  );
});

test("says nothing about the time left before it can know", () => {
  const line = progressLine({ requests: 0, hits: 0, fraction: 0, seconds: 0 }, 120);
  expect(line).toBe("[........................]   0 %  0 requests/s");
});

test.each([
  [0.001, "16 min 39 s left"],
  [0.0001, "2 h 46 min left"],
  [1, "0 s left"],
])("time left at %d of one second", (fraction, expected) => {
  expect(progressLine({ ...half, fraction, seconds: 1 }, 120)).toContain(expected);
});

test("never wraps in a narrow terminal", () => {
  for (const columns of [0, 1, 20, 40]) expect(progressLine(half, columns).length).toBeLessThanOrEqual(columns);
});

test.each([
  [0, "0"],
  [999, "999"],
  [1_000, "1 k"],
  [12_345, "12.3 k"],
  [999_999, "1 M"],
  [5_670_000, "5.67 M"],
  [12e12, "12000 G"],
])("%d is %s", (count, expected) => {
  expect(compact(count)).toBe(expected);
});
