/** One side of E4 and E5: a process that holds a cache of objects, or nothing. Needs --expose-gc. */
import { openContender } from "../contenders/open.js";
import { median } from "../measure/statistics.js";
import { jsonObject, key } from "../measure/workload.js";

let cache;

/** Fills a cache with `entries` objects and returns the resident bytes it grew by. */
export async function grow({ contender, options, entries }) {
  cache = await openContender(contender, options);
  // Compiles the way of a write and gives the young generation its size, which are no cost of an entry.
  for (let number = 0; number < 1000; number++) cache.set("warm-up", jsonObject(number));
  const before = settledResidentBytes();
  for (let number = 0; number < entries; number++) cache.set(key(number), jsonObject(number));
  const after = settledResidentBytes();
  const size = cache.size();
  if (size < entries) throw new Error(`${contender} holds ${size} of ${entries} entries`);
  const sample = cache.get(key(entries - 1));
  if (JSON.stringify(sample) !== JSON.stringify(jsonObject(entries - 1))) throw new Error("an object came out changed");
  return after - before;
}

/** Fills a cache as `grow` does, then returns the median of `count` forced full collections, in milliseconds. */
export async function collect({ count, ...filled }) {
  await grow(filled);
  // The first ones still find what filling left behind; so does code that is compiled for them.
  for (let time = 0; time < 3; time++) globalThis.gc();
  const collections = Array.from({ length: count }, () => {
    const start = performance.now();
    globalThis.gc();
    return performance.now() - start;
  });
  return median(collections);
}

/** What stays after garbage is gone and V8 has given back what it does not need. */
function settledResidentBytes() {
  for (let time = 0; time < 3; time++) globalThis.gc();
  return process.memoryUsage.rss();
}
