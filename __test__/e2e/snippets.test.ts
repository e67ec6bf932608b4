import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runSnippet, snippetsOf } from "../../scripts/snippets.js";

const root = join(import.meta.dirname, "../..");
const pages = ["README.md", ...markdownUnder("docs")];

describe.each(pages)("%s", (page) => {
  const snippets = snippetsOf(readFileSync(join(root, page), "utf8"));
  test.for(snippets)("the snippet at line $line runs and prints what it promises", (snippet) => {
    // Below the root, where the package's own name resolves to its dist/.
    runSnippet(snippet, join(root, "target/snippets", page));
  });
  test("has no block in a language that is not run", () => {
    const languages = [...readFileSync(join(root, page), "utf8").matchAll(/^```(\w+)$/gm)].map(([, name]) => name);
    expect(languages.filter((name) => ["ts", "typescript", "javascript", "mjs"].includes(name ?? ""))).toEqual([]);
  });
});

function markdownUnder(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".md")).map((file) => join(folder, file));
}
