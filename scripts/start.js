/** `npm start`: a server on the loopback address with the defaults. It says itself how to talk to it. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const main = join(import.meta.dirname, "../dist/cli/main.js");

if (existsSync(main)) {
  process.argv.splice(1, 1, main, "worker", "--bind", "127.0.0.1", "--port", "7379");
  await import(main);
} else {
  process.stderr.write("tandem: not built yet; run `npm run prepare` first\n");
  process.exitCode = 2;
}
