/**
 * Bars, all of one unit on one scale: Tandem above its peer, one pair a row; rows without a peer are one line each,
 * under a heading where the labels of several begin alike.
 */
import { goalFigure, goalText, verdict, worstRound } from "./goal.js";
import { grouped, short } from "./number.js";
import { escapeXml, label, provenance, round, svg, wrap } from "./svg.js";

const WIDTH = 760;
const LEFT = 24;
const RIGHT = WIDTH - 20;
const BAR = 14;
/** Room right of the longest bar of a pair for its figure and name. */
const PAIR_ROOM = 300;
/** Room for the goal of a line at its right end. */
const GOAL_ROOM = 110;
/** About what a character takes; rather too much than too little. */
const CHARACTER = 6.6;

/**
 * The chart of a report as SVG. A row that misses its goal is drawn in another colour. `worst`: figures are named
 * beside the worst of their rounds, for suites that look for a maximum.
 */
export function bars(report, { worst = false } = {}) {
  const { rows } = report;
  const title = `${report.suite}: ${grouped(report.title)}`;
  const body = wrap(title, 84).map((line, at) => label(LEFT, 30 + 18 * at, line, "title"));
  let y = 24 + 18 * body.length;
  const parts = sections(rows);
  const lines = lineLayout(parts, worst);
  for (const { heading, goal, part } of parts) {
    if (heading !== undefined) {
      y += 30;
      body.push(label(LEFT, y - 8, heading, "strong"), label(RIGHT, y - 8, goal ?? "", "quiet", "end"));
    }
    for (const row of part) {
      y =
        row.peer === undefined ? drawLine(body, y, row, { heading, goal, lines }) : drawPair(body, y, row, rows, worst);
    }
  }
  y += 26;
  for (const line of [...legend(rows), provenance(report)]) {
    body.push(label(LEFT, y, line, "quiet"));
    y += 17;
  }
  return svg(WIDTH, y, title, body);
}

/** Two bars under a label and a verdict. Returns where the next row begins. */
function drawPair(body, y, row, rows, worst) {
  const pairs = rows.filter(({ peer }) => peer !== undefined);
  const scale = (WIDTH - LEFT - PAIR_ROOM) / longest(pairs, row.unit);
  const top = y + 24;
  body.push(label(LEFT, top - 6, row.label), label(RIGHT, top - 6, ...verdict(row), "end"));
  const shown = { left: LEFT, scale, named: true, worst };
  drawBar(body, top, row, row.ours, shown);
  drawBar(body, top + BAR + 3, row, row.peer, shown);
  return top + 2 * (BAR + 3);
}

/** A label, a bar and its figure in one line. Returns where the next row begins. */
function drawLine(body, y, row, { heading, goal, lines }) {
  const top = y + 8;
  body.push(label(LEFT, top + BAR - 3, lineLabel(row, heading)));
  const own = ownGoal(row, heading, goal);
  if (own !== undefined) body.push(label(RIGHT, top + BAR - 3, own, row.met ? "quiet" : "behind", "end"));
  drawBar(body, top, row, row.ours, { ...lines, scale: lines.width / longest(lines.rows, row.unit) });
  return top + BAR;
}

/** What all rows without a peer share: where their bars begin, and how wide the longest is. */
function lineLayout(parts, worst) {
  let [labels, room] = [0, 0];
  const rows = [];
  for (const { heading, goal, part } of parts) {
    for (const row of part.filter(({ peer }) => peer === undefined)) {
      rows.push(row);
      labels = Math.max(labels, lineLabel(row, heading).length);
      const { value, rest } = figureText(row, row.ours, { named: false, worst });
      const own = ownGoal(row, heading, goal) === undefined ? 0 : GOAL_ROOM;
      room = Math.max(room, CHARACTER * (value.length + rest.length) + 44 + own);
    }
  }
  const left = Math.round(LEFT + CHARACTER * labels + 16);
  return { rows, left, width: WIDTH - left - room, named: false, worst };
}

