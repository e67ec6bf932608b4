import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const dist = fileURLToPath(new URL("../../dist/index.js", import.meta.url));

/** Runs a module in a process of its own and gives what it printed; a crash or a hang is an error. */
async function run(source: string): Promise<string> {
  return runAlone(`import { Cache } from ${JSON.stringify(dist)};\n${source}`);
}

/** Like `run`, without loading the package. */
async function runAlone(source: string): Promise<string> {
  const execute = promisify(execFile);
  const { stdout } = await execute(process.execPath, ["--expose-gc", "--input-type=module", "-e", source], {
    timeout: 150_000,
  });
  return stdout.trim();
}

test("a process with open caches and listeners, and nothing to do, ends", async () => {
  const printed = await run(`
    const cache = new Cache({ maxBytes: "4mb" });
    const named = Cache.open("named");
    for (const name of ["set", "delete", "evict", "expire", "gap"]) named.on(name, () => {});
    cache.set("k", { a: 1 }, { ttl: 60_000 });
    named.set("k", 1);
    console.log("done");
  `);
  expect(printed).toBe("done");
});

test("a process ends at once by process.exit", async () => {
  expect(await run(`new Cache({ maxBytes: "4mb" }).set("k", 1); console.log("exit"); process.exit(0);`)).toBe("exit");
});

test("threads alone can load the addon, one after the other", async () => {
  const printed = await runAlone(`
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    const seen = [];
    for (let i = 0; i < 5; i += 1) {
      const worker = new Worker(new URL(${JSON.stringify(new URL("./threads/alone.mjs", import.meta.url).href)}), { execArgv: [] });
      worker.on("message", (value) => seen.push(value));
      await once(worker, "exit");
    }
    console.log(seen.join());
  `);
  // Each thread was the only one to have the cache open, so each begins anew.
  expect(printed).toBe("1,1,1,1,1");
});

test("20 caches opened, filled and closed give their memory back", async () => {
  const printed = await run(`
    const value = Buffer.alloc(1000, 7);
    const fill = () => {
      const cache = new Cache({ maxBytes: "64mb", compression: false });
      for (let i = 0; i < 60_000; i += 1) cache.set("key:" + i, value);
      if (cache.stats().bytes < 50e6) throw new Error("not filled: " + cache.stats().bytes);
      return cache;
    };
    fill().close();
    gc();
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 10; i += 1) fill().close();
    const open = Array.from({ length: 10 }, fill);
    const peak = process.memoryUsage().rss;
    for (const cache of open) cache.close();
    gc();
    console.log(JSON.stringify({ used: peak - before, kept: process.memoryUsage().rss - before }));
  `);
  const { used, kept } = JSON.parse(printed);
  expect(used).toBeGreaterThan(500e6);
  expect(kept).toBeLessThan(32e6);
});

test.each([
  ["", ""],
  [" with its listeners", 'forgotten.on("set", () => forgotten.size);'],
])("a cache that was forgotten%s is closed by the garbage collector", async (_, listen) => {
  const printed = await run(`
    (() => {
      const forgotten = Cache.open("forgotten", { maxBytes: "2mb" });
      ${listen}
      forgotten.set("k", 1);
    })();
    await new Promise((resume) => setImmediate(resume));
    gc();
    // Finalizers run in a later turn.
    for (let i = 0; i < 10; i += 1) await new Promise((resume) => setImmediate(resume));
    console.log(Cache.open("forgotten", { maxBytes: "4mb" }).get("k"));
  `);
  expect(printed).toBe("undefined");
});
