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

export const m2 = {
  id: "M2",
  title:
    "RSS of `tandem worker` beyond an idle one's over maxBytes, 10 x churn over TCP, values 0 B-1 MB, keys 3-200 B",
  peers: [],
  async run(size) {
    const maxBytes = size.mode === "smoke" ? 16 * 2 ** 20 : 256 * 2 ** 20;
    const ends = [];
    const peaks = [];
    for (let round = 0; round < size.processes; round++) {
      const worker = await startTandem(["--max-memory", String(maxBytes)]);
      try {
        // An idle worker has served a client, as any idle worker in service has.
        const greeting = await Writer.connect(worker.port);
        greeting.set(Buffer.from("key"), Buffer.from("value"));
        await greeting.answered();
        greeting.close();
        const idle = residentBytes(worker.pid).now;
        await churn(worker.port, maxBytes, round + 1);
        const { now, most } = residentBytes(worker.pid);
        ends.push((now - idle) / maxBytes);
        peaks.push((most - idle) / maxBytes);
      } finally {
        await worker.stop();
      }
    }
    const aim = goal("worst", "<=", 1.05);
    return {
      rows: [
        row({
          label: "at the end",
          unit: "x maxBytes",
          ours: side("tandem", ends),
          noise: betweenRounds(ends),
          goal: aim,
        }),
        row({
          label: "at most",
          unit: "x maxBytes",
          ours: side("tandem", peaks),
          noise: betweenRounds(peaks),
          goal: aim,
        }),
      ],
    };
  },
};
