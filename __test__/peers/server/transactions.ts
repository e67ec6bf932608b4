/** Random conversations of two clients about transactions, over few keys so that they meet. */
import fc from "fast-check";
import type { Request } from "./programs.js";

/** What one of the two clients sends at once. */
export interface Turn {
  readonly client: 0 | 1;
  readonly requests: Request[];
}

const key = fc.constantFrom("a", "b", "c", "text", "hash", "set");
const keys = fc.array(key, { minLength: 1, maxLength: 3 });
const value = fc.constantFrom("", "1", "10", "x", "9223372036854775807", "v".repeat(5_000));
const pairs = fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }).map((list) => list.flat() as Request);

/** What is there before each conversation: every kind of value. */
export const PREPARATION: Request[] = [
  ["MSET", "a", "1", "text", "some text"],
  ["HSET", "hash", "field", "1"],
  ["SADD", "set", "one"],
];

function command(word: string, ...parts: fc.Arbitrary<string | Request>[]): fc.Arbitrary<Request> {
  return fc.tuple(fc.constantFrom(word, word.toLowerCase()), ...parts).map((words) => words.flat() as Request);
}

const none = fc.constant<Request>([]);
const few = fc.array(fc.constantFrom("x", "1"), { maxLength: 3 });

const control: fc.Arbitrary<Request> = fc.oneof(
  { weight: 12, arbitrary: command("MULTI", none) },
  { weight: 14, arbitrary: command("EXEC", none) },
  { weight: 4, arbitrary: command("DISCARD", none) },
  { weight: 10, arbitrary: command("WATCH", keys) },
  { weight: 3, arbitrary: command("UNWATCH", none) },
  { weight: 1, arbitrary: command("RESET", none) },
  {
    weight: 2,
    arbitrary: fc.constantFrom("MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH").chain((word) => command(word, few)),
  },
);

const change: fc.Arbitrary<Request> = fc.oneof(
  { weight: 6, arbitrary: command("SET", key, value) },
  { weight: 4, arbitrary: command("MSET", pairs) },
  { weight: 6, arbitrary: command("MSETNX", pairs) },
  { weight: 4, arbitrary: command("INCR", key) },
  { weight: 3, arbitrary: command("APPEND", key, value) },
  { weight: 4, arbitrary: command("DEL", keys) },
  { weight: 2, arbitrary: command("GETDEL", key) },
  { weight: 2, arbitrary: command("EXPIRE", key, fc.constantFrom("1000", "-1")) },
  { weight: 2, arbitrary: command("PERSIST", key) },
  { weight: 2, arbitrary: command("SETNX", key, value) },
  { weight: 2, arbitrary: command("HSET", key, fc.constant<Request>(["field", "2"])) },
  { weight: 2, arbitrary: command("HINCRBY", key, fc.constant<Request>(["field", "1"])) },
  { weight: 2, arbitrary: command("SADD", key, fc.constantFrom("one", "two")) },
  { weight: 2, arbitrary: command("SREM", key, fc.constantFrom("one", "two")) },
  { weight: 1, arbitrary: command("FLUSHDB", none) },
  { weight: 1, arbitrary: command("FLUSHALL", none) },
);

const look: fc.Arbitrary<Request> = fc.oneof(
  { weight: 6, arbitrary: command("GET", key) },
  { weight: 3, arbitrary: command("MGET", keys) },
  { weight: 2, arbitrary: command("EXISTS", keys) },
  { weight: 2, arbitrary: command("TTL", key) },
  { weight: 2, arbitrary: command("HGETALL", key) },
  { weight: 2, arbitrary: command("SMEMBERS", key) },
  { weight: 2, arbitrary: command("TYPE", key) },
  { weight: 2, arbitrary: command("DBSIZE", none) },
  { weight: 2, arbitrary: command("PING", few) },
  { weight: 5, arbitrary: command("SELECT", fc.constantFrom("0", "1", "15", "16", "x")) },
  { weight: 1, arbitrary: command("HELLO", fc.constantFrom("2", "3", "4", "x")) },
  { weight: 1, arbitrary: command("CLIENT", fc.constantFrom("GETNAME", "NOSUCH")) },
  { weight: 1, arbitrary: command("EVAL", fc.constant<Request>(["return redis.call('INCR', KEYS[1])", "1"]), key) },
  { weight: 1, arbitrary: command("EVALSHA", fc.constant<Request>(["nosuch", "0"])) },
  { weight: 1, arbitrary: command("PUBLISH", fc.constant<Request>(["nobody", "listens"])) },
);

/** What a transaction refuses when it is asked for, and what fails when it runs. */
const wrong: fc.Arbitrary<Request> = fc.oneof(
  command("NOSUCH", few),
  command("GET", few),
  command("SET", few),
  command("CLIENT", few),
  command("EXPIRE", key, fc.constant("x")),
);

const request = fc.oneof(
  { weight: 8, arbitrary: control },
  { weight: 8, arbitrary: change },
  { weight: 4, arbitrary: look },
  { weight: 1, arbitrary: wrong },
);

/** A conversation: the clients speak in turns, one request at a time or several at once. */
export const conversation: fc.Arbitrary<Turn[]> = fc.array(
  fc.record({
    client: fc.constantFrom<0 | 1>(0, 1),
    requests: fc.oneof(
      { weight: 2, arbitrary: fc.array(request, { minLength: 1, maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(request, { minLength: 2, maxLength: 8 }) },
    ),
  }),
  { minLength: 1, maxLength: 30 },
);
