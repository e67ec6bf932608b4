// Opens the named cache and does as told; answers each message with what came of it.
import { parentPort, workerData } from "node:worker_threads";
import { Cache } from "../../../dist/index.js";

const cache = Cache.open(workerData.name, workerData.options);

const actions = {
  get: ([key]) => cache.get(key),
  set: ([key, value]) => cache.set(key, value),
  // Objects of shapes that no other thread has.
  setShapes: ([prefix, count]) => {
    for (let i = 0; i < count; i += 1) cache.set(`${prefix}:${i}`, { [`${prefix}_${i % 20}`]: i, common: prefix, i });
  },
  getMany: ([keys]) => cache.getMany(keys),
  incr: ([key, count]) => {
    for (let i = 0; i < count; i += 1) cache.incr(key);
  },
  close: () => {
    cache.close();
    parentPort.close();
  },
};

parentPort.on("message", ({ action, with: parameters }) => {
  try {
    parentPort.postMessage({ result: actions[action](parameters) });
  } catch (error) {
    parentPort.postMessage({ error: { message: error.message, code: error.code } });
  }
});
parentPort.postMessage({ result: "ready" });
