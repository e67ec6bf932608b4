import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Cache, type LoadOptions, TandemError } from "../../../src/index.js";
import { coded, deferred, turns } from "./deferred.js";

let cache: Cache<unknown>;
let now = 1_000_000;

beforeEach(() => {
  now = 1_000_000;
  cache = new Cache({ maxBytes: "4mb", clock: () => now });
});
afterEach(() => {
  expect(cache.stats().gates).toBe(0);
  cache.close();
});

describe("one load for all who ask", () => {
  test("1,000 callers at once run one loader and get copies of their own", async () => {
    const loader = vi.fn(async (key: unknown) => ({ key, list: [1, 2] }));
    const values = await Promise.all(Array.from({ length: 1000 }, () => cache.getOrSet("k", loader)));
    expect(loader).toHaveBeenCalledTimes(1);
    expect(new Set(values).size).toBe(1000);
    for (const value of values) expect(value).toEqual({ key: "k", list: [1, 2] });
    expect(cache.get("k")).toEqual({ key: "k", list: [1, 2] });
  });

  test("the caller that loaded gets a copy, too", async () => {
    const mine = { list: [1] };
    const bytes = Buffer.from("abc");
    const given = (await cache.getOrSet("object", () => mine)) as typeof mine;
    given.list.push(2);
    expect(mine.list).toEqual([1]);
    expect(cache.get("object")).toEqual({ list: [1] });
    const buffer = (await cache.getOrSet("bytes", () => bytes)) as Buffer;
    buffer[0] = 0;
    expect(bytes.toString()).toBe("abc");
  });

  test.each([
    ["text"],
    [""],
    [42],
    [-1.5],
    [null],
    [true],
    [Buffer.from([0, 255])],
    [{ a: [1] }],
    [new Map([["a", 1]])],
  ])("loads and hands out %o", async (value) => {
    const gate = deferred<unknown>();
    const loader = vi.fn(() => gate.promise);
    const both = [cache.getOrSet("k", loader), cache.getOrSet("k", loader)];
    gate.resolve(value);
    expect(await Promise.all(both)).toEqual([value, value]);
    expect(await cache.getOrSet("k", loader)).toEqual(value);
    expect(loader).toHaveBeenCalledTimes(1);
  });

  test("a hit does not load, also of null", async () => {
    cache.set("k", null);
    const loader = vi.fn(() => 1);
    expect(await cache.getOrSet("k", loader)).toBeNull();
    expect(loader).not.toHaveBeenCalled();
  });

  test("undefined is handed out and not stored", async () => {
    const gate = deferred<undefined>();
    const both = [cache.getOrSet("k", () => gate.promise), cache.getOrSet("k", () => 1)];
    gate.resolve(undefined);
    expect(await Promise.all(both)).toEqual([undefined, undefined]);
    expect(cache.has("k")).toBe(false);
    expect(await cache.getOrSet("k", () => 2)).toBe(2);
  });

  test("a string and its bytes are one key; bytes may change while they wait", async () => {
    const gate = deferred<string>();
    const key = Buffer.from("k");
    const one = cache.getOrSet(key, () => gate.promise);
    key[0] = 0;
    const two = cache.getOrSet("k", () => "other");
    gate.resolve("loaded");
    expect(await Promise.all([one, two])).toEqual(["loaded", "loaded"]);
  });

  test("a value that is too large is handed out to all and not stored", async () => {
    using small = new Cache<string>({ maxBytes: "4mb", maxValueBytes: 1000 });
    const gate = deferred<string>();
    const both = [small.getOrSet("k", () => gate.promise), small.getOrSet("k", () => "other")];
    gate.resolve("x".repeat(1001));
    expect(await Promise.all(both)).toEqual(["x".repeat(1001), "x".repeat(1001)]);
    expect(small.has("k")).toBe(false);
  });
});

