/**
 * Runs in a network namespace of its own. A worker, and clients in a second namespace behind a cable that is cut: they are
 * gone without a word, as after a power failure. Prints as JSON who was there when, and after how many seconds nobody was.
 *
 * Arguments: flags of the worker.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const HERE = "198.18.0.1";
const THERE = "198.18.0.2";
const PASSWORD = "secret";
/** Longest wait for the server to find out. */
const PATIENCE_S = 60;

const children = [];
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], ...options });
  children.push(child);
  return child;
}

const ip = (...args) => execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
const there = (pid, command, ...args) => ["nsenter", ["--net", "--target", String(pid), command, ...args]];

/** A second namespace, which lasts as long as the process whose id is returned. */
async function secondNamespace() {
  const holder = start("unshare", ["--net", "sleep", "600"]);
  const own = readlinkSync("/proc/self/ns/net");
  while (readlinkSync(`/proc/${holder.pid}/ns/net`) === own) await setTimeout(5);
  ip("link", "set", "lo", "up");
  ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", String(holder.pid));
  ip("addr", "add", `${HERE}/30`, "dev", "near");
  ip("link", "set", "near", "up");
  for (const args of [
    ["addr", "add", `${THERE}/30`, "dev", "far"],
    ["link", "set", "far", "up"],
  ]) {
    execFileSync(...there(holder.pid, "ip", ...args));
  }
  return holder.pid;
}

async function startWorker(flags) {
  const main = join(import.meta.dirname, "../../../dist/cli/main.js");
  const own = ["--port", "0", "--bind", "0.0.0.0", "--max-memory", "16mb", "--threads", "2", "--log-level", "warn"];
  const env = { ...process.env, TANDEM_PASSWORD: PASSWORD };
  const worker = start(process.execPath, [main, "worker", ...own, ...flags], { env });
  const [line] = await once(worker.stdout, "data");
  return Number(/ready on [^ ]+:(\d+)/.exec(String(line))[1]);
}

/** A client behind the cable that says `words` and then waits. */
async function startClient(pid, port, words) {
  const script = `
    const socket = require("node:net").connect(${port}, "${HERE}");
    socket.write(${JSON.stringify(`AUTH ${PASSWORD}\r\n${words}\r\n`)});
    let heard = "";
    socket.on("data", (chunk) => { heard += chunk; if (heard.split("\\r\\n").length > 2) console.log("ready"); });
    setInterval(() => {}, 1000);`;
  const [command, args] = there(pid, process.execPath, "-e", script);
  const client = start(command, args);
  await once(client.stdout, "data");
  return client;
}

const port = await startWorker(process.argv.slice(2));
const pid = await secondNamespace();
const clients = [
  await startClient(pid, port, "PING"),
  await startClient(pid, port, "SUBSCRIBE waiting"),
  await startClient(pid, port, "SUBSCRIBE news"),
];

const near = connect(port, "127.0.0.1").setEncoding("latin1");
near.write(`AUTH ${PASSWORD}\r\n`);
await once(near, "data");
async function ask(line) {
  near.write(`${line}\r\n`);
  const [answer] = await once(near, "data");
  return answer;
}
/** Clients behind the cable, as the worker sees them. */
const seen = async () =>
  (await ask("CLIENT LIST")).split("\n").filter((line) => line.includes(` addr=${THERE}:`)).length;

const before = await seen();
execFileSync(...there(pid, "ip", "link", "set", "far", "down"));
for (const client of clients) client.kill("SIGKILL");
const cut = performance.now();
// One of them has something on its way, which is never acknowledged; to the others nothing is sent.
const receivers = await ask("PUBLISH news x");
const after = await seen();
const seconds = () => (performance.now() - cut) / 1000;
let left = after;
while (left > 0 && seconds() < PATIENCE_S) {
  await setTimeout(50);
  left = await seen();
}
console.log(JSON.stringify({ before, after, receivers: receivers.trim(), left, seconds: seconds() }));
process.exit(0);
