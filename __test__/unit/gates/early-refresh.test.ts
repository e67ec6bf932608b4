import { expect, test, vi } from "vitest";
import { Cache, type LoadOptions } from "../../../src/index.js";
import { turns } from "./deferred.js";

test("earlyRefresh that fails is nobody's: the caller has its value", async () => {
  let now = 1_700_000_000_000;
  const uncaught = vi.fn();
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", uncaught);
  const controller = new AbortController();
  // The signal fires while the value is read: too late to refuse the call, and before the refresh begins.
  const codec = {
    encode: () => Buffer.of(1),
    decode: () => {
      controller.abort(new Error("enough"));
      return { old: true };
    },
  };
  try {
    using cache = new Cache<object>({ maxBytes: "2mb", clock: () => now, codec });
    cache.set("k", {}, { ttl: 1000 });
    now += 800;
    const early: LoadOptions = { ttl: 1000, earlyRefresh: 0.8, signal: controller.signal };
    expect(await cache.getOrSet("k", () => ({}), early)).toEqual({ old: true });
    expect(controller.signal.aborted).toBe(true);
    await turns();
    expect(uncaught).not.toHaveBeenCalled();
  } finally {
    process.removeAllListeners("unhandledRejection");
    for (const other of others) process.on("unhandledRejection", other);
  }
});
