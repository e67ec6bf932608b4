/**
 * S1 to S3: CPU time of the server per operation beside redis-server, with redis-benchmark as the client of both; in S1
 * beside memcached, too.
 */
import { ClosedLoop } from "../measure/closed-loop.js";
import { redisBenchmark } from "../measure/redis-benchmark.js";
import { interleave } from "../measure/rounds.js";
import { startMemcached, startRedis, startTandem, store } from "../measure/server-process.js";
import { goal, ratio, row, side } from "../measure/statistics.js";

const KEYS = 400_000;
const VALUE_BYTES = 32;
const CONNECTIONS = 50;

/** Goal of CPU time by pipeline, as a ratio to redis-server. */
const depths = { S1: [1, 0.88], S2: [16, 0.55], S3: [50, 0.4] };

function suite(id) {
  const [pipeline, aim] = depths[id];
  return {
    id,
    title:
      `server: CPU-seconds per million operations beside redis-server, pipeline ${pipeline}, ${CONNECTIONS} ` +
      `connections, ${VALUE_BYTES} B values, 400 k keys (ratio: Tandem / redis-server)`,
    peers: ["redis-server", "redis-benchmark", ...(pipeline === 1 ? ["memcached"] : [])],
    async run(size) {
      // Pipelined requests are so much faster that a run of the same length has room for more of them.
      const requests = size.requests * Math.min(pipeline, 4);
      const servers = {};
      try {
        servers.tandem = await startTandem(["--max-memory", "512mb", "--threads", "1"]);
        servers.redis = await startRedis();
        servers.again = await startRedis();
        for (const server of Object.values(servers)) await store(server.port, KEYS, VALUE_BYTES);
        const rows = [];
        for (const command of ["get", "set"]) {
          const load = (server) =>
            redisBenchmark(server, {
              ...{ command, pipeline, requests },
              ...{ connections: CONNECTIONS, keys: KEYS, valueBytes: VALUE_BYTES },
            });
          for (const server of Object.values(servers)) await load(server);
          const figures = await interleave(
            size.rounds,
            Object.fromEntries(Object.entries(servers).map(([name, server]) => [name, () => load(server)])),
          );
          rows.push(...compare(command.toUpperCase(), figures, aim));
        }
        if (pipeline === 1) rows.push(...(await besideMemcached(servers, size)));
        return { rows };
      } finally {
        for (const server of Object.values(servers)) await server.stop();
      }
    },
  };
}

/**
 * GET and SET beside memcached. redis-benchmark does not speak its protocol, so both have a client in Node, which is
 * slower: the figures are not those of the rows above. Starts memcached into `servers`.
 */
async function besideMemcached(servers, size) {
  const loops = {};
  try {
    servers.memcached = await startMemcached();
    servers.memcachedAgain = await startMemcached();
    const load = { connections: CONNECTIONS, keys: KEYS, valueBytes: VALUE_BYTES };
    loops.tandem = await ClosedLoop.start(servers.tandem, "resp", load);
    loops.memcached = await ClosedLoop.start(servers.memcached, "memcached", load);
    loops.again = await ClosedLoop.start(servers.memcachedAgain, "memcached", load);
    const rows = [];
    for (const command of ["get", "set"]) {
      const sides = Object.entries(loops).map(([name, loop]) => [name, () => loop.load(command, size.requests / 2)]);
      for (const [, run] of sides) await run();
      const figures = await interleave(size.rounds, Object.fromEntries(sides));
      const column = (name) => figures[name].map(({ cpu }) => cpu);
      rows.push(
        row({
          label: `${command.toUpperCase()}: CPU, client in Node`,
          unit: "s/million",
          ours: side("tandem", column("tandem")),
          peer: side("memcached", column("memcached")),
          ratio: ratio(column("tandem"), column("memcached")),
          noise: ratio(column("memcached"), column("again")),
        }),
      );
    }
    return rows;
  } finally {
    for (const loop of Object.values(loops)) loop.stop();
  }
}

function compare(command, figures, aim) {
  const column = (name, field) => figures[name].map((figure) => figure[field]);
  const beside = (label, unit, field, limit) =>
    row({
      label: `${command}: ${label}`,
      unit,
      ours: side("tandem", column("tandem", field)),
      peer: side("redis-server", column("redis", field)),
      ratio: ratio(column("tandem", field), column("redis", field)),
      noise: ratio(column("redis", field), column("again", field)),
      goal: limit,
    });
  return [
    beside("CPU", "s/million", "cpu", goal("ratio", "<=", aim)),
    beside("rate", "requests/s", "rate", goal("ratio", ">=", 1)),
    beside("p50", "us", "p50", goal("ratio", "<=", 1.05)),
    beside("p99", "us", "p99", goal("ratio", "<=", 1.05)),
  ];
}

export const s1 = suite("S1");
export const s2 = suite("S2");
export const s3 = suite("S3");
