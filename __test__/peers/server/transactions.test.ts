/** The same conversations of two clients with redis-server and with us: every reply must be the same, byte for byte. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { bothServers } from "./both.js";
import { canonical } from "./canonical.js";
import type { Request } from "./programs.js";
import { elements, header, RawClient } from "./resp.js";
import { conversation, PREPARATION, type Turn } from "./transactions.js";

describeWithPeer("redis-server", "transactions", () => {
  const servers = bothServers();

  /** The replies to each turn, in a form that does not depend on the server. */
  async function converse(port: number, protocol: "2" | "3", turns: Turn[]): Promise<string[][]> {
    const clients = [await RawClient.connect(port), await RawClient.connect(port)] as const;
    const queues: [Request[], Request[]] = [[], []];
    try {
      await clients[0].ask([["FLUSHALL"], ["HELLO", protocol], ...PREPARATION]);
      await clients[1].ask([["HELLO", protocol]]);
      const seen: string[][] = [];
      for (const { client, requests } of turns) {
        const replies = await clients[client].ask(requests);
        seen.push(replies.map((reply, number) => comparable(requests[number] ?? [], reply, queues[client])));
      }
      return seen;
    } finally {
      for (const client of clients) client.close();
    }
  }

  /** The reply to `request` of a client whose transaction has these requests so far. */
  function comparable(request: Request, reply: Buffer, queue: Request[]): string {
    if (reply.toString("latin1") === "+QUEUED\r\n") {
      queue.push(request);
      return "+QUEUED";
    }
    const name = String(request[0]).toUpperCase();
    if (name === "EXEC" && reply[0] === 0x2a) {
      const asked = queue.splice(0);
      const answered = elements(reply).map((part, number) =>
        comparable(asked[number] ?? [], Buffer.from(part, "latin1"), []),
      );
      return header(reply) + answered.join("");
    }
    // Whatever ends a transaction forgets what it held.
    if (["EXEC", "DISCARD", "RESET"].includes(name)) {
      queue.length = 0;
    }
    // Names the server, its version and the number of the connection.
    if (name === "HELLO" && reply[0] !== 0x2d) return header(reply);
    // The one time to live there is has 1,000 s.
    return canonical(request, reply, []).replace(/^about (9[89]\d|1000)000$/, "about 1,000 s");
  }

  test.each(["2", "3"] as const)("RESP%s: every reply to both clients is that of redis-server", async (protocol) => {
    await fc.assert(
      fc.asyncProperty(conversation, async (turns) => {
        const [theirs, ours] = [
          await converse(servers.redis.port, protocol, turns),
          await converse(servers.tandem.port, protocol, turns),
        ];
        for (const [number, turn] of turns.entries()) {
          expect({ turn, replies: ours[number] }).toEqual({ turn, replies: theirs[number] });
        }
      }),
      { numRuns: Number(process.env.TANDEM_RUNS ?? 300), endOnFailure: false },
    );
  });
});
