/** E4 and E5: what cached objects cost the process, in memory and in garbage collection. */
import { join } from "node:path";
import { interleave } from "../measure/rounds.js";
import { once } from "../measure/side-process.js";
import { difference, goal, median, ratio, row, side } from "../measure/statistics.js";

const sideModule = join(import.meta.dirname, "memory-side.js");

export const e4 = {
  id: "E4",
  title: "process RSS per entry, 1 M JSON objects of 250 B (ratio: bytes of Tandem / bytes of the peer)",
  peers: ["lru-cache"],
  async run(size) {
    const { entries } = size;
    const perEntry = async (contender, options) =>
      (await once(sideModule, "grow", { contender, options, entries })) / entries;
    const lru = () => perEntry("lru-cache", { max: entries });
    const figures = await interleave(size.processes, {
      tandem: () => perEntry("tandem", { maxBytes: "1gb" }),
      "compress from 128 B": () => perEntry("tandem", { maxBytes: "1gb", compression: { minBytes: 128 } }),
      lru,
      again: lru,
    });
    const noise = ratio(figures.lru, figures.again);
    const beside = (label, name, extra) =>
      row({
        label,
        unit: "B/entry",
        ours: side("tandem", figures[name]),
        peer: side("lru-cache", figures.lru),
        ratio: ratio(figures[name], figures.lru),
        noise,
        ...extra,
      });
    return {
      rows: [
        beside("default options", "tandem", { goal: goal("ratio", "<=", 0.35) }),
        beside("LZ4 from 128 B", "compress from 128 B", {}),
      ],
    };
  },
};

/** Forced collections of one process; its figure is their median. */
const COLLECTIONS = 9;

export const e5 = {
  id: "E5",
  title: "forced full garbage collection with 500 k objects cached: time added over an empty process",
  peers: ["lru-cache"],
  async run(size) {
    const collect = (contender, options, entries) => () =>
      once(sideModule, "collect", { contender, options, entries, count: COLLECTIONS });
    const entries = Math.floor(size.entries / 2);
    // An empty process has loaded the same code.
    const empty = collect("tandem", { maxBytes: "512mb" }, 1);
    const figures = await interleave(size.rounds, {
      tandem: collect("tandem", { maxBytes: "512mb" }, entries),
      empty,
      "empty again": empty,
      "lru-cache": collect("lru-cache", { max: entries }, entries),
    });
    const added = (name) => figures[name].map((milliseconds, round) => milliseconds - figures.empty[round]);
    const noise = difference(figures["empty again"], figures.empty, "ms");
    const shown = ["tandem", "empty", "lru-cache"].map((name) => `${name} ${median(figures[name]).toFixed(2)} ms`);
    return {
      rows: [
        row({
          label: "added by the cache",
          unit: "ms",
          ours: side("tandem", added("tandem")),
          peer: side("lru-cache", added("lru-cache")),
          noise,
          goal: goal("value", "<=", 5),
          note: `medians of whole collections: ${shown.join(", ")}`,
          collections: figures,
        }),
      ],
    };
  },
};
