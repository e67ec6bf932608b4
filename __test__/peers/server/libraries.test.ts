/** The libraries of scripts that turn values into bytes, on redis-server and on us, with random values. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { bothServers } from "./both.js";
import { RawClient } from "./resp.js";

const runs = Number(process.env.TANDEM_RUNS ?? 500);

/** A text of any bytes as Lua writes it. */
const text = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes) => `"${[...bytes].map((byte) => `\\${String(byte).padStart(3, "0")}`).join("")}"`);

const number = fc
  .oneof(
    fc.integer({ min: -70_000, max: 70_000 }),
    fc.integer({ min: 0, max: 64 }).map((power) => 2 ** power),
    fc.integer({ min: 0, max: 63 }).map((power) => -(2 ** power) - 1),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
  )
  .map((value) => `(${value})`);

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    number,
    text,
    fc.constantFrom("true", "false", "cjson.null"),
    // The order of several names is not the same in two tables with the same contents.
    fc.tuple(fc.oneof(text, number), tie("value")).map(([name, inner]) => `{[${name}]=${inner}}`),
    fc.array(tie("value"), { maxLength: 20 }).map((elements) => `{${elements.join(",")}}`),
  ),
}));

/** An option of `struct` and a value for it. */
const option = fc.oneof(
  fc.tuple(fc.constantFrom("b", "B", "h", "H", "i", "I", "l", "L", "T", "f", "d", "i3", "I7", "i9", "i16"), number),
  fc.tuple(fc.constantFrom("s", "c0", "c1", "c3"), text),
  fc.tuple(fc.constantFrom("x", ">", "<", "!", "!2", "!4", "!8", " "), fc.constant("")),
);

/** Bytes that are often the beginning of something in MessagePack. */
const packed = fc
  .array(
    fc.oneof(fc.constantFrom(0, 1, 2, 0x80, 0x81, 0x90, 0x92, 0xa1, 0xd9, 0xdc, 0xcb, 0xd3), fc.integer({ max: 255 })),
    { maxLength: 30 },
  )
  .map((bytes) => Buffer.from(bytes.map((byte) => byte & 0xff)));

describeWithPeer("redis-server", "libraries of scripts", () => {
  const servers = bothServers();

  /** Runs `source` with `argument` on both servers, and expects one answer. */
  async function compare(clients: RawClient[], source: string, argument: string | Buffer = ""): Promise<void> {
    const answers = await Promise.all(
      clients.map(async (client) => String((await client.ask([["EVAL", source, "0", argument]]))[0])),
    );
    expect({ source, argument, answer: answers[1] }).toEqual({ source, argument, answer: answers[0] });
  }

  async function whileConnected(work: (clients: RawClient[]) => Promise<void>): Promise<void> {
    const clients = await Promise.all([servers.redis, servers.tandem].map(({ port }) => RawClient.connect(port)));
    await work(clients);
    for (const client of clients) client.close();
  }

  test("cmsgpack packs and unpacks any value alike", async () => {
    await whileConnected((clients) =>
      fc.assert(
        fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 4 }), (values) =>
          compare(
            clients,
            `local p = cmsgpack.pack(${values.join(",")}) return {p, cmsgpack.pack(cmsgpack.unpack(p)), cmsgpack.unpack_one(p)}`,
          ),
        ),
        { numRuns: runs, endOnFailure: true },
      ),
    );
  });

  test("cmsgpack reads any bytes alike, or refuses them in the same words", async () => {
    await whileConnected((clients) =>
      fc.assert(
        fc.asyncProperty(packed, (bytes) =>
          compare(clients, "local t = {cmsgpack.unpack(ARGV[1])} return {#t, cmsgpack.pack(t[1])}", bytes),
        ),
        { numRuns: runs, endOnFailure: true },
      ),
    );
  });

  test("struct packs and unpacks any value alike", async () => {
    await whileConnected((clients) =>
      fc.assert(
        fc.asyncProperty(fc.array(option, { maxLength: 12 }), (options) => {
          const format = options.map(([letters]) => letters).join("");
          const values = options.map(([, one]) => one).filter((one) => one !== "");
          // Beyond 53 bits numbers are shown by their digits.
          return compare(
            clients,
            `local p = struct.pack(${[`"${format}"`, ...values].join(",")})
             local t = {struct.unpack("${format.replaceAll("c0", "c1")}", p .. "  ")}
             for i = 1, #t do t[i] = tostring(t[i]) end
             return {p, t}`,
          );
        }),
        { numRuns: runs, endOnFailure: true },
      ),
    );
  });

  test("struct reads any bytes alike, or refuses them in the same words", async () => {
    await whileConnected((clients) =>
      fc.assert(
        fc.asyncProperty(fc.array(option, { maxLength: 8 }), packed, (options, bytes) => {
          const format = options.map(([letters]) => letters).join("");
          return compare(
            clients,
            `local t = {struct.unpack("${format}", ARGV[1])} for i = 1, #t do t[i] = tostring(t[i]) end return t`,
            bytes,
          );
        }),
        { numRuns: runs, endOnFailure: true },
      ),
    );
  });
});
