/** Clients that come and vanish by the thousands: nothing of them stays. */
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { encode, Victim } from "./victim.js";

const CYCLES = 10_000;
const AT_ONCE = 100;
const SLACK = 4 << 20;

/** What a client has begun when it vanishes. */
const beginnings = [
  Buffer.alloc(0),
  Buffer.from("*2\r\n$3\r\nGET\r\n$1"),
  Buffer.concat([encode(["HELLO", "3"]), encode(["SUBSCRIBE", "news", "weather"])]),
  Buffer.concat([encode(["WATCH", "k"]), encode(["MULTI"]), encode(["SET", "k", "v"])]),
  Buffer.concat([encode(["TANDEM.LEASE", "wanted"]), encode(["GET", "k"])]),
  Buffer.concat([encode(["CLIENT", "SETNAME", "somebody"]), encode(["PSUBSCRIBE", "*"])]),
  Buffer.concat([encode(["HELLO", "3"]), encode(["CLIENT", "TRACKING", "ON"]), encode(["GET", "k"])]),
  Buffer.from("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\nhalf a value"),
];

async function comeAndGo(victim: Victim, cycles: number): Promise<void> {
  for (let begun = 0; begun < cycles; begun += AT_ONCE) {
    const sockets: Socket[] = await Promise.all(Array.from({ length: AT_ONCE }, () => victim.connect()));
    for (const [number, socket] of sockets.entries()) {
      socket.on("error", () => {});
      socket.write(beginnings[number % beginnings.length] as Buffer, () => {
        // Half of them say goodbye, the others are gone with a reset.
        if (number % 2 === 0) socket.destroy();
        else socket.resetAndDestroy();
      });
    }
    await Promise.all(sockets.map((socket) => new Promise((closed) => socket.once("close", closed))));
  }
  await victim.alone();
}

test(`${CYCLES} connections that are abandoned leave descriptors and memory as they were`, async () => {
  const victim = await Victim.start();
  await comeAndGo(victim, 2_000);
  const [descriptors, bytes] = [victim.descriptors(), victim.residentBytes()];
  await comeAndGo(victim, CYCLES);
  // The asker of the last question may not be gone yet.
  await expect.poll(() => victim.descriptors()).toBeLessThanOrEqual(descriptors);
  expect(await victim.info("pubsub_channels")).toBe(0);
  expect(await victim.info("pubsub_patterns")).toBe(0);
  expect(await victim.say(encode(["TANDEM.LEASE", "wanted", "WAIT", "0"]))).toMatch(/WON/);
  await victim.isWell(bytes + SLACK);
});
