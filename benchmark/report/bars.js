/** Bars: Tandem above its peer, one pair a row, all rows of one unit on one scale. */
import { short } from "./number.js";
import { figure, label, round, svg, wrap } from "./svg.js";

const WIDTH = 760;
const LEFT = 24;
const BAR = 14;
/** Room right of the longest bar for its figure and name. */
const ROOM = 300;

/** The chart of a report as SVG. A row that misses its goal is drawn in another colour. */
export function bars(report) {
  const body = [];
  let y = 20;
  for (const line of wrap(`${report.suite}: ${report.title}`, 78)) {
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
    body.push(label(LEFT, y - 6, row.label), label(WIDTH - 20, y - 6, ...verdict(row), "end"));
    const top = y;
    const labels = [];
    y = bar(body, labels, y, row.ours, row.unit, scale, row.met === false ? "missed" : "ours");
    if (row.peer !== undefined) y = bar(body, labels, y, row.peer, row.unit, scale, "peer");
    const goal = goalFigure(row);
    if (goal !== undefined) {
      const x = round(LEFT + goal * scale);
      body.push(`<line class="goal" x1="${x}" x2="${x}" y1="${top - 1}" y2="${y - 1}"/>`);
    }
    // Above the line of the goal, which may cross them.
    body.push(...labels);
  }
  y += 22;
  const { cpu, cores, node } = report.machine;
  const what = `${cpu}, ${cores} cores, Node ${node.slice(1)}, commit ${report.commit}, ${report.mode} run`;
  body.push(label(LEFT, y, what, "quiet"));
  if (report.rows.some(({ goal }) => goal !== undefined)) {
    y += 17;
    body.push(label(LEFT, y, "dashed: the goal; a bar of another colour misses it", "quiet"));
  }
  return svg(WIDTH, y + 16, `${report.suite}: ${report.title}`, body);
}

function bar(body, labels, y, side, unit, scale, kind) {
  const width = round(Math.max(1, Math.max(0, side.median) * scale));
  body.push(`<rect class="${kind}" x="${LEFT}" y="${y}" width="${width}" height="${BAR}" rx="2"/>`);
  labels.push(figure(LEFT + width + 8, y + BAR - 3, `${short(side.median)} ${unit}`, side.name));
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

/** Units of which more is better; of all others less is. */
const rising = new Set(["requests/s", "x", "x one thread", "live/RSS", "% hits"]);

/** What stands at the right of a row, and its class: a row that is behind its peer or its goal stands out. */
function verdict({ ratio, goal, met, ours, peer, unit }) {
  const parts = [];
  if (ratio !== undefined) parts.push(`ratio ${ratio.median.toFixed(2)}`);
  if (goal !== undefined) parts.push(`goal ${goal.bound} ${goal.value}${met ? "" : ": missed"}`);
  const behind = peer !== undefined && (rising.has(unit) ? ours.median < peer.median : ours.median > peer.median);
  if (behind) parts.push("behind the peer");
  return [parts.join(", "), behind || met === false ? "behind" : "quiet"];
}