describe("errors of loaders", () => {
  test("reach all callers with code, name, message, stack and cause", async () => {
    const gate = deferred<never>();
    const callers = Array.from({ length: 3 }, () => cache.getOrSet("k", () => gate.promise));
    const cause = new TypeError("the reason");
    gate.reject(Object.assign(new RangeError("no such row", { cause }), { code: "E_ROW" }));
    for (const result of await Promise.allSettled(callers)) {
      const { reason } = result as PromiseRejectedResult;
      expect(reason).toBeInstanceOf(RangeError);
      expect(reason).toMatchObject({ name: "RangeError", message: "no such row", code: "E_ROW" });
      expect(reason.stack).toContain("load.test.ts");
      expect(reason.cause).toBeInstanceOf(TypeError);
      expect(reason.cause.message).toBe("the reason");
    }
  });

  test("may be anything that can be thrown", async () => {
    for (const thrown of ["text", 7, null, new TandemError("Overloaded", "busy"), { odd: true }]) {
      const gate = deferred<never>();
      const callers = [cache.getOrSet("k", () => gate.promise), cache.getOrSet("k", () => 1)];
      gate.reject(thrown);
      const [first, second] = (await Promise.allSettled(callers)) as PromiseRejectedResult[];
      expect(first?.reason).toBe(thrown);
      if (TandemError.is(thrown)) expect(TandemError.is(second?.reason) && second.reason.code).toBe("Overloaded");
      else expect(second?.reason).toEqual(typeof thrown === "object" && thrown ? "{ odd: true }" : thrown);
    }
  });

  test("that are long are cut", async () => {
    const gate = deferred<never>();
    const callers = [cache.getOrSet("k", () => gate.promise), cache.getOrSet("k", () => 1)];
    gate.reject(new Error("x".repeat(1_000_000)));
    const [, second] = (await Promise.allSettled(callers)) as PromiseRejectedResult[];
    expect(second?.reason.message).toBe("x".repeat(4096));
  });

  test("are not kept: the next caller loads anew", async () => {
    await expect(cache.getOrSet("k", () => Promise.reject(new Error("once")))).rejects.toThrow("once");
    expect(await cache.getOrSet("k", () => 1)).toBe(1);
  });

  test("a value that cannot be stored is an error for all", async () => {
    const gate = deferred<unknown>();
    const callers = [cache.getOrSet("k", () => gate.promise), cache.getOrSet("k", () => 1)];
    gate.resolve(() => 1);
    for (const result of await Promise.allSettled(callers)) {
      expect((result as PromiseRejectedResult).reason).toBeInstanceOf(TypeError);
    }
  });
});

describe("what cannot be described", () => {
  const message = new Error("x");
  Object.defineProperty(message, "message", {
    get() {
      throw new Error("from the getter");
    },
  });
  const name = Object.assign(new Error("y"), { name: Symbol("n") });
  const inspected = {
    constructor: null,
    [Symbol.for("nodejs.util.inspect.custom")]() {
      throw new Error("from inspect");
    },
  };
  const longNamed = Object.assign(new Error("z"), { name: "n".repeat(100_000), code: "c".repeat(100_000) });

  test.each([
    ["an error whose message throws", message],
    ["an error whose name is a symbol", name],
    ["an object whose inspection throws", inspected],
    ["an error with a name and a code of 100,000 characters", longNamed],
  ])("%s reaches all who ask, and the key is free again", async (_, thrown) => {
    const gate = deferred<never>();
    const callers = [cache.getOrSet("k", () => gate.promise), cache.getOrSet("k", () => 1)];
    gate.reject(thrown);
    const [first, second] = (await Promise.allSettled(callers)) as PromiseRejectedResult[];
    expect(first?.reason === thrown).toBe(true);
    expect(second?.reason).toBeInstanceOf(Error);
    expect(await cache.getOrSet("k", () => 2)).toBe(2);
    cache.delete("k");

    const failed = cache.upsert("k", () => {
      throw thrown;
    });
    await expect(failed.catch((error) => error.cause === thrown && error.code)).resolves.toBe("TransformFailed");
    expect(await cache.upsert("k", () => 3)).toBe("stored");
  });

  test("what a codec throws on the way in or out reaches all who ask", async () => {
    const codec = {
      encode: vi.fn(() => Buffer.from("x")),
      decode: vi.fn(() => {
        throw message;
      }),
    };
    using other = new Cache<unknown>({ maxBytes: "1mb", codec });
    const ask = () => [1, 2].map(() => other.getOrSet("k", async () => ({})));
    for (const { status } of await Promise.allSettled(ask())) expect(status).toBe("rejected");
    other.delete("k");
    codec.encode.mockImplementation(() => {
      throw message;
    });
    for (const { status } of await Promise.allSettled(ask())) expect(status).toBe("rejected");
    expect(other.stats().gates).toBe(0);
  });
});

