/** Rounds in which every side is measured once, in an order that changes. */

/**
 * Runs `rounds` rounds over `sides` and returns the figures of each, one a round. The order rotates and turns round,
 * so that nobody always comes first or after the same neighbour.
 *
 * @param {number} rounds
 * @param {Record<string, () => Promise<T> | T>} sides
 * @returns {Promise<Record<string, T[]>>}
 * @template T
 */
export async function interleave(rounds, sides) {
  const names = Object.keys(sides);
  const figures = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const step = round % 2 === 0 ? turn : names.length - 1 - turn;
      const name = names[(step + (round >> 1)) % names.length];
      figures[name].push(await sides[name]());
    }
  }
  return figures;
}
