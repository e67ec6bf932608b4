/** E8: how many loads 1,000 concurrent misses over 4 worker threads cost. */
import { join } from "node:path";
import { interleave } from "../measure/rounds.js";
import { withSides } from "../measure/side-process.js";
import { goal, row, side } from "../measure/statistics.js";

const sideModule = join(import.meta.dirname, "single-flight-side.js");

/** How long the loader takes, in ms: a query to a database nearby. */
const LOAD_MS = 20;

export const e8 = {
  id: "E8",
  title: `1,000 concurrent misses over 4 worker threads, with a loader that takes ${LOAD_MS} ms`,
  peers: ["lru-cache"],
  async run(size) {
    const contenders = ["tandem", "lru-cache"];
    const figures = await withSides(sideModule, contenders, async (sides) => {
      for (const name of contenders) await sides[name].call("start", name, LOAD_MS);
      const misses = (name) => () => sides[name].call("misses");
      const measured = await interleave(
        size.rounds,
        Object.fromEntries(contenders.map((name) => [name, misses(name)])),
      );
      for (const name of contenders) await sides[name].call("stop");
      return measured;
    });
    const sideOf = (name, field) =>
      side(
        name,
        figures[name].map((figure) => figure[field]),
      );
    const rowOf = (label, unit, field, aim) =>
      row({ label, unit, ours: sideOf("tandem", field), peer: sideOf("lru-cache", field), goal: aim });
    return {
      rows: [
        rowOf("loads", "loads", "loads", goal("worst", "<=", 1)),
        rowOf("until the last caller has the value", "ms", "ms"),
      ],
    };
  },
};
