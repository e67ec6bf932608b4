/** E7: one cache for all worker threads of a process. */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { interleave } from "../measure/rounds.js";
import { goal, ratio, row, side } from "../measure/statistics.js";
import { key, text } from "../measure/workload.js";

const threadModule = join(import.meta.dirname, "thread-side.js");

/** The cache, loaded where it is used: the other suites run without it. */
async function openShared(name, options) {
  const { Cache } = await import("../../dist/index.js");
  return Cache.open(name, options);
}

/** Starts `count` threads with `data` and resolves when all are ready. */
async function start(count, data) {
  const threads = Array.from({ length: count }, (_, at) => new Worker(threadModule, { workerData: data(at) }));
  await Promise.all(threads.map((thread) => once(thread, "message")));
  return threads;
}

async function end(threads) {
  await Promise.all(threads.map((thread) => thread.terminate()));
}

/** Operations a nanosecond of `threads` together, from the first start to the last end. */
async function throughput(threads, operations) {
  const gate = new SharedArrayBuffer(4);
  const answers = threads.map((thread) => once(thread, "message"));
  for (const thread of threads) thread.postMessage({ gate, threads: threads.length });
  const runs = (await Promise.all(answers)).map(([run]) => run);
  if (runs.some(({ misses }) => misses > 0)) throw new Error("a read missed although every key was stored");
  const starts = runs.map((run) => run.start);
  const ends = runs.map((run) => run.end);
  const first = starts.reduce((one, other) => (one < other ? one : other));
  const last = ends.reduce((one, other) => (one > other ? one : other));
  return (threads.length * operations) / Number(last - first);
}

export const e7 = {
  id: "E7",
  title: "throughput of N worker threads / of one, 95 % reads (ratio: scaling of the shared cache / of private ones)",
  peers: [],
  async run(size) {
    const count = Math.max(2, availableParallelism());
    const keys = Math.floor(size.entries / 10);
    const operations = keys * (size.mode === "smoke" ? 1 : 5);
    const options = { maxBytes: Math.max(keys * 512, 2 ** 24) };
    const name = "bench-e7";
    const cache = await openShared(name, options);
    for (let number = 0; number < keys; number++) cache.set(key(number), text(200, number));
    const data = (shared) => (at) => ({ name, shared, keys, operations, seed: at + 1, options });
    const groups = [];
    try {
      for (const shared of [true, false, false]) groups.push(await start(count, data(shared)));
      const scaling = (threads) => async () =>
        (await throughput(threads, operations)) / (await throughput(threads.slice(0, 1), operations));
      const [shared, control, again] = groups.map(scaling);
      for (const measure of [shared, control, again]) await measure();
      const figures = await interleave(size.rounds, { shared, control, again });
      return {
        rows: [
          row({
            label: `${count} threads`,
            unit: "x one thread",
            ours: side("tandem, shared", figures.shared),
            peer: side("tandem, one private cache per thread", figures.control),
            ratio: ratio(figures.shared, figures.control),
            noise: ratio(figures.control, figures.again),
            goal: goal("ratio", ">=", 0.9),
          }),
        ],
      };
    } finally {
      for (const threads of groups) await end(threads);
      cache.close();
    }
  },
};
