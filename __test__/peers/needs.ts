import { spawnSync } from "node:child_process";
import { describe } from "vitest";

/** What a test may need besides the project itself: a program in PATH, a right, or the folder of real traces. */
export type Peer =
  | "redis-server"
  | "redis-cli"
  | "redis-benchmark"
  | "memcached"
  | "promtool"
  | "prometheus-redis-exporter"
  | "network-namespaces"
  | "TANDEM_TRACES";

/**
 * A `describe` whose tests run only where `peer` is there. The title names the peer: scripts/test-peers.js counts by it
 * what was not run.
 */
export function describeWithPeer(peer: Peer, title: string, body: () => void): void {
  describe.skipIf(!isThere(peer))(`${title} [needs ${peer}]`, body);
}

/**
 * What `unshare` needs to be told to run a command in a network namespace of its own: nothing more by root, else to make a
 * user namespace as well. `undefined`: the machine allows neither.
 */
export function networkNamespace(): readonly string[] | undefined {
  return [["--net"], ["--map-root-user", "--net"]].find((flags) => {
    const attempt = spawnSync("unshare", [...flags, "ip", "link", "add", "near", "type", "veth"], { stdio: "ignore" });
    return attempt.status === 0;
  });
}

function isThere(peer: Peer): boolean {
  if (peer === "TANDEM_TRACES") return Boolean(process.env.TANDEM_TRACES);
  if (peer === "network-namespaces") return networkNamespace() !== undefined;
  return spawnSync(peer, ["--version"], { stdio: "ignore" }).error === undefined;
}
