/** Random programs of commands, right and wrong ones, over few keys so that they meet. */
import fc from "fast-check";
import { CLOCK_SLACK_MS } from "./canonical.js";

export type Request = (string | Buffer)[];

const key = fc.constantFrom<string | Buffer>("a", "b", "c", "d", "", "key:1", Buffer.from([0, 255, 13, 10]));
const number = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.constantFrom("9223372036854775807", "-9223372036854775808", "9223372036854775808", "9223372036854775800"),
  fc.constantFrom("", "1.5", "+1", "01", "-0", " 1", "1 ", "x", "1e3"),
);
const value = fc.oneof(
  { weight: 3, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 3, arbitrary: number },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.integer({ min: 400, max: 65_000 }).map((length) => "compressible ".repeat(length / 13)) },
);
/** Seconds or milliseconds: far enough ahead not to pass during a test, or long gone, or not allowed. */
const duration = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 500_000, max: 900_000 }).map(String) },
  { weight: 2, arbitrary: fc.constantFrom("0", "-1", "-500000", "9223372036854775807", "9223372036854775") },
  { weight: 1, arbitrary: number.filter((text) => !/^[1-9]\d?$/.test(text)) },
);
const moment = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("4000000000", "4000000000000", "5000000000000") },
  { weight: 2, arbitrary: fc.constantFrom("1", "1000000000", "0", "-1", "9223372036854775807") },
);
/** Numbers with a fraction, and what only looks like one. */
const float = fc.oneof(
  { weight: 3, arbitrary: number },
  { weight: 3, arbitrary: fc.integer({ min: -1_000_000, max: 1_000_000 }).map((n) => `${n / 1_000}`) },
  { weight: 3, arbitrary: fc.double({ noNaN: true }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("0.1", "3.0e3", "1e17", "1e4000", "1e5000", "-inf", "nan", ".5", "5.", "1e"),
  },
);
const database = fc.constantFrom("0", "1", "1", "15", "16", "-1", "x", "9999999999", "");
const copyOption: fc.Arbitrary<Request> = fc.oneof(
  fc.constantFrom<Request>(["REPLACE"], ["replace"], ["DB"], ["NOTHING"]),
  database.map((db): Request => ["DB", db]),
);
const anyCase = (word: string) => fc.constantFrom(word, word.toLowerCase());
const oneOf = (...words: string[]) => fc.constantFrom(...words);

const timeOption: fc.Arbitrary<Request> = fc.oneof(
  fc.tuple(oneOf("EX", "PX", "ex"), duration).map((pair): Request => pair),
  fc.tuple(oneOf("EXAT", "PXAT", "pxat"), moment).map((pair): Request => pair),
);
const setOption: fc.Arbitrary<Request> = fc.oneof(
  timeOption,
  oneOf("NX", "XX", "GET", "KEEPTTL", "get", "nx", "EX", "PERSIST", "").map((word): Request => [word]),
);
const getexOption: fc.Arbitrary<Request> = fc.oneof(
  timeOption,
  oneOf("PERSIST", "persist", "KEEPTTL", "PX").map((word): Request => [word]),
);
const expireOption: fc.Arbitrary<Request> = oneOf("NX", "XX", "GT", "LT", "gt", "ZZ").map((word): Request => [word]);
const lcsOption: fc.Arbitrary<Request> = fc.oneof(
  oneOf("LEN", "IDX", "WITHMATCHLEN", "len", "MINMATCHLEN").map((word): Request => [word]),
  number.map((length): Request => ["MINMATCHLEN", length]),
);
const scanOption: fc.Arbitrary<Request> = fc.oneof(
  oneOf("*", "k*", "[ab]", "?", "").map((pattern): Request => ["MATCH", pattern]),
  oneOf("string", "hash", "STRING", "nothing").map((type): Request => ["TYPE", type]),
  oneOf("0", "-5", "x").map((count): Request => ["COUNT", count]),
  oneOf("LIMIT", "COUNT").map((word): Request => [word]),
);

function some(option: fc.Arbitrary<Request>, maxLength: number): fc.Arbitrary<Request> {
  return fc.array(option, { maxLength }).map((parts) => parts.flat());
}

function command(name: string, ...parts: fc.Arbitrary<string | Buffer | Request>[]): fc.Arbitrary<Request> {
  return fc.tuple(anyCase(name), ...parts).map((words) => words.flat() as Request);
}

const keys = fc.array(key, { minLength: 1, maxLength: 5 });
const pairs = fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 4 }).map((list) => list.flat() as Request);

