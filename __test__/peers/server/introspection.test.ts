/** What the server tells of its commands, and of those that wait: in the words of redis-server. */
import { expect, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { bothServers } from "./both.js";
import { elements, RawClient } from "./resp.js";

/** Requests whose replies are the same, byte for byte. */
const ALIKE = `
  COMMAND GETKEYS|COMMAND GETKEYS GET|COMMAND GETKEYS nosuch k|COMMAND GETKEYS GET a|COMMAND GETKEYS GET a b
  COMMAND GETKEYS PUBLISH a b|COMMAND GETKEYS MSET a 1 b 2|COMMAND GETKEYS MSET a 1 b|COMMAND GETKEYS DEL a b a
  COMMAND GETKEYS EVAL x 2 a b c|COMMAND GETKEYS EVAL x 0|COMMAND GETKEYS EVAL x 5 a|COMMAND GETKEYS EVAL x y
  COMMAND GETKEYS EVAL x -1 a|COMMAND GETKEYS EVALSHA_RO x 1 a|COMMAND GETKEYS SORT a|COMMAND GETKEYS SORT_RO a
  COMMAND GETKEYS SORT a STORE b|COMMAND GETKEYS SORT a STORE|COMMAND GETKEYS SORT a BY store GET store STORE c
  COMMAND GETKEYS SORT a LIMIT store x STORE d|COMMAND GETKEYS SORT a STORE b STORE c
  COMMAND GETKEYS memory usage a|COMMAND GETKEYS memory nosuch a|COMMAND GETKEYS object encoding a
  COMMAND GETKEYS object|encoding a|COMMAND GETKEYS client list|COMMAND GETKEYS command info get
  COMMAND GETKEYS RENAME a b|COMMAND GETKEYS LCS a b|COMMAND GETKEYS get a|COMMAND GETKEYS ping x
  COMMAND GETKEYSANDFLAGS|COMMAND GETKEYSANDFLAGS GET|COMMAND GETKEYSANDFLAGS nosuch k|COMMAND GETKEYSANDFLAGS ping x
  COMMAND GETKEYSANDFLAGS SET a b|COMMAND GETKEYSANDFLAGS SET a b GET|COMMAND GETKEYSANDFLAGS SET a get NX EX 3
  COMMAND GETKEYSANDFLAGS EVAL x 2 a b|COMMAND GETKEYSANDFLAGS EVAL_RO x 1 a|COMMAND GETKEYSANDFLAGS EVAL x 0
  COMMAND GETKEYSANDFLAGS SORT a STORE b|COMMAND GETKEYSANDFLAGS SORT a|COMMAND GETKEYSANDFLAGS MSETNX a 1 b 2
  COMMAND LIST FILTERBY|COMMAND LIST x|COMMAND LIST FILTERBY PATTERN|COMMAND LIST FILTERBY x y
  COMMAND LIST FILTERBY ACLCAT nosuch|COMMAND LIST FILTERBY ACLCAT @read|COMMAND LIST FILTERBY MODULE x
  COMMAND LIST FILTERBY PATTERN nosuch*|COMMAND LIST FILTERBY PATTERN get extra|COMMAND LIST filterby pattern GET
  CLIENT UNBLOCK|CLIENT UNBLOCK x|CLIENT UNBLOCK 1 no|CLIENT UNBLOCK x no|CLIENT UNBLOCK 99999|CLIENT UNBLOCK -1
  CLIENT UNBLOCK 99999 TIMEOUT|CLIENT UNBLOCK 99999 error|CLIENT UNBLOCK 99999 ERROR x
  PUBSUB SHARDCHANNELS|PUBSUB SHARDCHANNELS *|PUBSUB SHARDCHANNELS a b|PUBSUB SHARDNUMSUB|PUBSUB SHARDNUMSUB a b
  SHUTDOWN SAVE NOSAVE|SHUTDOWN NOSAVE NOW SAVE|SHUTDOWN ABORT|SHUTDOWN ABORT NOW|SHUTDOWN FORCE x|SHUTDOWN ABORT ABORT`
  .split(/[\n|](?!encoding)/)
  .map((words) => words.trim().split(" "))
  .filter(([name]) => name);

describeWithPeer("redis-server", "what is told of commands", () => {
  const servers = bothServers();

  /** The replies of redis-server and ours. */
  async function both(protocol: string, requests: readonly (readonly string[])[]): Promise<[Buffer[], Buffer[]]> {
    const ask = async (port: number) => {
      const client = await RawClient.connect(port);
      const [, ...replies] = await client.ask([["HELLO", protocol], ...requests]);
      client.close();
      return replies;
    };
    return [await ask(servers.redis.port), await ask(servers.tandem.port)];
  }

  test.each(["2", "3"])("RESP%s: keys, kinds and errors", async (protocol) => {
    expect(ALIKE.length).toBeGreaterThan(70);
    const [theirs, ours] = await both(protocol, ALIKE);
    for (const [number, request] of ALIKE.entries()) {
      expect(String(ours[number]), request.join(" ")).toBe(String(theirs[number]));
    }
  });

  test.each(["2", "3"])("RESP%s: lists are those of redis-server, as far as a command is here", async (protocol) => {
    const categories = "keyspace read write set sortedset list hash string pubsub admin fast slow dangerous connection";
    const filters = [
      ...["*", "get*", "GET*", "client|*", "[a-c]*", "?et"].map((pattern) => ["PATTERN", pattern]),
      ...`${categories} transaction scripting`.split(" ").map((category) => ["ACLCAT", category]),
    ];
    const requests = [["COMMAND", "LIST"], ...filters.map((filter) => ["COMMAND", "LIST", "FILTERBY", ...filter])];
    const [theirs, ours] = await both(protocol, requests);
    const own = new Set(elements(ours[0] as Buffer));
    expect(own.size).toBeGreaterThan(150);
    for (const [number, request] of requests.entries()) {
      const isOfRedis = (name: string) => !name.includes("\r\ntandem.") && !name.includes("client|setinfo");
      const mine = elements(ours[number] as Buffer).filter(isOfRedis);
      const reference = elements(theirs[number] as Buffer).filter((name) => own.has(name));
      expect(mine.sort(), request.join(" ")).toEqual(reference.sort());
      expect(ours[number]?.[0]).toBe(theirs[number]?.[0]);
    }
  });

  test("what is done to the keys of each command", async () => {
    const [, [table]] = await both("2", [["COMMAND"]]);
    const requests: string[][] = [];
    for (const entry of elements(table as Buffer)) {
      const fields = elements(Buffer.from(entry, "latin1"));
      const name = String(fields[0]?.split("\r\n")[1]);
      const [arity, firstKey] = [fields[1], fields[3]].map((field) => Number(field?.slice(1)));
      if (name.startsWith("tandem.") || firstKey === 0) continue;
      requests.push(["COMMAND", "GETKEYSANDFLAGS", name, ..."abcdefg".slice(0, Math.abs(Number(arity)) - 1)]);
    }
    for (const path of ["object encoding", "object freq", "object idletime", "object refcount", "memory usage"]) {
      requests.push(["COMMAND", "GETKEYSANDFLAGS", ...path.split(" "), "a"]);
    }
    expect(requests.length).toBeGreaterThan(60);
    const [theirs, ours] = await both("2", requests);
    for (const [number, request] of requests.entries()) {
      expect(String(ours[number]), request.join(" ")).toBe(String(theirs[number]));
    }
  });
});
