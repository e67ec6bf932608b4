/** The tools that come with Redis, and the exporter that Prometheus asks, against a real `tandem worker`. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { freePort, lineWith, type Running, startTandem } from "./processes.js";

const run = promisify(execFile);

let tandem: Running;
beforeAll(async () => {
  tandem = await startTandem("--threads", "2");
});
afterAll(() => tandem?.stop());

describeWithPeer("redis-cli", "redis-cli", () => {
  const cliOf = async (port: number, ...args: string[]) => (await run("redis-cli", ["-p", `${port}`, ...args])).stdout;
  const cli = (...args: string[]) => cliOf(tandem.port, ...args);

  test.each([["-2"], ["-3"]])("%s talks to it", async (protocol) => {
    expect(await cli(protocol, "set", "greeting", "hello")).toBe("OK\n");
    expect(await cli(protocol, "get", "greeting")).toBe("hello\n");
    expect(await cli(protocol, "-n", "3", "get", "greeting")).toBe("\n");
    expect(await cli(protocol, "info", "keyspace")).toContain("# Keyspace");
    expect(await cli(protocol, "command", "docs", "get")).toContain("Get the value of a key");
    expect(await cli(protocol, "command", "docs")).toMatch(/Ping the server.*Get the value of a key/s);
  });

  test("its scan finds every key", async () => {
    await cli("flushall");
    await cli("mset", ...Array.from({ length: 100 }, (_, number) => [`key:${number}`, "v"]).flat());
    expect((await cli("--scan", "--pattern", "key:*")).trim().split("\n").sort()).toHaveLength(100);
  });

  test("it finds the largest and the most used keys", async () => {
    await cli("flushall");
    await cli("mset", "small", "1", "large", "x".repeat(1_000));
    await cli("hset", "hash", "a", "1", "b", "2");
    await cli("sadd", "set", "one");
    for (let use = 0; use < 5; use++) await cli("get", "large");
    const biggest = await cli("--bigkeys");
    expect(biggest).toContain("Sampled 4 keys in the keyspace!");
    expect(biggest).toContain(`Biggest string found '"large"' has 1000 bytes`);
    expect(biggest).toContain(`Biggest   hash found '"hash"' has 2 fields`);
    expect(biggest).toContain(`Biggest    set found '"set"' has 1 members`);
    expect(await cli("--hotkeys")).toMatch(/hot key found with counter: \d\tkeyname: "large"/);
  });

  test("where uses are not counted, it is told so in Redis' words", async () => {
    const lru = await startTandem("--policy", "lru");
    onTestFinished(() => lru.stop());
    await cliOf(lru.port, "set", "k", "v");
    await expect(cliOf(lru.port, "--hotkeys")).rejects.toThrow("ERR An LFU maxmemory policy is not selected");
  });

  test("scripts from a file, transactions and formats", async () => {
    await cli("mset", "a", "1", "b", "two words");
    const child = run("redis-cli", ["-p", `${tandem.port}`]);
    child.child.stdin?.end("multi\nincr a\nincr b\nget a\nexec\n");
    expect((await child).stdout).toBe(
      "OK\nQUEUED\nQUEUED\nQUEUED\n2\nERR value is not an integer or out of range\n\n2\n",
    );
    const script = "return {KEYS[1], ARGV[1], redis.call('GET', KEYS[1])}";
    expect(await cli("eval", script, "1", "a", "argument")).toBe("a\nargument\n2\n");
    expect(await cli("--csv", "mget", "a", "b", "missing")).toBe('"2","two words",NULL\n');
    expect(await cli("--json", "mget", "a", "missing")).toBe('["2",null]\n');
  });

  test("what a cache has no use for is refused, and it says so", async () => {
    expect(await cli("monitor")).toContain("ERR unknown command 'monitor'");
    await expect(cli("--rdb", "/dev/null")).rejects.toThrow("unknown command 'SYNC'");
    expect(await cli("lpush", "list", "a")).toContain("ERR unknown command 'lpush'");
    expect(await cli("get", "list")).toBe("\n");
  });

  test("its mass insertion is answered", async () => {
    const requests = "SET piped 1\r\nINCR piped\r\n".repeat(5_000);
    const child = run("redis-cli", ["-p", `${tandem.port}`, "--pipe"]);
    child.child.stdin?.end(requests);
    expect((await child).stdout).toContain("errors: 0, replies: 10000");
  });
});

describeWithPeer("redis-benchmark", "redis-benchmark", () => {
  test.each([["1"], ["16"]])("a run with pipelines of %s ends without an error", async (depth) => {
    const tests = ["-t", "ping,set,get,incr,mset", "-n", "20000", "-r", "1000", "-d", "100"];
    const flags = ["-p", `${tandem.port}`, "-q", "-P", depth, ...tests];
    const { stdout, stderr } = await run("redis-benchmark", flags);
    expect(stderr).not.toMatch(/error/i);
    expect(stdout.match(/requests per second/g)).toHaveLength(6);
  });
});

describeWithPeer("prometheus-redis-exporter", "prometheus-redis-exporter", () => {
  test("reads what its dashboard shows", async () => {
    const { port, process: worker, stop } = await startTandem();
    onTestFinished(stop);
    expect(worker.exitCode).toBeNull();
    const cli = (...args: string[]) => run("redis-cli", ["-p", `${port}`, ...args]);
    await cli("set", "there", "value", "EX", "1000");
    await cli("get", "there");
    await cli("get", "missing");
    const listening = await freePort();
    const flags = ["--redis.addr", `redis://127.0.0.1:${port}`, "--web.listen-address", `127.0.0.1:${listening}`];
    const exporter = spawn("prometheus-redis-exporter", flags, { stdio: ["ignore", "ignore", "pipe"] });
    onTestFinished(async () => {
      exporter.kill();
      await once(exporter, "exit");
    });
    await lineWith(exporter.stderr, "Providing metrics at");
    const metrics = await metricsOf(`http://127.0.0.1:${listening}/metrics`);
    const value = (name: string) => Number(new RegExp(`^${name}(?:{[^}]*})? (.*)$`, "m").exec(metrics)?.[1]);
    expect(value("redis_up")).toBe(1);
    expect(value("redis_exporter_last_scrape_error")).toBe(0);
    expect(value("redis_keyspace_hits_total")).toBe(1);
    expect(value("redis_keyspace_misses_total")).toBe(1);
    expect(value("redis_memory_max_bytes")).toBe(128 * 1024 ** 2);
    for (const name of [
      ...["redis_uptime_in_seconds", "redis_connected_clients", "redis_memory_used_bytes", "redis_evicted_keys_total"],
      ...["redis_expired_keys_total", "redis_commands_processed_total", "redis_net_input_bytes_total"],
      ...["redis_net_output_bytes_total", "redis_blocked_clients", "redis_instance_info"],
    ]) {
      expect(value(name), name).toBeGreaterThanOrEqual(0);
    }
    expect(metrics).toMatch(/^redis_db_keys{db="db0"} 1$/m);
    expect(metrics).toMatch(/^redis_commands_total{cmd="get"} 2$/m);
  });
});

/** The page, as soon as the exporter answers. */
async function metricsOf(address: string): Promise<string> {
  for (;;) {
    const page = await fetch(address).catch(() => undefined);
    if (page?.ok) return page.text();
  }
}
