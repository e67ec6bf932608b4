import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { Cache, TandemError } from "../../src/index.js";
import { Thread } from "./thread.js";

const threads: Thread[] = [];
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.terminate()));
});

async function start(name: string, options?: Parameters<typeof Thread.start>[1]): Promise<Thread> {
  const thread = await Thread.start(name, options);
  threads.push(thread);
  return thread;
}

test("threads that open one name share one cache", async () => {
  using cache = Cache.open("shared", { maxBytes: "8mb" });
  const [one, two] = await Promise.all([start("shared"), start("shared", { maxBytes: 8 * 1024 ** 2 })]);
  cache.set("text", "from main");
  expect(await one.do("get", "text")).toBe("from main");
  await two.do("set", "object", { id: 1, from: "two" });
  expect(cache.get("object")).toEqual({ id: 1, from: "two" });
  expect(await one.do("get", "object")).toEqual({ id: 1, from: "two" });
  await Promise.all([one.do("incr", "n", 5000), two.do("incr", "n", 5000)]);
  expect(cache.get("n")).toBe(10_000);
});

test("a cache outlives the thread that made it while another has it open", async () => {
  const maker = await start("outlives", { maxBytes: "2mb" });
  await maker.do("set", "k", { a: 1 });
  using cache = Cache.open("outlives");
  await maker.close();
  expect(cache.get("k")).toEqual({ a: 1 });
});

test("the last close of a name ends its cache", async () => {
  const first = Cache.open("ends");
  first.set("k", 1);
  first.close();
  using second = Cache.open("ends", { maxBytes: "2mb" });
  expect(second.get("k")).toBeUndefined();
  expect(second.stats().maxBytes).toBe(2 * 1024 ** 2);
  expect(() => first.get("k")).toThrow(expect.objectContaining({ code: "Closed" }));
  expect(() => first.set("k", 2)).toThrow(expect.objectContaining({ code: "Closed" }));
  expect(second.size).toBe(0);
});

test("other options for an open name are an error that shows both", () => {
  using _ = Cache.open("options", { maxBytes: "2mb", policy: "lru" });
  let error: unknown;
  try {
    Cache.open("options", { maxBytes: "3mb" });
  } catch (thrown) {
    error = thrown;
  }
  expect(TandemError.is(error) && error.code).toBe("BadOption");
  expect(String(error)).toContain('"maxBytes":2097152');
  expect(String(error)).toContain('"maxBytes":3145728');
  expect(String(error)).toContain('"lru":true');
});

test("shapes of objects learnt by threads at the same time do not get mixed up", async () => {
  using cache = Cache.open("shapes", { maxBytes: "64mb" });
  const names = ["a", "b", "c", "d"];
  const writers = await Promise.all(names.map(() => start("shapes")));
  await Promise.all(writers.map((writer, i) => writer.do("setShapes", names[i], 2000)));
  const keys = names.flatMap((name) => [0, 1, 19, 20, 777, 1999].map((i) => `${name}:${i}`));
  const expected = keys.map((key) => {
    const [name, i] = key.split(":") as [string, string];
    return { [`${name}_${Number(i) % 20}`]: Number(i), common: name, i: Number(i) };
  });
  expect(cache.getMany(keys)).toEqual(expected);
  for (const writer of writers) expect(await writer.do("getMany", keys)).toEqual(expected);
});

test("1,000 threads come and go while others use the cache", async () => {
  using cache = Cache.open("churn", { maxBytes: "8mb" });
  cache.set("steady", { value: 1 });
  const steady = await start("churn");
  const source = new URL("./threads/churn.mjs", import.meta.url);
  let left = 1000;
  const slot = async () => {
    while (left > 0) {
      left -= 1;
      const worker = new Worker(source, { workerData: { name: "churn", way: left % 3 } });
      const ended = once(worker, "exit");
      // A third is ended from outside, in the middle of its work.
      if (left % 3 === 0) worker.once("message", () => void worker.terminate());
      const [code] = await ended;
      expect([0, 1]).toContain(code);
    }
  };
  let done = false;
  const user = (async () => {
    for (let i = 0; !done; i += 1) {
      await steady.do("setShapes", "steady", 50);
      cache.set(`main:${i % 100}`, { i });
      expect(cache.get("steady:7")).toEqual({ steady_7: 7, common: "steady", i: 7 });
    }
  })();
  await Promise.all([slot(), slot(), slot(), slot()]);
  done = true;
  await user;
  expect(cache.get("steady")).toEqual({ value: 1 });
}, 600_000);
