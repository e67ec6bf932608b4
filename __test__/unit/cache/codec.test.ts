import { afterEach, expect, test, vi } from "vitest";
import { Cache, type Codec } from "../../../src/index.js";

const open: Cache<never>[] = [];
afterEach(() => {
  for (const cache of open.splice(0)) cache.close();
});

function create<V = unknown>(options: ConstructorParameters<typeof Cache>[0] = {}): Cache<V> {
  const cache = new Cache<V>({ maxBytes: "64mb", ...options });
  open.push(cache as Cache<never>);
  return cache;
}

const json: Codec = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
};

test("a shape that repeats is stored once", () => {
  const cache = create({ compression: false });
  const object = (i: number) => ({ aRatherLongPropertyName: i, anotherRatherLongPropertyName: `${i}` });
  for (let i = 0; i < 1000; i += 1) cache.set(`k${i}`, object(i));
  expect(cache.get("k999")).toEqual(object(999));
  expect(cache.stats().valueBytes / 1000).toBeLessThan(16);
});

test("shapes beyond the limit, and objects used as dictionaries, come back all the same", () => {
  const cache = create();
  const dictionary = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`user-${i}`, { visits: i }]));
  cache.set("dictionary", dictionary);
  const shapes = Array.from({ length: 2000 }, (_, i) => ({ [`property-${i}`]: i, nested: { [`n${i}`]: [i] } }));
  for (const [i, shape] of shapes.entries()) cache.set(`shape:${i}`, shape);
  for (const [i, shape] of shapes.entries()) expect(cache.get(`shape:${i}`)).toEqual(shape);
  expect(cache.get("dictionary")).toEqual(dictionary);
});

test("values of all sizes follow one another", () => {
  const cache = create({ compression: false });
  const sizes = [10, 9000, 100, 2_000_000, 10, 70_000, 5_000_000, 1];
  for (const [i, size] of sizes.entries()) cache.set(`k${i}`, { size, text: "x".repeat(size), list: [size] });
  for (const [i, size] of sizes.entries()) {
    expect(cache.get(`k${i}`)).toEqual({ size, text: "x".repeat(size), list: [size] });
  }
});

test("a codec of one's own gets bytes it may keep", () => {
  const kept: Uint8Array[] = [];
  const cache = create({
    codec: {
      encode: json.encode,
      decode: (bytes) => {
        kept.push(bytes);
        return json.decode(bytes);
      },
    },
  });
  cache.set("a", { a: 1 });
  cache.set("b", { b: "x".repeat(100_000) });
  expect(cache.get("a")).toEqual({ a: 1 });
  cache.get("b");
  cache.get("b");
  expect(kept.map((bytes) => bytes.length)).toEqual([7, 100_008, 100_008]);
  expect(Buffer.from(kept[0] as Uint8Array).toString()).toBe('{"a":1}');
});

test("a codec may call into the cache", () => {
  const cache: Cache = create({
    codec: {
      encode: (value) => {
        cache.set("encoding", "text");
        return json.encode(value);
      },
      decode: (bytes) => {
        cache.set("decoding", Buffer.alloc(300, 1));
        expect(cache.get("decoding")).toEqual(Buffer.alloc(300, 1));
        return json.decode(bytes);
      },
    },
  });
  cache.set("k", { deep: [1, 2, 3] });
  expect(cache.get("k")).toEqual({ deep: [1, 2, 3] });
  expect(cache.getEntry("k")).toMatchObject({ value: { deep: [1, 2, 3] }, cost: 1 });
  expect(cache.get("encoding")).toBe("text");
});

test("toJSON may call into the cache while it is encoded", () => {
  const cache = create();
  cache.set("inner", { i: 1 });
  class Outer {
    toJSON() {
      const from = cache.get("inner");
      cache.set("inner", { changed: "by toJSON", of: ["outer"] });
      return { from };
    }
  }
  cache.set("outer", [new Outer(), { i: 2 }]);
  expect(cache.get("outer")).toEqual([{ from: { i: 1 } }, { i: 2 }]);
  expect(cache.get("inner")).toEqual({ changed: "by toJSON", of: ["outer"] });
});

test("toJSON may store something large while it is encoded", () => {
  const cache = create();
  const large = { text: "y".repeat(2_000_000) };
  class Outer {
    toJSON() {
      cache.set("large", large);
      return "stored";
    }
  }
  const before = { n: 1, text: "z".repeat(5000) };
  cache.set("outer", [before, new Outer(), before]);
  expect(cache.get("outer")).toEqual([before, "stored", before]);
  expect(cache.get("large")).toEqual(large);
});

