import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { lineWith } from "../peers/server/processes.js";

const main = join(import.meta.dirname, "../../dist/cli/main.js");
const PLANTED = "planted-4711";

/** Without the settings of whoever runs the tests; with a variable that is none. */
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TANDEM_"))),
  TANDEM_NONSENSE: "1",
  TANDEM_PASSWORD: `${PLANTED}-password`,
};

test("the log is JSON, and holds no key, value, name or password", async () => {
  const flags = [
    "--port",
    "0",
    "--admin-port",
    "0",
    "--max-memory",
    "16mb",
    "--max-clients",
    "1",
    "--log-level",
    "debug",
  ];
  const child = spawn(process.execPath, [main, "worker", ...flags], { env, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const log = text(child.stderr);
  const line = await lineWith(child.stdout, "ready on");
  const port = Number(/ready on [^ ]+:(\d+)/.exec(line)?.[1]);
  const redis = new Redis(port, "127.0.0.1", { password: `${PLANTED}-password`, retryStrategy: () => null });
  await redis.set(`${PLANTED}-key`, `${PLANTED}-value`);
  await redis.client("SETNAME", `${PLANTED}-name`);
  await redis.config("SET", "slowlog-log-slower-than", "0");
  await redis.call("HGET", `${PLANTED}-key`, `${PLANTED}-field`).catch(() => undefined);
  await redis.call(`${PLANTED}-command`, `${PLANTED}-argument`).catch(() => undefined);
  await redis.eval(`return redis.error_reply("${PLANTED} failed")`, 0).catch(() => undefined);
  await redis.call("AUTH", `${PLANTED}-wrong`).catch(() => undefined);
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);

  const written = await log;
  const lines = written
    .trimEnd()
    .split("\n")
    .map((one) => JSON.parse(one));
  // The last may have come at any moment before the end.
  const events = lines.map(({ event }) => event).filter((event) => event !== "passwords refused");
  expect(events).toEqual(["setting ignored", "starting", "ready", "stopping", "stopped"]);
  expect(lines).toContainEqual(
    expect.objectContaining({ event: "passwords refused", level: "warn", count: 1, total: 1 }),
  );
  for (const one of lines) {
    expect(one).toMatchObject({ component: "worker", pid: child.pid, time: expect.stringMatching(/^\d{4}-.*Z$/) });
  }
  expect(written).not.toContain(PLANTED);
});
