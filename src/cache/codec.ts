/** How values that are neither strings, bytes nor integers become bytes. */
import { nesting, Packr, RESET_BUFFER_MODE, REUSE_BUFFER_MODE } from "#msgpackr";
import { TandemError } from "../errors.js";
import { calls, type Delivered, type Key, type NativeCache } from "../native.js";
import { checkShape, refusalOf, refuse } from "./storable.js";
import "./stored-error.js";
import { header, holdWindow, Kind, windowBytes } from "./window.js";

/** A codec of your own. All threads that open one named cache must give the same one. */
export interface Codec {
  /** Turns a value into bytes. */
  encode(value: unknown): Uint8Array;
  /** Turns bytes that `encode` made back into a value. The bytes belong to the callee. */
  decode(bytes: Uint8Array): unknown;
}

/** A codec, ready for one cache. */
export interface ValueCodec {
  /** Stored with each value, so that bytes of another codec are noticed. */
  readonly id: number;
  /** The bytes of a value, in memory of their own. */
  encode(value: unknown): Uint8Array;
  /** Encodes a value and stores it at once, with default options. */
  store(handle: number, key: Key, value: unknown): void;
  /** Decodes the first `length` bytes of the window. */
  decodeWindow(length: number): unknown;
  decode(bytes: Uint8Array): unknown;
}

/** What the encoder gives in its own buffer, which the next call overwrites; or a view, if it learnt a shape. */
type Packed = Buffer & { start?: number; end?: number };

/** The encoder's buffer grows with the largest value; beyond this it is given up for a small one. */
const MAX_RESTING_BUFFER_BYTES = 1024 ** 2;
const RESTING_BUFFER_BYTES = 8192;

/** Deepest nesting: a third of what the decoder's stack reaches before it is optimized, in a call from the event loop. */
const MAX_DEPTH = 500;
nesting.most = MAX_DEPTH;
nesting.refuse = () =>
  new RangeError(`a value may be nested ${MAX_DEPTH} levels deep at most; this one is deeper, or refers to itself`);

/** Values being encoded right now; more than one where a `toJSON` stores something. */
let encoding = 0;

const MSGPACK_ID = 1;
const CUSTOM_ID = 2;

/**
 * Most shapes of objects a cache remembers, and most keys a remembered shape may have. Objects beyond (dictionaries
 * with a key for each user, say) carry their keys themselves.
 */
const MAX_SHAPES = 256;
const MAX_SHAPE_KEYS = 64;

/** Longest list of shapes kept, as JSON; a little below what the native side accepts. */
const MAX_SHAPES_LENGTH = 200_000;

/**
 * MessagePack with the shapes of objects kept once per cache instead of in each value. The shapes live in the native
 * cache, where every thread finds them; a shape is published before the first value that needs it is stored.
 */
class SharedShapeCodec implements ValueCodec {
  readonly id = MSGPACK_ID;
  readonly #packr: Packr & { structures?: { sharedLength?: number } };
  #revision = 0;
  #length = 0;

  constructor(cache: NativeCache) {
    this.#packr = new Packr({
      // One more than are kept: only below this limit does the encoder ask `shouldShareStructure` about new shapes.
      maxSharedStructures: MAX_SHAPES + 1,
      writeFunction: refuse as () => never,
      // Bytes inside an object must outlive the window they are decoded from.
      copyBuffers: true,
      moreTypes: true,
      getStructures: () => {
        const { revision, bytes } = cache.structures();
        this.#revision = revision;
        this.#length = bytes.length;
        return revision === 0 ? [] : JSON.parse(bytes.toString());
      },
      saveStructures: (shapes: object[]) => {
        const bytes = Buffer.from(JSON.stringify(shapes));
        if (!cache.saveStructures(this.#revision, bytes)) return false;
        this.#revision += 1;
        this.#length = bytes.length;
        return true;
      },
      shouldShareStructure: (keys: string[]) => {
        checkShape(keys);
        return this.#isShared(keys);
      },
    });
  }

