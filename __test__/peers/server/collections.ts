/** Random commands on hashes and sets, from few elements to more than one record holds. */
import fc from "fast-check";
import type { Request } from "./programs.js";

const key = fc.constantFrom("a", "b", "c", "h", "s", "missing");
const number = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.constantFrom(
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "",
    "1.5",
    "01",
    "-0",
    " 1",
    "x",
  ),
);
const name = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 30 }).map(String) },
  { weight: 3, arbitrary: fc.constantFrom("field", "", "a b", "x".repeat(64), "x".repeat(65), "-0", "007") },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
);
const value = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 3, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60, max: 6_000 }).map((length) => "v".repeat(length)) },
);

/** Many numbered names at once: more than a record, or an intset, holds. */
const many = fc
  .tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 100, max: 600 }))
  .map(([from, count]) => Array.from({ length: count }, (_, at) => String(from + at)));
const names: fc.Arbitrary<Request> = fc.oneof(
  { weight: 8, arbitrary: fc.array(name, { minLength: 1, maxLength: 6 }) },
  { weight: 1, arbitrary: many },
);
const pairs: fc.Arbitrary<Request> = fc.oneof(
  { weight: 8, arbitrary: fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 5 }).map((list) => list.flat()) },
  { weight: 1, arbitrary: many.map((list) => list.flatMap((field) => [field, `value of ${field}`])) },
  { weight: 1, arbitrary: fc.array(name, { minLength: 1, maxLength: 5 }) },
);

/** Both servers show everything in one step of this size; what they show in smaller ones is their own affair. */
const step = fc.constant<Request>(["COUNT", "10000"]);
const scanOption: fc.Arbitrary<Request> = fc.oneof(
  fc.constantFrom("*", "1*", "[12]?", "f*").map((pattern): Request => ["MATCH", pattern]),
  fc.constantFrom<Request>(["COUNT", "0"], ["COUNT", "x"], ["TYPE", "string"], ["MATCH"], ["NOTHING", "1"]),
);
const scanOptions = fc.array(scanOption, { maxLength: 1 }).map((options) => options.flat());
const cursor = fc.oneof(
  { weight: 5, arbitrary: fc.constant("0") },
  { weight: 1, arbitrary: fc.constantFrom("x", "", "-", "1 ") },
);

function command(
  name: string | fc.Arbitrary<string>,
  ...parts: fc.Arbitrary<string | Buffer | Request>[]
): fc.Arbitrary<Request> {
  const word = typeof name === "string" ? fc.constantFrom(name, name.toLowerCase()) : name;
  return fc.tuple(word, ...parts).map((words) => words.flat() as Request);
}

/** Keys that members of sets name, so that they weigh something. */
const weights: fc.Arbitrary<Request> = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 30 }), value), { minLength: 1, maxLength: 8 })
  .map((list) => list.flatMap(([member, weight]) => [`w_${member}`, weight]));
const pattern = fc.constantFrom("w_*", "w_*", "#", "*", "h_*->field", "h_*->field", "w_*->", "w_*->f", "none", "");
const sortName = fc.constantFrom("SORT", "sort", "SORT_RO");
const sortOption: fc.Arbitrary<Request> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Request>(["ALPHA"], ["alpha"], ["ASC"], ["DESC"]) },
  { weight: 3, arbitrary: pattern.map((text): Request => ["GET", text]) },
  { weight: 3, arbitrary: pattern.map((text): Request => ["BY", text]) },
  { weight: 2, arbitrary: fc.tuple(number, number).map((limit): Request => ["LIMIT", ...limit]) },
  { weight: 1, arbitrary: fc.constantFrom<Request>(["LIMIT", "1"], ["GET"], ["BY"], ["NOTHING"]) },
);
const sortOptions = fc.array(sortOption, { maxLength: 4 }).map((options) => options.flat());

/** How many: more than any set has, none, or wrong. Which members fewer would be is chance. */
const allOrWrong = fc.constantFrom("100000", "0", "x", "", "-9223372036854775808", "9223372036854775808");

