// Runs gated operations on a named cache, as it is told, and reports what came of each.
import { parentPort, workerData } from "node:worker_threads";
import { Cache } from "../../../dist/index.js";

const cache = Cache.open(workerData.name);
let release;
const gate = new Promise((resolve) => {
  release = resolve;
});

/** Holds the key until told to go on, or for good. */
async function hold(value) {
  parentPort.postMessage({ event: "running" });
  await gate;
  return value;
}

const actions = {
  /** `count` callers at once; the loader says how often it ran. */
  async loadMany(key, count) {
    let loads = 0;
    const load = async () => {
      loads += 1;
      await new Promise((resume) => setTimeout(resume, 20));
      return { from: workerData.id };
    };
    const values = await Promise.all(Array.from({ length: count }, () => cache.getOrSet(key, load)));
    return { loads, from: [...new Set(values.map((value) => value.from))] };
  },
  holdLoad: (key, value) => cache.getOrSet(key, () => hold(value)),
  holdUpsert: (key, value) => cache.upsert(key, () => hold(value)),
  async failLoad(key) {
    const cause = Object.assign(new TypeError("the reason"), { code: "E_REASON" });
    return cache.getOrSet(key, async () => {
      await hold();
      throw Object.assign(new RangeError("no such row", { cause }), { code: "E_ROW" });
    });
  },
  async add(key, times) {
    for (let i = 0; i < times; i += 1) await cache.upsert(key, async (current) => (current ?? 0) + 1);
  },
  set: async (key, value) => {
    cache.set(key, value);
    return Date.now();
  },
  stable: (key) => cache.stable(key),
  release: async () => release(),
  echo: async () => undefined,
};

parentPort.on("message", async ({ id, action, with: parameters }) => {
  try {
    const result = await actions[action](...parameters);
    parentPort.postMessage({ id, result, at: Date.now() });
  } catch (error) {
    parentPort.postMessage({ id, error: { code: error.code, message: error.message }, at: Date.now() });
  }
});
parentPort.postMessage({ event: "ready" });
