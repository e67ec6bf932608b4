import { spawnSync } from "node:child_process";

process.exitCode = spawnSync("npm", ["run", "build"], { stdio: "inherit" }).status ?? 1;
