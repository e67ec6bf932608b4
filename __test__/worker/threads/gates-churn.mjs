// Starts loads, upserts and waits of every kind, and ends in the middle of them.
import { parentPort, workerData } from "node:worker_threads";
import { Cache } from "../../../dist/index.js";

const cache = Cache.open(workerData.name);
const never = () => new Promise(() => undefined);
const ignore = () => undefined;
for (let i = 0; i < 5; i += 1) {
  cache.getOrSet(`load:${i}`, never).catch(ignore);
  cache.getOrSet(`load:${i}`, never).catch(ignore);
  cache.upsert(`upsert:${i}`, never).catch(ignore);
  cache.insert(`upsert:${i}`, 1).catch(ignore);
  cache.stable(`absent:${i}`).catch(ignore);
  cache.upsert(`own:${workerData.id}:${i}`, (current) => (current ?? 0) + 1).catch(ignore);
}
parentPort.postMessage("busy");
if (workerData.way === 0) {
  for (;;) cache.peek("load:0");
}
if (workerData.way === 1) process.exit(0);
// Otherwise the open tickets keep the thread until it is ended from outside.