describe("changes while loading", () => {
  test("a value that was set wins, and the loader is told", async () => {
    const gate = deferred<string>();
    let signal: AbortSignal | undefined;
    const first = cache.getOrSet("k", (_, context) => {
      signal = context.signal;
      return gate.promise;
    });
    const second = cache.getOrSet("k", () => "other");
    cache.set("k", "set");
    cache.delete("k");
    expect(await Promise.all([first, second])).toEqual(["set", "set"]);
    expect(signal?.aborted).toBe(true);
    gate.resolve("late");
    await turns();
    expect(cache.has("k")).toBe(false);
  });

  test.each([
    ["delete", () => cache.delete("k")],
    ["take", () => cache.take("k")],
    ["clear", () => cache.clear()],
  ])("after %s the loaded value is handed out and not stored; later callers load anew", async (_, remove) => {
    const gate = deferred<string>();
    const before = [cache.getOrSet("k", () => gate.promise), cache.getOrSet("k", () => "other")];
    remove();
    const after = cache.getOrSet("k", () => "new");
    expect(await after).toBe("new");
    gate.resolve("old");
    expect(await Promise.all(before)).toEqual(["old", "old"]);
    expect(cache.get("k")).toBe("new");
  });

  test("an upsert in flight is waited for, and what it stores is a hit", async () => {
    const gate = deferred<string>();
    const upserted = cache.upsert("k", () => gate.promise);
    const loader = vi.fn(() => "loaded");
    const asked = cache.getOrSet("k", loader);
    await turns();
    gate.resolve("upserted");
    expect(await asked).toBe("upserted");
    expect(await upserted).toBe("stored");
    expect(loader).not.toHaveBeenCalled();
  });

  test("an upsert that stores nothing lets the load run", async () => {
    const gate = deferred();
    const upserted = cache.upsert("k", async (_, { keep }) => {
      await gate.promise;
      return keep();
    });
    const asked = cache.getOrSet("k", () => "loaded");
    gate.resolve();
    expect(await asked).toBe("loaded");
    expect(await upserted).toBe("unchanged");
  });
});

describe("leaving", () => {
  test("the abort of one caller concerns only that caller", async () => {
    const gate = deferred<string>();
    const controller = new AbortController();
    const loader = vi.fn(() => gate.promise);
    const leaving = cache.getOrSet("k", loader, { signal: controller.signal });
    const staying = cache.getOrSet("k", loader);
    controller.abort(new Error("gone"));
    await expect(leaving).rejects.toThrow("gone");
    gate.resolve("loaded");
    expect(await staying).toBe("loaded");
    expect(loader).toHaveBeenCalledTimes(1);
    expect(cache.get("k")).toBe("loaded");
  });

  test("when nobody is left the load is aborted and its value dropped", async () => {
    const gate = deferred<string>();
    const [one, two] = [new AbortController(), new AbortController()];
    let signal: AbortSignal | undefined;
    const loader = (_: unknown, context: { signal: AbortSignal }) => {
      signal = context.signal;
      return gate.promise;
    };
    const callers = [one, two].map(({ signal }) => cache.getOrSet("k", loader, { signal }));
    one.abort();
    await expect(callers[0]).rejects.toMatchObject({ name: "AbortError" });
    expect(signal?.aborted).toBe(false);
    two.abort();
    await expect(callers[1]).rejects.toMatchObject({ name: "AbortError" });
    await turns();
    expect(signal?.aborted).toBe(true);
    gate.resolve("late");
    await turns();
    expect(cache.has("k")).toBe(false);
  });

  test("a caller that leaves as its turn comes passes it on", async () => {
    const gate = deferred();
    const upserted = cache.upsert("k", async (_, { keep }) => {
      await gate.promise;
      return keep();
    });
    const controller = new AbortController();
    const leaving = cache.getOrSet("k", () => "left", { signal: controller.signal });
    const staying = cache.getOrSet("k", () => "stayed");
    // The grant is in the mail when the caller leaves.
    gate.resolve();
    await upserted;
    controller.abort(new Error("gone"));
    await expect(leaving).rejects.toThrow("gone");
    expect(await staying).toBe("stayed");
  });

  test("a signal that has fired already refuses the call", async () => {
    const loader = vi.fn(() => 1);
    await expect(cache.getOrSet("k", loader, { signal: AbortSignal.abort() })).rejects.toThrow();
    expect(loader).not.toHaveBeenCalled();
  });

  test("hardTimeout bounds the wait of its caller", async () => {
    const gate = deferred<string>();
    const impatient = cache.getOrSet("k", () => gate.promise, { hardTimeout: 1 });
    const patient = cache.getOrSet("k", () => "other");
    await expect(impatient).rejects.toMatchObject(coded("Timeout"));
    gate.resolve("loaded");
    expect(await patient).toBe("loaded");
  });

  test("close answers everybody", async () => {
    const other = new Cache({ maxBytes: "2mb" });
    const gate = deferred<string>();
    let signal: AbortSignal | undefined;
    const callers = [
      other.getOrSet("k", (_, context) => {
        signal = context.signal;
        return gate.promise;
      }),
      other.getOrSet("k", () => 1),
      other.upsert("k", () => 1),
      other.insert("k", 1),
      other.stable("k"),
    ];
    other.close();
    for (const result of await Promise.allSettled(callers)) {
      expect((result as PromiseRejectedResult).reason).toMatchObject(coded("Closed"));
    }
    expect(signal?.aborted).toBe(true);
    gate.resolve("late");
    await turns();
    await expect(other.getOrSet("k", () => 1)).rejects.toMatchObject(coded("Closed"));
  });
});

