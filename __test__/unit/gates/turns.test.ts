import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Cache, type UpsertOptions } from "../../../src/index.js";
import { coded, deferred, turns } from "./deferred.js";

let cache: Cache<unknown>;

beforeEach(() => {
  cache = new Cache({ maxBytes: "4mb" });
});
afterEach(() => {
  expect(cache.stats().gates).toBe(0);
  cache.close();
});

describe("upsert", () => {
  test("gets the current value or undefined, and stores what it returns", async () => {
    const seen: unknown[] = [];
    const push = (current: unknown) => {
      seen.push(current);
      return [...((current as number[] | undefined) ?? []), seen.length];
    };
    expect(await cache.upsert("k", push)).toBe("stored");
    expect(await cache.upsert("k", push)).toBe("stored");
    expect(seen).toEqual([undefined, [1]]);
    expect(cache.get("k")).toEqual([1, 2]);
  });

  test("stores with ttl and cost, keeps, deletes", async () => {
    await cache.upsert("k", (_, { store }) => store("v", { ttl: 5000, cost: 2 }));
    expect(cache.getEntry("k")).toMatchObject({ value: "v", cost: 2 });
    expect(cache.ttl("k")).toBeGreaterThan(0);
    expect(await cache.upsert("k", (_, { keep }) => keep())).toBe("unchanged");
    expect(cache.get("k")).toBe("v");
    expect(await cache.upsert("k", (_, context) => context.delete())).toBe("deleted");
    expect(cache.has("k")).toBe(false);
  });

  test("1,000 at once are one sequence, in order of their calls", async () => {
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 1000 }, (_, i) =>
        cache.upsert("n", async (current) => {
          order.push(i);
          await null;
          return ((current as number | undefined) ?? 0) + 1;
        }),
      ),
    );
    expect(cache.get("n")).toBe(1000);
    expect(order).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  });

  const changes: [string, () => unknown][] = [
    ["set", () => cache.set("k", 2)],
    ["set with ifVersion", () => cache.set("k", 2, { ifVersion: cache.getEntry("k")?.version ?? 0n })],
    ["replace", () => cache.replace("k", 2)],
    ["delete", () => cache.delete("k")],
    ["take", () => cache.take("k")],
    ["incr", () => cache.incr("k")],
    ["clear", () => cache.clear()],
  ];
  test.each(changes)("is overtaken by %s: answered, told and fenced; the next one runs", async (_, change) => {
    cache.set("k", 1);
    const [gate, started] = [deferred(), deferred()];
    let signal: AbortSignal | undefined;
    const first = cache.upsert("k", async (_current, context) => {
      signal = context.signal;
      started.resolve();
      await gate.promise;
      return "late";
    });
    const next = cache.upsert("k", (current) => [current]);
    await started.promise;
    const answered = vi.fn();
    first.catch(answered);
    change();
    // Well within 50 ms: the answer needs nothing but turns of this event loop.
    await turns();
    expect(answered).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(coded("Preempted")));
    expect(signal?.aborted).toBe(true);
    expect(signal?.reason).toMatchObject(coded("Preempted"));
    expect(await next).toBe("stored");
    gate.resolve();
    await turns();
    expect(cache.get("k")).toBeInstanceOf(Array);
  });

  test("a transform that looks at its signal only after it was overtaken finds it fired", async () => {
    const gate = deferred();
    const looked = deferred<boolean>();
    const upserted = cache.upsert("k", async (_, context) => {
      await gate.promise;
      looked.resolve(context.signal.aborted);
      return "late";
    });
    cache.set("k", "set");
    await expect(upserted).rejects.toMatchObject(coded("Preempted"));
    gate.resolve();
    expect(await looked.promise).toBe(true);
  });

  test("is not overtaken by what commits nothing, by expiry changes, by other keys, by reads", async () => {
    cache.set("k", 1);
    const gate = deferred();
    const upserted = cache.upsert("k", async () => {
      await gate.promise;
      return 2;
    });
    expect(cache.add("k", 9)).toBe(false);
    expect(() => cache.set("k", 9, { ifVersion: 12345678n })).toThrow();
    expect(() => cache.set("k", 9, { cost: 0 })).toThrow(RangeError);
    expect(cache.expire("k", 60_000)).toBe(true);
    expect(cache.persist("k")).toBe(true);
    cache.set("other", 1);
    expect([cache.get("k"), cache.peek("k"), cache.has("k"), cache.touch("k")]).toEqual([1, 1, true, true]);
    gate.resolve();
    expect(await upserted).toBe("stored");
    expect(cache.get("k")).toBe(2);
  });

  test("is overtaken by an add that stores", async () => {
    const gate = deferred();
    const upserted = cache.upsert("k", async () => {
      await gate.promise;
      return 2;
    });
    expect(cache.add("k", 1)).toBe(true);
    await expect(upserted).rejects.toMatchObject(coded("Preempted"));
    gate.resolve();
    await turns();
    expect(cache.get("k")).toBe(1);
  });

  test("fails with what its transform threw, or counts that as unchanged", async () => {
    cache.set("k", 1);
    const cause = new Error("no");
    const failing = () => Promise.reject(cause);
    await expect(cache.upsert("k", failing)).rejects.toMatchObject({ code: "TransformFailed", cause });
    expect(await cache.upsert("k", failing, { onThrow: "keep" })).toBe("unchanged");
    await expect(cache.upsert("k", () => undefined)).rejects.toMatchObject(coded("TransformFailed"));
    expect(cache.get("k")).toBe(1);
  });

  test("times out past its deadline, and the next one runs", async () => {
    const gate = deferred();
    let signal: AbortSignal | undefined;
    const stuck = cache.upsert(
      "k",
      async (_, context) => {
        signal = context.signal;
        await gate.promise;
        return "late";
      },
      { deadline: 1 },
    );
    const next = cache.upsert("k", () => "next");
    await expect(stuck).rejects.toMatchObject(coded("Timeout"));
    expect(signal?.aborted).toBe(true);
    expect(await next).toBe("stored");
    gate.resolve();
    await turns();
    expect(cache.get("k")).toBe("next");
  });

  test("a value that is too large is refused and the key let go", async () => {
    using small = new Cache({ maxBytes: "4mb", maxValueBytes: 100 });
    small.set("k", "old");
    const refused = small.upsert("k", () => "x".repeat(101));
    const next = small.upsert("k", () => "next");
    await expect(refused).rejects.toMatchObject(coded("TooLarge"));
    expect(await next).toBe("stored");
  });

  test("leaves on its signal, waiting or running", async () => {
    const gate = deferred();
    const [running, waiting] = [new AbortController(), new AbortController()];
    let signal: AbortSignal | undefined;
    const first = cache.upsert(
      "k",
      async (_, context) => {
        signal = context.signal;
        await gate.promise;
        return 1;
      },
      { signal: running.signal },
    );
    const transform = vi.fn(() => 2);
    const second = cache.upsert("k", transform, { signal: waiting.signal });
    const third = cache.upsert("k", () => 3);
    waiting.abort(new Error("two"));
    await expect(second).rejects.toThrow("two");
    running.abort(new Error("one"));
    await expect(first).rejects.toThrow("one");
    expect(signal?.aborted).toBe(true);
    expect(await third).toBe("stored");
    gate.resolve();
    await turns();
    expect(cache.get("k")).toBe(3);
    expect(transform).not.toHaveBeenCalled();
  });

  test.each([
    [{ deadline: 0 }, RangeError],
    [{ deadline: "1" }, TypeError],
    [{ onThrow: "ignore" }, TypeError],
    [{ dedline: 1 }, TypeError],
  ])("refuses the options %o", async (options, type) => {
    const transform = vi.fn(() => 1);
    await expect(cache.upsert("k", transform, options as UpsertOptions)).rejects.toBeInstanceOf(type);
    expect(transform).not.toHaveBeenCalled();
  });
});

