/** `npm start`: a server on the loopback address with the defaults, and a line that says how to talk to it. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const main = join(import.meta.dirname, "../dist/cli/main.js");

if (existsSync(main)) {
  process.stdout.write(
    "tandem: serving on 127.0.0.1:7379; talk to it from another terminal with any Redis client:\n" +
      "  redis-cli -p 7379 set greeting hello\n" +
      "  redis-cli -p 7379 get greeting\n" +
      "Ctrl-C stops it. `npx tandem worker --help` shows the options.\n",
  );
  process.argv.splice(1, 1, main, "worker", "--bind", "127.0.0.1", "--port", "7379");
  await import(main);
} else {
  process.stderr.write("tandem: not built yet; run `npm run prepare` first\n");
  process.exitCode = 2;
}
