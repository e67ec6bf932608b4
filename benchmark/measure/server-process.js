/** Servers on 127.0.0.1, each a process of its own, and what the system says of them. */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { root } from "./machine.js";

/** Starts `tandem worker` with `flags`. */
export async function startTandem(flags) {
  const quiet = ["--log-level", "warn"];
  const args = [join(root, "dist/cli/main.js"), "worker", "--port", "0", "--bind", "127.0.0.1", ...quiet, ...flags];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const line = await lineOf(child, /ready on .*:(\d+)/);
  return server(child, Number(line[1]));
}

/** Starts redis-server with `flags`, as a cache: nothing is written to disk. */
export async function startRedis(flags = []) {
  const port = await freePort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", ...flags];
  const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
  await lineOf(child, /Ready to accept connections/);
  return server(child, port);
}

/** Starts memcached with one thread that answers. */
export async function startMemcached() {
  const port = await freePort();
  const args = ["-p", String(port), "-l", "127.0.0.1", "-t", "1", "-m", "512", "-U", "0"];
  // It refuses to be root, and is nobody else where it was not.
  const child = spawn("memcached", process.getuid() === 0 ? ["-u", "nobody", ...args] : args, { stdio: "inherit" });
  const failed = new Promise((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`memcached ended with ${code}`)));
  });
  await Promise.race([listens(port), failed]);
  failed.catch(() => {});
  return server(child, port);
}

/** Resolves when somebody listens on `port`. */
async function listens(port) {
  for (;;) {
    const socket = connect({ port, host: "127.0.0.1" });
    const there = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (there) return;
    await setTimeout(10);
  }
}

function server(child, port) {
  return {
    pid: child.pid,
    port,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    },
  };
}

/** Resolves with the match of the first line of output that has one; rejects if the process ends before. */
function lineOf(child, pattern) {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: child.stdout });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${child.spawnargs.join(" ")} ended with ${code}`)));
    lines.on("line", (line) => {
      const match = pattern.exec(line);
      if (match) resolve(match);
    });
  });
}

async function freePort() {
  const listener = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => listener.once("listening", resolve));
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

/**
 * CPU-seconds, user and system, of all threads of a process that still run, since each began. To the nanosecond, where
 * /proc/PID/stat counts in ticks of 10 ms.
 */
export function cpuSeconds(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanoseconds = (thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  return threads.reduce((sum, thread) => sum + nanoseconds(thread), 0) / 1e9;
}

/** Resident bytes of a process, now and at most. */
export function residentBytes(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = (name) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)[1]);
  return { now: kilobytes("VmRSS") * 1024, most: kilobytes("VmHWM") * 1024 };
}

/** A connection that sends writes and counts their replies; all of them must be OK or a number. */
export class Writer {
  #socket;
  #sent = 0;
  #answered = 0;
  #partial = "";
  #wake;
  #error;

  static async connect(port) {
    const writer = new Writer();
    writer.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    writer.#socket.setEncoding("latin1");
    writer.#socket.on("data", (chunk) => writer.#receive(chunk));
    writer.#socket.on("error", (error) => writer.#fail(error));
    writer.#socket.on("close", () => writer.#fail(new Error("the server closed the connection")));
    await new Promise((resolve, reject) => {
      writer.#socket.once("connect", resolve);
      writer.#socket.once("error", reject);
    });
    return writer;
  }

  /** Sends a SET; `key` and `value` are Buffers. */
  set(key, value) {
    this.#sent++;
    this.#socket.cork();
    this.#socket.write(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n`);
    this.#socket.write(key);
    this.#socket.write(`\r\n$${value.length}\r\n`);
    this.#socket.write(value);
    this.#socket.write("\r\n");
    process.nextTick(() => this.#socket.uncork());
  }

  /** Sends any command that is answered with OK or a number; `words` are Buffers or strings of ASCII. */
  send(...words) {
    this.#sent++;
    const parts = [`*${words.length}\r\n`];
    for (const word of words) parts.push(`$${word.length}\r\n`, word, "\r\n");
    this.#socket.write(Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part))));
  }

  /** Resolves when all that was sent is answered. */
  async answered() {
    while (this.#answered < this.#sent && this.#error === undefined) {
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#error !== undefined) throw this.#error;
  }

  close() {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }

  #receive(chunk) {
    const lines = (this.#partial + chunk).split("\r\n");
    this.#partial = lines.pop();
    for (const line of lines) {
      if (line !== "+OK" && !/^:\d+$/.test(line)) this.#fail(new Error(`a write was answered with ${line}`));
      this.#answered++;
    }
    this.#wake?.();
  }

  #fail(error) {
    this.#error ??= error;
    this.#wake?.();
  }
}

/** Stores the keys redis-benchmark asks for with `-r keys`, so that every GET is a hit. */
export async function store(port, keys, valueBytes) {
  const writer = await Writer.connect(port);
  const value = Buffer.alloc(valueBytes, "x");
  for (let number = 0; number < keys; number++) {
    writer.set(Buffer.from(`key:${String(number).padStart(12, "0")}`), value);
    if (number % 1000 === 999) await writer.answered();
  }
  await writer.answered();
  writer.close();
}
