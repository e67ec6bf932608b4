/** The same random programs against redis-server and against us: every reply must be the same, byte for byte. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { bothServers } from "./both.js";
import { canonical, withTimesOf } from "./canonical.js";
import { collectionCommand } from "./collections.js";
import { program, type Request } from "./programs.js";
import { elements, RawClient } from "./resp.js";

describeWithPeer("redis-server", "random programs", () => {
  const servers = bothServers();

  /** Runs `requests` on a fresh connection of both servers, whose data are empty, in pipelines of `depth`. */
  async function compare(requests: Request[], protocol: "2" | "3", depth: number) {
    const clients = await Promise.all([RawClient.connect(servers.redis.port), RawClient.connect(servers.tandem.port)]);
    try {
      const replies = await Promise.all(
        clients.map(async (client) => {
          await client.ask([["FLUSHALL"], ["HELLO", protocol]]);
          const seen: Buffer[] = [];
          for (let at = 0; at < requests.length; at += depth) {
            seen.push(...(await client.ask(requests.slice(at, at + depth))));
          }
          return seen.map((reply, number) => canonical(requests[number] ?? [], reply, requests));
        }),
      );
      for (const [number, request] of requests.entries()) {
        const [theirs, ours] = [replies[0]?.[number], replies[1]?.[number]];
        expect({ request: request.map(String), reply: withTimesOf(theirs, ours) }).toEqual({
          request: request.map(String),
          reply: theirs,
        });
      }
    } finally {
      for (const client of clients) client.close();
    }
  }

  test.each(["2", "3"] as const)("RESP%s: every reply is that of redis-server", async (protocol) => {
    await fc.assert(
      fc.asyncProperty(program, fc.constantFrom(1, 3, 60), (requests, depth) => compare(requests, protocol, depth)),
      { numRuns: Number(process.env.TANDEM_RUNS ?? 150), endOnFailure: false },
    );
  });

  test.each(["2", "3"] as const)("RESP%s: hashes and sets are those of redis-server", async (protocol) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(collectionCommand, { minLength: 1, maxLength: 80 }),
        fc.constantFrom(1, 7, 80),
        (requests, depth) => compare(requests, protocol, depth),
      ),
      { numRuns: Number(process.env.TANDEM_RUNS ?? 150), endOnFailure: false },
    );
  });

  test.each([
    "*1\r\n$4\r\nPING\r\n*x\r\n",
    "*1\r\n:4\r\n",
    "*1\r\nPING\r\n",
    "*1\r\n\xff4\r\n",
    "*1\r\n$-1\r\n",
    "*1\r\n$x\r\n",
    "*1\r\n$600000000\r\n",
    "*99999999999\r\n",
    "*-1\r\nQUIT\r\n",
    "*0\r\nQUIT\r\n",
    "\r\n\r\nQUIT\r\n",
    "SET a 'b c\r\n",
    'SET a "b"c\r\n',
    'set inline "a\\x41\\n\\"b" \r\nGET inline\r\nQUIT\r\n',
    "set inline 'it\\'s'\nget inline\nQUIT\n",
    "GET a b\tc\r\nQUIT\r\n",
    "ping \r\nQUIT\r\n",
    `${"x".repeat(70_000)}`,
    `*${"1".repeat(70_000)}`,
    `*1\r\n$${"1".repeat(70_000)}`,
    "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
    "QUIT\r\nPING\r\n",
    "*2\r\n$3\r\nGET\r\n$1\r\naXXQUIT\r\n",
  ])("raw bytes %j are answered alike", async (bytes) => {
    const [theirs, ours] = await Promise.all(
      [servers.redis, servers.tandem].map(async ({ port }) =>
        (await RawClient.connect(port)).sendAndDrain(Buffer.from(bytes, "latin1")),
      ),
    );
    expect(ours).toBe(theirs);
  });

  test("COMMAND INFO is that of redis-server, but for hints, key specifications and what CLIENT and CONFIG lack", async () => {
    const ours = await RawClient.connect(servers.tandem.port);
    const theirs = await RawClient.connect(servers.redis.port);
    const [list] = await ours.ask([["COMMAND"]]);
    const names = elements(list ?? Buffer.alloc(0)).map((entry) => /^\*10\r\n\$\d+\r\n([^\r]+)/.exec(entry)?.[1] ?? "");
    expect(names.length).toBeGreaterThan(35);
    for (const name of names.filter((one) => !one.startsWith("tandem."))) {
      const [mine, reference] = await Promise.all(
        [ours, theirs].map(async (client) => {
          const [reply] = await client.ask([["COMMAND", "INFO", name]]);
          const [entry] = elements(reply ?? Buffer.alloc(0));
          return elements(Buffer.from(entry ?? "", "latin1")).slice(0, 7);
        }),
      );
      expect(mine, name).toEqual(reference);
    }
    ours.close();
    theirs.close();
  });
});
