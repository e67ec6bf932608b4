/** Clients that are broken or hostile: an answer or a clean close, flat memory, no defect, and others are served. */
import { expect, test } from "vitest";
import { encode, Victim } from "./victim.js";

const MB = 1 << 20;
/** What a worker may have grown by afterwards: the allocator's and V8's own ups and downs. */
const SLACK = 24 * MB;

/** Runs `attack` on a worker that has served before, and asserts that it is as well as it was. */
async function survives(attack: (victim: Victim) => Promise<void>, ...flags: string[]): Promise<void> {
  const victim = await Victim.start(...flags);
  await victim.say(
    Buffer.concat(Array.from({ length: 1_000 }, (_, i) => encode(["SET", `key:${i}`, "x".repeat(100)]))),
  );
  const before = victim.residentBytes();
  await attack(victim);
  await victim.isWell(before + SLACK);
}

/** Numbers from 0 to 2^32 - 1 that are the same in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Says each of `inputs` on a connection of its own, fifty at a time. */
async function sayAll(victim: Victim, inputs: Iterable<Buffer>): Promise<number> {
  let count = 0;
  let batch: Promise<string>[] = [];
  for (const input of inputs) {
    batch.push(victim.say(input));
    count += 1;
    if (batch.length === 50) {
      await Promise.all(batch);
      batch = [];
    }
  }
  await Promise.all(batch);
  return count;
}

test("random bytes", async () => {
  const next = random(1);
  const meaningful = Buffer.from("*$+-:_,#!=(%~>|\r\n0123456789\"' \0getsetdelevalhellomulti");
  function* garbage() {
    for (let number = 0; number < 2_000; number += 1) {
      const bytes = Buffer.alloc(1 + (next() % 2_000));
      for (let at = 0; at < bytes.length; at += 1) {
        bytes[at] = number % 3 === 0 ? next() : (meaningful[next() % meaningful.length] ?? 0);
      }
      yield bytes;
    }
  }
  await survives(async (victim) => {
    expect(await sayAll(victim, garbage())).toBe(2_000);
  });
});

test("valid requests with some bytes changed, lost, repeated or inserted", async () => {
  const next = random(2);
  const valid = [
    ["SET", "k", "value", "PX", "5000"],
    ["MSET", "a", "1", "b", "2"],
    ["SETRANGE", "k", "12", "xyz"],
    ["HSET", "h", "f", "v", "g", "w"],
    ["SADD", "s", "1", "2", "3"],
    ["SORT", "s", "BY", "w_*", "GET", "#", "LIMIT", "0", "2"],
    ["SCAN", "0", "MATCH", "k*", "COUNT", "10"],
    ["EVAL", "return {KEYS[1], redis.call('get', KEYS[1])}", "1", "k"],
    ["HELLO", "3", "SETNAME", "me"],
    ["MULTI"],
    ["EXEC"],
    ["SUBSCRIBE", "c", "d"],
    ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "k"],
    ["TANDEM.LEASE", "absent", "WAIT", "1"],
    ["TANDEM.CAS", "k", "0", "v"],
    ["LCS", "k", "k", "IDX"],
    ["GETEX", "k", "EXAT", "9999999999"],
  ].map(encode);
  function mutated(): Buffer {
    const request = Buffer.concat(
      Array.from({ length: 1 + (next() % 4) }, () => valid[next() % valid.length] as Buffer),
    );
    const [at, length] = [next() % request.length, 1 + (next() % 8)];
    const [front, piece, back] = [
      request.subarray(0, at),
      request.subarray(at, at + length),
      request.subarray(at + length),
    ];
    switch (next() % 5) {
      case 0:
        request[at] = next();
        return request;
      case 1:
        return Buffer.concat([front, back]);
      case 2:
        return Buffer.concat([front, ...Array.from({ length: next() % 100 }, () => piece), back]);
      case 3:
        return Buffer.concat([front, Buffer.from(String(next())), piece, back]);
      default:
        return front;
    }
  }
  function* mutants() {
    for (let number = 0; number < 3_000; number += 1) yield mutated();
  }
  await survives(async (victim) => {
    expect(await sayAll(victim, mutants())).toBe(3_000);
  });
});