test("what a codec throws reaches the caller and nothing is changed", () => {
  const cache = create({
    codec: {
      encode: () => {
        throw new Error("cannot encode");
      },
      decode: json.decode,
    },
  });
  cache.set("k", "text");
  expect(() => cache.set("k", {})).toThrow("cannot encode");
  expect(cache.get("k")).toBe("text");
  const wrong = create({ codec: { encode: () => "no bytes" as never, decode: json.decode } });
  expect(() => wrong.set("k", {})).toThrow(/Uint8Array/);
});

test("a value that cannot be decoded harms no other call", () => {
  const decode = vi.fn(json.decode);
  const cache = create({ codec: { encode: json.encode, decode } });
  cache.set("k", { a: 1 });
  decode.mockImplementationOnce(() => {
    throw new Error("cannot decode");
  });
  expect(() => cache.get("k")).toThrow("cannot decode");
  expect(cache.get("k")).toEqual({ a: 1 });
});

test("threads of one name must have the same codec", () => {
  const cache = Cache.open("codecs", { maxBytes: "2mb" });
  open.push(cache as Cache<never>);
  expect(() => Cache.open("codecs", { maxBytes: "2mb", codec: json })).toThrow(/custom/);
  // Without options there is nothing to compare, but values say who wrote them.
  cache.set("k", { a: 1 });
  expect(cache.get("k")).toEqual({ a: 1 });
});

test("bytes inside objects and bigints keep their worth", () => {
  const cache = create();
  const value = { bytes: Buffer.from("abc"), big: 12n, huge: 2n ** 100n, floats: new Float64Array([1.5, 2.5]) };
  cache.set("k", value);
  const back = cache.get("k") as typeof value;
  cache.set("other", { bytes: Buffer.from("xyz") });
  cache.get("other");
  expect(Buffer.from(back.bytes).toString()).toBe("abc");
  expect(back.floats).toEqual(value.floats);
  expect(back.big).toBe(12n);
  expect(back.huge).toBe(2n ** 100n);
});

test("errors come back with their class, message, stack, cause and errors", () => {
  const cache = create();
  const cause = new RangeError("too far");
  const error = new TypeError("wrong", { cause });
  cache.set("k", { error });
  const back = (cache.get("k") as { error: TypeError }).error;
  expect(back).toBeInstanceOf(TypeError);
  expect(back).toEqual(error);
  expect([back.stack, (back.cause as Error).stack]).toEqual([error.stack, cause.stack]);
  const all = new AggregateError([error, "text"], "both failed");
  cache.set("k", all);
  const those = cache.get("k") as AggregateError;
  expect(those).toBeInstanceOf(AggregateError);
  expect([those.message, those.errors[0].message, those.errors[1]]).toEqual(["both failed", "wrong", "text"]);
  class Own extends Error {
    override name = "Own";
  }
  cache.set("k", new Own("mine"));
  expect(cache.get("k")).toMatchObject({ name: "Own", message: "mine" });
  expect(Object.hasOwn(cache.get("k") as Error, "cause")).toBe(false);
});

class Late extends Promise<number> {}

test.each([
  ["a promise", Promise.resolve(1), /Promise\) cannot be stored$/],
  ["one inside", { rows: [1, { row: Promise.resolve(1) }] }, /Promise\) cannot be stored; it is at \.rows\[1\]\.row$/],
  ["one of a derived class", [Late.resolve(1)], /Late\) cannot be stored; it is at \[0\]$/],
  ["a WeakMap", { map: new WeakMap() }, /WeakMap\) .* at \.map$/],
  ["a WeakRef", [new WeakRef({})], /WeakRef\) .* at \[0\]$/],
  ["shared memory", { memory: new SharedArrayBuffer(3) }, /SharedArrayBuffer\) .* at \.memory$/],
  ["a boxed string", { text: new String("s") }, /String\) .* at \.text$/],
  ["a boxed number", new Number(1), /Number\) cannot be stored$/],
  ["a boxed symbol", [Object(Symbol("s"))], /Symbol\) .* at \[0\]$/],
  ["a function inside", { "on-load": () => 1 }, /a function cannot be stored; it is at \["on-load"\]$/],
  ["a toJSON of a plain object", { toJSON: () => 1 }, /a function cannot be stored; it is at \.toJSON$/],
  ["a symbol inside", new Map([["a", [Symbol("s")]]]), /a symbol cannot be stored; it is at \.get\("a"\)\[0\]$/],
  ["a property __proto__", JSON.parse('{"a":{"__proto__":{"x":1}}}'), /property __proto__ cannot .* at \.a$/],
])("refuses %s, which would come back as something else", (_, value, message) => {
  const cache = create();
  cache.set("k", "kept");
  expect(() => cache.set("k", value)).toThrow(TypeError);
  expect(() => cache.set("k", value, { cost: 1 })).toThrow(message);
  expect(cache.get("k")).toBe("kept");
  cache.set("k", { next: [1] });
  expect(cache.get("k")).toEqual({ next: [1] });
});

