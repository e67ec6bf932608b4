// Counts how often the named cache was used before.
import { parentPort } from "node:worker_threads";
import { Cache } from "../../../dist/index.js";

const cache = Cache.open("alone", { maxBytes: "2mb" });
parentPort.postMessage(cache.incr("n"));
