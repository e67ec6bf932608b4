/** Key patterns of `scan`, with the rules of Redis: `*`, `?`, `[abc]`, `[a-z]`, `[^a]`, and `\` before a literal. */

/** Longest pattern. */
const MAX_PATTERN_LENGTH = 1024;

/**
 * Makes a test out of a pattern. Its time grows with key length times pattern length at most, whatever the pattern.
 *
 * @throws {RangeError} for a pattern that is too long.
 */
export function globTest(pattern: string): (key: string) => boolean {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new RangeError(`a pattern has at most ${MAX_PATTERN_LENGTH} characters; got ${pattern.length}`);
  }
  const steps = parse(pattern);
  return (key) => matches(steps, key);
}

/** One character of the key, or any number of them. */
type Step = "any" | ((character: string) => boolean);

function parse(pattern: string): Step[] {
  const characters = [...pattern];
  const steps: Step[] = [];
  for (let i = 0; i < characters.length; i += 1) {
    const character = characters[i] as string;
    if (character === "*") {
      if (steps.at(-1) !== "any") steps.push("any");
    } else if (character === "?") {
      steps.push(() => true);
    } else if (character === "[") {
      const [step, end] = parseClass(characters, i + 1);
      steps.push(step);
      i = end;
    } else {
      if (character === "\\" && i + 1 < characters.length) i += 1;
      const literal = characters[i];
      steps.push((other) => other === literal);
    }
  }
  return steps;
}

/** Parses a class from the character after `[`; an unclosed one goes to the end of the pattern, as in Redis. */
function parseClass(characters: string[], start: number): [step: Step, end: number] {
  const ranges: [low: string, high: string][] = [];
  let i = start;
  const negated = characters[i] === "^";
  if (negated) i += 1;
  for (; i < characters.length && characters[i] !== "]"; i += 1) {
    if (characters[i] === "\\" && i + 1 < characters.length) i += 1;
    const low = characters[i] as string;
    if (characters[i + 1] === "-" && i + 2 < characters.length) {
      const high = characters[i + 2] as string;
      ranges.push(low <= high ? [low, high] : [high, low]);
      i += 2;
    } else {
      ranges.push([low, low]);
    }
  }
  return [(character) => ranges.some(([low, high]) => low <= character && character <= high) !== negated, i];
}

/** Only the last `*` is ever tried again, which keeps the time bounded. */
function matches(steps: Step[], key: string): boolean {
  const characters = [...key];
  let step = 0;
  let position = 0;
  let retryStep = -1;
  let retryPosition = 0;
  while (position < characters.length) {
    const current = steps[step];
    if (current === "any") {
      retryStep = step + 1;
      retryPosition = position;
      step += 1;
    } else if (current?.(characters[position] as string)) {
      step += 1;
      position += 1;
    } else if (retryStep >= 0) {
      retryPosition += 1;
      step = retryStep;
      position = retryPosition;
    } else {
      return false;
    }
  }
  return steps.slice(step).every((rest) => rest === "any");
}
