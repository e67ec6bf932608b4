/* Raw types of the native binding, GENERATED from crates/node. The public types are in dist/index.d.ts. */

/**
 * Which binding artifact the generated loader actually loaded: `'native'` for
 * a native addon, otherwise the `platformArchABI` of the WASI flavor. Every
 * flavor napi-rs can build is listed, because `NAPI_RS_NATIVE_LIBRARY_PATH`
 * can point the loader at a WASI artifact this package does not build itself.
 */
export declare const __napiBindingTarget: 'native' | 'wasm32-wasi' | 'wasm32-wasip1'

/** A load that runs. Dropping it ends the load. */
export declare class NativeBench {
  /** Starts a load. */
  static start(settings: BenchSettings): NativeBench
  /** How far the load is. */
  progress(): NativeBenchProgress
  /** The figures of the servers, or what went wrong. Waits for the end; answers once. */
  result(): Array<NativeBenchReport>
  /** Asks the load to end soon; `result` then reports that it was cancelled. */
  cancel(): void
}

/** One open handle on a cache. Give it back with `close`; the garbage collector does so for one that was forgotten. */
export declare class NativeCache {
  /** Creates a cache, or attaches to the one of that name. */
  static open(options: CacheOptions): NativeCache
  /** The handle number for the calls on the data path. */
  get handle(): number
  /** Sets the injected clock; without one it does nothing. */
  setClock(now: number): void
  /** Counters in sum. */
  stats(): NativeStats
  /** Counters of each shard. */
  shardStats(): Array<NativeStats>
  /** Number of live entries. */
  get size(): number
  /** Deletes `key` if its version is `version`. */
  deleteVersion(key: string | Uint8Array, version: bigint): boolean
  /** Changes the expiry of an entry; modes as in `setWith`. Says whether the key is there. */
  setExpiry(key: string | Uint8Array, mode: number, ms: number): boolean
  /** One step of a scan; keeps keys that match the pattern, as Redis understands it. */
  scan(cursor: number, pattern?: string | undefined | null): ScanPage
  /** Up to `limit` keys in order of use from `after` on, for exact LRU. */
  keysByRecency(after: string | Uint8Array | null, limit: number, newestFirst: boolean): Array<KeyOut>
  /** Empties the cache. */
  clear(): void
  /** Sets a new bound; says whether it holds already. */
  resize(maxBytes: number): boolean
  /** Whether the bound that was set last holds. */
  isWithinBound(): boolean
  /** One step of background work; says whether there is more to do at once. */
  maintain(): boolean
  /** Object shapes learnt by the codec of this cache. */
  structures(): StructuresBlob
  /** Replaces them if nobody did since `revision`; says whether it did. */
  saveStructures(revision: number, bytes: Uint8Array): boolean
  /** Subscribes to changes of the kinds in `kinds` (bit `1 << kind`) instead of what this handle had before. */
  subscribe(kinds: number, withValues: boolean): void
  /** Ends the subscription. */
  unsubscribe(): void
  /** Takes up to `max` changes that are there; never waits. */
  drain(max: number): Array<NativeChange>
  /** Gives the handle back. The cache closes with the last handle of the process. */
  close(): void
}

/** A replay that runs. Dropping it ends the replay. */
export declare class NativeReplay {
  /** Starts a replay. */
  static start(settings: ReplaySettings): NativeReplay
  /** How far the replay is. */
  progress(): NativeReplayProgress
  /** The figures of the replay, or its failure. Waits for its end; answers once. */
  result(): NativeReplayReport
  /** Asks the replay to end soon; `result` then reports that it was cancelled. */
  cancel(): void
}

