/** The JavaScript blocks of a Markdown file, and how they are run: as users would, as modules that import the package. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Returns `{ line, code, prints }` of every `js` block: where it begins, its text, and what its comments promise. */
export function snippetsOf(markdown) {
  return [...markdown.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => ({
    line: markdown.slice(0, match.index).split("\n").length,
    code: match[1],
    prints: [...match[1].matchAll(/\/\/ prints: (.*)$/gm)].map(([, text]) => text),
  }));
}

/**
 * Runs a snippet in `folder`, from where `tandem-cache` must resolve, and throws unless it ends by itself within 2 minutes
 * with code 0, says nothing on stderr and prints the promised lines.
 */
export function runSnippet({ line, code, prints }, folder, { node = process.execPath, env = process.env } = {}) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `line-${line}.mjs`);
  writeFileSync(file, code);
  const { status, signal, stdout, stderr } = spawnSync(node, [file], {
    cwd: folder,
    env,
    encoding: "utf8",
    timeout: 120_000,
  });
  const printed = stdout.split("\n").filter((text) => text !== "");
  if (status !== 0 || stderr !== "" || (prints.length > 0 && printed.join("\n") !== prints.join("\n"))) {
    const expected = prints.length > 0 ? `\nexpected:\n${prints.join("\n")}` : "";
    throw new Error(`snippet at line ${line}: exit ${status ?? signal}\nprinted:\n${stdout}${stderr}${expected}`);
  }
}
