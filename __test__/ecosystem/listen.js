/** Web servers of the tests of one file. */
import { once } from "node:events";
import { createServer } from "node:http";
import { afterAll } from "vitest";

/** Serves with `handler` on a free port; returns the address. */
export async function listen(handler) {
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
