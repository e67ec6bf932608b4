import { expect, test } from "vitest";
import { parseReplayOptions, type ReplayOptions } from "../../../src/replay/options.js";
import { replay } from "../../../src/replay/replay.js";

const parse = (options: object) => parseReplayOptions("trace", options as ReplayOptions);

test("fills in the defaults", () => {
  expect(parse({ format: "lirs", maxEntries: 10 })).toEqual({
    path: "trace",
    format: "lirs",
    maxEntries: 10,
    lru: false,
    seed: 1,
    payloadBytes: 100,
  });
  expect(parse({ format: "csv", server: "localhost:7379", payloadBytes: "1kb", seed: 7 })).toMatchObject({
    server: "localhost:7379",
    payloadBytes: 1024,
    seed: 7,
  });
  expect(parse({ format: "arc", maxCost: "16mb", policy: "lru", shards: 4 })).toMatchObject({
    maxCost: 16 * 1024 ** 2,
    lru: true,
    shards: 4,
  });
});

test.each([
  [
    { format: "msr", maxEntries: 1 },
    'option format must be one of lirs, arc, cache2k, corda, adaptsize, oracle-general, csv; got "msr"',
  ],
  [{ format: "lirs" }, "a replay needs exactly one of maxEntries, maxBytes, maxCost and server; got none"],
  [
    { format: "lirs", maxEntries: 1, server: "a:1" },
    "a replay needs exactly one of maxEntries, maxBytes, maxCost and server; got maxEntries and server",
  ],
  [{ format: "lirs", maxEntries: 0 }, "option maxEntries must be a whole number from 1 to 9007199254740991; got 0"],
  [
    { format: "lirs", maxBytes: 1000 },
    "option maxBytes must be a whole number of bytes from 1048576 to 35184372088832; got 1000",
  ],
  [{ format: "lirs", maxEntries: 1, policy: "fifo" }, 'option policy must be "default" or "lru"; got "fifo"'],
  [{ format: "lirs", server: "localhost" }, 'option server must be HOST:PORT; got "localhost"'],
  [{ format: "lirs", server: "localhost:70000" }, 'option server must be HOST:PORT; got "localhost:70000"'],
  [
    { format: "lirs", maxEntries: 1, seed: -1 },
    "option seed must be a whole number from 0 to 9007199254740991; got -1",
  ],
  [
    { format: "lirs", maxEntries: 1, payloadBytes: "1gb" },
    'option payloadBytes must be a whole number of bytes from 0 to 268435455; got "1gb"',
  ],
  [
    { format: "csv", maxEntries: 1, polciy: "lru" },
    "replay has no option polciy; it has format, maxEntries, maxBytes, maxCost, server, policy, shards, payloadBytes, " +
      "seed, signal, onProgress",
  ],
  [{ format: "csv", maxEntries: 1, onProgress: 5 }, "option onProgress must be a function; got 5"],
  [{ format: "csv", maxEntries: 1, signal: 5 }, "signal must be an AbortSignal; got 5"],
  [undefined, "the options of replay must be an object; got undefined"],
  [null, "the options of replay must be an object; got null"],
  [5, "the options of replay must be an object; got 5"],
])("%o is refused", (options, message) => {
  expect(() => parse(options as object)).toThrow(message);
});

test("replay rejects with what is wrong with its options before it looks for the trace", async () => {
  await expect(replay("absent.csv", undefined as never)).rejects.toThrow("the options of replay must be an object");
  await expect(replay(5 as never, { format: "csv", maxEntries: 1 })).rejects.toThrow("the trace must be a path; got 5");
});
