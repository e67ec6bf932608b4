/** E6: how long a large, busy cache holds the event loop up. */
import { join } from "node:path";
import { interleave } from "../measure/rounds.js";
import { once } from "../measure/side-process.js";
import { goal, median, ratio, row, side } from "../measure/statistics.js";
import { bars } from "../report/bars.js";

const sideModule = join(import.meta.dirname, "delay-side.js");

export const e6 = {
  id: "E6",
  title:
    "longest event-loop delay beyond a turn's own work, median of the rounds' longest; 1,000 sets per setImmediate " +
    "turn, 2 M objects churning",
  chart: (report) => bars(report, { worst: true }),
  peers: ["lru-cache"],
  async run(size) {
    const objects = size.entries * 2;
    const perTurn = Math.min(1000, objects / 100);
    const churn = (contender, options) => () => once(sideModule, "churn", { contender, options, objects, perTurn });
    const figures = await interleave(size.processes, {
      tandem: churn("tandem", { maxBytes: "1gb", maxEntries: objects }),
      map: churn("map", { max: objects }),
      "map again": churn("map", { max: objects }),
      "lru-cache": churn("lru-cache", { max: objects }),
    });
    const column = (name, field) => figures[name].map((figure) => figure[field]);
    const note = (name) =>
      `worst round ${Math.max(...column(name, "longest")).toFixed(1)} ms, a turn takes ${median(column(name, "usual")).toFixed(2)} ms, 1 % of turns ` +
      `${median(column(name, "p99")).toFixed(1)} ms more`;
    const noise = ratio(column("map", "longest"), column("map again", "longest"));
    const beside = (peer, extra) =>
      row({
        label: `beside ${peer === "map" ? "a Map" : peer}`,
        unit: "ms",
        ours: side("tandem", column("tandem", "longest")),
        peer: side(peer, column(peer, "longest")),
        noise,
        note: `tandem: ${note("tandem")}; ${peer}: ${note(peer)}`,
        ...extra,
      });
    return { rows: [beside("map", { goal: goal("value", "<=", 20) }), beside("lru-cache", {})] };
  },
};
