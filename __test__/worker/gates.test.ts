import { execFile } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { Cache } from "../../src/index.js";

interface Answer {
  id?: number;
  event?: string;
  result?: unknown;
  error?: { code?: string; message: string };
  /** When the operation was settled, by the wall clock all threads share. */
  at?: number;
}

/** A thread that runs gated operations, several at a time. */
class GateThread {
  readonly worker: Worker;
  readonly #events: string[] = [];
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #onEvent: (() => void) | undefined;
  #last = 0;

  constructor(name: string, id = 0) {
    this.worker = new Worker(new URL("./threads/gates.mjs", import.meta.url), { workerData: { name, id } });
    this.worker.on("message", (answer: Answer) => {
      if (answer.event !== undefined) {
        this.#events.push(answer.event);
        this.#onEvent?.();
      } else {
        this.#waiting.get(answer.id as number)?.(answer);
      }
    });
    threads.push(this);
  }

  static async start(name: string, id = 0): Promise<GateThread> {
    const thread = new GateThread(name, id);
    await thread.event("ready");
    return thread;
  }

  /** Waits until the thread has reported `event`. */
  async event(event: string): Promise<void> {
    while (!this.#events.includes(event)) {
      await new Promise<void>((resume) => {
        this.#onEvent = resume;
      });
    }
    this.#events.splice(this.#events.indexOf(event), 1);
  }

  /** Starts an operation; resolves to what came of it. */
  run(action: string, ...parameters: unknown[]): Promise<Answer> {
    this.#last += 1;
    const id = this.#last;
    this.worker.postMessage({ id, action, with: parameters });
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }
}

const threads: GateThread[] = [];
afterEach(async () => {
  await Promise.all(threads.splice(0).map(({ worker }) => worker.terminate()));
});

test("1,000 concurrent misses over 4 threads run one loader", async () => {
  using cache = Cache.open("gates-misses", { maxBytes: "8mb" });
  const four = await Promise.all([0, 1, 2, 3].map((id) => GateThread.start("gates-misses", id)));
  for (let round = 0; round < 5; round += 1) {
    const answers = await Promise.all(four.map((thread) => thread.run("loadMany", `k${round}`, 250)));
    const results = answers.map(({ result }) => result as { loads: number; from: number[] });
    expect(results.reduce((sum, { loads }) => sum + loads, 0)).toBe(1);
    expect(new Set(results.flatMap(({ from }) => from)).size).toBe(1);
  }
  expect(cache.stats().gates).toBe(0);
});

test.each(["terminate", "close"])("a thread that ends while it loads lets the next one load (%s)", async (way) => {
  const name = `gates-dies-${way}`;
  using cache = Cache.open<string>(name, { maxBytes: "2mb" });
  const loading = await GateThread.start(name);
  void loading.run("holdLoad", "k", "never");
  await loading.event("running");
  const [first, second] = [cache.getOrSet("k", () => "mine"), cache.getOrSet("k", () => "not needed")];
  const upserting = await GateThread.start(name);
  void upserting.run("holdUpsert", "u", "never");
  await upserting.event("running");
  const upserted = cache.upsert("u", () => "next");
  await Promise.all([loading.worker.terminate(), upserting.worker.terminate()]);
  expect(await Promise.all([first, second])).toEqual(["mine", "mine"]);
  expect(await upserted).toBe("stored");
  expect(cache.stats().gates).toBe(0);
});

test("a value loaded in one thread reaches callers in others, and so does an error", async () => {
  using cache = Cache.open("gates-values", { maxBytes: "2mb" });
  const thread = await GateThread.start("gates-values");
  const loading = thread.run("holdLoad", "k", { list: [1, { a: "x".repeat(5000) }] });
  const failing = thread.run("failLoad", "bad");
  await thread.event("running");
  await thread.event("running");
  const value = cache.getOrSet("k", () => "mine");
  const failed = cache.getOrSet("bad", () => "mine").catch((reason: unknown) => reason);
  await thread.run("release");
  expect(await value).toEqual({ list: [1, { a: "x".repeat(5000) }] });
  expect((await loading).result).toEqual(await value);
  const error = await failed;
  expect(error).toBeInstanceOf(RangeError);
  expect(error).toMatchObject({ name: "RangeError", message: "no such row", code: "E_ROW" });
  expect((error as Error).stack).toContain("gates.mjs");
  expect((error as Error).cause).toMatchObject({ name: "TypeError", message: "the reason", code: "E_REASON" });
  expect((await failing).error).toEqual({ code: "E_ROW", message: "no such row" });
});

test("upserts of several threads on one key all count", async () => {
  using cache = Cache.open("gates-counts", { maxBytes: "2mb" });
  const four = await Promise.all([0, 1, 2, 3].map((id) => GateThread.start("gates-counts", id)));
  await Promise.all(four.map((thread) => thread.run("add", "n", 250)));
  expect(cache.get("n")).toBe(1000);
});

