/** S6: what a connection costs that does nothing. */
import { once } from "node:events";
import { connect } from "node:net";
import { residentBytes, startTandem, store } from "../measure/server-process.js";
import { betweenRounds, goal, row, side } from "../measure/statistics.js";

const KEYS = 10_000;
const GET = Buffer.from("*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000001\r\n");

/** A connection that has said something once. */
async function open(port) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  socket.write(GET);
  await once(socket, "data");
  return socket;
}

async function openMany(port, count) {
  const sockets = [];
  while (sockets.length < count) {
    const some = Math.min(100, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: some }, () => open(port)))));
  }
  return sockets;
}

export const s6 = {
  id: "S6",
  title: "resident bytes of `tandem worker` for each idle connection",
  peers: [],
  async run(size) {
    const count = size.mode === "smoke" ? 200 : 10_000;
    const figures = [];
    for (let round = 0; round < size.processes; round++) {
      const worker = await startTandem(["--max-memory", "64mb", "--threads", "1", "--max-clients", "20000"]);
      try {
        await store(worker.port, KEYS, 32);
        const before = residentBytes(worker.pid).now;
        const sockets = await openMany(worker.port, count);
        figures.push((residentBytes(worker.pid).now - before) / count);
        for (const socket of sockets) socket.destroy();
      } finally {
        await worker.stop();
      }
    }
    const ours = side("tandem", figures);
    const noise = betweenRounds(figures);
    const aim = goal("value", "<=", 4096);
    return { rows: [row({ label: `${count} connections`, unit: "B", ours, noise, goal: aim })] };
  },
};
