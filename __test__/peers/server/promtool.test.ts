import { spawnSync } from "node:child_process";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { Worker } from "../../../src/index.js";
import { describeWithPeer } from "../needs.js";

describeWithPeer("promtool", "metrics", () => {
  test("promtool finds nothing to say about /metrics", async () => {
    const worker = await Worker.listen({ port: 0, adminPort: 0, cache: { maxBytes: "16mb" } });
    onTestFinished(() => worker.close());
    const redis = new Redis(worker.port, worker.bind);
    await redis.set("k", "v");
    await redis.call("HGET", "k", "f").catch(() => undefined);
    redis.disconnect();
    const input = await (await fetch(`http://127.0.0.1:${worker.adminPort}/metrics`)).text();
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input, encoding: "utf8" });
    expect({ status, told: stdout + stderr }).toEqual({ status: 0, told: "" });
    expect(input).toContain('tandem_command_duration_seconds_bucket{command="hget"');
  });
});
