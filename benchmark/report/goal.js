/** What a chart says of a goal: where it lies on the scale of a row, and what became of it. */

/** Units of which more is better; of all others less is. */
const rising = new Set(["requests/s", "connections/s", "x", "x one thread", "live/RSS", "% hits"]);

/**
 * What Tandem's figure would have to be for the row to reach its goal exactly; `undefined` where the row has none. A
 * goal of a ratio lies as far from Tandem's median as from the median of the rounds' ratios, so that the line and the
 * verdict never contradict each other.
 */
export function goalFigure({ goal, ratio, ours, peer }) {
  if (goal === undefined) return undefined;
  if (goal.of !== "ratio") return goal.value;
  if (peer === undefined) return undefined;
  // The ratio may be of times or of rates; what it makes of the medians tells which.
  const direct = Math.abs(Math.log(ours.median / peer.median / ratio.median));
  const inverse = Math.abs(Math.log(peer.median / ours.median / ratio.median));
  return ours.median * (direct <= inverse ? goal.value / ratio.median : ratio.median / goal.value);
}

/** `goal <= 5`, or nothing. */
export function goalText({ goal, met }) {
  if (goal === undefined) return undefined;
  return `goal ${goal.bound} ${goal.value.toLocaleString("en-US")}${met ? "" : ": missed"}`;
}

/** What stands at the right of a row, and its class: a row that is behind its peer or its goal stands out. */
export function verdict(row) {
  const { ratio, met, ours, peer, unit } = row;
  const behind = peer !== undefined && (rising.has(unit) ? ours.median < peer.median : ours.median > peer.median);
  const parts = [
    ratio === undefined ? undefined : `ratio ${ratio.median.toFixed(2)}`,
    goalText(row),
    behind ? "behind the peer" : undefined,
  ];
  return [parts.filter((part) => part !== undefined).join(", "), behind || met === false ? "behind" : "quiet"];
}

/** The round that is furthest on the bad side, of a side of `row`. */
export function worstRound({ unit }, { raw }) {
  return rising.has(unit) ? Math.min(...raw) : Math.max(...raw);
}
