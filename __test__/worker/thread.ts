/** A worker thread that uses a named cache as it is told. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { CacheOptions } from "../../src/index.js";

interface Answer {
  result?: unknown;
  error?: { message: string; code?: string };
}

export class Thread {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  static async start(name: string, options?: CacheOptions): Promise<Thread> {
    const worker = new Worker(new URL("./threads/shared.mjs", import.meta.url), { workerData: { name, options } });
    await once(worker, "message");
    return new Thread(worker);
  }

  /** Does one action and gives its result, or throws what it threw. */
  async do(action: string, ...parameters: unknown[]): Promise<unknown> {
    const answered = once(this.#worker, "message");
    this.#worker.postMessage({ action, with: parameters });
    const [answer] = (await answered) as [Answer];
    if (answer.error !== undefined) throw Object.assign(new Error(answer.error.message), answer.error);
    return answer.result;
  }

  /** Closes the cache in the thread and waits for the thread's end. */
  async close(): Promise<void> {
    const ended = once(this.#worker, "exit");
    this.#worker.postMessage({ action: "close" });
    await ended;
  }

  /** Ends the thread wherever it is. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }
}
