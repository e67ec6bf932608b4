/** What a worker tells of itself, as metrics for Prometheus. Names follow its conventions: base units, `_total`. */
import type { WorkerReport } from "../report.js";
import { Exposition } from "./exposition.js";

/** The metrics of a worker and of the process it runs in. */
export function metrics({ version, startedMs, server, cache, commands, durationBounds, errors }: WorkerReport): string {
  const out = new Exposition();
  out.gauge("tandem_build_info", "A constant 1, with the version of the worker.", 1, { version });
  out.gauge("tandem_start_time_seconds", "When the worker began to listen, as a Unix time.", startedMs / 1_000);

  out.gauge("tandem_clients", "Connections open now.", server.clients);
  out.gauge("tandem_clients_limit", "Connections that may be open at once.", server.maxClients);
  out.counter("tandem_connections_accepted_total", "Connections accepted.", server.accepted);
  out.counter("tandem_connections_rejected_total", "Connections refused because a limit was reached.", server.rejected);
  out.counter("tandem_connections_cut_total", "Connections cut because their peer took no replies.", server.cut);
  out.counter("tandem_connections_silent_total", "Connections closed because they were silent.", server.silent);
  out.counter("tandem_refused_passwords_total", "Wrong passwords.", server.refusedPasswords);
  out.counter("tandem_received_bytes_total", "Bytes read from clients.", server.bytesIn);
  out.counter("tandem_sent_bytes_total", "Bytes written to clients.", server.bytesOut);
  out.gauge("tandem_client_buffers_bytes", "Memory held by buffers of clients.", server.bufferBytes);
  out.gauge("tandem_client_buffers_limit_bytes", "What buffers of clients may come to.", server.bufferLimit);

  out.counter("tandem_requests_total", "Requests run.", server.commands);
  out.counter("tandem_requests_panicked_total", "Requests that met a defect of the server.", server.panics);
  out.gauge("tandem_slow_requests", "Requests kept by SLOWLOG.", server.slowRequests);
  out.counters(
    "tandem_commands_total",
    "Requests that ran, by command.",
    commands.map(({ name, calls }) => [{ command: name }, calls]),
  );
  out.counters(
    "tandem_commands_rejected_total",
    "Requests that were refused before they ran, by command.",
    commands.map(({ name, rejected }) => [{ command: name }, rejected]),
  );
  out.counters(
    "tandem_commands_failed_total",
    "Requests that ran and answered an error, by command.",
    commands.map(({ name, failed }) => [{ command: name }, failed]),
  );
  out.histograms(
    "tandem_command_duration_seconds",
    "Time of requests in the server, of all that came alone and of one in 256 of those in pipelines.",
    commands
      .filter(({ timed }) => timed > 0)
      .map(({ name, timed, seconds, shorter }) => [
        { command: name },
        { bounds: durationBounds, upTo: shorter, count: timed, sum: seconds },
      ]),
  );
  out.counters(
    "tandem_errors_total",
    "Errors answered, by their code.",
    Object.entries(errors).map(([code, count]) => [{ code }, count]),
  );

  out.gauge("tandem_entries", "Live entries.", cache.entries);
  out.gauge("tandem_memory_bytes", "Everything the cache occupies.", cache.bytes);
  out.gauge("tandem_memory_limit_bytes", "The bound on it.", cache.maxBytes);
  out.gauge("tandem_key_bytes", "Live keys.", cache.keyBytes);
  out.gauge("tandem_value_bytes", "Live values as stored.", cache.valueBytes);
  out.gauge("tandem_raw_value_bytes", "Live values before compression.", cache.rawValueBytes);
  out.gauge("tandem_overhead_bytes", "Record headers, index, ghosts and directories.", cache.overheadBytes);
  out.gauge("tandem_dead_bytes", "Memory in the log that no entry uses any more.", cache.deadBytes);
  out.gauge("tandem_reserve_bytes", "Free segments held ready, and unfilled ends of segments.", cache.reserveBytes);
  out.counter("tandem_hits_total", "Reads that found an entry.", cache.hits);
  out.counter("tandem_misses_total", "Reads that found none.", cache.misses);
  out.counter("tandem_writes_total", "Writes that stored.", cache.sets);
  out.counter("tandem_deletes_total", "Deletes that removed an entry.", cache.deletes);
  out.counter("tandem_evictions_total", "Entries evicted to make room.", cache.evictions);
  out.counter("tandem_expirations_total", "Entries removed by expiry.", cache.expirations);
  out.counter("tandem_compressions_total", "Entries stored compressed.", cache.compressed);
  out.counter("tandem_resets_total", "Defects that each emptied a part of the cache.", cache.resets);
  out.gauge("tandem_gates", "Key gates that exist now.", cache.gates);

  const { user, system } = process.cpuUsage();
  out.counter("process_cpu_seconds_total", "User and system time of the process.", (user + system) / 1e6);
  out.gauge("process_resident_memory_bytes", "Resident memory of the process.", process.memoryUsage.rss());
  const processStart = Date.now() / 1_000 - process.uptime();
  out.gauge("process_start_time_seconds", "When the process started, as a Unix time.", Math.round(processStart));
  return out.toString();
}
