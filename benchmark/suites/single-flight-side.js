/** One side of E8: four threads that miss the same key at the same moment. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

const THREADS = 4;
const CALLERS = 1000;

let threads = [];
let round = 0;

/** Starts the threads; their loaders take `loadMs`. */
export async function start(contender, loadMs) {
  const url = new URL("./single-flight-thread.js", import.meta.url);
  threads = Array.from({ length: THREADS }, () => new Worker(url, { workerData: { contender, loadMs } }));
  await Promise.all(threads.map((thread) => once(thread, "message")));
}

/** Lets all callers ask for a key nobody has; returns how many loads ran, and ms until the last caller was answered. */
export async function misses() {
  round += 1;
  const began = performance.now();
  const answers = threads.map((thread) => once(thread, "message"));
  for (const thread of threads) thread.postMessage({ key: `key:${round}`, callers: CALLERS / THREADS });
  const loads = (await Promise.all(answers)).map(([count]) => count);
  return { loads: loads.reduce((sum, count) => sum + count, 0), ms: performance.now() - began };
}

/** Ends the threads. */
export async function stop() {
  await Promise.all(threads.map((thread) => thread.terminate()));
}
