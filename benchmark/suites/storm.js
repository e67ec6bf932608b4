/** Storm: what established connections keep of their rate while thousands of others connect and go. */
import { bench } from "../measure/bench.js";
import { startLoaded } from "../measure/loaded.js";
import { interleave } from "../measure/rounds.js";
import { goal, ratio, row, side } from "../measure/statistics.js";

const CONNECTIONS = 50;
/** Connections a second that come and go. */
const STORM = 2_000;
const TRAFFIC = ["--connections", CONNECTIONS, "--keys", 100_000, "--value-bytes", 32, "--mix", "get:90,set:10"];
/** Of what redis-server takes in a closed loop; the storm and the noise of the machine have the rest. */
const LOAD = 0.3;
/** What is measured of each server in a round. */
const weathers = { calm: [], storm: ["--connects", STORM], again: [] };

/** Rounds of both servers under one load: the figures by name of the server and weather. */
async function measure(servers, size, flags) {
  const sides = {};
  const length = ["--no-fill", "--rounds", 1, "--duration", Math.max(0.05, 1.5 * size.seconds).toFixed(2)];
  for (const [name, server] of Object.entries(servers)) {
    for (const [weather, connects] of Object.entries(weathers)) {
      sides[`${name} ${weather}`] = async () => {
        const { [name]: figures } = await bench({ [name]: server }, [...TRAFFIC, ...length, ...flags, ...connects]);
        if (figures.errors > 0) throw new Error(`${name} answered errors: ${figures.firstError}`);
        return figures;
      };
    }
  }
  const figures = await interleave(size.rounds, sides);
  return (name, weather, figure) => figures[`${name} ${weather}`].map(figure);
}

/** `over[i] / under[i]`, a figure a round. */
function parts(over, under) {
  return over.map((figure, round) => figure / under[round]);
}

/** What is kept of the rate. */
function kept(label, column) {
  const rate = (name, weather) => column(name, weather, (one) => one.rate);
  const part = (name) => parts(rate(name, "storm"), rate(name, "calm"));
  return row({
    label: `${label}: rate kept`,
    unit: "x",
    ours: side("tandem", part("tandem")),
    peer: side("redis-server", part("redis")),
    ratio: ratio(part("tandem"), part("redis")),
    noise: ratio(rate("tandem", "again"), rate("tandem", "calm")),
    goal: goal("value", ">=", 0.8),
  });
}

/** A figure of both servers under the storm; `calm` says what it is without. */
function beside(label, unit, column, figure, calm) {
  const under = (name) => column(name, "storm", figure);
  return row({
    label,
    unit,
    ours: side("tandem", under("tandem")),
    peer: side("redis-server", under("redis")),
    ratio: ratio(under("tandem"), under("redis")),
    note: calm,
  });
}

export const storm = {
  id: "STORM",
  title:
    `server: traffic of ${CONNECTIONS} connections while ${STORM} others a second connect, say PING and go, over the ` +
    "same traffic without them (ratio: Tandem / redis-server)",
  peers: ["redis-server", "taskset"],
  async run(size) {
    const servers = {};
    try {
      const rate = await startLoaded(servers, [], LOAD, [...TRAFFIC, "--requests", size.requests]);
      const closed = await measure(servers, size, []);
      const open = await measure(servers, size, ["--rate", rate]);
      const p99 = (one) => one.latency.p99 / 1000;
      const calm = (name) => Math.round(side(name, open(name, "calm", p99)).median);
      const unanswered = ["tandem", "redis"].map((name) =>
        [closed, open].flatMap((column) => column(name, "storm", (one) => one.unansweredConnects)),
      );
      const [ours, theirs] = unanswered.map((counts) => counts.reduce((sum, count) => sum + count, 0));
      return {
        rows: [
          kept("closed loop", closed),
          kept(`open loop at ${rate} requests/s`, open),
          beside(
            "open loop: p99 under the storm",
            "us",
            open,
            p99,
            `without it tandem ${calm("tandem")}, redis-server ${calm("redis")} us`,
          ),
          beside(
            "connections reached in the open loop",
            "connections/s",
            open,
            (one) => one.connects,
            `without an answer, in all rounds: tandem ${ours}, redis-server ${theirs}`,
          ),
        ],
      };
    } finally {
      for (const server of Object.values(servers)) await server.stop();
    }
  },
};
