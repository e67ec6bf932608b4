/** M2: whether a worker keeps to its bound in the memory of the process. */
import { randomFillSync } from "node:crypto";
import { residentBytes, startTandem, Writer } from "../measure/server-process.js";
import { betweenRounds, goal, row, side } from "../measure/statistics.js";
import { random } from "../measure/workload.js";

const LARGEST_VALUE = 2 ** 20;

/** Writes ten times `maxBytes` with values of 0 B to 1 MB and keys of 3 to 200 B; most values are small. */
async function churn(port, maxBytes, seed) {
  const next = random(seed);
  const noise = randomFillSync(Buffer.allocUnsafe(2 * LARGEST_VALUE));
  const writer = await Writer.connect(port);
  let written = 0;
  let pending = 0;
  while (written < 10 * maxBytes) {
    const length = Math.floor((LARGEST_VALUE + 1) ** next()) - 1;
    const start = Math.floor(next() * LARGEST_VALUE);
    const name = String(Math.floor(next() * 1e9));
    const key = Buffer.from(name.padEnd(3 + Math.floor(next() * 198), "k").slice(0, 200));
    writer.set(key, noise.subarray(start, start + length));
    written += key.length + length;
    pending += key.length + length;
    if (pending > LARGEST_VALUE) {
      await writer.answered();
      pending = 0;
    }
  }
  await writer.answered();
  writer.close();
}

/** Names of hashes and of sets, and most members of one. */
const COLLECTIONS = 50_000;
const MOST_MEMBERS = 64;

/**
 * Writes ten times `maxBytes` into hashes and sets that grow, shrink and are removed: fields and members of 4 to 24 B,
 * values of 0 to 256 B. What is removed does not count as written.
 */
async function churnCollections(port, maxBytes, seed) {
  const next = random(seed);
  const noise = randomFillSync(Buffer.allocUnsafe(2 ** 16));
  const piece = (least, most) => {
    const start = Math.floor(next() * (noise.length - most));
    return noise.subarray(start, start + least + Math.floor(next() * (most - least + 1)));
  };
  // Members come again, so that some writes overwrite and most removals find something.
  const member = () => {
    const number = Math.floor(next() * 4 * MOST_MEMBERS);
    return String(number).padEnd(4 + (number % 21), "m");
  };
  const members = (count) => Array.from({ length: count }, member);
  /** Commands, each up to its share of all. */
  const commands = [
    [0.4, (name, count) => ["HSET", `hash:${name}`, ...members(count).flatMap((field) => [field, piece(0, 256)])]],
    [0.8, (name, count) => ["SADD", `set:${name}`, ...members(count)]],
    [0.88, (name, count) => ["HDEL", `hash:${name}`, ...members(count)]],
    [0.96, (name, count) => ["SREM", `set:${name}`, ...members(count)]],
    [1, (name) => ["DEL", `hash:${name}`, `set:${name}`]],
  ];
  const writer = await Writer.connect(port);
  let written = 0;
  let pending = 0;
  while (written < 10 * maxBytes) {
    const name = String(Math.floor(next() * COLLECTIONS));
    const count = 1 + Math.floor(next() * MOST_MEMBERS);
    const share = next();
    const words = commands.find(([below]) => share < below)[1](name, count);
    writer.send(...words);
    const bytes = words.reduce((sum, { length }) => sum + length, 0);
    if (words[0] === "HSET" || words[0] === "SADD") written += bytes;
    pending += bytes;
    if (pending > 2 ** 18) {
      await writer.answered();
      pending = 0;
    }
  }
  await writer.answered();
  writer.close();
}

/** Runs `load` against a fresh worker in every round; resident bytes beyond the idle worker's over `maxBytes`. */
async function rounds(count, maxBytes, load) {
  const ends = [];
  const peaks = [];
  for (let round = 0; round < count; round++) {
    const worker = await startTandem(["--max-memory", String(maxBytes)]);
    try {
      // An idle worker has served a client, as any idle worker in service has.
      const greeting = await Writer.connect(worker.port);
      greeting.set(Buffer.from("key"), Buffer.from("value"));
      await greeting.answered();
      greeting.close();
      const idle = residentBytes(worker.pid).now;
      await load(worker.port, maxBytes, round + 1);
      const { now, most } = residentBytes(worker.pid);
      ends.push((now - idle) / maxBytes);
      peaks.push((most - idle) / maxBytes);
    } finally {
      await worker.stop();
    }
  }
  return { ends, peaks };
}

export const m2 = {
  id: "M2",
  title:
    "RSS of `tandem worker` beyond an idle one's over maxBytes, 10 x churn over TCP: strings of 0 B-1 MB under keys " +
    "of 3-200 B, then hashes and sets",
  peers: [],
  async run(size) {
    const smoke = size.mode === "smoke";
    const loads = {
      strings: { load: churn, maxBytes: smoke ? 2 ** 24 : 2 ** 28 },
      "hashes and sets": { load: churnCollections, maxBytes: smoke ? 2 ** 24 : 2 ** 26 },
    };
    const rows = [];
    // Writing collections takes longer: three rounds at most.
    for (const [kind, { load, maxBytes }] of Object.entries(loads)) {
      const { ends, peaks } = await rounds(
        load === churn ? size.processes : Math.min(3, size.processes),
        maxBytes,
        load,
      );
      for (const [label, raw] of Object.entries({ "at the end": ends, "at most": peaks })) {
        rows.push(
          row({
            label: `${kind}, maxBytes of ${maxBytes / 2 ** 20} MiB: ${label}`,
            unit: "x maxBytes",
            ours: side("tandem", raw),
            noise: betweenRounds(raw),
            goal: goal("worst", "<=", 1.05),
          }),
        );
      }
    }
    return { rows };
  },
};
