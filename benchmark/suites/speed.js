/** E1 to E3: time of a call through Node, beside lru-cache and lmdb. */
import { join } from "node:path";
import { interleave } from "../measure/rounds.js";
import { withSides } from "../measure/side-process.js";
import { goal, ratio, row, side } from "../measure/statistics.js";

const sideModule = join(import.meta.dirname, "speed-side.js");

/** Fills every side and times `operation` in rounds; returns the figures and the number of entries of each side. */
async function compare(size, operation, sides) {
  return withSides(sideModule, Object.keys(sides), async (processes) => {
    const entries = {};
    for (const [name, options] of Object.entries(sides)) entries[name] = await processes[name].call("fill", options);
    // A first round that does not count: code gets compiled, and a bounded cache gets full.
    for (const process of Object.values(processes)) await process.call(operation, size.seconds);
    const figures = await interleave(
      size.rounds,
      Object.fromEntries(
        Object.entries(processes).map(([name, process]) => [name, () => process.call(operation, size.seconds)]),
      ),
    );
    for (const name of Object.keys(sides)) entries[name] = await processes[name].call("size");
    return { figures, entries };
  });
}

function beside(label, figures, peer, extra = {}) {
  return row({
    label,
    unit: "ns/op",
    ours: side("tandem", figures.tandem),
    peer: side(peer, figures[peer]),
    ratio: ratio(figures.tandem, figures[peer]),
    ...extra,
  });
}

export const e1 = {
  id: "E1",
  title: "get hit, string, 22 B key, 200 B value, random over 1 M keys (ratio: time of Tandem / time of the peer)",
  peers: ["lru-cache"],
  async run(size) {
    const stored = size.entries;
    const filled = { stored, used: stored };
    const lru = { ...filled, contender: "lru-cache", options: { max: stored } };
    const { figures } = await compare(size, "gets", {
      tandem: { ...filled, contender: "tandem", options: { maxBytes: "512mb" } },
      "lru-cache": lru,
      "lru-cache again": lru,
    });
    const noise = ratio(figures["lru-cache"], figures["lru-cache again"]);
    return { rows: [beside("get hit, random", figures, "lru-cache", { noise, goal: goal("ratio", "<=", 0.8) })] };
  },
};

export const e2 = {
  id: "E2",
  title: "get hit, string, 22 B key, 200 B value, hot 1 k keys (ratio: time of Tandem / time of the peer)",
  peers: ["lmdb", "lru-cache"],
  async run(size) {
    const filled = { stored: 1000, used: 1000 };
    const lmdb = { ...filled, contender: "lmdb", options: {} };
    const { figures } = await compare(size, "gets", {
      tandem: { ...filled, contender: "tandem", options: { maxBytes: "64mb" } },
      lmdb,
      "lmdb again": lmdb,
      "lru-cache": { ...filled, contender: "lru-cache", options: { max: 1000 } },
      map: { ...filled, contender: "map", options: {} },
    });
    const noise = ratio(figures.lmdb, figures["lmdb again"]);
    const heap = { note: "hands out the very object: no copy, but the heap's limits" };
    return {
      rows: [
        beside("get hit, hot", figures, "lmdb", { noise, goal: goal("ratio", "<=", 0.6) }),
        beside("get hit, hot, beside lru-cache", figures, "lru-cache", heap),
        beside("get hit, hot, beside a plain Map", figures, "map", heap),
      ],
    };
  },
};

export const e3 = {
  id: "E3",
  title: "set of 200 B with eviction (ratio: time of Tandem / time of the peer)",
  peers: ["lru-cache"],
  async run(size) {
    // Keys come round only after four times the capacity: every set stores a new key and evicts.
    const max = Math.floor(size.entries / 4);
    const filled = { stored: size.entries, used: size.entries, keep: 1 };
    const lru = { ...filled, contender: "lru-cache", options: { max } };
    const { figures, entries } = await compare(size, "sets", {
      tandem: { ...filled, contender: "tandem", options: { maxBytes: Math.max(max * 272, 2 ** 20) } },
      "tandem by entries": { ...filled, contender: "tandem", options: { maxBytes: "512mb", maxEntries: max } },
      "lru-cache": lru,
      "lru-cache again": lru,
    });
    for (const [name, held] of Object.entries(entries)) {
      if (held >= size.entries) throw new Error(`${name} holds ${held} entries: nothing was evicted`);
    }
    const noise = ratio(figures["lru-cache"], figures["lru-cache again"]);
    const aim = goal("ratio", "<=", 1);
    const byEntries = { ...figures, tandem: figures["tandem by entries"] };
    return {
      rows: [
        beside("set, bounded by maxBytes", figures, "lru-cache", {
          noise,
          goal: aim,
          note: `holds ${entries.tandem} entries, lru-cache ${entries["lru-cache"]}, which copies nothing`,
        }),
        beside("set, bounded by maxEntries", byEntries, "lru-cache", { noise, goal: aim }),
      ],
    };
  },
};
