/** A plain Map; where it is given `max`, the oldest entry goes. No cache: no order of use, no bound in bytes. */
export function open({ max = Number.POSITIVE_INFINITY }) {
  const map = new Map();
  // One iterator for good: a fresh one would first walk over all that was deleted before it.
  const oldest = map.keys();
  return {
    get: (key) => map.get(key),
    set: (key, value) => {
      map.set(key, value);
      if (map.size > max) map.delete(oldest.next().value);
    },
    size: () => map.size,
    close: () => map.clear(),
  };
}
