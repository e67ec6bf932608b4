/** Servers to be measured under a part of what redis-server can take. */
import { bench } from "./bench.js";
import { pinServer } from "./pin.js";
import { startRedis, startTandem } from "./server-process.js";

/**
 * Starts one loop of Tandem, a redis-server, and another one for each of `more`, each on the first CPU, and fills them.
 *
 * @param {Record<string, {port: number, pid: number, stop: Function}>} servers gets them by name, those included that
 *   run when another one does not start
 * @param {string[]} more
 * @param {number} load
 * @param {(string | number)[]} traffic flags of `tandem bench`
 * @returns requests a second that are `load` times what redis-server answers in a closed loop
 */
export async function startLoaded(servers, more, load, traffic) {
  servers.tandem = await startTandem(["--max-memory", "512mb", "--threads", "1"]);
  servers.redis = await startRedis();
  for (const name of more) servers[name] = await startRedis();
  for (const server of Object.values(servers)) pinServer(server);
  const { redis } = await bench(servers, [...traffic, "--rounds", 1]);
  return Math.round(redis.rate * load);
}
