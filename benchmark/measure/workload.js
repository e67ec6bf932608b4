/** Keys and values: seeded, built before the clock starts, the same for both sides. */

/** Mulberry32: a small seeded generator of numbers in [0, 1). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A key of 22 characters. */
export function key(number) {
  return `session:user:${String(number).padStart(9, "0")}`;
}

/** All keys below `count`, as fresh strings in random order: memory is met in the order of use, as parsed input is. */
export function shuffledKeys(count, seed) {
  const next = random(seed);
  const numbers = Uint32Array.from({ length: count }, (_, number) => number);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(next() * (at + 1));
    [numbers[at], numbers[other]] = [numbers[other], numbers[at]];
  }
  return Array.from(numbers, (number) => key(number));
}

/** A string of `length` ASCII characters that no codec shortens much. */
export function text(length, seed) {
  const next = random(seed);
  const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  let characters = "";
  while (characters.length < length) characters += alphabet[Math.floor(next() * 64)];
  // Flat, as a string from a socket or a parser is; a rope would charge its first reader.
  return Buffer.from(characters, "latin1").toString("latin1");
}

const cities = ["Lisboa", "Bergen", "Kyoto", "Quito", "Tartu", "Accra", "Perth", "Oulu"];
const plans = ["free", "basic", "team", "enterprise"];

/** An object as applications cache them: about 250 bytes as JSON, no two alike. */
export function jsonObject(number) {
  return {
    id: 1_000_000 + number,
    name: `User ${number} of ${cities[number % 8]}`,
    email: `user.${number}@example.org`,
    active: number % 3 !== 0,
    plan: plans[number % 4],
    score: (number * 7919) % 10_000,
    tags: ["cache", "node", cities[(number >> 3) % 8]],
    address: {
      street: `${number % 512} Long Avenue`,
      city: cities[number % 8],
      zip: String(10_000 + (number % 90_000)),
    },
    updatedAt: 1_700_000_000_000 + number * 977,
  };
}
