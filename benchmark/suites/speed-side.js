/** One side of E1 to E3: fills a cache and times batches of calls with benchmark.js. Runs in a process of its own. */
import Benchmark from "benchmark";
import { openContender } from "../contenders/open.js";
import { key, shuffledKeys, text } from "../measure/workload.js";

const VALUE_CHARACTERS = 200;
/** Calls a timed function makes: enough to drown the cost of the function itself. */
const BATCH = 1000;

let cache;
let names;
let values;
let cursor = 0;

/** Opens a cache and stores `stored` keys; the calls will use `used` of them. Returns how many entries it holds. */
export async function fill({ contender, options, stored, used, keep = stored }) {
  cache = await openContender(contender, options);
  for (let number = 0; number < stored; number++) cache.set(key(number), text(VALUE_CHARACTERS, number));
  names = shuffledKeys(used, 1);
  values = Array.from({ length: BATCH }, (_, number) => text(VALUE_CHARACTERS, number));
  const size = cache.size();
  if (size < keep) throw new Error(`${contender} holds ${size} of ${keep} entries`);
  return size;
}

/** Nanoseconds of a get that hits, over `seconds`. */
export function gets(seconds) {
  let characters = 0;
  let calls = 0;
  const nanoseconds = time(seconds, () => {
    for (let call = 0; call < BATCH; call++) {
      characters += cache.get(names[cursor]).length;
      if (++cursor === names.length) cursor = 0;
    }
    calls += BATCH;
  });
  if (characters !== calls * VALUE_CHARACTERS) throw new Error("a read returned something else than was stored");
  return nanoseconds;
}

/** Nanoseconds of a set of a key that is not there (any more), over `seconds`. */
export function sets(seconds) {
  const nanoseconds = time(seconds, () => {
    for (let call = 0; call < BATCH; call++) {
      cache.set(names[cursor], values[call]);
      if (++cursor === names.length) cursor = 0;
    }
  });
  const last = cache.get(names[(cursor + names.length - 1) % names.length]);
  if (last?.length !== VALUE_CHARACTERS) throw new Error("the last write is not there");
  return nanoseconds;
}

/** Entries held now. */
export function size() {
  return cache.size();
}

function time(seconds, fn) {
  const benchmark = new Benchmark({ fn, maxTime: seconds, minSamples: 5, initCount: 1 });
  benchmark.run({ async: false });
  if (benchmark.error) throw benchmark.error;
  return (benchmark.stats.mean * 1e9) / BATCH;
}
