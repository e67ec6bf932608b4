/** The entry `tandem-cache/lru`: replace `lru-cache` with one import. */
export type { Key } from "./keys.js";
export { type Entry, LRUCache } from "./lru-cache.js";
export type {
  DisposeReason,
  Disposer,
  Fetcher,
  FetcherOptions,
  FetchOptions,
  GetOptions,
  HasOptions,
  Inserter,
  InsertReason,
  Memoizer,
  MemoOptions,
  Options,
  PeekOptions,
  SetOptions,
  SizeCalculator,
} from "./options.js";
