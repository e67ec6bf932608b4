/** S4: what a second thread costs where one would do: CPU time of the server per operation, the same load on both. */
import { redisBenchmark } from "../measure/redis-benchmark.js";
import { interleave } from "../measure/rounds.js";
import { startTandem, store } from "../measure/server-process.js";
import { goal, ratio, row, side } from "../measure/statistics.js";

const KEYS = 400_000;
const VALUE_BYTES = 32;
const CONNECTIONS = 50;

export const s4 = {
  id: "S4",
  title:
    `server: CPU-seconds per million operations of 2 threads beside 1, ${CONNECTIONS} connections, ${VALUE_BYTES} B ` +
    "values, 400 k keys (ratio: 2 threads / 1 thread)",
  peers: ["redis-benchmark"],
  async run(size) {
    const servers = {};
    const start = (threads) => startTandem(["--max-memory", "512mb", "--threads", String(threads)]);
    try {
      servers.two = await start(2);
      servers.one = await start(1);
      servers.again = await start(1);
      for (const server of Object.values(servers)) await store(server.port, KEYS, VALUE_BYTES);
      const rows = [];
      for (const [command, pipeline] of [
        ["get", 1],
        ["set", 1],
        ["get", 16],
        ["set", 16],
      ]) {
        const load = (server) =>
          redisBenchmark(server, {
            ...{ command, pipeline, requests: size.requests * Math.min(pipeline, 4) },
            ...{ connections: CONNECTIONS, keys: KEYS, valueBytes: VALUE_BYTES },
          });
        for (const server of Object.values(servers)) await load(server);
        const figures = await interleave(
          size.rounds,
          Object.fromEntries(Object.entries(servers).map(([name, server]) => [name, () => load(server)])),
        );
        const column = (name, field) => figures[name].map((figure) => figure[field]);
        const beside = (label, unit, field, aim) =>
          row({
            label: `${command.toUpperCase()}, pipeline ${pipeline}: ${label}`,
            unit,
            ours: side("2 threads", column("two", field)),
            peer: side("1 thread", column("one", field)),
            ratio: ratio(column("two", field), column("one", field)),
            noise: ratio(column("one", field), column("again", field)),
            goal: aim,
          });
        rows.push(beside("CPU", "s/million", "cpu", goal("ratio", "<=", 1.05)), beside("rate", "requests/s", "rate"));
      }
      return { rows };
    } finally {
      for (const server of Object.values(servers)) await server.stop();
    }
  },
};