/** A running server. It has a claim of its own on the cache, which stays open until the server has stopped. */
export declare class NativeServer {
  /** Listens and starts the event loops; on return clients can connect. */
  static listen(cache: NativeCache, options: ListenOptions): NativeServer
  /** The port that is listened on. */
  get port(): number
  /** Counters as of now. */
  stats(): NativeServerStats
  /** Counters of the cache in sum; also when the caller has closed it. */
  cacheStats(): NativeStats
  /** What was done of each command that was used. */
  commands(): Array<NativeCommandStats>
  /** Bounds of `shorter` in the figures of a command, in seconds. */
  static durationBounds(): Array<number>
  /** How many errors were answered, by their code. */
  errors(): Record<string, number>
  /** Whether every event loop comes round within `within_ms`; resolves then at the latest. */
  answers(withinMs: number): Promise<boolean>
  /**
   * Accepts no more, answers what has been received and closes every connection; resolves when that is done or
   * `drain_ms` have passed.
   */
  stop(drainMs: number): Promise<void>
}

/** A server to measure. */
export interface BenchServer {
  /** How the report calls it. */
  name: string
  /** `host:port`. */
  address: string
  /** The process whose CPU time is measured; absent for the one that the server names. */
  pid?: number
}

/** What to run; types checked by `src/bench/options.ts`, ranges by the crate. */
export interface BenchSettings {
  /** The servers. */
  servers: Array<BenchServer>
  /** What to say to one that wants a password. */
  password?: Uint8Array
  /** Connections to each. */
  connections: number
  /** Requests of one connection under way. */
  pipeline: number
  /** Number of keys. */
  keys: number
  /** Exponent of Zipf's law; absent for keys that are all equally likely. */
  zipf?: number
  /** Least size of a value in bytes. */
  leastValueBytes: number
  /** Greatest size of a value in bytes. */
  greatestValueBytes: number
  /** The commands. */
  mix: Array<BenchShare>
  /** Requests a second; absent for a closed loop. */
  rate?: number
  /** Connections a second that come and go beside the load; absent for none. */
  connects?: number
  /** Requests of a round; absent for a round of `duration_ms`. */
  requests?: number
  /** Length of a round in ms. */
  durationMs: number
  /** Rounds that count. */
  rounds: number
  /** Whether every key is written first. */
  fill: boolean
  /** Seed of commands, keys and sizes. */
  seed: number
}

/** A command and its share of the requests. */
export interface BenchShare {
  /** Name of the command. */
  command: string
  /** Its share, in proportion to the sum of all. */
  share: number
}

/**
 * Readies the binding for this environment and returns the calls of the data path with the `window` they use.
 * `errorFactory` makes a `TandemError` from a code and a message.
 */
export declare function bind(errorFactory: (code: string, message: string) => Error, isInBounds: (array: Uint8Array) => boolean): object

/** Options of a cache, complete and validated by `src/cache/options.ts`. */
export interface CacheOptions {
  /** Name in the process-wide registry; absent for a cache of its own. */
  name?: string
  /** Whether the caller gave options, which then must be those a cache of that name has. */
  explicit: boolean
  /** All options in words. */
  description: string
  /** Bound on all memory in bytes. */
  maxBytes: number
  /** Bound on the number of entries. */
  maxEntries?: number
  /** Bound on the sum of costs. */
  maxCost?: number
  /** Exact LRU instead of the default policy. */
  lru: boolean
  /** Number of shards. */
  shards?: number
  /** Largest value in bytes. */
  maxValueBytes: number
  /** Default ttl in ms. */
  ttl?: number
  /** Default idle ttl in ms. */
  idleTtl?: number
  /** Smallest value in bytes that LZ4 is tried on; absent for no compression. */
  compressFrom?: number
  /** Seed of the key hash. */
  seed?: number
  /** Time of an injected clock in ms since the Unix epoch; absent for the system's. */
  now?: number
}

/** A key as JavaScript gets it: a string, or a Buffer where the bytes are no UTF-8. */
export type KeyOut = string | Buffer