describe("insert and update", () => {
  test("store, or say why not", async () => {
    await cache.insert("k", { a: 1 }, { ttl: 5000, cost: 2 });
    expect(cache.getEntry("k")).toMatchObject({ value: { a: 1 }, cost: 2 });
    await expect(cache.insert("k", 2)).rejects.toMatchObject(coded("KeyExists"));
    await cache.update("k", 3);
    expect(cache.get("k")).toBe(3);
    await expect(cache.update("absent", 1)).rejects.toMatchObject(coded("KeyMissing"));
    expect(cache.has("absent")).toBe(false);
  });

  test("wait for the writes in flight and decide in order", async () => {
    const gate = deferred();
    const upserted = cache.upsert("k", async (_, { keep }) => {
      await gate.promise;
      return keep();
    });
    const value = { n: 1 };
    const results = Promise.allSettled([
      cache.update("k", "too early"),
      cache.insert("k", value),
      cache.insert("k", "too late"),
      cache.update("k", "last"),
    ]);
    // What is stored is what the call was given.
    value.n = 2;
    expect(cache.add("other", 1)).toBe(true);
    gate.resolve();
    await upserted;
    const codes = (await results).map((result) => (result.status === "rejected" ? result.reason.code : "stored"));
    expect(codes).toEqual(["KeyMissing", "stored", "KeyExists", "stored"]);
    expect(cache.get("k")).toBe("last");
  });

  test("keep what they were given, whatever becomes of the bytes while they wait", async () => {
    const shared = Buffer.alloc(1);
    const codec = {
      encode(value: unknown) {
        shared[0] = value === true ? 1 : 0;
        return shared;
      },
      decode: (bytes: Uint8Array) => bytes[0] === 1,
    };
    using flags = new Cache<boolean | Buffer>({ maxBytes: "1mb", codec });
    const gate = deferred();
    const hold = (key: string) => flags.upsert(key, (_, { keep }) => gate.promise.then(keep));
    const held = [hold("flag"), hold("bytes")];
    const bytes = Buffer.from("given");
    const inserted = [flags.insert("flag", true), flags.insert("bytes", bytes)];
    await turns();
    flags.set("other", false);
    bytes.fill(0);
    gate.resolve();
    await Promise.all([...held, ...inserted]);
    expect(flags.get("flag")).toBe(true);
    expect(flags.get("bytes")?.toString()).toBe("given");
  });

  test("find what an overtaking set left, and run after it", async () => {
    const gate = deferred();
    const upserted = cache.upsert("k", async () => {
      await gate.promise;
      return "late";
    });
    const inserted = cache.insert("k", "inserted");
    cache.set("k", "set");
    await expect(upserted).rejects.toMatchObject(coded("Preempted"));
    await expect(inserted).rejects.toMatchObject(coded("KeyExists"));
    expect(cache.get("k")).toBe("set");
    gate.resolve();
  });

  test("leave on their signal", async () => {
    const gate = deferred();
    const upserted = cache.upsert("k", async (_, { keep }) => {
      await gate.promise;
      return keep();
    });
    const controller = new AbortController();
    const inserted = cache.insert("k", 1, { signal: controller.signal });
    controller.abort(new Error("gone"));
    await expect(inserted).rejects.toThrow("gone");
    gate.resolve();
    await upserted;
    expect(cache.has("k")).toBe(false);
  });
});

