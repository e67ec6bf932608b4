/** Publish and subscribe: the same conversations with redis-server and with us, and with unmodified clients. */
import { once } from "node:events";
import fc from "fast-check";
import { Redis as Redis5 } from "ioredis";
import { Redis as Redis6 } from "ioredis6";
import { createClient as createClient5 } from "redis";
import { createClient as createClient6 } from "redis6";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
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

describe.each([
  ["ioredis 5", Redis5],
  ["ioredis 6", Redis6 as unknown as typeof Redis5],
] as const)("%s", (_, Redis) => {
  test("listens, and takes binary messages", async () => {
    const [subscriber, publisher] = [new Redis({ port: tandem.port }), new Redis({ port: tandem.port })];
    onTestFinished(() => [subscriber, publisher].forEach((client) => void client.disconnect()));
    expect(await subscriber.subscribe("news", "more")).toBe(2);
    expect(await subscriber.psubscribe("ne*")).toBe(3);
    const message = once(subscriber, "messageBuffer");
    const patterned = once(subscriber, "pmessageBuffer");
    const bytes = Buffer.from([0, 255, 13, 10]);
    expect(await publisher.publish("news", bytes)).toBe(2);
    expect(await message).toEqual([Buffer.from("news"), bytes]);
    expect(await patterned).toEqual(["ne*", Buffer.from("news"), bytes]);
    expect(await publisher.pubsub("NUMSUB", "news")).toEqual(["news", 1]);
    expect(await subscriber.unsubscribe("news", "more")).toBe(1);
    expect(await subscriber.punsubscribe("ne*")).toBe(0);
    expect(await subscriber.get("nothing")).toBeNull();
  });
});

describe.each([
  ["node-redis 5, RESP2", () => createClient5({ url: `redis://127.0.0.1:${tandem.port}` })],
  ["node-redis 5, RESP3", () => createClient5({ url: `redis://127.0.0.1:${tandem.port}`, RESP: 3 })],
  ["node-redis 6", () => createClient6({ url: `redis://127.0.0.1:${tandem.port}` })],
] as const)("%s", (_, create) => {
  test("listens", async () => {
    const [subscriber, publisher] = [create(), create()].map((client) => client as ReturnType<typeof createClient5>);
    if (subscriber === undefined || publisher === undefined) throw new Error("no clients");
    onTestFinished(() => [subscriber, publisher].forEach((client) => void client.destroy()));
    await Promise.all([subscriber.connect(), publisher.connect()]);
    const got: string[] = [];
    let done = () => {};
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const note = (message: string, channel: string) => {
      got.push(`${channel}: ${message}`);
      if (got.length === 3) done();
    };
    await subscriber.subscribe("news", note);
    await subscriber.pSubscribe("n*", note);
    expect(await publisher.publish("news", "one")).toBe(2);
    expect(await publisher.publish("nuts", "two")).toBe(1);
    await all;
    expect(got.sort()).toEqual(["news: one", "news: one", "nuts: two"]);
    expect(await publisher.pubSubNumPat()).toBe(1);
    await subscriber.unsubscribe("news");
    await subscriber.pUnsubscribe("n*");
    expect(await publisher.publish("news", "three")).toBe(0);
  });
});
