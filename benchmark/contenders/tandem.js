/** Tandem itself, from this checkout. */
import { Cache } from "../../dist/index.js";

export function open(options) {
  const cache = new Cache(options);
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    size: () => cache.size,
    close: () => cache.close(),
  };
}
