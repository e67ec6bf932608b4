/**
 * A server on one CPU, its clients on the others: where they share one, the scheduler decides who waits for whom, and a
 * latency is its doing as often as that of a server.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Binds every thread of a server's process, and those that they begin, to the first CPU. */
export function pinServer({ pid }) {
  const [first] = cpus();
  execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", String(first), String(pid)], { stdio: "ignore" });
}

/** `command` as it has to be called to run on the other CPUs. */
export function clientCommand(command) {
  return ["taskset", "--cpu-list", cpus().slice(1).join(","), ...command];
}

/** The CPUs that this process may use, two at least. */
function cpus() {
  const list = /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync("/proc/self/status", "utf8"))[1];
  const allowed = list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  if (allowed.length < 2) throw new Error("it takes two CPUs, one for the server and one for its clients");
  return allowed;
}
