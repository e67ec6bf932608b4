/** Fails when the committed index.js or index.d.ts is not what the native build generates now. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const fresh = mkdtempSync(join(tmpdir(), "tandem-generated-"));
try {
  execFileSync("npm", ["run", "--silent", "build:native", "--", "--output-dir", fresh], {
    cwd: root,
    stdio: "inherit",
  });
  const drifted = ["index.js", "index.d.ts"].filter(
    (file) => !readFileSync(join(root, file)).equals(readFileSync(join(fresh, file))),
  );
  for (const file of drifted) process.stdout.write(`${file} differs: run \`npm run build:native\` and commit it\n`);
  process.stdout.write(`generated files that drifted: ${drifted.length}\n`);
  process.exitCode = drifted.length > 0 ? 1 : 0;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
