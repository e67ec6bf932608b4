/** E4 and E5: what cached objects cost the process, in memory and in garbage collection. */
import { join } from "node:path";
import { interleave } from "../measure/rounds.js";
import { once, withSides } from "../measure/side-process.js";
import { goal, ratio, row, side } from "../measure/statistics.js";

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

export const e5 = {
  id: "E5",
  title: "forced full garbage collection with 500 k objects cached: time added over an empty process",
  peers: ["lru-cache"],
  async run(size) {
    const entries = Math.floor(size.entries / 2);
    const names = ["tandem", "lru-cache", "empty", "empty again"];
    return withSides(sideModule, names, async (processes) => {
      await processes.tandem.call("grow", { contender: "tandem", options: { maxBytes: "512mb" }, entries });
      await processes["lru-cache"].call("grow", { contender: "lru-cache", options: { max: entries }, entries });
      // An empty process has loaded the same code.
      for (const name of ["empty", "empty again"]) {
        await processes[name].call("grow", { contender: "tandem", options: { maxBytes: "512mb" }, entries: 1 });
      }
      // The first collections still find what filling left behind.
      for (const name of names) for (let time = 0; time < 3; time++) await processes[name].call("collect");
      const figures = await interleave(
        size.rounds,
        Object.fromEntries(names.map((name) => [name, () => processes[name].call("collect")])),
      );
      const added = (name) => figures[name].map((milliseconds, round) => milliseconds - figures.empty[round]);
      const empty = side("empty", figures.empty);
      return {
        rows: [
          row({
            label: "added by the cache",
            unit: "ms",
            ours: side("tandem", added("tandem")),
            peer: side("lru-cache", added("lru-cache")),
            goal: goal("value", "<=", 5),
            note:
              `an empty process takes ${empty.median.toFixed(2)} ms; ` +
              `a second empty one differs by ${side("", added("empty again")).median.toFixed(2)} ms`,
          }),
        ],
      };
    });
  },
};
