/** What the server tells of itself, beside redis-server. */
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { type Running, startRedis, startTandem } from "./processes.js";
import { RawClient } from "./resp.js";

/** Fields of a Redis that say how it is built, or name a path or parts of it that have no counterpart. */
const LEFT_OUT =
  /^(monotonic_clock|atomicvar_api|gcc_version|hz|configured_hz|lru_clock|executable|client_recent_.*|used_memory_(lua|vm|functions|scripts_eval).*|allocator_.*|rss_overhead_.*|mem_(total_replication_buffers|cluster_links)|current_.*|rdb_(saves|last_cow_size|last_load_.*)|aof_(rewrites.*|last_cow_size)|module_fork_.*|total_net_repl_.*|instantaneous_.*_repl_kbps|expire(d_stale_perc|d_time_cap_reached_count|_cycle_cpu_milliseconds)|total_(eviction_exceeded|active_defrag)_time|dump_payload_sanitizations|(total|io_threaded)_(reads|writes)_processed|reply_buffer_.*|used_cpu_.*_main_thread)$/;

describeWithPeer("redis-server", "observation", () => {
  let servers: Running[] = [];
  beforeAll(async () => {
    servers = await Promise.all([startTandem("--threads", "1"), startRedis()]);
    // On a busy machine any request may be slow, and then there would be a log of it.
    for (const { port } of servers) {
      const client = await RawClient.connect(port);
      await client.ask([["CONFIG", "SET", "slowlog-log-slower-than", "-1"]]);
      client.close();
    }
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  /** What each server answers, errors as their text. */
  function ask(...words: string[]): Promise<unknown[]> {
    return Promise.all(
      servers.map(async ({ port }) => {
        const redis = new Redis(port, { lazyConnect: true, retryStrategy: () => null });
        onTestFinished(() => redis.disconnect());
        await redis.set("k", "v");
        const [command = "", ...args] = words;
        return redis.call(command, ...args).catch((error: Error) => error.message);
      }),
    );
  }

  test.each([
    "MEMORY HELP",
    "MEMORY HELP x",
    "MEMORY USAGE none",
    "MEMORY USAGE",
    "MEMORY USAGE k SAMPLES",
    "MEMORY USAGE k SAMPLES -1",
    "MEMORY USAGE k SAMPLES x",
    "MEMORY USAGE k OTHER 1",
    "MEMORY PURGE",
    "MEMORY NONE",
    "SLOWLOG HELP",
    "SLOWLOG GET -2",
    "SLOWLOG GET x",
    "SLOWLOG GET 1 2",
    "SLOWLOG LEN",
    "SLOWLOG RESET",
    "LATENCY HELP",
    "LATENCY GRAPH command",
    "LATENCY HISTORY command",
    "LATENCY LATEST",
    "LATENCY RESET",
    "CONFIG HELP",
    "CONFIG REWRITE",
    "CONFIG GET slowlog-max-len",
    "CONFIG SET none 1",
    "CONFIG SET slowlog-max-len x",
    "CONFIG SET slowlog-max-len 1 slowlog-max-len 2",
    "OBJECT HELP",
    "ACL WHOAMI",
  ])("%s is answered alike", async (line) => {
    const [ours, theirs] = await ask(...line.split(" "));
    expect(ours).toEqual(theirs);
  });

  test.each(["CLIENT", "ACL", "COMMAND", "PUBSUB", "SCRIPT", "FUNCTION"])(
    "%s HELP has the words of redis-server for what there is here",
    async (container) => {
      const paragraphs = (lines: unknown) => (lines as string[]).join("\n").split(/\n(?! )/);
      const [ours = [], theirs] = (await ask(container, "HELP")).map(paragraphs);
      const names = ours.slice(1).map((paragraph) => paragraph.split(/[ \n]/)[0]);
      expect(ours).toEqual(theirs?.filter((one, at) => at === 0 || names.includes(one.split(/[ \n]/)[0])));
      const [ownDocs] = await ask("COMMAND", "DOCS", container.toLowerCase());
      const own = JSON.stringify(ownDocs)
        .match(/(?<="[a-z]+\|)[a-z-]+(?=")/g)
        ?.map((name) => name.toUpperCase());
      // What is no subcommand of Redis 7.0 has no words of it.
      const told = own?.filter((name) => !["SETINFO"].includes(name)).sort();
      expect([...new Set(names.filter((name) => name !== "(no"))].sort()).toEqual(told);
    },
  );

  /** What each server answers last to these requests on a connection of its own. */
  function lastAnswers(protocol: string, requests: string[]): Promise<string[]> {
    return Promise.all(
      servers.map(async ({ port }) => {
        const client = await RawClient.connect(port);
        onTestFinished(() => client.close());
        const words = [`HELLO ${protocol}`, ...requests].map((request) => request.split(" "));
        return String((await client.ask(words)).at(-1));
      }),
    );
  }

  test("CLIENT INFO shows a transaction that is run as redis-server does", async () => {
    const answers = await lastAnswers("2", ["MULTI", "PING", "CLIENT INFO", "EXEC"]);
    const [ours, theirs] = answers.map((answer) => answer.match(/(flags|multi)=\S+/g));
    expect(theirs).toEqual(["flags=x", "multi=2"]);
    expect(ours).toEqual(theirs);
  });

  test("INFO counts keys that expire, and what is tracked, as redis-server does", async () => {
    const answers = await lastAnswers("3", [
      "FLUSHALL",
      ...Array.from({ length: 30 }, (_, key) => `SET k${key} v EX 1000`),
      "MSET forever v always v",
      "CLIENT TRACKING ON",
      "MGET k1 k2 none",
      "INFO everything",
    ]);
    const [ours, theirs] = answers.map((answer) => answer.match(/tracking_[a-z_]+:\d+|db0:keys=\d+,expires=\d+/g));
    expect(theirs).toContain("db0:keys=32,expires=30");
    expect(ours?.sort()).toEqual(theirs?.sort());
  });

  test("INFO has every field of Redis that means something here", async () => {
    const names = (text: unknown) =>
      String(text)
        .split("\r\n")
        .map((line) => line.split(":")[0] as string)
        .filter((name) => name !== "" && !/^(# |cmdstat_|latency_percentiles_|errorstat_)/.test(name));
    const [ours, theirs] = (await ask("INFO", "everything")).map(names);
    const missing = theirs?.filter((name) => !ours?.includes(name) && !LEFT_OUT.test(name));
    expect(missing).toEqual([]);
  });

  test("the sections come in the same order", async () => {
    for (const section of [[], ["all"], ["commandstats", "memory"]]) {
      const [ours, theirs] = (await ask("INFO", ...section)).map((text) => String(text).match(/^# \w+/gm) ?? []);
      expect(ours?.filter((title) => title !== "# Tandem")).toEqual(theirs);
    }
  });
});
