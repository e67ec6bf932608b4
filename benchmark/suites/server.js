/** S1 to S3: CPU time of the server per operation beside redis-server, with redis-benchmark as the client of both. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { interleave } from "../measure/rounds.js";
import { cpuSeconds, startRedis, startTandem, store } from "../measure/server-process.js";
import { goal, ratio, row, side } from "../measure/statistics.js";

const run = promisify(execFile);

const KEYS = 400_000;
const VALUE_BYTES = 32;
const CONNECTIONS = 50;

/** Goal of CPU time by pipeline, as a ratio to redis-server. */
const depths = { S1: [1, 0.88], S2: [16, 0.55], S3: [50, 0.4] };

/** One run of redis-benchmark against `server`: CPU-seconds per million operations, rate and latencies. */
async function load(server, command, pipeline, requests) {
  const before = cpuSeconds(server.pid);
  const { stdout } = await run("redis-benchmark", [
    ...["-h", "127.0.0.1", "-p", String(server.port), "-c", String(CONNECTIONS), "-d", String(VALUE_BYTES)],
    ...["-r", String(KEYS), "-n", String(requests), "-P", String(pipeline), "-t", command, "--csv"],
  ]);
  const cpu = cpuSeconds(server.pid) - before;
  const [header, figures] = stdout
    .trim()
    .split("\n")
    .slice(-2)
    .map((line) => line.split(",").map((cell) => cell.replaceAll('"', "")));
  const column = (name) => Number(figures[header.indexOf(name)]);
  return {
    cpu: (cpu * 1e6) / requests,
    rate: column("rps"),
    p50: column("p50_latency_ms") * 1000,
    p99: column("p99_latency_ms") * 1000,
  };
}

function suite(id) {
  const [pipeline, aim] = depths[id];
  return {
    id,
    title:
      `server: CPU-seconds per million operations beside redis-server, pipeline ${pipeline}, ${CONNECTIONS} ` +
      `connections, ${VALUE_BYTES} B values, 400 k keys (ratio: Tandem / redis-server)`,
    peers: ["redis-server", "redis-benchmark"],
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
          for (const server of Object.values(servers)) await load(server, command, pipeline, requests);
          const figures = await interleave(
            size.rounds,
            Object.fromEntries(
              Object.entries(servers).map(([name, server]) => [name, () => load(server, command, pipeline, requests)]),
            ),
          );
          rows.push(...compare(command.toUpperCase(), figures, aim));
        }
        return { rows };
      } finally {
        for (const server of Object.values(servers)) await server.stop();
      }
    },
  };
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