test("a set in one thread overtakes an upsert in another, whose caller is answered within 50 ms", async () => {
  using cache = Cache.open("gates-overtakes", { maxBytes: "2mb" });
  const thread = await GateThread.start("gates-overtakes");
  const taken: number[] = [];
  const messages: number[] = [];
  for (let round = 0; round < 10; round += 1) {
    // What a message from thread to thread takes on this machine at this moment.
    const sent = Date.now();
    messages.push(((await thread.run("echo")).at as number) - sent);
    const upserting = thread.run("holdUpsert", `k${round}`, "late");
    await thread.event("running");
    const at = Date.now();
    cache.set(`k${round}`, "set");
    const answer = await upserting;
    expect(answer.error?.code).toBe("Preempted");
    taken.push((answer.at as number) - at);
  }
  await thread.run("release");
  expect(cache.get("k0")).toBe("set");
  // The medians: one stall of a busy machine says nothing about the way an answer takes.
  const [answer, message] = [taken, messages].map((times) => times.sort((a, b) => a - b)[5] as number);
  expect(answer).toBeLessThan(50 + 3 * (message as number));
});

test("stable in one thread waits for an upsert in another", async () => {
  using cache = Cache.open("gates-stable", { maxBytes: "2mb" });
  const [one, two] = await Promise.all([GateThread.start("gates-stable"), GateThread.start("gates-stable")]);
  cache.set("k", "old");
  const upserting = one.run("holdUpsert", "k", "new");
  await one.event("running");
  const stable = two.run("stable", "k");
  expect((await two.run("set", "other", 1)).error).toBeUndefined();
  await one.run("release");
  expect((await upserting).result).toBe("stored");
  expect((await stable).result).toBe("new");
});

test("200 threads end in the middle of loads and upserts while others wait for the same keys", async () => {
  using cache = Cache.open("gates-churn", { maxBytes: "8mb" });
  const source = new URL("./threads/gates-churn.mjs", import.meta.url);
  let left = 200;
  const slot = async () => {
    while (left > 0) {
      left -= 1;
      const way = left % 3;
      const worker = new Worker(source, { workerData: { name: "gates-churn", way, id: left } });
      const ended = once(worker, "exit");
      // A thread that ends by itself may do so before its message is out.
      if (way !== 1) worker.once("message", () => void worker.terminate());
      await ended;
    }
  };
  let done = false;
  let served = 0;
  const user = (async () => {
    while (!done) {
      const key = served % 5;
      // Whoever holds the key dies sooner or later, and this caller takes over.
      expect(await cache.getOrSet(`load:${key}`, () => "mine")).toBe("mine");
      await cache.upsert(`upsert:${key}`, () => served);
      cache.delete(`load:${key}`);
      served += 1;
      await new Promise((resume) => setImmediate(resume));
    }
  })();
  await Promise.all([slot(), slot()]);
  done = true;
  await user;
  expect(served).toBeGreaterThan(10);
  expect(cache.stats().gates).toBe(0);
}, 600_000);

const dist = fileURLToPath(new URL("../../dist/index.js", import.meta.url));

/** Runs a module in a process of its own; a crash or a hang is an error. */
async function inProcess(source: string): Promise<string> {
  const program = `import { Cache } from ${JSON.stringify(dist)};\n${source}`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
    timeout: 150_000,
  });
  return stdout.trim();
}

test("a process whose waits are over ends", async () => {
  const printed = await inProcess(`
    const cache = new Cache({ maxBytes: "2mb" });
    const loads = Array.from({ length: 10 }, () => cache.getOrSet("k", async () => "loaded"));
    await Promise.all([...loads, cache.upsert("n", () => 1), cache.insert("i", 1), cache.stable("k")]);
    await cache.upsert("n", () => { throw new Error("no"); }).catch(() => {});
    console.log("done");
  `);
  expect(printed).toBe("done");
});

test("a wait keeps the process alive, and it ends when the wait does", async () => {
  const printed = await inProcess(`
    const cache = new Cache({ maxBytes: "2mb" });
    // Nothing but the deadline, which a native thread keeps, ends this.
    await cache.upsert("k", () => new Promise(() => {}), { deadline: 100 }).catch((error) => console.log(error.code));
  `);
  expect(printed).toBe("Timeout");
});

test("a process ends by process.exit with loads and upserts in flight", async () => {
  const printed = await inProcess(`
    const cache = new Cache({ maxBytes: "2mb" });
    for (let i = 0; i < 100; i += 1) {
      cache.getOrSet("k", () => new Promise(() => {}));
      cache.upsert("u" + i, () => new Promise(() => {}));
      cache.stable("absent");
    }
    setImmediate(() => { console.log("exit"); process.exit(0); });
  `);
  expect(printed).toBe("exit");
});
