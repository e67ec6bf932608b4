/** The two servers of a comparison. */
import { afterAll, beforeAll } from "vitest";
import { type Running, startRedis, startTandem } from "./processes.js";

/** redis-server and `tandem worker` side by side, for as long as the tests of the suite around this call run. */
export function bothServers(): { readonly redis: Running; readonly tandem: Running } {
  const servers = {} as { redis: Running; tandem: Running };
  beforeAll(async () => {
    [servers.redis, servers.tandem] = await Promise.all([startRedis(), startTandem("--threads", "2")]);
  });
  afterAll(async () => {
    await Promise.all([servers.redis?.stop(), servers.tandem?.stop()]);
  });
  return servers;
}
