/** What must hold of any figures, however slow the machine: this is what a smoke run can fail by. */

/**
 * @throws {Error} naming the row: no figures, figures that are no numbers, a time or size that is not above zero,
 *   sides with different numbers of rounds, a judged row without verdict.
 */
export function check(rows) {
  if (!Array.isArray(rows) || rows.length === 0) throw new Error("the suite reported no rows");
  for (const row of rows) {
    const sides = [row.ours, ...(row.peer === undefined ? [] : [row.peer])];
    for (const { name, raw, median } of sides) {
      if (!(raw.length > 0)) throw new Error(`"${row.label}": ${name} has no figures`);
      if (![...raw, median].every(Number.isFinite)) throw new Error(`"${row.label}": ${name} has ${raw.join(", ")}`);
      if (/^(ns|us|B)\//.test(row.unit) && !raw.every((figure) => figure > 0)) {
        throw new Error(`"${row.label}": ${name} took ${Math.min(...raw)} ${row.unit}`);
      }
    }
    for (const ratio of [row.ratio, row.noise]) {
      if (ratio === undefined) continue;
      const least = ratio.unit === undefined ? 0 : Number.NEGATIVE_INFINITY;
      if (!(ratio.low > least && ratio.low <= ratio.median && ratio.median <= ratio.high)) {
        throw new Error(`"${row.label}": a ratio of ${ratio.median}, from ${ratio.low} to ${ratio.high}`);
      }
    }
    if (row.goal !== undefined && typeof row.met !== "boolean") throw new Error(`"${row.label}" was not judged`);
  }
}