describe("stable", () => {
  test("reads at once what is at rest", async () => {
    cache.set("k", { a: 1 });
    expect(await cache.stable("k")).toEqual({ a: 1 });
  });

  test("waits until nothing is in flight or queued", async () => {
    cache.set("k", "old");
    const gate = deferred();
    const first = cache.upsert("k", async () => {
      await gate.promise;
      return "first";
    });
    const second = cache.upsert("k", (current) => `${current}, second`);
    const stable = cache.stable("k");
    expect(cache.get("k")).toBe("old");
    gate.resolve();
    expect(await stable).toBe("first, second");
    await Promise.all([first, second]);
  });

  test("waits for an absent key, and leaves on its signal", async () => {
    const controller = new AbortController();
    const left = cache.stable("k", { signal: controller.signal });
    const stayed = cache.stable("k");
    controller.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    cache.delete("k");
    cache.set("k", "x".repeat(10_000));
    cache.set("k", "overwritten");
    expect(await stayed).toBe("x".repeat(10_000));
  });
});

describe("asking for one's own key", () => {
  test("fails at once, whichever way it is asked", async () => {
    const ways: (() => Promise<unknown>)[] = [
      () => cache.getOrSet("k", () => 1),
      () => cache.getOrSet(Buffer.from("k"), () => 1),
      () => cache.upsert("k", () => 1),
      () => cache.insert("k", 1),
      () => cache.update("k", 1),
      () => cache.stable("k"),
    ];
    for (const way of ways) {
      await expect(cache.getOrSet("k", way)).rejects.toMatchObject(coded("Deadlock"));
      const nested = cache.upsert("k", async () => {
        await turns(1);
        return cache.getOrSet("other", way);
      });
      await expect(nested).rejects.toMatchObject({ code: "TransformFailed", cause: { code: "Deadlock" } });
    }
  });

  test("is allowed for other keys, other caches, and once the hold is over", async () => {
    using other = new Cache<unknown>({ maxBytes: "2mb" });
    let after: Promise<unknown> | undefined;
    const go = deferred();
    const value = await cache.getOrSet("k", async () => {
      after = go.promise.then(() => cache.getOrSet("k", () => "not loaded"));
      return [await cache.getOrSet("j", () => "other key"), await other.getOrSet("k", () => "other cache")];
    });
    expect(value).toEqual(["other key", "other cache"]);
    go.resolve();
    expect(await after).toEqual(value);
  });
});

test("100 upserts that are stuck do not hold up other keys", async () => {
  const gate = deferred();
  const stuck = Array.from({ length: 100 }, (_, i) =>
    cache.upsert(`stuck:${i}`, async () => {
      await gate.promise;
      return i;
    }),
  );
  await turns();
  expect(cache.stats().gates).toBe(100);
  for (let i = 0; i < 100; i += 1) {
    expect(await cache.getOrSet(`free:${i}`, () => i)).toBe(i);
    expect(await cache.upsert(`free:${i}`, (current) => [current])).toBe("stored");
  }
  expect([...cache.keys()].length).toBe(100);
  gate.resolve();
  expect(new Set(await Promise.all(stuck))).toEqual(new Set(["stored"]));
});

test("too many waiters for one key are refused, and those that wait are served", async () => {
  using large = new Cache<number>({ maxBytes: "32mb" });
  const gate = deferred();
  const first = large.upsert("k", async () => {
    await gate.promise;
    return 0;
  });
  const waiting = Array.from({ length: 16_383 }, () => large.upsert("k", (current = 0) => current + 1));
  await expect(large.upsert("k", () => 1)).rejects.toMatchObject(coded("Overloaded"));
  await expect(large.getOrSet("k", () => 1)).rejects.toMatchObject(coded("Overloaded"));
  gate.resolve();
  await Promise.all([first, ...waiting]);
  expect(large.get("k")).toBe(16_383);
}, 30_000);
