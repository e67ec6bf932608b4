import { readFileSync } from "node:fs";
import { compressSync, uncompressSync } from "lz4-napi";
import { expect, test } from "vitest";

/** Name, raw, as the engine stores it, as lz4-napi does: the engine's own test holds it to the same lines. */
const lines = readFileSync(new URL("../vectors/lz4.txt", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .slice(1);
const vectors = Array.from({ length: lines.length / 4 }, (_, at) => lines.slice(4 * at, 4 * at + 4));

test.each(vectors)("lz4-napi reads what the engine stores: %s", (_name, raw, engine) => {
  expect(uncompressSync(Buffer.from(engine ?? "", "hex")).toString("hex")).toBe(raw);
});

test.each(vectors)("the engine is tested on what lz4-napi writes: %s", (_name, raw, _engine, lz4Napi) => {
  expect(compressSync(Buffer.from(raw ?? "", "hex")).toString("hex")).toBe(lz4Napi);
});
