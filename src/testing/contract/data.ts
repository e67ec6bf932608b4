/** SEMANTICS 1: keys, values, versions. */
import assert from "node:assert/strict";
import type { Check } from "./target.js";

const values: [name: string, value: unknown][] = [
  ["a string", "text"],
  ["an empty string", ""],
  ["text beyond ASCII", "grün, 日本語, 🙂, \u0000 and U+FFFD �"],
  ["a long string", "x".repeat(200_000)],
  ["long text beyond ASCII", "€".repeat(70_000)],
  ["a long string that does not compress", [...Array(50_000).keys()].map((n) => n * 7919).join()],
  ["an integer", 42],
  ["the largest safe integer", Number.MAX_SAFE_INTEGER],
  ["the smallest safe integer", Number.MIN_SAFE_INTEGER],
  ["a fraction", 1.5],
  ["NaN", Number.NaN],
  ["a bigint", 2n ** 63n - 1n],
  ["null", null],
  ["true", true],
  ["false", false],
  ["an object", { id: 7, name: "Ada", tags: ["x", "y"], nested: { deep: [1, 2.5, null, true] } }],
  ["an empty object", {}],
  [
    "an array of objects of one shape",
    [
      { a: 1, b: 2 },
      { a: 3, b: 4 },
    ],
  ],
  ["an object with many keys", Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key${i}`, i]))],
  ["a large object", { list: Array.from({ length: 20_000 }, (_, i) => `element ${i}`) }],
  ["a date", new Date(1_700_000_000_123)],
  [
    "a map",
    new Map<unknown, unknown>([
      ["a", 1],
      [2, { b: [3] }],
    ]),
  ],
  ["a set", new Set([1, "two", 3.5])],
];

/** Declares the checks. */
export function dataContract(check: Check): void {
  for (const [name, value] of values) {
    check(`gives back ${name}`, {}, async ({ cache }) => {
      await cache.set("k", value);
      assert.deepEqual(await cache.get("k"), value);
      assert.deepEqual(await cache.peek("k"), value);
      assert.deepEqual((await cache.getEntry("k"))?.value, value);
      assert.equal(await cache.has("k"), true);
      assert.deepEqual(await cache.take("k"), value);
      assert.equal(await cache.has("k"), false);
    });
  }

  for (const length of [0, 1, 200, 65_536, 65_537, 1_000_000]) {
    check(`gives back ${length} bytes as a Buffer`, {}, async ({ cache }) => {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255);
      await cache.set("k", bytes);
      const back = await cache.get("k");
      assert.ok(Buffer.isBuffer(back));
      assert.deepEqual(back, Buffer.from(bytes));
      assert.deepEqual(await cache.getBuffer("k"), Buffer.from(bytes));
    });
  }

  check("gives strings and integers as bytes, too", {}, async ({ cache }) => {
    await cache.set("text", "grün");
    await cache.set("number", -17);
    assert.deepEqual(await cache.getBuffer("text"), Buffer.from("grün"));
    assert.deepEqual(await cache.getBuffer("number"), Buffer.from("-17"));
  });

  check("tells a miss from null and from what is empty", {}, async ({ cache }) => {
    await cache.set("null", null);
    await cache.set("empty", "");
    assert.equal(await cache.get("null"), null);
    assert.equal(await cache.get("empty"), "");
    assert.equal(await cache.get("absent"), undefined);
    assert.equal(await cache.has("null"), true);
    assert.equal(await cache.has("absent"), false);
    assert.equal(await cache.getBuffer("absent"), undefined);
    assert.equal(await cache.getEntry("absent"), undefined);
    assert.equal(await cache.take("absent"), undefined);
  });

  check("takes a string and its UTF-8 for one key", {}, async ({ cache }) => {
    await cache.set("grün", 1);
    assert.equal(await cache.get(Buffer.from("grün")), 1);
    await cache.set(new Uint8Array([0x61]), 2);
    assert.equal(await cache.get("a"), 2);
    assert.equal((await cache.stats()).entries, 2);
  });

  check("takes keys of 0 to 65,535 bytes, of any bytes", {}, async ({ cache }) => {
    const longest = "k".repeat(65_535);
    const bytes = Buffer.from([0xff, 0x00, 0xfe]);
    for (const key of ["", longest, "\u0000", "\ufffd", bytes]) {
      await cache.set(key, "v");
      assert.equal(await cache.get(key), "v");
      assert.equal(await cache.delete(key), true);
    }
    await assert.rejects(async () => cache.set(`${longest}k`, "v"), { code: "KeyTooLong" });
    await assert.rejects(async () => cache.get("€".repeat(30_000)), { code: "KeyTooLong" });
    await assert.rejects(async () => cache.has(Buffer.alloc(65_536)), { code: "KeyTooLong" });
  });

  check("refuses keys and values that have no bytes, and changes nothing", {}, async ({ cache }) => {
    await cache.set("k", "v");
    for (const key of ["\ud800", "a\udc00b"]) {
      await assert.rejects(async () => cache.get(key), TypeError);
      await assert.rejects(async () => cache.set(key, 1), TypeError);
    }
    for (const key of [undefined, null, 1, {}, [], Symbol("s")]) {
      await assert.rejects(async () => cache.get(key as never), TypeError);
      await assert.rejects(async () => cache.set(key as never, 1), TypeError);
    }
    for (const value of [undefined, () => 1, Symbol("s"), "lone \ud800"]) {
      await assert.rejects(async () => cache.set("k", value), TypeError);
    }
    assert.equal(await cache.get("k"), "v");
    assert.equal((await cache.stats()).entries, 1);
  });

  check("hands out copies", {}, async ({ cache }) => {
    const object = { list: [1] };
    const bytes = Buffer.from("abc");
    await cache.set("object", object);
    await cache.set("bytes", bytes);
    object.list.push(2);
    bytes[0] = 0;
    ((await cache.get("object")) as typeof object).list.push(3);
    ((await cache.get("bytes")) as Buffer)[1] = 0;
    assert.deepEqual(await cache.get("object"), { list: [1] });
    assert.deepEqual(await cache.get("bytes"), Buffer.from("abc"));
  });

  check("gives every change of an entry a new version, also after a delete", {}, async ({ cache }) => {
    const seen = new Set<bigint>();
    const version = async () => {
      const entry = await cache.getEntry("k");
      assert.ok(entry);
      assert.equal(typeof entry.version, "bigint");
      assert.ok(entry.version > 0n);
      return entry.version;
    };
    const changes: (() => unknown)[] = [
      () => cache.set("k", 1),
      () => cache.set("k", 1),
      () => cache.incr("k"),
      () => cache.expire("k", 10_000),
      () => cache.persist("k"),
      async () => {
        await cache.delete("k");
        await cache.set("k", 1);
      },
      async () => {
        await cache.clear();
        await cache.set("k", 1);
      },
    ];
    for (const change of changes) {
      await change();
      seen.add(await version());
    }
    assert.equal(seen.size, changes.length);
    const before = await version();
    await cache.get("k");
    await cache.touch("k");
    assert.equal(await version(), before);
  });
}
