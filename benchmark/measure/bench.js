/** `tandem bench` as the client of servers. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./machine.js";
import { clientCommand } from "./pin.js";

const run = promisify(execFile);

/**
 * One call of `tandem bench` on the CPUs of clients: what it reports of each server, by its name.
 *
 * @param {Record<string, {port: number, pid: number}>} servers
 * @param {(string | number)[]} flags
 */
export async function bench(servers, flags) {
  const targets = Object.entries(servers).flatMap(([name, { port, pid }]) => {
    return ["--server", `${name}=127.0.0.1:${port},${pid}`];
  });
  const command = [process.execPath, join(root, "dist/cli/main.js"), "bench", ...targets, ...flags, "--json"];
  const [program, ...args] = clientCommand(command.map(String));
  const { stdout } = await run(program, args);
  return Object.fromEntries(JSON.parse(stdout).servers.map((server) => [server.name, server]));
}