test("lengths that nobody may have", async () => {
  await survives(async (victim) => {
    const lengths = [
      "-2",
      "536870913",
      "2147483648",
      "4294967296",
      "9223372036854775807",
      "99999999999999999999",
      "0x10",
      "+",
      "",
    ];
    for (const length of lengths) {
      const answer = await victim.say(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${length}\r\n`);
      expect(answer, length).toBe("-ERR Protocol error: invalid bulk length\r\n");
    }
    for (const count of ["1048577", "2147483648", "99999999999999999999", "x"]) {
      expect(await victim.say(`*${count}\r\n`), count).toBe("-ERR Protocol error: invalid multibulk length\r\n");
    }
    for (const count of ["-1", "-2147483648", "0"]) {
      expect(await victim.say(`*${count}\r\nPING\r\n`), count).toBe("+PONG\r\n");
    }
  });
});

test("500 clients that announce a million arguments or 16 MB each", async () => {
  await survives(async (victim) => {
    const before = victim.residentBytes();
    const sockets = await Promise.all(Array.from({ length: 500 }, () => victim.connect()));
    for (const [number, socket] of sockets.entries()) {
      socket.on("error", () => {});
      socket.write(
        number % 2 === 0 ? "*1048576\r\n$3\r\nDEL\r\n$1\r\nk\r\n" : "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$16777216\r\nx",
      );
    }
    await expect.poll(() => victim.info("connected_clients")).toBe(501);
    await expect.poll(() => victim.info("total_net_input_bytes")).toBeGreaterThan(500 * 30);
    expect(victim.residentBytes() - before).toBeLessThan(SLACK + 500 * 32 * 1024);
    for (const socket of sockets) socket.destroy();
  });
});

test("arrays within arrays", async () => {
  await survives(async (victim) => {
    const wrong = "-ERR Protocol error: expected '$', got '*'\r\n";
    expect(await victim.say("*1\r\n".repeat(200_000))).toBe(wrong);
    expect(await victim.say(`*2\r\n$4\r\nECHO\r\n${"*1\r\n".repeat(1_000)}`)).toBe(wrong);
    expect(await victim.say("(".repeat(100_000))).toMatch(/^-ERR Protocol error: too big inline request\r\n$/);
  });
});

test("scripts that nest deeply", async () => {
  const source = (open: string, close: string, depth = 150_000) =>
    `return ${open.repeat(depth)}1${close.repeat(depth)}`;
  const nested = "local t = {} for i = 1, 3000 do t = {t} end ";
  await survives(async (victim) => {
    for (const [script, answer] of [
      [source("(", ")"), /^-ERR Error compiling script .*\r\n$/],
      [source("{", "}"), /^-ERR Error compiling script .*\r\n$/],
      [source("not ", ""), /^-ERR Error compiling script .*\r\n$/],
      [`${nested}return t`, /^(\*1\r\n)+-ERR reached lua stack limit\r\n$/],
      [`${nested}return cjson.encode(t)`, /^-ERR .*excessive depth \(1001\)/],
      ["return #cjson.decode(string.rep('[', 100000))", /^-ERR .*too many nested/],
      ["return #cjson.decode(string.rep('[', 900) .. string.rep(']', 900))", /^:1\r\n$/],
      ["local function f() return 1 + f() end return f()", /^-ERR .*stack overflow/],
      ["local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x", /^-ERR .*/],
      [`local t = {} t[1] = t return t`, /^(\*1\r\n)+-ERR reached lua stack limit\r\n$/],
      ["return string.find(string.rep('a', 100000), string.rep('(', 40))", /^-ERR .*/],
    ] as const) {
      expect(await victim.say(encode(["EVAL", script, "0"])), script.slice(0, 80)).toMatch(answer);
    }
  });
});

test("scripts that do not end", async () => {
  await survives(async (victim) => {
    const stopped = /^-ERR .*/;
    for (const script of [
      "while true do end",
      "while true do pcall(function() while true do end end) end",
      "for i = 1, 1e18 do end",
      "local function f() return f() end return f()",
      "while true do redis.call('set', 'x', 'y') end",
      "return string.find(string.rep('a', 5000), string.rep('.-', 12) .. 'b')",
      "local s = 'x' while true do s = s .. s end",
      "local t = {} while true do t[#t + 1] = {} end",
      "return #string.rep('x', 1e9)",
    ]) {
      const begun = performance.now();
      const [answer, other] = await Promise.all([victim.say(encode(["EVAL", script, "0"])), victim.say("PING\r\n")]);
      expect(answer, script).toMatch(stopped);
      expect(other).toBe("+PONG\r\n");
      // The budget is 50 ms; the rest is the machine's.
      expect(performance.now() - begun, script).toBeLessThan(5_000);
    }
    expect(await victim.say(encode(["EXISTS", "x"]))).toBe(":0\r\n");
  });
});

test("nothing where something belongs", async () => {
  await survives(async (victim) => {
    const replies = new Map<readonly string[], string>([
      [[""], "-ERR unknown command '', with args beginning with: \r\n"],
      [["", "", ""], "-ERR unknown command '', with args beginning with: '' '' \r\n"],
      [["SET", "", ""], "+OK\r\n"],
      [["GET", ""], "$0\r\n\r\n"],
      [["STRLEN", ""], ":0\r\n"],
      [["DEL", ""], ":1\r\n"],
      [["HSET", "", "", ""], ":1\r\n"],
      [["HGETALL", ""], "*2\r\n$0\r\n\r\n$0\r\n\r\n"],
      [["SADD", "s", ""], ":1\r\n"],
      [["SMEMBERS", "s"], "*1\r\n$0\r\n\r\n"],
      [["PUBLISH", "", ""], ":0\r\n"],
      [["EVAL", "", "0"], "$-1\r\n"],
      [["ECHO", ""], "$0\r\n\r\n"],
      [["SELECT", ""], "-ERR value is not an integer or out of range\r\n"],
    ]);
    for (const [args, reply] of replies) expect(await victim.say(encode(args)), args.join(" ")).toBe(reply);
    expect(await victim.say("\r\n\n \r\n*0\r\n*-1\r\nPING\r\n")).toBe("+PONG\r\n");
    expect(await victim.say("")).toBe("");
    expect(await victim.say("*")).toBe("");
    for (const line of ["||", "get||", "set||||", "del||", "auth||"])
      expect(await victim.say(`${line}\r\n`), line).toMatch(/^[0-4]\|\||^-ERR/);
  });
});
