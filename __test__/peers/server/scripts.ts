/** Random Lua scripts: values of every kind, commands, and what goes wrong with them. */
import fc from "fast-check";

/** Commands that run before each script: there is a value of every kind. */
export const PREPARATION = [
  ["FLUSHALL"],
  ["MSET", "a", "1", "s", "some text", "f", "1.5"],
  ["HSET", "h", "x", "1"],
  ["SADD", "set", "m"],
];

/** Keys that every script is called with, and its other arguments. */
export const KEYS = ["a", "s"];
export const ARGUMENTS = ["7", "2.5", "some words", ""];

const oneOf = (...texts: string[]) => fc.constantFrom(...texts);

const literal = oneOf(
  ...["nil", "true", "false", "0", "1", "-1", "3.99", "-3.99", "1e15", "1e17", "2^53", "2^63", "1/0", "-1/0", "0.1"],
  ...["''", "'a'", "'10'", "'0x10'", "' 7 '", "'1e3'", "'two words'", "'line\\nbreak'", "'\\0\\1\\255'", "'ERR x'"],
  ...["KEYS", "ARGV", "#KEYS", "#ARGV", "KEYS[1]", "KEYS[2]", "KEYS[3]", "ARGV[1]", "ARGV[2]", "ARGV[3]", "ARGV[4]"],
  ...["x", "y", "z", "cjson.null", "redis.REPL_ALL", "redis.LOG_WARNING", "_VERSION", "unknown_global"],
);
const operator = oneOf("+", "-", "*", "/", "%", "..", "==", "~=", "<", "<=", "and", "or");
/** Functions of one argument. Words about wrong arguments are compared where redis-server's Lua has its own, too. */
const unary = oneOf(
  ...["tonumber", "type", "#", "-", "not ", "redis.sha1hex", "redis.error_reply", "redis.status_reply"],
  ...["string.len", "string.upper", "string.lower", "string.reverse", "string.byte", "cjson.encode", "cjson.decode"],
  ...["math.floor", "math.ceil", "math.abs", "bit.tobit", "bit.bnot", "bit.bswap", "bit.tohex", "ipairs"],
);
const binary = oneOf(
  ...["string.sub", "string.find", "string.match", "string.format", "select", "tonumber", "math.max"],
  ...["math.fmod", "bit.band", "bit.bor", "bit.bxor", "bit.lshift", "bit.rshift", "bit.arshift", "bit.rol", "bit.ror"],
);
const commandName = oneOf(
  ...["GET", "SET", "INCR", "APPEND", "STRLEN", "DEL", "EXISTS", "TYPE", "MGET", "EXPIRE", "INCRBYFLOAT"],
  ...["HGET", "HSET", "HGETALL", "HINCRBY", "SMEMBERS", "SISMEMBER", "MSETNX", "GETDEL", "SETRANGE", "get"],
  ...["PING", "ECHO", "DBSIZE", "SELECT", "nosuch", "EVAL", "MULTI", "SUBSCRIBE", "CONFIG", "OBJECT", "FLUSHDB"],
);
const key = oneOf("KEYS[1]", "KEYS[2]", "'h'", "'set'", "'missing'", "'a'", "x");

const { expression } = fc.letrec<{ expression: string; table: string }>((tie) => ({
  // One named field at most: the order of several is nobody's promise.
  table: fc.oneof(
    { maxDepth: 3 },
    oneOf("{}", "{1}", "{1, 2, 3}", "{1, nil, 3}", "{ok = 'fine'}", "{err = 'MY error'}", "{a = 1}"),
    fc.array(tie("expression"), { maxLength: 4 }).map((parts) => `{${parts.join(", ")}}`),
    fc
      .tuple(oneOf("ok", "err", "double", "map", "set", "big_number", "a"), tie("expression"))
      .map(([name, value]) => `{${name} = ${value}}`),
    tie("expression").map((text) => `{verbatim_string = {format = 'txt', string = ${text}}}`),
  ),
  expression: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    literal,
    literal,
    tie("table"),
    // Not of tables: what they are called differs from run to run.
    oneOf("nil", "1.5", "1e15", "1/0", "-0", "true", "'a'", "cjson.null").map((value) => `(tostring(${value}))`),
    fc
      .tuple(tie("expression"), oneOf("-1", "0", "2.9", "3", "'2'"))
      .map(([text, count]) => `(string.rep(${text}, ${count}))`),
    fc.tuple(tie("expression"), operator, tie("expression")).map(([left, sign, right]) => `(${left} ${sign} ${right})`),
    fc.tuple(unary, tie("expression")).map(([name, value]) => `(${name}(${value}))`),
    fc.tuple(binary, tie("expression"), tie("expression")).map(([name, one, two]) => `(${name}(${one}, ${two}))`),
    fc
      .tuple(oneOf("redis.call", "redis.pcall"), commandName, key, fc.array(tie("expression"), { maxLength: 2 }))
      .map(([call, name, first, rest]) => `(${call}('${name}', ${[first, ...rest].join(", ")}))`),
    fc
      .tuple(tie("expression"), oneOf("err", "ok", "map", "set", "[1]", "a"))
      .map(([value, field]) => (field.startsWith("[") ? `(${value})${field}` : `(${value}).${field}`)),
    tie("expression").map((value) => `{pcall(function() return (${value}) end)}`),
    tie("expression").map((value) => `(cjson.decode(cjson.encode({${value}})))`),
  ),
}));

const statement = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(oneOf("x", "y", "z"), expression).map(([name, value]) => `${name} = ${value}`) },
  { weight: 2, arbitrary: expression.map((value) => `if ${value} then x = 'then' else x = 'else' end`) },
  { weight: 1, arbitrary: expression.map((value) => `for i, v in ipairs(${value}) do x = v end`) },
  { weight: 1, arbitrary: expression.map((value) => `for i = 1, ${value} do if i > 3 then break end x = i end`) },
  { weight: 1, arbitrary: expression.map((value) => `z = {pcall(function() error(${value}) end)}`) },
  { weight: 1, arbitrary: expression.map((value) => `redis.setresp(${value})`) },
  { weight: 2, arbitrary: oneOf("redis.setresp(3)", "redis.setresp(2)") },
  {
    weight: 1,
    arbitrary: oneOf("error('my error')", "error({err = 'MY error'})", "global = 1", "x.y = 1", "redis.x = 1"),
  },
  { weight: 1, arbitrary: oneOf("x = ", "local", "end", "return 1 x", "x = 'open", "goto x") },
);

/** A script of some lines. */
export const script: fc.Arbitrary<string> = fc
  .tuple(fc.array(statement, { maxLength: 4 }), expression)
  .map(([statements, result]) => ["local x, y, z = 1, 'text', {}", ...statements, `return (${result})`].join("\n"));
