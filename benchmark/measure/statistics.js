/** Medians, ratios and rows: the shape every suite reports in, the ones written in Rust included. */

/** Median; the mean of the middle two for an even count. */
export function median(values) {
  if (values.length === 0) throw new Error("there is no median of no figures");
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A side of a comparison: one raw figure a round, and their median. */
export function side(name, raw) {
  return { name, median: median(raw), raw };
}

/** `over[i] / under[i]` for every round: median, smallest, largest. */
export function ratio(over, under) {
  const ratios = over.map((figure, round) => figure / under[round]);
  return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) };
}

/** Noise where there is no peer: every round over the round before; `undefined` for a single round. */
export function betweenRounds(raw) {
  return raw.length < 2 ? undefined : ratio(raw.slice(1), raw.slice(0, -1));
}

/** `from[i] - less[i]` for every round: median, smallest, largest. Has a `unit`, which a ratio has not. */
export function difference(from, less, unit) {
  const differences = from.map((figure, round) => figure - less[round]);
  return { median: median(differences), low: Math.min(...differences), high: Math.max(...differences), unit };
}

/** Turns `goal("ratio", "<=", 0.8)` into what a row holds. `of`: the ratio, the median value, or the worst round. */
export function goal(of, bound, value) {
  return { of, bound, value };
}

/**
 * A row of a report.
 *
 * @param {{label: string, unit: string, ours: object, peer?: object, ratio?: object, noise?: object, goal?: object,
 *   note?: string}} row `ours` and `peer` are sides; `noise` compares the peer with a second instance of itself.
 */
export function row({ goal: aim, ...rest }) {
  if (aim === undefined) return rest;
  const figure =
    aim.of === "ratio" ? rest.ratio.median : aim.of === "worst" ? worst(rest.ours.raw, aim.bound) : rest.ours.median;
  return { ...rest, goal: aim, met: aim.bound === "<=" ? figure <= aim.value : figure >= aim.value };
}

function worst(raw, bound) {
  return bound === "<=" ? Math.max(...raw) : Math.min(...raw);
}