/** The label of a row without a peer, less the heading above it. */
function lineLabel(row, heading) {
  return heading === undefined ? row.label : row.label.slice(heading.length + 2);
}

/** The goal to name beside a row without a peer: none where its heading names the same and it is met. */
function ownGoal(row, heading, goal) {
  const own = goalText(row);
  return heading !== undefined && own === goal ? undefined : own;
}

/** A figure, and what stands behind it: whose it is, and its worst round where that is `asked` for. */
function figureText(row, side, { named, worst }) {
  const asked = worst || (side === row.ours && row.goal?.of === "worst");
  const parts = [named ? side.name : undefined, asked ? `worst round ${short(worstRound(row, side))}` : undefined];
  const rest = parts.filter((part) => part !== undefined).join(", ");
  return { value: `${short(side.median)} ${row.unit}`, rest, asked };
}

/** The bar of a side of `row`, the goal across it if it is Tandem's, and its figure right of both. */
function drawBar(body, y, row, side, { left, scale, ...shown }) {
  const ours = side === row.ours;
  const kind = !ours ? "peer" : row.met === false ? "missed" : "ours";
  const width = round(Math.max(1, Math.max(0, side.median) * scale));
  body.push(`<rect class="${kind}" x="${left}" y="${y}" width="${width}" height="${BAR}" rx="2"/>`);

  const { value, rest, asked } = figureText(row, side, shown);
  let x = left + width + 8;
  const goal = ours ? goalFigure(row) : undefined;
  if (goal !== undefined) {
    const at = round(left + goal * scale);
    body.push(`<line class="goal" x1="${at}" x2="${at}" y1="${y - 3}" y2="${y + BAR + 1}"/>`);
    // A figure that the line would cross begins right of it.
    if (at > x - 8 && at < x + CHARACTER * (value.length + rest.length + 1)) x = at + 8;
  }
  const beyond = asked && goal !== undefined && row.goal.of !== "ratio" && worstRound(row, side) > goal;
  const quiet = `<tspan class="${beyond ? "behind" : "quiet"}" dx="6">${escapeXml(rest)}</tspan>`;
  body.push(`<text x="${round(x)}" y="${y + BAR - 3}" class="strong">${escapeXml(value)}${quiet}</text>`);
}

/** What the longest bar of a unit has to have room for. */
function longest(rows, unit) {
  const figures = rows
    .filter((row) => row.unit === unit)
    .flatMap((row) => [row.ours.median, row.peer?.median ?? 0, goalFigure(row) ?? 0]);
  return Math.max(...figures) || 1;
}

/**
 * Rows that follow each other, in parts: several rows without a peer whose labels begin alike up to a colon have this
 * as their heading, with their goal if they have but one.
 */
function sections(rows) {
  const parts = [];
  for (const row of rows) {
    const colon = row.label.indexOf(": ");
    const heading = row.peer === undefined && colon > 0 ? row.label.slice(0, colon) : undefined;
    if (parts.length > 0 && parts.at(-1).heading === heading) parts.at(-1).part.push(row);
    else parts.push({ heading, part: [row] });
  }
  return parts.map(({ heading, part }) => {
    const goals = new Set(part.map(({ goal }) => goalText({ goal, met: true })).filter((text) => text !== undefined));
    return { heading: part.length > 1 ? heading : undefined, part, goal: goals.size === 1 ? [...goals][0] : undefined };
  });
}

/** How to read the bars, as far as the rows need it. */
function legend(rows) {
  const lines = [];
  const counts = rows.map(({ ours }) => ours.raw.length);
  const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
  const rounds = fewest === most ? `${most} rounds` : `${fewest} to ${most} rounds`;
  if (rows.some(({ ratio }) => ratio !== undefined)) {
    lines.push(`bars: medians of ${rounds}; ratio: median of the rounds' ratios, so not always that of the bars`);
  } else if (most > 1) {
    lines.push(`bars: medians of ${rounds}`);
  }
  if (rows.some(({ goal }) => goal !== undefined)) lines.push("dashed: the goal; an orange bar misses it");
  return lines;
}
