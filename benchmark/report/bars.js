/** Bars: Tandem above its peer, one pair a row, all rows of one unit on one scale. */
import { short } from "./number.js";
import { label, round, svg, wrap } from "./svg.js";

const WIDTH = 760;
const LEFT = 24;
const BAR = 14;
/** Room right of the longest bar for its figure and name. */
const ROOM = 230;

/** The chart of a report as SVG. A row that misses its goal is drawn in another colour. */
export function bars(report) {
  const body = [];
  let y = 20;
  for (const line of wrap(`${report.suite}: ${report.title}`, 92)) {
    y += 18;
    body.push(label(LEFT, y - 8, line, "title"));
  }
  y += 4;
  const longest = {};
  for (const row of report.rows) {
    const figures = [row.ours.median, row.peer?.median ?? 0, goalFigure(row) ?? 0];
    longest[row.unit] = Math.max(longest[row.unit] ?? 0, ...figures);
  }
  for (const row of report.rows) {
    const scale = (WIDTH - LEFT - ROOM) / (longest[row.unit] || 1);
    y += 24;
    body.push(label(LEFT, y - 6, row.label), label(WIDTH - 20, y - 6, verdict(row), "quiet", "end"));
    const top = y;
    y = bar(body, y, row.ours, row.unit, scale, row.met === false ? "missed" : "ours");
    if (row.peer !== undefined) y = bar(body, y, row.peer, row.unit, scale, "peer");
    const goal = goalFigure(row);
    if (goal !== undefined) {
      const x = round(LEFT + goal * scale);
      body.push(`<line class="goal" x1="${x}" x2="${x}" y1="${top - 1}" y2="${y - 1}"/>`);
    }
  }
  y += 22;
  const { cpu, cores, node } = report.machine;
  const what = `${cpu}, ${cores} cores, Node ${node.slice(1)}, commit ${report.commit}, ${report.mode} run; dashed: the goal`;
  body.push(label(LEFT, y, what, "quiet"));
  return svg(WIDTH, y + 16, `${report.suite}: ${report.title}`, body);
}

function bar(body, y, side, unit, scale, kind) {
  const width = round(Math.max(1, Math.max(0, side.median) * scale));
  body.push(
    `<rect class="${kind}" x="${LEFT}" y="${y}" width="${width}" height="${BAR}" rx="2"/>`,
    label(LEFT + width + 8, y + BAR - 3, `${short(side.median)} ${unit}`, "strong"),
    label(LEFT + width + 8 + 8 * `${short(side.median)} ${unit}`.length, y + BAR - 3, side.name, "quiet"),
  );
  return y + BAR + 3;
}

/** Where the goal lies on the scale of the row's figures. */
function goalFigure({ goal, ratio, ours, peer }) {
  if (goal === undefined) return undefined;
  if (goal.of !== "ratio") return goal.value;
  if (peer === undefined) return undefined;
  // The ratio may be of times or of rates; what it makes of the medians tells which.
  const direct = Math.abs(Math.log(ours.median / peer.median / ratio.median));
  const inverse = Math.abs(Math.log(peer.median / ours.median / ratio.median));
  return direct <= inverse ? peer.median * goal.value : peer.median / goal.value;
}

function verdict({ ratio, goal, met }) {
  const parts = [];
  if (ratio !== undefined) parts.push(`ratio ${ratio.median.toFixed(2)}`);
  if (goal !== undefined) parts.push(`goal ${goal.bound} ${goal.value}${met ? "" : ": missed"}`);
  return parts.join(", ");
}
