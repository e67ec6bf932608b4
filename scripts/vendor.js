/**
 * Copies msgpackr's plain JavaScript to dist/vendor, where `#msgpackr` points.
 *
 * A dependency on msgpackr would bring msgpackr-extract, an optional addon with an install script, to every user.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const from = join(root, "node_modules/msgpackr");
const to = join(root, "dist/vendor/msgpackr");

mkdirSync(to, { recursive: true });
for (const file of ["LICENSE", "index.js", "pack.js", "unpack.js", "iterators.js"]) {
  copyFileSync(join(from, file), join(to, file));
}
