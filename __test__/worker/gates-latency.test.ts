import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("./threads/gates-latency.mjs", import.meta.url));

test("100 stuck upserts leave the p99 of other keys at 1.2 x or less", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 150_000 });
  expect(Number(stdout)).toBeLessThanOrEqual(1.2);
});
