/** The other end of `SideProcess`: imports a module and calls its exports on demand. */
import { pathToFileURL } from "node:url";

const module = await import(pathToFileURL(process.argv[2]).href);

process.on("message", async ({ name, args }) => {
  try {
    process.send({ result: await module[name](...args) });
  } catch (error) {
    process.send({ error: error.stack });
  }
});
process.on("disconnect", () => process.exit());
