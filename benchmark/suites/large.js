/** Large: what requests with large values cost the server, beside redis-server, where all fit and where others must go. */
import { bench } from "../measure/bench.js";
import { pinServer } from "../measure/pin.js";
import { interleave } from "../measure/rounds.js";
import { startRedis, startTandem } from "../measure/server-process.js";
import { ratio, row, side } from "../measure/statistics.js";

const CONNECTIONS = 4;
const MEMORY = "256mb";
/** Many: three times what fits. */
const loads = [
  { label: "SET of 100 KB, all fit", mix: "set:1", bytes: 100_000, keys: 1_000 },
  { label: "GET of 100 KB", mix: "get:1", bytes: 100_000, keys: 1_000 },
  { label: "SET of 100 KB, many", mix: "set:1", bytes: 100_000, keys: 8_000 },
  { label: "SET of 1 MB, all fit", mix: "set:1", bytes: 1_000_000, keys: 100 },
  { label: "GET of 1 MB", mix: "get:1", bytes: 1_000_000, keys: 100 },
  { label: "SET of 1 MB, many", mix: "set:1", bytes: 1_000_000, keys: 800 },
];

/** Microseconds of CPU a request, in rounds, by name of the server. */
async function measure(servers, size, { mix, bytes, keys }) {
  const traffic = ["--connections", CONNECTIONS, "--keys", keys, "--value-bytes", bytes, "--rounds", 1];
  // The same bytes, whatever the size of a value.
  const requests = Math.max(20, Math.round((size.requests * 1_000) / bytes));
  const flags = [...traffic, "--mix", mix, "--requests", requests];
  await bench(servers, flags);
  const ask = (name) => async () => {
    const { [name]: figures } = await bench({ [name]: servers[name] }, [...flags, "--no-fill"]);
    if (figures.errors > 0) throw new Error(`${name} answered errors: ${figures.firstError}`);
    return figures.cpuNs / 1_000;
  };
  return await interleave(size.rounds, Object.fromEntries(Object.keys(servers).map((name) => [name, ask(name)])));
}

export const large = {
  id: "LARGE",
  title:
    `server: CPU time of a request with a large value that does not compress, ${CONNECTIONS} connections, ${MEMORY} ` +
    "(ratio: Tandem / redis-server)",
  peers: ["redis-server", "taskset"],
  async run(size) {
    const servers = {};
    const startBounded = () => startRedis(["--maxmemory", MEMORY, "--maxmemory-policy", "allkeys-lru"]);
    try {
      servers.tandem = await startTandem(["--max-memory", MEMORY, "--threads", "1"]);
      servers.redis = await startBounded();
      servers.again = await startBounded();
      for (const server of Object.values(servers)) pinServer(server);
      const rows = [];
      for (const load of loads) {
        const figures = await measure(servers, size, load);
        rows.push(
          row({
            label: load.label,
            unit: "us/request",
            ours: side("tandem", figures.tandem),
            peer: side("redis-server", figures.redis),
            ratio: ratio(figures.tandem, figures.redis),
            noise: ratio(figures.redis, figures.again),
          }),
        );
      }
      return { rows };
    } finally {
      for (const server of Object.values(servers)) await server.stop();
    }
  },
};