/** Commands of both families, and those of others that meet them. */
export const collectionCommand: fc.Arbitrary<Request> = fc.oneof(
  { weight: 12, arbitrary: command("HSET", key, pairs) },
  { weight: 4, arbitrary: command("HMSET", key, pairs) },
  { weight: 4, arbitrary: command("HSETNX", key, name, value) },
  { weight: 6, arbitrary: command("HGET", key, name) },
  { weight: 6, arbitrary: command("HMGET", key, names) },
  { weight: 6, arbitrary: command("HGETALL", key) },
  { weight: 4, arbitrary: command("HKEYS", key) },
  { weight: 4, arbitrary: command("HVALS", key) },
  { weight: 4, arbitrary: command("HLEN", key) },
  { weight: 4, arbitrary: command("HEXISTS", key, name) },
  { weight: 4, arbitrary: command("HSTRLEN", key, name) },
  { weight: 8, arbitrary: command("HINCRBY", key, name, number) },
  { weight: 8, arbitrary: command("HDEL", key, names) },
  { weight: 4, arbitrary: command("HSCAN", key, cursor, step, scanOptions) },
  { weight: 12, arbitrary: command("SADD", key, names) },
  { weight: 8, arbitrary: command("SREM", key, names) },
  { weight: 6, arbitrary: command("SMEMBERS", key) },
  { weight: 4, arbitrary: command("SISMEMBER", key, name) },
  { weight: 4, arbitrary: command("SMISMEMBER", key, names) },
  { weight: 4, arbitrary: command("SCARD", key) },
  { weight: 3, arbitrary: command("SPOP", key, allOrWrong) },
  { weight: 2, arbitrary: command("SPOP", fc.constantFrom("never there"), fc.constantFrom<Request>([], ["1", "2"])) },
  { weight: 3, arbitrary: command("SRANDMEMBER", key, allOrWrong) },
  { weight: 4, arbitrary: command("SSCAN", key, cursor, step, scanOptions) },
  { weight: 12, arbitrary: command(sortName, key, sortOptions) },
  { weight: 3, arbitrary: command("TYPE", key) },
  { weight: 8, arbitrary: command("OBJECT", fc.constantFrom("ENCODING", "encoding"), key) },
  {
    weight: 1,
    arbitrary: command("OBJECT", fc.constantFrom<Request>(["HELP"], ["FREQ", "never there"], ["NOSUCH", "a"])),
  },
  { weight: 2, arbitrary: command("DEL", key) },
  { weight: 6, arbitrary: command("MSET", weights) },
  {
    weight: 6,
    arbitrary: command(
      "HSET",
      fc.integer({ min: 0, max: 30 }).map((member) => `h_${member}`),
      fc.constant("field"),
      value,
    ),
  },
  { weight: 4, arbitrary: command("RENAME", key, key) },
  { weight: 2, arbitrary: command("RENAMENX", key, key) },
  { weight: 6, arbitrary: command("COPY", key, key, fc.constantFrom<Request>([], ["REPLACE"])) },
  { weight: 2, arbitrary: command("DEL", key, key, key) },
  { weight: 2, arbitrary: command("EXISTS", key, key, key) },
  { weight: 2, arbitrary: command("SET", key, value) },
  { weight: 2, arbitrary: command("GET", key) },
  { weight: 2, arbitrary: command("MGET", key, key) },
  { weight: 1, arbitrary: command("SET", key, value, fc.constant("GET")) },
  { weight: 1, arbitrary: command("GETSET", key, value) },
  { weight: 1, arbitrary: command("GETDEL", key) },
  {
    weight: 1,
    arbitrary: command("GETEX", key, fc.constantFrom<Request>([], ["PERSIST"], ["EX", "1000"], ["EX", "x"])),
  },
  { weight: 1, arbitrary: command("STRLEN", key) },
  { weight: 1, arbitrary: command("APPEND", key, value) },
  { weight: 1, arbitrary: command("INCR", key) },
  { weight: 2, arbitrary: command("EXPIRE", key, fc.constant("1000")) },
  { weight: 2, arbitrary: command("TTL", key) },
);
