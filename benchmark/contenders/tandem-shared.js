/** Tandem under a name: every thread of the process that opens it sees the same entries. */
import { Cache } from "../../dist/index.js";

export function open({ name, ...options }) {
  const cache = Cache.open(name, options);
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    size: () => cache.size,
    close: () => cache.close(),
  };
}
