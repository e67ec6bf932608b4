/** S5: latencies at 30 % of capacity in an open loop, beside redis-server, with `tandem bench` as the client of both. */
import { bench } from "../measure/bench.js";
import { startLoaded } from "../measure/loaded.js";
import { goal, ratio, row, side } from "../measure/statistics.js";

const KEYS = 400_000;
const VALUE_BYTES = 32;
const CONNECTIONS = 50;
const TRAFFIC = ["--connections", CONNECTIONS, "--keys", KEYS, "--value-bytes", VALUE_BYTES, "--mix", "get:90,set:10"];
/** Of what redis-server takes in a closed loop. */
const LOAD = 0.3;

/** The order of servers in round `round`: it turns, so that nobody always comes first. */
function ordered(servers, round) {
  const entries = Object.entries(servers);
  const first = round % entries.length;
  return Object.fromEntries([...entries.slice(first), ...entries.slice(0, first)]);
}

export const s5 = {
  id: "S5",
  title:
    `server: latency at ${LOAD * 100} % of redis-server's capacity, open loop, 90 % GET, ${CONNECTIONS} connections, ` +
    `${VALUE_BYTES} B values, 400 k keys (ratio: Tandem / redis-server)`,
  peers: ["redis-server", "taskset"],
  async run(size) {
    const servers = {};
    try {
      const rate = await startLoaded(servers, ["again"], LOAD, [...TRAFFIC, "--requests", size.requests]);
      const figures = [];
      for (let round = 0; round < size.rounds; round++) {
        const requests = Math.round(size.requests / 2);
        const flags = [...TRAFFIC, "--no-fill", "--rounds", 1, "--requests", requests, "--rate", rate];
        figures.push(await bench(ordered(servers, round), [...flags, "--seed", round + 1]));
      }
      const column = (name, field) => figures.map((figure) => figure[name].latency[field] / 1000);
      const beside = (field, label, aim) =>
        row({
          label: `${label} at ${rate} requests/s`,
          unit: "us",
          ours: side("tandem", column("tandem", field)),
          peer: side("redis-server", column("redis", field)),
          ratio: ratio(column("tandem", field), column("redis", field)),
          noise: ratio(column("redis", field), column("again", field)),
          goal: aim,
        });
      return {
        rows: [beside("p50", "p50"), beside("p99", "p99"), beside("p999", "p99.9", goal("ratio", "<=", 1))],
      };
    } finally {
      for (const server of Object.values(servers)) await server.stop();
    }
  },
};
