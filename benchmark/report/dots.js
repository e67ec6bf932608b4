/** Hit ratios: one line a trace and size, a dot a policy. */
import { label, round, svg } from "./svg.js";

const WIDTH = 760;
const LEFT = 210;
const RIGHT = 70;
const LINE = 26;

/** Field, class, name, and the place within the line, so that equal ratios do not hide each other. */
const policies = [
  ["lru", "lru", "LRU", -5],
  ["s3_fifo", "s3fifo", "S3-FIFO", 0],
  ["w_tiny_lfu", "tinylfu", "W-TinyLFU", 5],
  ["opt", "opt", "OPT (knows the future)", 0],
];

/** The chart of the cells that have references. */
export function dots(report) {
  const cells = report.rows.filter(({ references }) => references !== undefined);
  const x = (percent) => round(LEFT + (percent / 100) * (WIDTH - LEFT - RIGHT));
  const body = [label(24, 34, "Hit ratio on the reference traces, % (Tandem: default policy, one shard)", "title")];
  let at = 24;
  for (const [name, kind] of [["Tandem", "ours"], ...policies.map(([, kind, name]) => [name, kind])]) {
    body.push(`<circle class="${kind}" cx="${at + 6}" cy="58" r="${kind === "ours" ? 8 : 3.5}"/>`);
    body.push(label(at + 18, 62, name, "quiet"));
    at += 44 + 7 * name.length;
  }
  const top = 84;
  const bottom = top + cells.length * LINE;
  for (let percent = 0; percent <= 100; percent += 20) {
    body.push(`<line class="grid" x1="${x(percent)}" x2="${x(percent)}" y1="${top}" y2="${bottom}"/>`);
    body.push(label(x(percent), bottom + 16, String(percent), "quiet", "middle"));
  }
  cells.forEach((row, index) => {
    const y = top + index * LINE + LINE / 2;
    body.push(label(24, y + 4, row.label));
    body.push(`<circle class="${row.met ? "ours" : "missed"}" cx="${x(row.ours.median)}" cy="${y}" r="8"/>`);
    for (const [field, kind, , offset] of policies) {
      body.push(`<circle class="${kind}" cx="${x(row.references[field])}" cy="${y + offset}" r="3.5"/>`);
    }
    body.push(label(WIDTH - 20, y + 4, row.ours.median.toFixed(2), "strong", "end"));
  });
  const foot = `commit ${report.commit}; the references are plain simulations that count objects`;
  body.push(label(24, bottom + 40, foot, "quiet"));
  return svg(WIDTH, bottom + 56, report.title, body);
}
