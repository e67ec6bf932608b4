/** A worker thread of E7. */
import { parentPort, workerData } from "node:worker_threads";
import { openContender } from "../contenders/open.js";
import { key, random, shuffledKeys, text } from "../measure/workload.js";

await serve(workerData);

/** Fills its own cache or attaches to the shared one, then runs 95 % reads whenever it is told to. */
async function serve({ contender, options, shared, keys, operations, seed }) {
  const cache = await openContender(contender, options);
  if (!shared) for (let number = 0; number < keys; number++) cache.set(key(number), text(200, number));
  const names = shuffledKeys(keys, seed);
  const next = random(seed);
  const writes = Uint8Array.from({ length: keys }, () => (next() < 0.05 ? 1 : 0));
  const value = text(200, seed);
  const work = () => {
    let misses = 0;
    for (let operation = 0, at = 0; operation < operations; operation++) {
      if (writes[at] === 1) cache.set(names[at], value);
      else if (cache.get(names[at]) === undefined) misses++;
      if (++at === keys) at = 0;
    }
    return misses;
  };
  parentPort.on("message", ({ gate, threads }) => {
    // All threads begin together: the last to arrive opens the gate.
    const count = new Int32Array(gate);
    if (Atomics.add(count, 0, 1) + 1 === threads) Atomics.notify(count, 0);
    for (let seen = Atomics.load(count, 0); seen < threads; seen = Atomics.load(count, 0)) Atomics.wait(count, 0, seen);
    const start = process.hrtime.bigint();
    const misses = work();
    parentPort.postMessage({ start, end: process.hrtime.bigint(), misses });
  });
  parentPort.postMessage("ready");
}
