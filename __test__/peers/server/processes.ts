/** The real programs that the tests compare or connect. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

const main = join(import.meta.dirname, "../../../dist/cli/main.js");

/** A server as a process of its own. */
export interface Running {
  readonly port: number;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/** Starts `tandem worker` on a free port. */
export async function startTandem(...flags: string[]): Promise<Running> {
  const command = [main, "worker", "--port", "0", "--max-memory", "128mb", ...flags];
  const child = spawn(process.execPath, command, { stdio: ["ignore", "pipe", "inherit"] });
  const line = await lineWith(child.stdout, "ready on");
  return running(child, Number(/:(\d+) /.exec(line)?.[1]));
}

/** Starts a redis-server on a free port that keeps nothing on disk. */
export async function startRedis(): Promise<Running> {
  // A port that was free may be taken before the server has it.
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const child = spawn("redis-server", ["--port", `${port}`, "--save", "", "--appendonly", "no"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await lineWith(child.stdout, "Ready to accept connections");
      return running(child, port);
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

function running(child: ChildProcess, port: number): Running {
  return {
    port,
    process: child,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

/** The first line of what a process writes that holds `text`. */
export async function lineWith(output: Readable | null, text: string): Promise<string> {
  if (output === null) throw new Error("the output of the process is not piped");
  try {
    for await (const line of createInterface(output)) if (line.includes(text)) return line;
  } finally {
    // Nobody reads on, but the process must not block on a full pipe.
    output.resume();
  }
  throw new Error(`the process ended without saying ${JSON.stringify(text)}`);
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
