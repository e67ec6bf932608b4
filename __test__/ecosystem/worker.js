/** A real worker for the tests of one file. */
import { afterAll, expect } from "vitest";
import { startTandem } from "../peers/server/processes.ts";

/** Starts a worker that ends with the tests of the file that asked for it. */
export async function startWorker(...flags) {
  const worker = await startTandem("--threads", "2", ...flags);
  afterAll(() => worker.stop());
  return worker;
}

/** Expects a time to live that was `seconds`: a little of it may have passed. */
export function expectAbout(left, seconds) {
  expect(left).toBeGreaterThan(seconds - 30);
  expect(left).toBeLessThanOrEqual(seconds);
}

/** Waits until `isSo` answers true; the test's time-out bounds the wait. */
export async function until(isSo) {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}