/** Where and how to listen; complete and validated by `src/worker/options.ts`. */
export interface ListenOptions {
  /** IP address to listen on. */
  bind: string
  /** Port; 0 takes a free one. */
  port: number
  /** Event loops. */
  threads: number
  /** What clients must say first; absent for nothing. */
  password?: Uint8Array
  /** Connections in all; absent for what the limit on open files allows, up to 10,000. */
  maxClients?: number
  /** Whether the process is nothing but this server, so that a client may end it. */
  ownsProcess: boolean
  /** Time in ms after which a silent client is closed; absent for never. */
  idleMs?: number
  /** The same for a client of the text protocol; absent for never. */
  textIdleMs?: number
  /** Time in seconds after which a silent peer is asked whether it is there; absent for never. */
  keepaliveS?: number
  /** Whether one request of the text protocol is what one read delivers, not a line. */
  textMessages: boolean
  /** Whether clients may run scripts. */
  scripts: boolean
}

/** Latencies in nanoseconds. */
export interface NativeBenchLatency {
  mean: number
  p50: number
  p90: number
  p99: number
  p999: number
  p9999: number
  max: number
}

/** How far a load is. */
export interface NativeBenchProgress {
  /** Requests answered. */
  requests: number
  /** Rounds that have ended, those that do not count included. */
  rounds: number
  /** Whether `result` answers without waiting. */
  finished: boolean
}

/** Figures of one server. */
export interface NativeBenchReport {
  /** Its name. */
  name: string
  /** Requests answered in the rounds that count. */
  requests: number
  /** Errors among the answers. */
  errors: number
  /** The first of them, the filling included. */
  firstError?: string
  /** Answers that say there is no such key. */
  misses: number
  /** Connections a second that came and went, of the median round. */
  connects: number
  /** Those among them that had no answer. */
  unansweredConnects: number
  /** Requests a second of the median round. */
  rate: number
  /** Requests a second of each round. */
  rates: Array<number>
  /** CPU time of the server for one request in ns, of the median round. */
  cpuNs?: number
  /** CPU time of the server for one request in ns, of each round. */
  cpusNs: Array<number>
  /** Part of the time that the client was on a CPU, of the median round. */
  clientLoad?: number
  /** Latencies of all rounds in ns. */
  latency: NativeBenchLatency
}

/** One change of the cache. */
export interface NativeChange {
  /** What happened: the engine's `ChangeKind`. */
  kind: number
  /** The key; empty for changes of the whole cache. */
  key: KeyOut
  /** Version after the change. */
  version: bigint
  /** Bytes of the value that went, if the subscription asked for values. */
  old?: Buffer
  /** Kind of that value. */
  oldKind: number
  /** Codec id of that value. */
  oldCodec: number
}

/** What was done of one command. */
export interface NativeCommandStats {
  /** Its full name, such as `get` or `client|list`. */
  name: string
  /** Requests that ran. */
  calls: number
  /** Requests that were refused before they ran. */
  rejected: number
  /** Requests that ran and answered an error. */
  failed: number
  /** Requests whose time was taken: all that came alone, one in 256 of those in pipelines. */
  timed: number
  /** The time of those in seconds. */
  seconds: number
  /** For each bound of `durationBounds`: how many of those took less. */
  shorter: Array<number>
}

/** How far a replay is. */
export interface NativeReplayProgress {
  /** Requests done. */
  requests: number
  /** Hits among them. */
  hits: number
  /** Bytes of the file that were read. */
  bytesRead: number
  /** Length of the file. */
  bytesTotal: number
  /** Whether `result` answers without waiting. */
  finished: boolean
}

