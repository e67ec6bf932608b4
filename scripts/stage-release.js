/**
 * Stages what is published, the root package and the package of this platform, in a folder of its own:
 *
 *   node scripts/stage-release.js FOLDER
 *
 * The manifest is the one `napi pre-publish` leaves (exact optionalDependencies on the platform packages) without what
 * only a checkout needs: npm warns of every dependency with a `prepare` script. The root package holds no binary, and
 * the working tree stays as it is.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(import.meta.dirname, "..");
const rootFiles = ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "index.js", "index.d.ts", "dist", "npm"];
const checkoutOnly = ["scripts", "devDependencies", "overrides", "allowScripts"];

/** Fills `folder` and returns the folders of the two packages. Needs a build (`npm run prepare`). */
export function stageRelease(folder) {
  mkdirSync(folder, { recursive: true });
  for (const file of rootFiles) cpSync(join(root, file), join(folder, file), { recursive: true });

  const [platform, ...others] = readdirSync(join(folder, "npm"));
  if (!platform || others.length > 0) throw new Error("npm/ must hold exactly the platforms that are built here: one");
  const binary = `tandem.${platform}.node`;
  cpSync(join(root, binary), join(folder, "npm", platform, binary));

  const napi = join(root, "node_modules/.bin/napi");
  const prePublish = ["pre-publish", "--tag-style", "npm", "--skip-optional-publish", "--no-gh-release"];
  execFileSync(napi, prePublish, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });

  const manifestFile = join(folder, "package.json");
  const manifest = JSON.parse(readFileSync(manifestFile, "utf8"));
  for (const field of checkoutOnly) delete manifest[field];
  writeFileSync(manifestFile, `${JSON.stringify(manifest, null, 2)}\n`);
  return { main: folder, platform: join(folder, "npm", platform) };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  if (folder) {
    stageRelease(resolve(folder));
  } else {
    process.stderr.write("stage-release: name the folder to fill\n");
    process.exitCode = 2;
  }
}
