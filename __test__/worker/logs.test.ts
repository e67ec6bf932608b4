import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { type LogFields, type Logger, Worker, type WorkerOptions } from "../../src/index.js";

/** A logger that keeps its lines, and tells who waits for one. */
function recorder() {
  const lines: (LogFields & { level: string; message: string })[] = [];
  let heard = () => {};
  const take = (level: string) => (fields: LogFields, message: string) => {
    lines.push({ ...fields, level, message });
    heard();
  };
  const logger: Logger = { error: take("error"), warn: take("warn"), info: take("info"), debug: take("debug") };
  const line = async (event: string) => {
    for (;;) {
      const found = lines.find((one) => one.event === event);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
    }
  };
  return { logger, lines, line };
}

async function listen(options: WorkerOptions): Promise<Worker> {
  const worker = await Worker.listen({ port: 0, threads: 1, cache: { maxBytes: "16mb" }, ...options });
  onTestFinished(() => worker.close());
  return worker;
}

/** Sends a request and waits for what comes first. */
async function say(worker: Worker, words: string) {
  const socket = connect(worker.port, worker.bind);
  onTestFinished(() => {
    socket.destroy();
  });
  // A server that refuses a client may leave what it said unread, and its close is then a reset.
  socket.on("error", () => undefined);
  socket.write(words);
  await once(socket, "data");
  return socket;
}

test("tells when it is ready, stops and has stopped", async () => {
  const { logger, lines } = recorder();
  const worker = await listen({ logger });
  await say(worker, "PING\r\n");
  await worker.close();
  expect(lines).toEqual([
    { level: "info", event: "ready", message: "ready", bind: "127.0.0.1", port: worker.port, adminPort: undefined },
    { level: "info", event: "stopping", message: "stopping", clients: 1 },
    { level: "info", event: "stopped", message: "stopped", requests: 1, tookMs: expect.any(Number) },
  ]);
});

test("counts wrong passwords and refused clients, and tells no password", async () => {
  const { logger, lines, line } = recorder();
  const worker = await listen({ logger, password: "right-one", maxClients: 1 });
  const socket = await say(worker, "AUTH wrong-one\r\n");
  socket.write("AUTH another-one\r\n");
  await once(socket, "data");
  await say(worker, "PING\r\n");
  expect(await line("clients refused")).toMatchObject({ level: "warn", count: 1, total: 1 });
  await worker.close();
  const refused = lines.filter(({ event }) => event === "passwords refused");
  expect(refused.reduce((sum, { count }) => sum + Number(count), 0)).toBe(2);
  expect(JSON.stringify(lines)).not.toMatch(/right-one|wrong-one|another-one/);
});