  /** Whether the shape is kept in the cache, now that it is new. */
  #isShared(keys: readonly string[]): boolean {
    const sharedLength = this.#packr.structures?.sharedLength ?? 0;
    return (
      sharedLength < MAX_SHAPES &&
      keys.length <= MAX_SHAPE_KEYS &&
      this.#length + keys.reduce((sum, key) => sum + key.length * 3 + 3, 0) < MAX_SHAPES_LENGTH
    );
  }

  encode(value: unknown): Uint8Array {
    const packed = this.#pack(value);
    this.#giveUp(packed);
    return packed;
  }

  store(handle: number, key: Key, value: unknown): void {
    const packed: Packed = this.#pack(value, REUSE_BUFFER_MODE | RESET_BUFFER_MODE);
    try {
      calls.setCoded(handle, key, packed, MSGPACK_ID, packed.start ?? 0, packed.end ?? packed.length);
    } finally {
      this.#giveUp(packed);
    }
  }

  #pack(value: unknown, mode?: number): Buffer {
    const { depth } = nesting;
    nesting.depth = 0;
    encoding += 1;
    try {
      return this.#packr.pack(value, mode);
    } catch (error) {
      throw refusalOf(value, error) ?? error;
    } finally {
      encoding -= 1;
      nesting.depth = depth;
    }
  }

  /** Gives the encoder's buffer up if a large value made it grow, unless an outer value is being encoded into it. */
  #giveUp(packed: Buffer): void {
    if (encoding === 0 && packed.buffer.byteLength > MAX_RESTING_BUFFER_BYTES) {
      this.#packr.useBuffer(Buffer.allocUnsafeSlow(RESTING_BUFFER_BYTES));
    }
  }

  decodeWindow(length: number): unknown {
    return holdWindow(() => this.#packr.unpack(windowBytes, length));
  }

  decode(bytes: Uint8Array): unknown {
    return this.#packr.unpack(bytes);
  }
}

/** A user's codec: it may keep the bytes it gets, or call into the cache, so it gets a copy. */
class CustomCodec implements ValueCodec {
  readonly id = CUSTOM_ID;
  readonly #codec: Codec;

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  encode(value: unknown): Uint8Array {
    const bytes: unknown = this.#codec.encode(value);
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError(`codec.encode must return a Uint8Array; got ${typeof bytes}`);
    }
    return bytes;
  }

  store(handle: number, key: Key, value: unknown): void {
    calls.setBytes(handle, key, this.encode(value), CUSTOM_ID);
  }

  decodeWindow(length: number): unknown {
    return this.#codec.decode(copyWindow(length));
  }

  decode(bytes: Uint8Array): unknown {
    return this.#codec.decode(bytes);
  }
}

/** Makes the codec of a cache. */
export function createCodec(cache: NativeCache, codec: Codec | undefined): ValueCodec {
  return codec === undefined ? new SharedShapeCodec(cache) : new CustomCodec(codec);
}

/** Copies the first `length` bytes of the window; from Node's pool, which is far cheaper than a buffer of its own. */
function copyWindow(length: number): Buffer {
  const copy = Buffer.allocUnsafe(length);
  windowBytes.copy(copy, 0, 0, length);
  return copy;
}

/** Turns bytes of a given kind that did not come through a call into the value that was stored. */
export function receiveOld(kind: number, bytes: Buffer, codec: ValueCodec): unknown {
  if (kind === Kind.Bytes) return bytes;
  if (kind === Kind.Coded) return codec.decode(bytes);
  if (kind !== Kind.Integer) return bytes.toString();
  const integer = bytes.readBigInt64LE();
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer;
}

/** Turns what a call delivered into the value that was stored. */
export function receive(delivered: Delivered, codec: ValueCodec): unknown {
  if (typeof delivered !== "object") return delivered;
  if (delivered === null) {
    const length = header.length;
    if (header.kind !== Kind.Coded) return copyWindow(length);
    checkCodec(codec, header.codec);
    return codec.decodeWindow(length);
  }
  if (!(delivered instanceof ArrayBuffer)) return delivered;
  checkCodec(codec, header.codec);
  return codec.decode(Buffer.from(delivered));
}

/** Turns what `getBytes` delivered into a Buffer of the caller's own. */
export function receiveBytes(delivered: Buffer | null | undefined): Buffer | undefined {
  return delivered === null ? copyWindow(header.length) : delivered;
}

/** {@link receive} for a value that came by itself, with the id of its codec. */
export function receiveApart(delivered: Delivered, codecId: number, codec: ValueCodec): unknown {
  if (!(delivered instanceof ArrayBuffer)) return delivered;
  checkCodec(codec, codecId);
  return codec.decode(Buffer.from(delivered));
}

function checkCodec(codec: ValueCodec, codecId: number): void {
  if (codecId !== codec.id) {
    throw new TandemError(
      "CodecMismatch",
      `the value was written by codec ${codecId} and this cache was opened with codec ${codec.id}: ` +
        "open it with the same codec in every thread",
    );
  }
}
