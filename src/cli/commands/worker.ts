/** `tandem worker`: one node. */
import { totalmem } from "node:os";
import { parseMaxBytes } from "../../cache/options.js";
import type { Logger } from "../../observe/logger.js";
import { addSettings } from "../config/flags.js";
import { resolve } from "../config/resolve.js";
import type { Configuration } from "../config/settings.js";
import type { Register } from "../program.js";
import { EXIT_REFUSED, isRefusal } from "../refusal.js";
import { UsageError } from "../usage-error.js";

export const registerWorker: Register = (program) => {
  addSettings(program.command("worker").description("serve a cache to Redis clients")).action(
    async (flags: Record<string, unknown>) => {
      const { configuration, warnings } = resolve({ flags, environment: process.env });
      const { createLog } = await import("../../observe/log.js");
      const log = createLog("worker", configuration.logLevel, configuration.logFormat);
      for (const warning of warnings) log.warn({ event: "setting ignored" }, warning);
      try {
        await serve(configuration, log);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        log.error({ event: "refused" }, error.message);
        process.exitCode = EXIT_REFUSED;
      }
    },
  );
};

async function serve(configuration: Configuration, log: Logger): Promise<void> {
  const { Worker } = await import("../../worker/worker.js");
  const { port, bind, password, threads, policy, maxMemory, maxClients } = configuration;
  const { idleTimeout, textIdleTimeout, tcpKeepalive, textFraming, noScripts, adminPort } = configuration;
  checkMemory(maxMemory);
  log.info({ event: "starting", maxMemory, policy, threads, password: password !== undefined }, "starting");
  const worker = await Worker.listen({
    port,
    bind,
    threads,
    scripts: !noScripts,
    allowShutdown: true,
    logger: log,
    ...(adminPort === undefined ? {} : { adminPort }),
    ...(password === undefined ? {} : { password }),
    ...(maxClients === undefined ? {} : { maxClients }),
    ...(idleTimeout === 0 ? {} : { idleTimeout: idleTimeout * 1_000 }),
    textIdleTimeout: textIdleTimeout * 1_000,
    keepalive: tcpKeepalive * 1_000,
    textFraming,
    cache: { maxBytes: maxMemory, policy },
  });
  // Before the line that says "ready": whoever reads it may send a signal at once.
  const stop = firstSignal();
  const host = bind.includes(":") ? `[${worker.bind}]` : worker.bind;
  process.stdout.write(
    `tandem: ready on ${host}:${worker.port} (max-memory ${maxMemory}, policy ${policy}, threads ${threads}); ` +
      `talk to it with: redis-cli -h ${worker.bind} -p ${worker.port}\n`,
  );
  if (worker.adminPort !== undefined) {
    process.stdout.write(`tandem: admin on http://127.0.0.1:${worker.adminPort} (/livez /readyz /stats /metrics)\n`);
  }
  await stop;
  const waiting = setTimeout(() => {
    const { clients } = worker.stats();
    log.warn(
      { event: "stop waits", clients },
      "clients have yet to take their replies, and are cut when they take none for 2 s",
    );
  }, TELL_WAIT_MS);
  await worker.close();
  clearTimeout(waiting);
}

/** More than there is would end in the system killing the process when the cache is full, long after the start. */
function checkMemory(maxMemory: string | number): void {
  const available = process.constrainedMemory?.() || Number.POSITIVE_INFINITY;
  const limit = Math.min(available, totalmem());
  const wanted = parseMaxBytes(maxMemory);
  if (wanted > limit) {
    const has = `${(limit / 1024 ** 3).toFixed(1)}gb`;
    throw new UsageError(`max-memory ${maxMemory} is more than the memory of this machine or container (${has})`);
  }
}

/** A stop that takes longer than this says what it waits for. */
const TELL_WAIT_MS = 500;

/**
 * Time in which the same signal again is taken for the one before. Ctrl-C in a terminal, or a supervisor that signals a
 * whole group, reaches npm and this process, and npm passes it on once more.
 */
const SAME_SIGNAL_MS = 500;

/** Resolves with the first signal to stop; another request ends the process at once, as if nobody had listened. */
function firstSignal(): Promise<void> {
  return new Promise((stop) => {
    const signals = ["SIGTERM", "SIGINT"] as const;
    let first: { signal: NodeJS.Signals; at: number } | undefined;
    const listener = (signal: NodeJS.Signals) => {
      const now = performance.now();
      first ??= { signal, at: now };
      if (signal === first.signal && now - first.at < SAME_SIGNAL_MS) return stop();
      for (const name of signals) process.removeListener(name, listener);
      process.kill(process.pid, signal);
    };
    for (const signal of signals) process.on(signal, listener);
  });
}
