import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { lineWith } from "../peers/server/processes.js";
import { slowReader } from "../worker/slow-reader.js";

const main = join(import.meta.dirname, "../../dist/cli/main.js");

/** Without the settings, and what looks like one, of whoever runs the tests. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TANDEM_")));

/** Starts `tandem worker` and waits for its ready line. */
async function start(...flags: string[]): Promise<{ process: ChildProcess; port: number; line: string }> {
  const child = spawn(
    process.execPath,
    [main, "worker", "--port", "0", "--max-memory", "16mb", "--log-level", "warn", ...flags],
    {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const line = await lineWith(child.stdout, "");
  const port = Number(/ready on [^ ]+:(\d+)/.exec(line)?.[1]);
  return { process: child, port, line };
}

function tandem(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8", env });
  return { status, stdout, stderr };
}

test("says where it listens and how to talk to it", async () => {
  const { port, line } = await start("--threads", "2", "--policy", "lru");
  expect(line).toBe(
    `tandem: ready on 127.0.0.1:${port} (max-memory 16mb, policy lru, threads 2); ` +
      `talk to it with: redis-cli -h 127.0.0.1 -p ${port}`,
  );
});

test.each(["SIGTERM", "SIGINT"] as const)("%s answers what was received and exits 0", async (signal) => {
  const worker = await start();
  const socket = connect(worker.port, "127.0.0.1");
  await once(socket, "connect");
  let answers = "";
  socket.on("data", (chunk) => {
    answers += chunk;
  });
  const ended = once(socket, "end");
  socket.write("INCR n\r\n".repeat(500));
  await once(socket, "data");
  const exit = once(worker.process, "exit");
  worker.process.kill(signal);
  const [code] = await exit;
  await ended;
  expect(code).toBe(0);
  expect(answers).toBe(Array.from({ length: 500 }, (_, number) => `:${number + 1}\r\n`).join(""));
});

test.each(["SIGINT", "SIGTERM"] as const)("SIGTERM, then %s ends it at once", async (second) => {
  const worker = await start();
  const redis = new Redis(worker.port, { retryStrategy: () => null });
  onTestFinished(() => {
    redis.disconnect();
  });
  await redis.set("big", Buffer.alloc(4 << 20, "x"));
  // It holds the first stop up.
  await slowReader(worker.port, "big");
  const exit = once(worker.process, "exit");
  const closed = once(redis, "close");
  worker.process.kill("SIGTERM");
  // The end of the other connection shows that it is stopping.
  await closed;
  // The same signal within half a second is the first one's echo.
  const insist = setInterval(() => worker.process.kill(second), 50);
  const [code, signal] = await exit;
  clearInterval(insist);
  expect({ code, signal }).toEqual({ code: null, signal: second });
});

test.each([
  [["--port", "x"], 'tandem: flag --port: "x" is not a whole number from 0 to 65535\n'],
  [["--prot", "1"], "tandem: unknown option '--prot' (Did you mean --port?)\n"],
  [["--log-level", "all"], 'tandem: flag --log-level: "all" is not error, warn, info or debug\n'],
  [["--config", "/nowhere.toml"], /^tandem: cannot read the configuration file \/nowhere\.toml: ENOENT.*\n$/],
])("worker %j is one line and exit code 2", (flags, line) => {
  const { status, stdout, stderr } = tandem("worker", ...flags);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toEqual(typeof line === "string" ? line : expect.stringMatching(line));
});

test.each([
  [["--max-memory", "31tb"], /^max-memory 31tb is more than the memory of this machine or container \(.+gb\)$/],
  [["--bind", "0.0.0.0"], /^option bind: 0\.0\.0\.0 can be reached from other machines/],
])("worker %j is refused in the log, with exit code 2", (flags, message) => {
  const { status, stdout, stderr } = tandem("worker", ...flags, "--log-level", "error");
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(JSON.parse(stderr)).toMatchObject({ level: "error", event: "refused", msg: expect.stringMatching(message) });
});

test("a taken port is one line and exit code 2", async () => {
  const { port } = await start();
  const message = `cannot listen on 127.0.0.1:${port}: the port is taken; stop what uses it or choose another`;
  expect(tandem("worker", "--port", `${port}`, "--log-format", "text", "--log-level", "warn")).toEqual({
    status: 2,
    stdout: "",
    stderr: `tandem: ${message}\n`,
  });
});

test("--no-scripts refuses scripts", async () => {
  const { port } = await start("--no-scripts");
  const client = new Redis(port, "127.0.0.1");
  onTestFinished(() => client.disconnect());
  await expect(client.eval("return 1", 0)).rejects.toThrow("ERR scripts are disabled on this server (--no-scripts)");
  expect(await client.ping()).toBe("PONG");
});

test("config print shows value and origin", () => {
  const { status, stdout } = tandem("config", "print", "--port", "1234");
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^setting {12}value {6}origin\nport {15}1234 {7}flag --port\nbind {15}127\.0\.0\.1 {2}default\n/,
  );
});

test("SHUTDOWN of a client ends it as a signal does", async () => {
  const worker = await start();
  const redis = new Redis(worker.port, { retryStrategy: () => null });
  onTestFinished(() => {
    redis.disconnect();
  });
  const exited = once(worker.process, "exit");
  // Nothing is answered; the connection closes.
  await expect(redis.call("SHUTDOWN", "NOSAVE")).rejects.toThrow(/closed/);
  expect(await exited).toEqual([0, null]);
});
