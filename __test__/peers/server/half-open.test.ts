/** Peers that are gone without a word: no FIN, no reset, nothing. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { describeWithPeer, networkNamespace } from "../needs.js";

const run = promisify(execFile);
const script = join(import.meta.dirname, "half-open.mjs");

/** What half-open.mjs reports for a worker with these flags. */
async function cutTheCable(...flags: string[]) {
  const { stdout } = await run("unshare", [...(networkNamespace() ?? []), process.execPath, script, ...flags]);
  return JSON.parse(stdout) as { before: number; after: number; receivers: string; left: number; seconds: number };
}

describeWithPeer("network-namespaces", "half-open peers", () => {
  test("are found by keepalive, listeners and those with a message on its way included", async () => {
    const report = await cutTheCable("--tcp-keepalive", "1");
    expect(report).toMatchObject({ before: 3, after: 3, receivers: ":1", left: 0 });
    // A second of silence, then three probes a second apart; a little for timers and a busy machine.
    expect(report.seconds).toBeGreaterThan(2);
    expect(report.seconds).toBeLessThan(15);
  });

  test("are closed when they have been silent for too long, but for listeners", async () => {
    const report = await cutTheCable("--tcp-keepalive", "3", "--idle-timeout", "1");
    expect(report).toMatchObject({ before: 3, after: 3, left: 0 });
    expect(report.seconds).toBeGreaterThan(5);
    expect(report.seconds).toBeLessThan(30);
  });
});