test("refuses a property __proto__ also when no more shapes are kept", () => {
  const cache = create();
  for (let i = 0; i < 300; i += 1) cache.set(`k${i}`, { [`property-${i}`]: i });
  const wrong = JSON.parse('{"list":[{"__proto__":1}]}');
  for (const _ of [1, 2]) expect(() => cache.set("k", wrong)).toThrow(/__proto__ .* at \.list\[0\]$/);
});

test("an object that only looks like a promise by a property is stored", () => {
  const cache = create();
  cache.set("k", { constructor: "Promise" });
  expect(cache.get("k")).toEqual({ constructor: "Promise" });
  const bare = Object.assign(Object.create(null), { a: [new Date(5), new Set([1])] });
  cache.set("k", bare);
  expect(cache.get("k")).toEqual({ a: [new Date(5), new Set([1])] });
});

test("getEntry tells of its own entry, whatever the codec reads meanwhile", () => {
  const cache = create({
    codec: {
      encode: json.encode,
      decode: (bytes) => {
        cache.getEntry("other");
        return json.decode(bytes);
      },
    },
  });
  const version = cache.setEntry("k", { a: 1 }, { cost: 3, ttl: 1_000_000 });
  cache.set("other", "text", { cost: 5 });
  const expiresAt = cache.getEntry("k")?.expiresAt;
  expect(expiresAt).toBeGreaterThan(Date.now());
  expect(cache.getEntry("k")).toEqual({ value: { a: 1 }, version, cost: 3, expiresAt });
});

const NESTINGS: [name: string, nest: (inner: unknown) => unknown][] = [
  ["objects", (inner) => ({ inner })],
  ["arrays", (inner) => [inner]],
  ["maps", (inner) => new Map([[1, inner]])],
  ["sets", (inner) => new Set([inner])],
  ["instances", (inner) => Object.assign(new (class Node {})(), { inner })],
];

/** `inner` in `levels` containers. */
function nested(nest: (inner: unknown) => unknown, levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = nest(value);
  return value;
}

test.each(NESTINGS)("nested %s come back from as deep as they may be stored", (_name, nest) => {
  const cache = create();
  const levels = 500;
  cache.set("deepest", nested(nest, levels));
  expect(() => cache.set("deeper", nested(nest, levels + 1))).toThrow(
    new RangeError("a value may be nested 500 levels deep at most; this one is deeper, or refers to itself"),
  );
  expect(cache.has("deeper")).toBe(false);
  let value = cache.get("deepest");
  for (let level = 0; level < levels; level += 1) {
    [value] = value instanceof Map ? value.values() : value instanceof Set ? value : Object.values(value as object);
  }
  expect(value).toBe(1);
});

test("a refusal for depth leaves the encoder as it was, and what a toJSON stores counts for itself", () => {
  const cache = create();
  const deep = nested((inner) => [inner], 400);
  expect(() =>
    cache.set(
      "k",
      nested((inner) => ({ inner }), 10_000),
    ),
  ).toThrow(RangeError);
  class Storing {
    toJSON(): string {
      cache.set("inner", deep);
      return "stored";
    }
  }
  cache.set("outer", [nested((inner) => (inner === 1 ? new Storing() : [inner]), 300), deep]);
  expect(cache.get("inner")).toEqual(deep);
  // 300 levels around what stores, and 250 beside it.
  const beside = nested((inner) => [inner], 250);
  const both = nested((inner) => (inner === 1 ? [new Storing(), beside] : [inner]), 300);
  expect(() => cache.set("both", both)).toThrow(RangeError);
  const itself: unknown[] = [];
  itself.push(itself);
  expect(() => cache.set("itself", itself)).toThrow(/500 levels deep at most.*refers to itself/);
});
