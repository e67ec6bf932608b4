/** A client that a server which stops has to wait for. */
import { once } from "node:events";
import { connect } from "node:net";
import { onTestFinished } from "vitest";

/**
 * Asks for the value of `key`, of some megabytes, many times over, and takes it in sips: far more stays unsent than
 * sockets hold, but the client takes something all the time, so that it is not given up. Returns what ends it.
 */
export async function slowReader(port: number, key: string): Promise<() => void> {
  const socket = connect(port, "127.0.0.1");
  // The server may end in the middle of it.
  socket.on("error", () => undefined);
  const sips = setInterval(() => socket.read(), 20);
  const end = () => {
    clearInterval(sips);
    socket.destroy();
  };
  onTestFinished(end);
  socket.write(`GET ${key}\r\n`.repeat(500));
  await once(socket, "readable");
  return end;
}
