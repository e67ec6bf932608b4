/** Publish and subscribe: the same conversations with redis-server and with us. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { type Running, startRedis, startTandem } from "./processes.js";
import { encode, RawClient } from "./resp.js";

let tandem: Running;
beforeAll(async () => {
  tandem = await startTandem("--threads", "2");
});
afterAll(() => tandem?.stop());

describeWithPeer("redis-server", "random conversations", () => {
  let redis: Running;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  const name = fc.constantFrom("a", "b", "news", "*", "n?ws", "[ab]", "");
  const names = fc.array(name, { maxLength: 3 });
  const payload = fc.oneof(
    fc.string({ maxLength: 10 }),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  );
  type Step = { by: "listener" | "publisher"; request: (string | Buffer)[] };
  const listener: fc.Arbitrary<Step> = fc
    .tuple(fc.constantFrom("SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "PING", "GET", "RESET"), names)
    .map(([word, rest]) => ({ by: "listener", request: [word, ...rest] }));
  const questions: Step["request"][] = [["PUBSUB", "NUMPAT"], ["PUBSUB", "CHANNELS", "new?"], ["PUBSUB"], ["PUBLISH"]];
  const publisher: fc.Arbitrary<Step> = fc
    .oneof(
      { weight: 5, arbitrary: fc.tuple(fc.constant("PUBLISH"), name, payload) },
      { weight: 1, arbitrary: names.map((list) => ["PUBSUB", "NUMSUB", ...list]) },
      { weight: 1, arbitrary: fc.constantFrom(...questions) },
    )
    .map((request) => ({ by: "publisher", request }));

  /**
   * Frames in a form that does not depend on the order in which redis-server walks its tables: what one request sets off
   * is sorted, and an end of all subscriptions shows each count once.
   */
  async function converse(port: number, protocol: "2" | "3", steps: Step[]): Promise<string[][]> {
    const clients = { listener: await RawClient.connect(port), publisher: await RawClient.connect(port) };
    try {
      await Promise.all(Object.values(clients).map((client) => client.ask([["HELLO", protocol]])));
      const seen: string[][] = [];
      for (const { by, request } of steps) {
        const frames = by === "publisher" ? await clients.publisher.ask([request]) : [];
        // A marker behind the request: what stands in front of it has been set off by the request.
        const marker = `end-${seen.length}`;
        if (by === "listener") clients.listener.write(encode(request));
        clients.listener.write(encode(["PING", marker]));
        frames.push(...(await clients.listener.until((frame) => frame.includes(marker))));
        const shown = frames.map((frame) => frame.toString("latin1"));
        const ends = /^(\*|>)3\r\n\$\d+\r\n(p?)unsubscribe/;
        seen.push(
          request.length === 1 && /UNSUBSCRIBE$/.test(String(request[0]))
            ? [
                ...shown.map((frame) => (ends.test(frame) ? frame.replace(/:\d+\r\n$/, "") : frame)).sort(),
                ...shown.map((frame) => (ends.test(frame) ? (/:\d+\r\n$/.exec(frame)?.[0] ?? "") : "")),
              ]
            : shown.sort(),
        );
      }
      // The next conversation is not to find its subscriptions: a close may be seen later than it begins.
      clients.listener.write(encode(["RESET"]));
      await clients.listener.until((frame) => frame.toString() === "+RESET\r\n");
      return seen;
    } finally {
      for (const client of Object.values(clients)) client.close();
    }
  }

  test.each(["2", "3"] as const)("RESP%s: every frame is that of redis-server", async (protocol) => {
    const program = fc.array(fc.oneof(listener, publisher), { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(program, async (steps) => {
        const [theirs, ours] = [
          await converse(redis.port, protocol, steps),
          await converse(tandem.port, protocol, steps),
        ];
        for (const [number, step] of steps.entries()) {
          expect({ step, frames: ours[number] }).toEqual({ step, frames: theirs[number] });
        }
      }),
      { numRuns: Number(process.env.TANDEM_RUNS ?? 100), endOnFailure: false },
    );
  });
});
