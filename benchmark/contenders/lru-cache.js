/** lru-cache, the package most of npm uses: values stay on the V8 heap and are shared, not copied. */
import { LRUCache } from "lru-cache";

export function open({ max }) {
  const cache = new LRUCache({ max });
  return {
    get: (key) => cache.get(key),
    set: (key, value) => cache.set(key, value),
    size: () => cache.size,
    close: () => cache.clear(),
  };
}
