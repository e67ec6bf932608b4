/** A thread of E8. */
import { parentPort, workerData } from "node:worker_threads";

const { contender, loadMs } = workerData;
let loads = 0;

async function load(key) {
  loads += 1;
  await new Promise((resume) => setTimeout(resume, loadMs));
  return `value of ${key}`;
}

/** Opens the cache of this thread and returns what asks it for a key. */
async function openFetch() {
  if (contender === "tandem") {
    const { Cache } = await import("../../dist/index.js");
    const cache = Cache.open("E8", { maxBytes: "16mb" });
    return (key) => cache.getOrSet(key, load);
  }
  // Its memory cannot be shared by threads, so each has its own.
  const { LRUCache } = await import("lru-cache");
  const cache = new LRUCache({ max: 1000, fetchMethod: load });
  return (key) => cache.fetch(key);
}

const fetch = await openFetch();
parentPort.on("message", async ({ key, callers }) => {
  loads = 0;
  const values = await Promise.all(Array.from({ length: callers }, () => fetch(key)));
  if (values.some((value) => value !== `value of ${key}`)) throw new Error(`a caller got another value for ${key}`);
  parentPort.postMessage(loads);
});
parentPort.postMessage("ready");
