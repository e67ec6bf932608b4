import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { replay } from "../../src/replay/replay.js";
import { describeWithPeer } from "./needs.js";

const folder = mkdtempSync(join(tmpdir(), "tandem-replay-"));
const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}

describeWithPeer("redis-server", "replay against Redis", () => {
  test("counts the same hits as an embedded cache that holds everything", async () => {
    const port = await freePort();
    const redis = spawn("redis-server", ["--port", `${port}`, "--save", "", "--dir", folder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    started.push(redis);
    for await (const chunk of redis.stdout) if (String(chunk).includes("Ready to accept connections")) break;

    const path = join(folder, "trace.csv");
    const lines = Array.from({ length: 5_000 }, (_, at) => `${at},${(at * at) % 1_009},${at % 3_000}`);
    writeFileSync(path, `time,key,size\n${lines.join("\n")}\n`);
    const embedded = await replay(path, { format: "csv", maxBytes: "64mb" });
    const remote = await replay(path, { format: "csv", server: `127.0.0.1:${port}` });
    const { requests, gets, hits, hitRatio, byteHitRatio, entries } = embedded;
    expect(remote).toMatchObject({ requests, gets, hits, hitRatio, byteHitRatio, entries, evictions: 0, refused: 0 });
    expect(remote.rssBytes).toBeGreaterThan(1024 ** 2);
    expect(remote.bytesPerEntry).toBeGreaterThan(50);
  });
});

describeWithPeer("TANDEM_TRACES", "reference hit ratios through the binding", () => {
  // Hit percentages of an exact LRU; the whole table is checked in crates/replay/tests/reference.rs.
  test.each([
    ["arc-OLTP.lis.zst", "arc", 1_000, 32.83],
    ["cache2k-web12.trace.xz", "cache2k", 1_200, 66.85],
    ["lirs-sprite.trace.gz", "lirs", 600, 83.19],
    ["corda-vaultservice.trace.gz", "corda", 512, 33.33],
  ] as const)("%s", async (name, format, maxEntries, percent) => {
    const path = join(process.env.TANDEM_TRACES ?? "", name);
    const { hitRatio } = await replay(path, { format, maxEntries, policy: "lru" });
    expect(Math.abs(100 * hitRatio - percent)).toBeLessThanOrEqual(0.05);
  });
});
