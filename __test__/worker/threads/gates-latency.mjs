// Prints how much slower the slowest hundredth of calls gets when upserts of other keys are stuck: the median over many
// short pairs of rounds, with and without. The rounds of a pair follow each other within milliseconds and take turns in
// going first, so that what else the machine does hits both alike, and a pair that it hits on one side is one of many.
import { Cache } from "../../../dist/index.js";

const PAIRS = 201;
const WARM_UP = 20;
const CALLS = 4_000;
const STUCK = 100;

const cache = new Cache({ maxBytes: "32mb" });
const value = "x".repeat(200);
for (let i = 0; i < CALLS; i += 1) cache.set(`other:${i}`, value);

async function p99(stuckUpserts) {
  let release;
  const gate = new Promise((resolve) => {
    release = resolve;
  });
  const stuck = Array.from({ length: stuckUpserts }, (_, i) => cache.upsert(`stuck:${i}`, () => gate.then(() => i)));
  await new Promise((resume) => setImmediate(resume));
  if (cache.stats().gates !== stuckUpserts) throw new Error("the upserts are not stuck");

  const taken = new Float64Array(CALLS);
  for (let i = 0; i < CALLS; i += 1) {
    const key = `other:${(i * 7919) % CALLS}`;
    const start = performance.now();
    if (i % 2 === 0) cache.set(key, value);
    else cache.get(key);
    taken[i] = performance.now() - start;
  }
  release();
  await Promise.all(stuck);
  return taken.sort()[Math.floor(CALLS * 0.99)];
}

const ratios = [];
for (let pair = 0; pair < WARM_UP + PAIRS; pair += 1) {
  const order = pair % 2 === 0 ? [0, STUCK] : [STUCK, 0];
  const [first, second] = [await p99(order[0]), await p99(order[1])];
  const ratio = pair % 2 === 0 ? second / first : first / second;
  if (pair >= WARM_UP) ratios.push(ratio);
}
console.log(ratios.sort((a, b) => a - b)[PAIRS >> 1]);
