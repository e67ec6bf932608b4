/** E7: one cache for all worker threads of a process. */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { openContender } from "../contenders/open.js";
import { interleave } from "../measure/rounds.js";
import { goal, median, ratio, row, side } from "../measure/statistics.js";
import { key, text } from "../measure/workload.js";

const threadModule = join(import.meta.dirname, "thread-side.js");

/** Starts `count` threads with `data` and resolves when all are ready. */
async function start(count, data) {
  const threads = Array.from({ length: count }, (_, at) => new Worker(threadModule, { workerData: data(at) }));
  await Promise.all(threads.map((thread) => once(thread, "message")));
  return threads;
}

async function end(threads) {
  await Promise.all(threads.map((thread) => thread.terminate()));
}

/** Million operations a second of `threads` together, from the first start to the last end. This thread sleeps. */
async function throughput(threads, operations) {
  const gate = new SharedArrayBuffer(4);
  const answers = threads.map((thread) => once(thread, "message"));
  for (const thread of threads) thread.postMessage({ gate, threads: threads.length });
  const runs = (await Promise.all(answers)).map(([run]) => run);
  if (runs.some(({ misses }) => misses > 0)) throw new Error("a read missed although every key was stored");
  const first = runs.map((run) => run.start).reduce((one, other) => (one < other ? one : other));
  const last = runs.map((run) => run.end).reduce((one, other) => (one > other ? one : other));
  return (threads.length * operations * 1000) / Number(last - first);
}

/** A measure of one group of threads: alone, then together, the other way round every second time. */
function scaling(threads, operations) {
  let round = 0;
  const together = () => throughput(threads, operations);
  const alone = () => throughput([threads[round % threads.length]], operations);
  return async () => {
    const first = round % 2 === 0 ? await alone() : await together();
    const second = round % 2 === 0 ? await together() : await alone();
    const [one, all] = round % 2 === 0 ? [first, second] : [second, first];
    round += 1;
    return { one, all, scaling: all / one };
  };
}

export const e7 = {
  id: "E7",
  title: "throughput of N worker threads / of one, 95 % reads (ratio: scaling of the shared cache / of private ones)",
  peers: ["lru-cache"],
  async run(size) {
    const count = Math.max(2, availableParallelism());
    const keys = Math.floor(size.entries / 10);
    const operations = keys * (size.mode === "smoke" ? 1 : 10);
    const options = { maxBytes: Math.max(keys * 512, 2 ** 24) };
    const cache = await openContender("tandem-shared", { name: "E7", ...options });
    for (let number = 0; number < keys; number++) cache.set(key(number), text(200, number));
    const sides = {
      shared: { contender: "tandem-shared", shared: true, options: { name: "E7", ...options } },
      own: { contender: "tandem", options },
      "own again": { contender: "tandem", options },
      "lru-cache": { contender: "lru-cache", options: { max: keys } },
    };
    const groups = {};
    try {
      for (const [name, data] of Object.entries(sides)) {
        groups[name] = await start(count, (at) => ({ ...data, keys, operations, seed: at + 1 }));
      }
      const measures = Object.fromEntries(
        Object.entries(groups).map(([name, threads]) => [name, scaling(threads, operations)]),
      );
      // A first round of every thread that does not count: code gets compiled.
      for (const threads of Object.values(groups)) await throughput(threads, operations);
      const figures = await interleave(size.rounds, measures);
      const column = (name, field) => figures[name].map((figure) => figure[field]);
      const rates = (name) =>
        `${median(column(name, "one")).toFixed(2)} and ${median(column(name, "all")).toFixed(2)} M operations/s`;
      const noise = ratio(column("own", "scaling"), column("own again", "scaling"));
      const beside = (label, name, peer, extra) =>
        row({
          label,
          unit: "x one thread",
          ours: side("tandem, shared", column("shared", "scaling")),
          peer: side(`${peer}, one per thread`, column(name, "scaling")),
          ratio: ratio(column("shared", "scaling"), column(name, "scaling")),
          noise,
          note: `one thread and ${count}: shared ${rates("shared")}; ${peer} ${rates(name)}`,
          ...extra,
        });
      return {
        rows: [
          beside(`${count} threads`, "own", "tandem", { goal: goal("ratio", ">=", 0.9) }),
          beside(`${count} threads, beside lru-cache`, "lru-cache", "lru-cache", {}),
        ],
      };
    } finally {
      for (const threads of Object.values(groups)) await end(threads);
      cache.close();
    }
  },
};
