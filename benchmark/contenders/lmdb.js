/** lmdb, the fastest native store on npm: a memory-mapped B-tree, here in a folder that goes with the process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open as openStore } from "lmdb";

export function open() {
  const folder = mkdtempSync(join(tmpdir(), "tandem-bench-lmdb-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const store = openStore({ path: folder, encoding: "string", noSync: true });
  return {
    get: (key) => store.get(key),
    set: (key, value) => store.putSync(key, value),
    size: () => store.getCount(),
    close: () => store.close(),
  };
}
