/** Hit ratios: one line a trace and size, Tandem as a tick, a dot for every other policy. */
import { label, provenance, round, svg } from "./svg.js";

const WIDTH = 760;
const LEFT = 240;
const RIGHT = 130;
const LINE = 26;
/** Right ends of the columns of figures. */
const FIGURE = WIDTH - 70;
const LEAD = WIDTH - 20;

/** Field, class, name, and the place within the line, so that equal ratios do not hide each other. */
const policies = [
  ["lru", "lru", "LRU", -7],
  ["s3_fifo", "s3fifo", "S3-FIFO", 0],
  ["w_tiny_lfu", "tinylfu", "W-TinyLFU", 7],
  ["opt", "opt", "OPT (knows the future)", 0],
];

const x = (percent) => round(LEFT + (percent / 100) * (WIDTH - LEFT - RIGHT));

/** The chart of the cells that have references: those bounded by entries, and below them those bounded by bytes. */
export function dots(report) {
  const cells = report.rows.filter(({ references }) => references !== undefined);
  const byBytes = ({ references }) => references.w_tiny_lfu === undefined;
  const body = [label(24, 34, "H: hit ratio on the reference traces, % (Tandem: default policy, one shard)", "title")];
  legend(body, 58);
  let y = 80;
  y = part(
    body,
    y,
    "bounded by entries",
    cells.filter((cell) => !byBytes(cell)),
  );
  y = part(body, y + 14, "bounded by bytes: share of objects, and of bytes, found", cells.filter(byBytes));
  const foot = [
    "right: Tandem, and its distance in points to the best of the others but OPT; an orange tick misses its goal",
    "goals: within 1 point of that best; by bytes 3 points above S3-FIFO for objects, 1 point below it for bytes",
    "the others are plain simulations; equal runs give equal figures, so there is one round",
    provenance(report),
  ];
  for (const line of foot) {
    y += 17;
    body.push(label(24, y, line, "quiet"));
  }
  return svg(WIDTH, y + 16, report.title, body);
}

function legend(body, y) {
  let at = 24;
  for (const [name, kind] of [["Tandem", "ours"], ...policies.map(([, kind, name]) => [name, kind])]) {
    if (kind === "ours") tick(body, at + 6, y, kind);
    else dot(body, at + 6, y, kind);
    body.push(label(at + 18, y + 4, name, "quiet"));
    at += 44 + 7 * name.length;
  }
}

/** One block of cells under a heading, with an axis below. Returns where it ends. */
function part(body, y, heading, cells) {
  if (cells.length === 0) return y;
  const top = y + 24;
  const bottom = top + cells.length * LINE;
  body.push(label(24, top - 8, heading, "strong"));
  for (let percent = 0; percent <= 100; percent += 20) {
    body.push(`<line class="grid" x1="${x(percent)}" x2="${x(percent)}" y1="${top}" y2="${bottom}"/>`);
    body.push(label(x(percent), bottom + 16, String(percent), "quiet", "middle"));
  }
  cells.forEach((row, index) => {
    const middle = top + index * LINE + LINE / 2;
    body.push(label(24, middle + 4, row.label));
    tick(body, x(row.ours.median), middle, row.met ? "ours" : "missed");
    for (const [field, kind, , offset] of policies) {
      const percent = row.references[field];
      if (percent !== undefined) dot(body, x(percent), middle + offset, kind);
    }
    const others = ["lru", "s3_fifo", "w_tiny_lfu"].map((field) => row.references[field] ?? 0);
    const lead = (row.ours.median - Math.max(...others)).toFixed(2);
    body.push(label(FIGURE, middle + 4, row.ours.median.toFixed(2), "strong", "end"));
    body.push(label(LEAD, middle + 4, lead > 0 ? `+${lead}` : lead, lead < 0 ? "behind" : "quiet", "end"));
  });
  return bottom + 22;
}

function tick(body, at, y, kind) {
  body.push(`<rect class="${kind}" x="${at - 2.5}" y="${y - 11}" width="5" height="22" rx="2.5"/>`);
}

function dot(body, at, y, kind) {
  body.push(`<circle class="${kind}" cx="${at}" cy="${y}" r="3.5"/>`);
}