const right: fc.Arbitrary<Request> = fc.oneof(
  { weight: 24, arbitrary: command("SET", key, value, some(setOption, 3)) },
  { weight: 16, arbitrary: command("GET", key) },
  { weight: 8, arbitrary: command("MGET", keys) },
  { weight: 8, arbitrary: command("MSET", pairs) },
  { weight: 4, arbitrary: command("SETNX", key, value) },
  { weight: 8, arbitrary: command("GETSET", key, value) },
  { weight: 4, arbitrary: command("GETDEL", key) },
  { weight: 12, arbitrary: command("GETEX", key, some(getexOption, 2)) },
  { weight: 8, arbitrary: command("INCR", key) },
  { weight: 4, arbitrary: command("DECR", key) },
  { weight: 8, arbitrary: command("INCRBY", key, number) },
  { weight: 8, arbitrary: command("DECRBY", key, number) },
  { weight: 8, arbitrary: command("APPEND", key, value) },
  { weight: 4, arbitrary: command("STRLEN", key) },
  { weight: 4, arbitrary: command("SETEX", key, duration, value) },
  { weight: 4, arbitrary: command("PSETEX", key, duration, value) },
  { weight: 6, arbitrary: command("GETRANGE", key, number, number) },
  { weight: 2, arbitrary: command("SUBSTR", key, number, number) },
  { weight: 6, arbitrary: command("SETRANGE", key, number, value) },
  { weight: 12, arbitrary: command("INCRBYFLOAT", key, float) },
  { weight: 6, arbitrary: command("LCS", key, key, some(lcsOption, 3)) },
  { weight: 4, arbitrary: command("TOUCH", keys) },
  { weight: 2, arbitrary: command("RANDOMKEY") },
  { weight: 2, arbitrary: command("TIME") },
  { weight: 4, arbitrary: command("DEL", keys) },
  { weight: 4, arbitrary: command("UNLINK", keys) },
  { weight: 4, arbitrary: command("EXISTS", keys) },
  { weight: 4, arbitrary: command("TYPE", key) },
  { weight: 6, arbitrary: command("RENAME", key, key) },
  { weight: 4, arbitrary: command("RENAMENX", key, key) },
  { weight: 6, arbitrary: command("COPY", key, key, some(copyOption, 2)) },
  { weight: 4, arbitrary: command("MOVE", key, database) },
  { weight: 2, arbitrary: command("SWAPDB", database, database) },
  { weight: 8, arbitrary: command("EXPIRE", key, duration, some(expireOption, 2)) },
  { weight: 8, arbitrary: command("PEXPIRE", key, duration, some(expireOption, 2)) },
  { weight: 8, arbitrary: command("EXPIREAT", key, moment, some(expireOption, 2)) },
  { weight: 8, arbitrary: command("PEXPIREAT", key, moment, some(expireOption, 2)) },
  { weight: 8, arbitrary: command("TTL", key) },
  { weight: 8, arbitrary: command("PTTL", key) },
  { weight: 4, arbitrary: command("EXPIRETIME", key) },
  { weight: 4, arbitrary: command("PEXPIRETIME", key) },
  { weight: 4, arbitrary: command("PERSIST", key) },
  { weight: 4, arbitrary: command("KEYS", oneOf("*", "k*", "[a-c]", "[^a]", "?", "\\a", "a*b*", "[", "key:[0-9]")) },
  { weight: 4, arbitrary: command("SCAN", oneOf("0"), fc.constant(["COUNT", "100000"]), some(scanOption, 2)) },
  { weight: 4, arbitrary: command("DBSIZE") },
  { weight: 4, arbitrary: command("SELECT", oneOf("0", "1", "15", "16", "-1", "x")) },
  {
    weight: 1,
    arbitrary: command(
      "FLUSHDB",
      some(
        oneOf("ASYNC", "SYNC", "x").map((word): Request => [word]),
        2,
      ),
    ),
  },
  { weight: 1, arbitrary: command("FLUSHALL") },
  { weight: 4, arbitrary: command("PING", fc.array(value, { maxLength: 2 })) },
  { weight: 2, arbitrary: command("ECHO", value) },
  { weight: 2, arbitrary: command("CLIENT", oneOf("SETNAME"), oneOf("me", "", "two words")) },
  { weight: 2, arbitrary: command("CLIENT", oneOf("GETNAME", "getname", "NOTHING", "")) },
  { weight: 2, arbitrary: command("AUTH", fc.array(oneOf("default", "x"), { maxLength: 3 })) },
);

const names = oneOf(
  "GET",
  "SET",
  "MSET",
  "GETEX",
  "INCRBY",
  "EXPIRE",
  "SCAN",
  "SETRANGE",
  "INCRBYFLOAT",
  "LCS",
  "TOUCH",
  "RENAME",
  "COPY",
  "MOVE",
  "SWAPDB",
  "DBSIZE",
  "SELECT",
  "CLIENT",
  "ECHO",
  "DEL",
);
/** Too few or too many arguments, and commands that nobody has. */
const wrong: fc.Arbitrary<Request> = fc.oneof(
  fc.tuple(names, fc.array(value, { maxLength: 5 })).map(([name, rest]): Request => [name, ...rest]),
  fc
    .tuple(oneOf("NOSUCH", "", "GE", "GET\r\nSET", "x".repeat(200)), fc.array(value, { maxLength: 3 }))
    .map(([name, rest]): Request => [name, ...rest]),
);

/** LCS takes the product of both lengths, which redis-server does not bound: where it is used, values are short. */
function shortForLcs(requests: Request[]): Request[] {
  if (!requests.some(([name]) => String(name).toUpperCase() === "LCS")) return requests;
  return requests.map((words) => words.map((word) => word.slice(0, 300)));
}

/**
 * Whether a time is later than one set before it (`GT`, `LT`) depends on when each was set, unless they are further apart
 * than a program takes: the same or nearly the same durations get a distance.
 */
function farApart(requests: Request[]): Request[] {
  const taken: number[] = [];
  return requests.map((words) =>
    words.map((word) => {
      if (typeof word !== "string" || !/^([5-9]\d{5}|9223372036854775)$/.test(word)) return word;
      let duration = Number(word);
      while (taken.some((other) => Math.abs(other - duration) < CLOCK_SLACK_MS)) duration += CLOCK_SLACK_MS;
      taken.push(duration);
      return duration === Number(word) ? word : `${duration}`;
    }),
  );
}

/** A program: requests in order, each on its own or in a pipeline. */
export const program: fc.Arbitrary<Request[]> = fc
  .array(fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: wrong }), { minLength: 1, maxLength: 60 })
  .map(shortForLcs)
  .map(farApart);
