// Prints how much slower the slowest hundredth of calls gets when upserts of other keys are stuck. Rounds with and
// without alternate, so that what else the machine does hits both alike.
import { Cache } from "../../../dist/index.js";

const ROUNDS = 30;
const CALLS = 10_000;
const STUCK = 100;

const cache = new Cache({ maxBytes: "32mb" });
const value = "x".repeat(200);
for (let i = 0; i < CALLS; i += 1) cache.set(`other:${i}`, value);

function p99() {
  const taken = new Float64Array(CALLS);
  for (let i = 0; i < CALLS; i += 1) {
    const key = `other:${(i * 7919) % CALLS}`;
    const start = performance.now();
    if (i % 2 === 0) cache.set(key, value);
    else cache.get(key);
    taken[i] = performance.now() - start;
  }
  return taken.sort()[Math.floor(CALLS * 0.99)];
}

async function p99WithStuckUpserts() {
  let release;
  const gate = new Promise((resolve) => {
    release = resolve;
  });
  const stuck = Array.from({ length: STUCK }, (_, i) => cache.upsert(`stuck:${i}`, () => gate.then(() => i)));
  await new Promise((resume) => setImmediate(resume));
  if (cache.stats().gates !== STUCK) throw new Error("the upserts are not stuck");
  const result = p99();
  release();
  await Promise.all(stuck);
  return result;
}

const median = (numbers) => numbers.sort((a, b) => a - b)[numbers.length >> 1];
const [without, stuck] = [[], []];
for (let round = 0; round < ROUNDS; round += 1) {
  without.push(p99());
  stuck.push(await p99WithStuckUpserts());
}
console.log(median(stuck) / median(without));
