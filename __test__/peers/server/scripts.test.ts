/** The same scripts on redis-server and on us: every reply must be the same, byte for byte. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { bothServers } from "./both.js";
import { RawClient } from "./resp.js";
import { ARGUMENTS, KEYS, PREPARATION, script } from "./scripts.js";

/** Scripts of our own, one behind the other, for what random ones come across too rarely. */
const kept = readFileSync(join(import.meta.dirname, "scripts.txt"), "utf8").split("\n---\n");

/**
 * What may differ: redis-server of Debian is linked with a later `lua-cjson` than the one Redis comes with, which has
 * another word for too much depth.
 */
function comparable(reply: Buffer): string {
  return reply.toString("latin1").replace("excessive nesting (", "excessive depth (");
}

describeWithPeer("redis-server", "scripts", () => {
  const servers = bothServers();

  const ways = ["EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO"] as const;
  /** Everything that a script may have changed. */
  const looks = [["MGET", "a", "s", "f", "x", "k", "missing"], ["HGETALL", "h"], ["SMEMBERS", "set"], ["DBSIZE"]];

  /** The reply to a script, and what it left. */
  async function run(client: RawClient, way: (typeof ways)[number], source: string): Promise<string[]> {
    await client.ask(PREPARATION);
    const text = way.startsWith("EVALSHA") ? createHash("sha1").update(source).digest("hex") : source;
    const loading = text === source ? [] : [["SCRIPT", "LOAD", source]];
    const replies = await client.ask([...loading, [way, text, `${KEYS.length}`, ...KEYS, ...ARGUMENTS], ...looks]);
    return replies.map(comparable);
  }

  async function connect(protocol: "2" | "3"): Promise<[RawClient, RawClient]> {
    const clients = [
      await RawClient.connect(servers.redis.port),
      await RawClient.connect(servers.tandem.port),
    ] as const;
    await Promise.all(clients.map((client) => client.ask([["HELLO", protocol]])));
    return [...clients];
  }

  test.each(["2", "3"] as const)(
    "RESP%s: random scripts answer and do what they do on redis-server",
    async (protocol) => {
      const [theirs, ours] = await connect(protocol);
      await fc.assert(
        fc.asyncProperty(script, fc.constantFrom(...ways), async (source, way) => {
          expect({ source, replies: await run(ours, way, source) }).toEqual({
            source,
            replies: await run(theirs, way, source),
          });
        }),
        { numRuns: Number(process.env.TANDEM_RUNS ?? 500), endOnFailure: false },
      );
      theirs.close();
      ours.close();
    },
  );

  test.each(["2", "3"] as const)(
    "RESP%s: kept scripts answer and do what they do on redis-server",
    async (protocol) => {
      const [theirs, ours] = await connect(protocol);
      expect(kept.length).toBeGreaterThan(500);
      for (const source of kept) {
        expect({ source, replies: await run(ours, "EVAL", source) }).toEqual({
          source,
          replies: await run(theirs, "EVAL", source),
        });
      }
      theirs.close();
      ours.close();
    },
  );

  test("numbers drawn after the same seed are the same", async () => {
    const [theirs, ours] = await connect("2");
    for (const seed of ["0", "1", "-1", "2^31", "1e10", "0.5"]) {
      const source = `math.randomseed(${seed}) return {tostring(math.random()), math.random(100), math.random(-5, 5)}`;
      expect(await run(ours, "EVAL", source)).toEqual(await run(theirs, "EVAL", source));
    }
    theirs.close();
    ours.close();
  });

  test("SCRIPT and wrong calls are answered alike", async () => {
    const [theirs, ours] = await connect("2");
    const digest = createHash("sha1").update("return 1").digest("hex");
    const requests = [
      ["SCRIPT", "FLUSH"],
      ["SCRIPT", "EXISTS", digest, "x"],
      ["EVALSHA", digest, "0"],
      ["EVALSHA_RO", digest, "0"],
      ["SCRIPT", "LOAD", "return 1"],
      ["SCRIPT", "EXISTS", digest, "x", digest.toUpperCase()],
      ["EVALSHA", digest.toUpperCase(), "0"],
      ["EVALSHA", digest, "1"],
      ["EVALSHA", digest, "-1"],
      ["EVALSHA", digest, "x"],
      ["EVALSHA", digest],
      ["EVAL"],
      ["EVAL", "return 1"],
      ["EVAL", "return 1", "x"],
      ["EVAL", "return 1", "9223372036854775807"],
      ["EVAL", "return 1", "1"],
      ["EVAL", "", "0"],
      ["SCRIPT"],
      ["SCRIPT", "LOAD"],
      ["SCRIPT", "LOAD", "return +"],
      ["SCRIPT", "LOAD", "#!lua flags=x\nreturn 1"],
      ["SCRIPT", "EXISTS"],
      ["SCRIPT", "FLUSH", "ASYNC"],
      ["SCRIPT", "FLUSH", "SYNC"],
      ["SCRIPT", "FLUSH", "NOW"],
      ["SCRIPT", "NOSUCH"],
      ["SCRIPT", "EXISTS", digest],
      ["FUNCTION", "FLUSH"],
      ["FUNCTION", "FLUSH", "NOW"],
    ];
    const [mine, reference] = [await ours.ask(requests), await theirs.ask(requests)];
    for (const [number, request] of requests.entries()) {
      expect({ request, reply: String(mine[number]) }).toEqual({ request, reply: String(reference[number]) });
    }
    theirs.close();
    ours.close();
  });
});
