/** The contract over TCP: a worker in this process, and a client that speaks RESP3 to it. */
import { describe, test } from "vitest";
import { Cache, Worker } from "../../src/index.js";
import { cacheContract } from "../../src/testing/index.js";
import { RemoteCache } from "../../src/testing/remote/remote-cache.js";

/** What the wire has no words for. */
const noCosts = "SET takes no costs, and nothing on the wire shows them";
const lateNews = "who holds a key learns that another has changed it when it fills, not before";
const exceptions = {
  "takes keys of 0 to 65,535 bytes, of any bytes": "to a client of Redis a key that cannot be there is absent",
  "refuses to count what is no integer or would leave the safe range": "integers have 64 bits, as in Redis",
  "golden: a read keeps an entry": noCosts,
  "golden: a write releases the cost of its own key and never evicts it": noCosts,
  "golden: a write that does not store is no use": noCosts,
  "golden: a cost of the whole capacity empties everything else": noCosts,
  "refuses a cost beyond the capacity and changes nothing": noCosts,
  "an upsert stores, keeps or deletes": noCosts,
  "peek is no use": "whoever sees a value uses it, TANDEM.GETV too",
  "getEntry is no use": "whoever sees a value uses it, TANDEM.GETV too",
  "an idle ttl restarts with every use": "SET takes no idle ttl",
  "the error of a loader reaches all who ask, and is not kept": "of an error only the message travels",
  "a value set while loading wins": lateNews,
  "what commits overtakes an upsert; what does not, does not": lateNews,
  "asking for one's own key fails at once": "a server does not see which of its client's requests are nested",
};

cacheContract(
  "cache behind a port",
  async (options) => {
    let time = 1_700_000_000_000;
    const now = () => time;
    const advance = (ms: number) => {
      time += ms;
      // The engine learns the time of an injected clock from the calls of its own process.
      served.has("");
    };
    const served = new Cache({ maxBytes: "64mb", clock: now, ...options });
    const worker = await Worker.listen({ port: 0, cache: served, threads: 1 });
    const cache = await RemoteCache.connect(worker.port);
    const close = cache.close.bind(cache);
    cache.close = () => {
      close();
      worker.close().then(() => served.close());
    };
    return { cache, now, advance };
  },
  { describe, test },
  exceptions,
);