test("a closed cache rejects, and never acts on the cache that took its place", async () => {
  const closed = new Cache({ maxBytes: "1mb" });
  const used = new Cache({ maxBytes: "1mb" });
  await used.upsert("k", () => 1);
  used.close();
  closed.close();
  using _one = new Cache({ maxBytes: "1mb" });
  using _two = new Cache({ maxBytes: "1mb" });
  for (const cache of [closed, used]) {
    await expect(cache.getOrSet("k", () => 1)).rejects.toMatchObject(coded("Closed"));
    await expect(cache.upsert("k", () => 1)).rejects.toMatchObject(coded("Closed"));
    await expect(cache.insert("k", 1)).rejects.toMatchObject(coded("Closed"));
    await expect(cache.stable("k")).rejects.toMatchObject(coded("Closed"));
  }
});

describe("freshness", () => {
  const options: LoadOptions = { ttl: 1000, grace: 5000 };

  test("ttl and cost are stored with the value", async () => {
    await cache.getOrSet("k", () => 1, { ttl: 1000, cost: 3 });
    expect(cache.getEntry("k")).toMatchObject({ expiresAt: now + 1000, cost: 3 });
    now += 1000;
    expect(await cache.getOrSet("k", () => 2)).toBe(2);
  });

  test("negativeTtl is for null", async () => {
    await cache.getOrSet("none", () => null, { ttl: 1000, negativeTtl: 10 });
    await cache.getOrSet("some", () => 1, { ttl: 1000, negativeTtl: 10 });
    expect(cache.ttl("none")).toBe(10);
    expect(cache.ttl("some")).toBe(1000);
  });

  test("negativeTtl goes with grace, and not with earlyRefresh", async () => {
    const negative: LoadOptions = { ttl: 1000, negativeTtl: 10, grace: 5000, earlyRefresh: 0.5 };
    await cache.getOrSet("none", () => null, negative);
    const loader = vi.fn(() => 1);
    now += 9;
    expect(await cache.getOrSet("none", loader, negative)).toBeNull();
    expect(loader).not.toHaveBeenCalled();
    now += 1;
    expect(await cache.getOrSet("none", loader, negative)).toBeNull();
    await turns();
    expect(await cache.getOrSet("none", loader, negative)).toBe(1);
  });

  test("hardTimeout ends the wait for a refresh with the stale value", async () => {
    await cache.getOrSet("k", () => "old", options);
    now += 1000;
    const gate = deferred<string>();
    const late = { ...options, softTimeout: 60_000, hardTimeout: 1 };
    expect(await cache.getOrSet("k", () => gate.promise, late)).toBe("old");
    gate.resolve("new");
    await turns();
  });

  test("a stale value is served while one refresh runs", async () => {
    await cache.getOrSet("k", () => "old", options);
    now += 1000;
    const gate = deferred<string>();
    const loader = vi.fn((_: unknown, _context: { stale: unknown }) => gate.promise);
    expect(await cache.getOrSet("k", loader, options)).toBe("old");
    expect(await cache.getOrSet("k", loader, options)).toBe("old");
    expect(loader).toHaveBeenCalledTimes(1);
    expect(loader.mock.calls[0]?.[1].stale).toBe("old");
    gate.resolve("new");
    await turns();
    expect(await cache.getOrSet("k", loader, options)).toBe("new");
  });

  test("a stale value is served when the refresh fails, until grace is over", async () => {
    await cache.getOrSet("k", () => "old", options);
    now += 5999;
    const failing = () => Promise.reject(new Error("down"));
    expect(await cache.getOrSet("k", failing, { ...options, softTimeout: 10_000 })).toBe("old");
    await turns();
    now += 1;
    await expect(cache.getOrSet("k", failing, options)).rejects.toThrow("down");
  });

  test("softTimeout waits for the refresh before it takes the stale value", async () => {
    await cache.getOrSet("k", () => "old", options);
    now += 1000;
    expect(await cache.getOrSet("k", async () => "new", { ...options, softTimeout: 10_000 })).toBe("new");
    now += 1000;
    const gate = deferred<string>();
    expect(await cache.getOrSet("k", () => gate.promise, { ...options, softTimeout: 1 })).toBe("new");
    gate.resolve("newer");
    await turns();
    expect(cache.get("k")).toBe("newer");
  });

  test("earlyRefresh renews what is used often, before it is stale", async () => {
    const early: LoadOptions = { ttl: 1000, earlyRefresh: 0.8 };
    await cache.getOrSet("k", () => "old", early);
    now += 799;
    const loader = vi.fn(() => "new");
    expect(await cache.getOrSet("k", loader, early)).toBe("old");
    expect(loader).not.toHaveBeenCalled();
    now += 1;
    expect(await cache.getOrSet("k", loader, early)).toBe("old");
    await turns();
    expect(loader).toHaveBeenCalledTimes(1);
    expect(cache.getEntry("k")).toMatchObject({ value: "new", expiresAt: now + 1000 });
  });
});

