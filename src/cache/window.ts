/**
 * The memory this environment shares with the native side. `crates/node/src/environment.rs` writes the same layout:
 * 64 bytes of header, then the bytes of one value.
 */
import { calls } from "../native.js";

const HEADER_BYTES = 64;

const words = new Uint32Array(calls.window, 0, 4);
const doubles = new Float64Array(calls.window, 0, 6);
const versions = new BigUint64Array(calls.window, 0, 6);

/** What the bytes of a value mean; the engine's `Kind`. */
export const Kind = { Text: 1, Bytes: 2, Integer: 3, Coded: 4 } as const;

/** The bytes of the value that was delivered last. The next call into the cache may overwrite them. */
export const windowBytes: Buffer = Buffer.from(calls.window, HEADER_BYTES);

/** The header of the value that was delivered last. */
export const header = {
  get length(): number {
    return words[0] as number;
  },
  get kind(): number {
    return words[1] as number;
  },
  get codec(): number {
    return words[2] as number;
  },
  get expiresAt(): number | undefined {
    return absentIfNaN(doubles[2]);
  },
  get cost(): number {
    return doubles[3] as number;
  },
  get version(): bigint {
    return versions[4] as bigint;
  },
};

/** Runs `read` over the window; calls it makes into the cache leave the window alone. */
export function holdWindow<T>(read: () => T): T {
  words[3] = 1;
  try {
    return read();
  } finally {
    words[3] = 0;
  }
}

function absentIfNaN(value: number | undefined): number | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : value;
}
