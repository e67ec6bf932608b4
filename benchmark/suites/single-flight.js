/** E8: how many loads 1,000 concurrent misses over 4 worker threads cost. */
import { join } from "node:path";
import { interleave } from "../measure/rounds.js";
import { withSides } from "../measure/side-process.js";
import { goal, ratio, row, side } from "../measure/statistics.js";

const sideModule = join(import.meta.dirname, "single-flight-side.js");

/** How long the loader takes, in ms: a query to a database nearby. */
const LOAD_MS = 20;

export const e8 = {
  id: "E8",
  title: `1,000 concurrent misses over 4 worker threads, with a loader that takes ${LOAD_MS} ms (ratio: Tandem / peer)`,
  peers: ["lru-cache"],
  async run(size) {
    const contenders = { tandem: "tandem", "lru-cache": "lru-cache", "lru-cache again": "lru-cache" };
    const names = Object.keys(contenders);
    const figures = await withSides(sideModule, names, async (sides) => {
      for (const name of names) await sides[name].call("start", contenders[name], LOAD_MS);
      const misses = (name) => () => sides[name].call("misses");
      // A first round that does not count: code gets compiled.
      for (const name of names) await misses(name)();
      const measured = await interleave(size.rounds, Object.fromEntries(names.map((name) => [name, misses(name)])));
      for (const name of names) await sides[name].call("stop");
      return measured;
    });
    const column = (name, field) => figures[name].map((figure) => figure[field]);
    const rowOf = (label, unit, field, aim) =>
      row({
        label,
        unit,
        ours: side("tandem", column("tandem", field)),
        peer: side("lru-cache", column("lru-cache", field)),
        ratio: ratio(column("tandem", field), column("lru-cache", field)),
        noise: ratio(column("lru-cache", field), column("lru-cache again", field)),
        goal: aim,
      });
    return {
      rows: [
        rowOf("loads", "loads", "loads", goal("worst", "<=", 1)),
        rowOf("until the last caller has the value", "ms", "ms"),
      ],
    };
  },
};