test.each([
  [{ ttl: 0 }, RangeError, "ttl"],
  [{ ttl: "1" }, TypeError, "ttl"],
  [{ grace: 5 }, TypeError, "grace"],
  [{ ttl: 5, softTimeout: 5 }, TypeError, "softTimeout"],
  [{ ttl: 1, grace: 8.64e15 }, RangeError, "ttl + grace must be a whole number of ms from 1 to 8640000000000000"],
  [{ earlyRefresh: 0.5 }, TypeError, "earlyRefresh"],
  [{ ttl: 5, earlyRefresh: 1 }, RangeError, "earlyRefresh"],
  [{ hardTimeout: 2 ** 31 }, RangeError, "hardTimeout"],
  [{ signal: {} }, TypeError, "signal"],
  [{ tll: 5 }, TypeError, "tll"],
  [5, TypeError, "getOrSet"],
])("refuses the options %o", async (options, type, name) => {
  const loader = vi.fn(() => 1);
  const refused = expect(cache.getOrSet("k", loader, options as LoadOptions)).rejects;
  await refused.toBeInstanceOf(type);
  await expect(cache.getOrSet("k", loader, options as LoadOptions)).rejects.toThrow(name);
  expect(loader).not.toHaveBeenCalled();
});

test("refuses a cost that is none before it loads", async () => {
  const loader = vi.fn(() => 1);
  await expect(cache.getOrSet("k", loader, { cost: 0 })).rejects.toThrow(RangeError);
  expect(loader).not.toHaveBeenCalled();
});

test("refuses keys and loaders of a wrong type", async () => {
  await expect(cache.getOrSet(5 as unknown as string, () => 1)).rejects.toThrow(TypeError);
  await expect(cache.getOrSet("k", 5 as unknown as () => 1)).rejects.toThrow("the loader must be a function");
});
