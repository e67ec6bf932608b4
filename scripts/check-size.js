/** Fails on source files past 500 lines: a file has one reason to change and about 300 lines at most. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const limit = 500;
const generated = ["index.js", "index.d.ts"];
const root = join(import.meta.dirname, "..");

const files = execFileSync("git", ["ls-files", "*.rs", "*.ts", "*.js"], { cwd: root, encoding: "utf8" }).split("\n");
const long = files
  .filter((file) => file !== "" && !generated.includes(file))
  .map((file) => ({ file, lines: readFileSync(join(root, file), "utf8").split("\n").length - 1 }))
  .filter(({ lines }) => lines > limit);

for (const { file, lines } of long) process.stdout.write(`${file}: ${lines} lines\n`);
process.stdout.write(`files past ${limit} lines: ${long.length}\n`);
process.exitCode = long.length > 0 ? 1 : 0;
