/** Keyspace events of the same random programs, from redis-server and from us: the same names, in the same order. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { bothServers } from "./both.js";
import { collectionCommand } from "./collections.js";
import { program, type Request } from "./programs.js";
import { RawClient } from "./resp.js";

/** What has expired when it is stored is an event to Redis alone. Which member is popped is chance. */
function isComparable(request: Request): boolean {
  const [name, ...rest] = request.map((word) => String(word).toUpperCase());
  if (name === "SPOP") return false;
  return !rest.some((word) => ["EXAT", "PXAT"].includes(word));
}

describeWithPeer("redis-server", "keyspace events", () => {
  const servers = bothServers();

  /** Everything that is published while `requests` run one after the other. */
  async function events(port: number, requests: Request[]): Promise<string[]> {
    const [client, listener] = await Promise.all([RawClient.connect(port), RawClient.connect(port)]);
    try {
      await client.ask([["CONFIG", "SET", "notify-keyspace-events", ""], ["FLUSHALL"]]);
      await client.ask([["CONFIG", "SET", "notify-keyspace-events", "KEA"]]);
      await listener.ask([["PSUBSCRIBE", "*"]]);
      for (const request of requests) await client.ask([request]);
      await client.ask([["PUBLISH", "end", ""]]);
      const told = await listener.until((frame) => frame.includes("\r\nend\r\n"));
      return told.map((frame) => frame.toString("latin1"));
    } finally {
      client.close();
      listener.close();
    }
  }

  test("they are those of redis-server", async () => {
    const requests = fc.oneof(program, fc.array(collectionCommand, { minLength: 1, maxLength: 60 }));
    await fc.assert(
      fc.asyncProperty(requests, async (all) => {
        const chosen = all.filter(isComparable);
        const [theirs, ours] = await Promise.all(
          [servers.redis, servers.tandem].map(({ port }) => events(port, chosen)),
        );
        expect(ours).toEqual(theirs);
      }),
      { numRuns: Number(process.env.TANDEM_RUNS ?? 150), endOnFailure: false },
    );
  });
});
