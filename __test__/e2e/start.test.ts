import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";

const root = join(import.meta.dirname, "../..");

/** Runs `npm start` in a process group of its own, as a shell would, and waits for the server's ready line. */
async function npmStart(): Promise<{ npm: ChildProcess; port: number }> {
  const npm = spawn("npm", ["start", "--", "--port", "0", "--max-memory", "16mb"], {
    cwd: root,
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => {
    try {
      process.kill(-(npm.pid as number), "SIGKILL");
    } catch {
      // The group has ended, as it should.
    }
  });
  for await (const line of createInterface({ input: npm.stdout })) {
    const port = /ready on [^ ]+:(\d+)/.exec(line)?.[1];
    if (port !== undefined) return { npm, port: Number(port) };
  }
  throw new Error("npm start ended without a ready line");
}

/** Listens on the port for a moment; rejects while somebody else does. */
async function takePort(port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  server.close();
  await once(server, "close");
}

test.each(["SIGTERM", "SIGINT"] as const)("%s to npm stops the server of npm start", async (signal) => {
  const { npm, port } = await npmStart();
  await expect(takePort(port)).rejects.toThrow("EADDRINUSE");
  const exit = once(npm, "exit");
  npm.kill(signal);
  // npm has the exit code of what it ran.
  expect(await exit).toEqual([0, null]);
  await takePort(port);
});

test("Ctrl-C, which reaches npm and the server at once, is one request to stop", async () => {
  const { npm, port } = await npmStart();
  const exit = once(npm, "exit");
  process.kill(-(npm.pid as number), "SIGINT");
  expect(await exit).toEqual([0, null]);
  await takePort(port);
});