/** Figures of a replay. */
export interface NativeReplayReport {
  /** Requests of the trace. */
  requests: number
  /** Reads among them. */
  gets: number
  /** Reads that found the object. */
  hits: number
  /** Hits among reads, 0 to 1. */
  hitRatio: number
  /** Bytes hit among bytes asked for, 0 to 1. */
  byteHitRatio: number
  /** Objects that were not stored because they do not fit into the whole cache. */
  refused: number
  /** Entries at the end. */
  entries?: number
  /** Entries evicted; of a server, since it started. */
  evictions?: number
  /** Seconds the replay took, reading the trace included. */
  seconds: number
  /** Requests a second. */
  requestsPerSecond: number
  /** What the cache occupies at the end, by its own account. */
  cacheBytes?: number
  /** Resident memory at the end of the process that holds the cache. */
  rssBytes?: number
  /** The cache's bytes over its entries. */
  bytesPerEntry?: number
}

/** Counters of a server. */
export interface NativeServerStats {
  /** Connections open now. */
  clients: number
  /** Connections accepted so far. */
  accepted: number
  /** Connections refused so far because a limit was reached. */
  rejected: number
  /** Connections cut so far because their peer took no replies. */
  cut: number
  /** Connections closed so far because they were silent. */
  silent: number
  /** Wrong passwords so far. */
  refusedPasswords: number
  /** Requests so far that met a defect of the server. */
  panics: number
  /** Commands run so far. */
  commands: number
  /** Bytes read so far. */
  bytesIn: number
  /** Bytes written so far. */
  bytesOut: number
  /** Memory held by buffers of clients now. */
  bufferBytes: number
  /** What these buffers may come to. */
  bufferLimit: number
  /** Connections that may be open at once. */
  maxClients: number
  /** Requests that are kept because they took long (`SLOWLOG`). */
  slowRequests: number
}

/** Counters of a cache or a shard. */
export interface NativeStats {
  /** Live entries. */
  entries: number
  /** Sum of costs of live entries. */
  cost: number
  /** Everything the cache occupies. */
  bytes: number
  /** The bound on it. */
  maxBytes: number
  /** Bytes of live keys. */
  keyBytes: number
  /** Bytes of live values as stored. */
  valueBytes: number
  /** Bytes of live values before compression. */
  rawValueBytes: number
  /** Record headers, index, ghosts, directories. */
  overheadBytes: number
  /** Bytes in the log that no entry uses any more. */
  deadBytes: number
  /** Free segments held ready, and unfilled ends of segments. */
  reserveBytes: number
  /** Reads that found an entry. */
  hits: number
  /** Reads that found none. */
  misses: number
  /** Writes that stored. */
  sets: number
  /** Deletes that removed an entry. */
  deletes: number
  /** Entries evicted to make room. */
  evictions: number
  /** Entries removed by expiry. */
  expirations: number
  /** Entries stored compressed, ever. */
  compressed: number
  /** Key gates that exist now. */
  gates: number
  /** Panics caught in a critical section, each of which emptied a shard. */
  resets: number
  /** Number of shards. */
  shards: number
}

/** Version of the native binary; equal to the package's version. */
export declare function nativeVersion(): string

/** What to replay against what; complete and validated by `src/replay/options.ts`. */
export interface ReplaySettings {
  /** The trace file. */
  path: string
  /** Name of its format. */
  format: string
  /** `host:port` of a server; absent for an embedded cache, which needs one of the bounds. */
  server?: string
  /** Bound on the number of entries. */
  maxEntries?: number
  /** Bound on all memory in bytes. */
  maxBytes?: number
  /** Bound on the sum of object sizes. */
  maxCost?: number
  /** Exact LRU instead of the default policy. */
  lru: boolean
  /** Number of shards. */
  shards?: number
  /** Seed of the payloads and the key hash. */
  seed: number
  /** Size of objects whose size the trace does not say. */
  payloadBytes: number
}

/** A step of a scan. */
export interface ScanPage {
  /** Where the next step starts; 0 when the scan is complete. */
  cursor: number
  /** Keys of this step. */
  keys: Array<KeyOut>
}

/** Object shapes learnt by the codec. */
export interface StructuresBlob {
  /** Changes with every save; 0 before the first. */
  revision: number
  /** The blob. */
  bytes: Buffer
}
