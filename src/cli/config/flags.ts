/** The flags of a command that takes the settings. */
import { type Command, Option } from "commander";
import { variableOf } from "./resolve.js";
import { settings } from "./settings.js";

/** Adds a flag for each setting, and `--config`. Their defaults show in `tandem config print`, not here. */
export function addSettings(command: Command): Command {
  for (const { key, placeholder, description } of Object.values(settings)) {
    const option = new Option(placeholder === undefined ? `--${key}` : `--${key} <${placeholder}>`, description);
    // What begins with `no-` is a setting like any other, not the opposite of one that is on by default.
    option.negate = false;
    command.addOption(option);
  }
  return command
    .option("--config <file>", "TOML file with these settings as keys")
    .addHelpText("after", `\nEvery flag is also an environment variable: --port is ${variableOf("port")}, and so on.`);
}
