/** A real worker for the tests of one file. */
import { afterAll } from "vitest";
import { startTandem } from "../peers/server/processes.ts";

/** Starts a worker that ends with the tests of the file that asked for it. */
export async function startWorker(...flags) {
  const worker = await startTandem("--threads", "2", ...flags);
  afterAll(() => worker.stop());
  return worker;
}

/** Waits until `isSo` answers true; the test's time-out bounds the wait. */
export async function until(isSo) {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}
