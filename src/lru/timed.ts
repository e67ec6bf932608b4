/** How the door keeps the age of an entry: beside the value, under the same key. */
import { addExtension } from "#msgpackr";

/** A value with the time its ttl started, both in ms by the clock of the door. */
export class Timed {
  readonly value: unknown;
  readonly start: number;
  readonly ttl: number;

  constructor(value: unknown, start: number, ttl: number) {
    this.value = value;
    this.start = start;
    this.ttl = ttl;
  }

  /** Whether its age is beyond its ttl. A start of 0 means that it has no age. */
  isStale(now: number): boolean {
    return this.start !== 0 && now - this.start > this.ttl;
  }

  /** Milliseconds until it is stale; negative afterwards. */
  remaining(now: number): number {
    return this.start === 0 ? Number.POSITIVE_INFINITY : this.ttl - (now - this.start);
  }
}

// Users cannot make a Timed, so nothing they store is ever taken for one.
addExtension({
  Class: Timed,
  type: 0x54,
  write: ({ value, start, ttl }: Timed) => [start, ttl, value],
  read: ([start, ttl, value]: [number, number, unknown]) => new Timed(value, start, ttl),
});

/** The value without its age. */
export function plain(found: unknown): unknown {
  return found instanceof Timed ? found.value : found;
}
