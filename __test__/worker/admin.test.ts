import { once } from "node:events";
import { request } from "node:http";
import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { Cache, Worker, type WorkerOptions, type WorkerReport } from "../../src/index.js";
import { slowReader } from "./slow-reader.js";

async function listen(options: WorkerOptions = {}): Promise<Worker> {
  const worker = await Worker.listen({ port: 0, adminPort: 0, threads: 2, cache: { maxBytes: "16mb" }, ...options });
  onTestFinished(() => worker.close());
  return worker;
}

function client(worker: Worker): Redis {
  const redis = new Redis(worker.port, worker.bind, { lazyConnect: true, retryStrategy: () => null });
  onTestFinished(() => {
    redis.disconnect();
  });
  return redis;
}

function get(worker: Worker, path: string, init?: RequestInit): Promise<Response> {
  return fetch(`http://127.0.0.1:${worker.adminPort}${path}`, init);
}

/** The value of a series, by how its line begins. */
function sample(text: string, series: string): number {
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

test("there is no admin port unless one is asked for", async () => {
  const worker = await Worker.listen({ port: 0, cache: { maxBytes: "16mb" } });
  onTestFinished(() => worker.close());
  expect(worker.adminPort).toBeUndefined();
});

test("says that it is alive and ready, each in a line", async () => {
  const worker = await listen();
  for (const [path, line] of [
    ["/livez", "alive\n"],
    ["/readyz?verbose", "ready\n"],
  ] as const) {
    const response = await get(worker, path);
    expect([response.status, await response.text()]).toEqual([200, line]);
    expect(response.headers.get("cache-control")).toBe("no-store");
  }
});

test("is not ready while it stops, and gone afterwards", async () => {
  const worker = await listen();
  const redis = client(worker);
  await redis.set("big", Buffer.alloc(4 << 20, "x"));
  redis.disconnect();
  // It holds the stop up.
  const endReader = await slowReader(worker.port, "big");
  const stopped = worker.close({ drain: 60_000 });
  const response = await get(worker, "/readyz");
  expect([response.status, await response.text()]).toEqual([503, "stopping\n"]);
  expect(await (await get(worker, "/stats")).json()).toMatchObject({ stopping: true });
  endReader();
  await stopped;
  await expect(get(worker, "/livez")).rejects.toThrow();
});

test("/stats is what report() says", async () => {
  const worker = await listen();
  const redis = client(worker);
  await redis.set("k", "v");
  await expect(redis.call("HGET", "k", "f")).rejects.toThrow("WRONGTYPE");
  const told = (await (await get(worker, "/stats")).json()) as WorkerReport;
  const report = JSON.parse(JSON.stringify(worker.report()));
  expect(told).toEqual(report);
  expect(told).toMatchObject({
    stopping: false,
    server: { clients: 1 },
    cache: { entries: 1 },
    errors: { WRONGTYPE: 1 },
  });
  const hget = told.commands.find(({ name }) => name === "hget");
  expect(hget).toMatchObject({ calls: 1, failed: 1, rejected: 0, timed: 1 });
  expect(hget?.shorter).toHaveLength(told.durationBounds.length);
});

test("/metrics counts what was done", async () => {
  const worker = await listen();
  const redis = client(worker);
  await redis.set("k", "v");
  for (let round = 0; round < 5; round++) await redis.get("k");
  await expect(redis.call("GET")).rejects.toThrow("wrong number of arguments");
  const response = await get(worker, "/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  expect(sample(text, 'tandem_commands_total{command="get"}')).toBe(5);
  expect(sample(text, 'tandem_commands_rejected_total{command="get"}')).toBe(1);
  expect(sample(text, 'tandem_command_duration_seconds_count{command="get"}')).toBe(5);
  expect(sample(text, 'tandem_command_duration_seconds_bucket{command="get",le="+Inf"}')).toBe(5);
  expect(sample(text, 'tandem_errors_total{code="ERR"}')).toBe(1);
  expect(sample(text, "tandem_hits_total")).toBe(5);
  expect(sample(text, "tandem_entries")).toBe(1);
  expect(sample(text, "process_resident_memory_bytes")).toBeGreaterThan(1 << 20);
});

test("goes on when the caller has closed the cache", async () => {
  const cache = new Cache({ maxBytes: "16mb" });
  cache.set("k", "v");
  const worker = await listen({ cache });
  cache.close();
  expect(sample(await (await get(worker, "/metrics")).text(), "tandem_entries")).toBe(1);
});

test.each(["POST", "DELETE", "PUT"])("%s changes nothing", async (method) => {
  const response = await get(await listen(), "/stats", { method });
  expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
});

test("HEAD has no body, an unknown path a list", async () => {
  const worker = await listen();
  const head = await get(worker, "/stats", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  const unknown = await get(worker, "/");
  expect([unknown.status, await unknown.text()]).toEqual([404, "there are /livez, /readyz, /stats and /metrics\n"]);
});

test.each([
  ["localhost", 200],
  ["127.0.0.1:80", 200],
  ["[::1]:80", 200],
  ["rebound.example", 403],
  ["rebound.example:7379", 403],
])("the host %s gets %i", async (host, status) => {
  const worker = await listen();
  const asked = request({ port: worker.adminPort, host: "127.0.0.1", path: "/livez", headers: { host } }).end();
  const [response] = await once(asked, "response");
  response.resume();
  expect(response.statusCode).toBe(status);
});

test("a taken admin port closes what was opened", async () => {
  const worker = await listen();
  const cache = new Cache({ maxBytes: "16mb" });
  const error = await Worker.listen({ port: 0, adminPort: worker.adminPort as number, cache }).catch(
    (reason) => reason,
  );
  expect(error).toMatchObject({ code: "CannotListen", message: expect.stringContaining("the port is taken") });
  cache.close();
});
