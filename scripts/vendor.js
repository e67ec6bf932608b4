/**
 * Copies msgpackr's plain JavaScript to dist/vendor, where `#msgpackr` points.
 *
 * A dependency on msgpackr would bring msgpackr-extract, an optional addon with an install script, to every user.
 *
 * The copy of the encoder also counts how deep it is inside a value (`nesting`), which only it knows for nothing: what
 * is nested deeper than the decoder's stack reaches could be stored, but never read.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const from = join(root, "node_modules/msgpackr");
const to = join(root, "dist/vendor/msgpackr");

/** What enters a container in pack.js, how often it is there, and what takes its place. */
const ENTRIES = [
  [/\bwriteObject\(value\);/g, 3, (call) => `enter(); ${call} nesting.depth--;`],
  [/\bpackArray\(value\);/g, 3, (call) => `enter(); ${call} nesting.depth--;`],
  [/\bfor \(let \[key, entryValue\] of value\) \{/g, 1, (loop) => `enter();\n${loop}`],
  [/\bpack\(entryValue\);\s*\}/g, 1, (end) => `${end}\nnesting.depth--;`],
];

const NESTING = `
/** How deep the encoder is inside the value, how deep it may get, and what is thrown beyond. Added by tandem-cache. */
export const nesting = { depth: 0, most: Infinity, refuse: undefined };
function enter() { if (++nesting.depth > nesting.most) throw nesting.refuse(); }
`;

function countingDepth(source) {
  return ENTRIES.reduce((text, [pattern, times, replace]) => {
    const found = text.match(pattern)?.length ?? 0;
    if (found !== times) throw new Error(`pack.js of msgpackr has ${found} places like ${pattern}, not ${times}`);
    return text.replace(pattern, replace);
  }, source);
}

mkdirSync(to, { recursive: true });
for (const file of ["LICENSE", "unpack.js", "iterators.js"]) {
  copyFileSync(join(from, file), join(to, file));
}
writeFileSync(join(to, "pack.js"), countingDepth(readFileSync(join(from, "pack.js"), "utf8")) + NESTING);
writeFileSync(
  join(to, "index.js"),
  `${readFileSync(join(from, "index.js"), "utf8")}\nexport { nesting } from "./pack.js";\n`,
);
