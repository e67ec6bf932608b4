/** redis-benchmark as the client of a server: what one run of it costs the server, and what its clients see. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { cpuSeconds } from "./server-process.js";

const run = promisify(execFile);

/**
 * Lets redis-benchmark send `requests` of `command` over keys it draws at random, and resolves with CPU-seconds of the
 * server per million of them, the rate, and latencies in microseconds.
 *
 * @param {{pid: number, port: number}} server
 * @param {{command: string, pipeline?: number, connections: number, keys: number, valueBytes: number, requests: number}} load
 */
export async function redisBenchmark(server, { command, pipeline = 1, connections, keys, valueBytes, requests }) {
  const before = cpuSeconds(server.pid);
  const { stdout } = await run("redis-benchmark", [
    ...["-h", "127.0.0.1", "-p", String(server.port), "-c", String(connections), "-d", String(valueBytes)],
    ...["-r", String(keys), "-n", String(requests), "-P", String(pipeline), "-t", command, "--csv"],
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
