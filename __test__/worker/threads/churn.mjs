// Uses the cache and ends: by itself, by process.exit, or by whoever started it.
import { parentPort, workerData } from "node:worker_threads";
import { Cache } from "../../../dist/index.js";

const cache = Cache.open(workerData.name);
const own = new Cache({ maxBytes: "1mb" });
cache.on("set", () => undefined);
for (let i = 0; i < 200; i += 1) {
  cache.set(`churn:${i}`, { i, text: "x".repeat(i) });
  own.set(`own:${i}`, cache.get(`churn:${(i * 7) % 200}`) ?? null);
}
parentPort.postMessage("busy");
if (workerData.way === 0) {
  for (let i = 0; ; i += 1) cache.set(`churn:${i % 200}`, { i });
}
if (workerData.way === 1) process.exit(0);
