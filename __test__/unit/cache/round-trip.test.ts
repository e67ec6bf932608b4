/** What goes in comes out: random keys and values against a Map. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Cache } from "../../../src/index.js";

const key = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.uint8Array({ maxLength: 40 }),
);

const plain: fc.Arbitrary<unknown> = fc.anything({
  maxDepth: 4,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: false,
  withNullPrototype: false,
  key: fc.string({ maxLength: 10 }).filter((name) => name !== "__proto__" && name !== "toJSON"),
  values: [
    fc.boolean(),
    fc.integer(),
    fc.double().filter((number) => !Object.is(number, -0)),
    fc.string({ unit: "grapheme" }),
    fc.constant(null),
    fc.bigInt(),
  ],
});
const value = fc
  .oneof(plain, fc.string({ unit: "grapheme", maxLength: 3000 }), fc.maxSafeInteger())
  .map((any) => (Object.is(any, -0) ? 0 : any));

/** One name for a string and its UTF-8. */
const nameOf = (any: string | Uint8Array) => Buffer.from(any as string).toString("hex");

test("every value comes back as it was stored, under every key", () => {
  using cache = new Cache({ maxBytes: "64mb" });
  fc.assert(
    fc.property(fc.array(fc.tuple(key, value), { maxLength: 20 }), (pairs) => {
      cache.clear();
      const model = new Map<string, unknown>();
      for (const [k, v] of pairs) {
        cache.set(k, v);
        model.set(nameOf(k), v);
      }
      for (const [k] of pairs) expect(cache.get(k)).toEqual(model.get(nameOf(k)));
      expect(cache.size).toBe(model.size);
      expect([...cache.keys()].map(nameOf).sort()).toEqual([...model.keys()].sort());
    }),
    { numRuns: 500 },
  );
});
