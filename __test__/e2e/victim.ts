/** A worker as a process of its own for tests that do it harm, and what the system says of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";

const main = join(import.meta.dirname, "../../dist/cli/main.js");
/** Longest time that anything may take to be answered or closed. */
const PATIENCE_MS = 20_000;

export class Victim {
  readonly port: number;
  readonly #process: ChildProcess;
  #log = "";

  private constructor(child: ChildProcess, port: number) {
    this.#process = child;
    this.port = port;
    child.stderr?.on("data", (chunk) => {
      this.#log += chunk;
    });
  }

  /** Starts a worker with one loop, so that whoever disturbs it disturbs everybody. */
  static async start(...flags: string[]): Promise<Victim> {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TANDEM_")));
    const own = ["--port", "0", "--max-memory", "64mb", "--threads", "1", "--log-level", "warn"];
    const child = spawn(process.execPath, [main, "worker", ...own, ...flags], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    onTestFinished(() => {
      child.kill("SIGKILL");
    });
    const [line] = await once(child.stdout, "data");
    return new Victim(child, Number(/ready on [^ ]+:(\d+)/.exec(String(line))?.[1]));
  }

  /** A new connection. */
  async connect(): Promise<Socket> {
    const socket = connect({ port: this.port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return socket;
  }

  /**
   * Sends `bytes` and no more, and returns all that is answered up to the server's close. A reset is a close, too: the
   * server need not read what comes after its last word.
   */
  async say(bytes: string | Buffer): Promise<string> {
    const socket = await this.connect();
    return new Promise((resolve, reject) => {
      let answer = "";
      const late = setTimeout(() => {
        reject(new Error(`no end after ${JSON.stringify(answer.slice(-200))}, said: ${excerpt(bytes)}`));
        socket.destroy();
      }, PATIENCE_MS);
      socket.setEncoding("latin1");
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      socket.on("error", () => {});
      socket.on("close", () => {
        clearTimeout(late);
        resolve(answer);
      });
      socket.end(bytes);
    });
  }

  /** A field of `INFO`. */
  async info(field: string): Promise<number> {
    const answer = await this.say(encode(["INFO", "everything"]));
    return Number(new RegExp(`^${field}:(\\d+)`, "m").exec(answer)?.[1]);
  }

  /** Resident bytes of the process. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  /** Open descriptors of the process. */
  descriptors(): number {
    return readdirSync(`/proc/${this.#process.pid}/fd`).length;
  }

  /** Waits until nobody but the asker is connected. */
  async alone(): Promise<void> {
    await expect.poll(() => this.info("connected_clients"), { timeout: PATIENCE_MS, interval: 20 }).toBe(1);
  }

  /** Asserts that the worker answers, has given back what it held for others, and has met no defect. */
  async isWell(mostBytes: number): Promise<void> {
    expect(await this.say(encode(["PING"]))).toBe("+PONG\r\n");
    await this.alone();
    // What buffers free goes back to the system within seconds.
    await expect.poll(() => this.residentBytes(), { timeout: PATIENCE_MS, interval: 100 }).toBeLessThan(mostBytes);
    expect(this.#log).toBe("");
  }
}

/** A request as clients send it. */
export function encode(args: readonly (string | Buffer)[]): Buffer {
  const parts = args.flatMap((arg) => [`$${Buffer.byteLength(arg)}\r\n`, arg, "\r\n"]);
  return Buffer.concat([`*${args.length}\r\n`, ...parts].map((part) => Buffer.from(part)));
}

function excerpt(bytes: string | Buffer): string {
  return JSON.stringify(Buffer.from(bytes).toString("latin1", 0, 600));
}
