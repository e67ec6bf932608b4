/** One side of E6: an event loop that stores objects in every turn. */
import { openContender } from "../contenders/open.js";
import { jsonObject, key } from "../measure/workload.js";

/**
 * Fills a cache with `objects` objects, then stores half as many again under new keys, `perTurn` in each turn of
 * setImmediate. Returns the longest time from the start of one turn to the start of the next, less the median of that
 * time, in milliseconds: whatever holds the loop up beyond the work of a usual turn, be it between turns or within.
 */
export async function churn({ contender, options, objects, perTurn }) {
  const cache = await openContender(contender, options);
  const turns = Math.ceil((1.5 * objects) / perTurn);
  const starts = new Float64Array(turns + 1);
  await new Promise((done) => {
    let number = 0;
    let turn = 0;
    const next = () => {
      starts[turn] = performance.now();
      if (turn++ === turns) return done();
      for (let call = 0; call < perTurn; call++) cache.set(key(number), jsonObject(number++));
      setImmediate(next);
    };
    setImmediate(next);
  });
  const held = cache.size();
  if (held > objects || held < objects * 0.8)
    throw new Error(`${contender} holds ${held} entries instead of ${objects}`);
  const lengths = Array.from({ length: turns }, (_, turn) => starts[turn + 1] - starts[turn]).sort((a, b) => a - b);
  const usual = lengths[lengths.length >> 1];
  return { longest: lengths.at(-1) - usual, usual, p99: lengths[Math.floor(lengths.length * 0.99)] - usual };
}
