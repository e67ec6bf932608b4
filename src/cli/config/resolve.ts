/** Where a setting comes from: its flag, else its environment variable, else the file, else the default. */
import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";
import { UsageError } from "../usage-error.js";
import { findPassword } from "./password.js";
import { type Configuration, type Setting, settings, type Values } from "./settings.js";

/** Where to look for settings. */
export interface Sources {
  /** Flags that were given, by their name in camel case. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A setting as it was found. */
export interface Resolved {
  readonly key: string;
  readonly value: unknown;
  /** Such as `flag --port` or `default`. */
  readonly origin: string;
}

/** The settings with their values, and where each comes from. */
export interface Resolution {
  readonly configuration: Configuration;
  readonly rows: readonly Resolved[];
  /** What is probably a mistake but does not keep a worker from starting, a line each. */
  readonly warnings: readonly string[];
}

/**
 * Looks every setting up.
 *
 * @throws {UsageError} for a value that is not allowed, naming its origin; for a file that cannot be read, or that has
 * a key which is no setting; for a password that is none, or is given twice.
 */
export function resolve({ flags, environment }: Sources): Resolution {
  const path = flags.config ?? environment[variableOf("config")];
  const file = typeof path === "string" ? readFile(path) : {};
  const rows: Resolved[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const row = find(setting, [
      [`flag --${setting.key}`, flags[name]],
      [`environment ${variableOf(setting.key)}`, environment[variableOf(setting.key)]],
      [`file ${path}`, file[setting.key]],
    ]);
    rows.push({ ...row, value: row.value ?? setting.unset });
    values[name] = row.value;
  }
  const found = values as Values;
  const password = findPassword(found.passwordFile, environment[variableOf("password")]);
  // What holds is whether there is a password, not where a file with one might be.
  const row = rows.findIndex(({ key }) => key === settings.passwordFile.key);
  rows[row] = { key: "password", value: password.shown, origin: password.origin };
  return { configuration: { ...found, password: password.bytes }, rows, warnings: unknownVariables(environment) };
}

/** Others may have variables of this prefix, too (Kubernetes sets some for a service of that name): no error. */
function unknownVariables(environment: Sources["environment"]): string[] {
  const known = ["config", "password", ...Object.values(settings).map(({ key }) => key)].map(variableOf);
  return Object.keys(environment)
    .filter((name) => name.startsWith("TANDEM_") && !known.includes(name))
    .map((name) => `environment ${name} is no setting and is ignored; there are ${known.join(", ")}`);
}

/** `TANDEM_MAX_MEMORY` for `max-memory`. */
export function variableOf(key: string): string {
  return `TANDEM_${key.toUpperCase().replaceAll("-", "_")}`;
}

function find(setting: Setting<unknown>, candidates: [origin: string, value: unknown][]): Resolved {
  const { key } = setting;
  const given = candidates.find(([, value]) => value !== undefined);
  if (given === undefined) return { key, value: setting.fallback(), origin: "default" };
  const [origin, value] = given;
  const checked = v.safeParse(setting.schema, value);
  if (!checked.success) {
    const place = origin.startsWith("file") ? `${origin}, key ${key}` : origin;
    throw new UsageError(`${place}: ${JSON.stringify(value)} is not ${setting.allowed}`);
  }
  return { key, value: checked.output, origin };
}

function readFile(path: string): Record<string, unknown> {
  let content: Record<string, unknown>;
  try {
    content = parse(readFileSync(path, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    const place = error instanceof TomlError ? ` (line ${error.line}, column ${error.column})` : "";
    throw new UsageError(`cannot read the configuration file ${path}: ${reason}${place}`);
  }
  const known = Object.values(settings).map(({ key }) => key);
  for (const key of Object.keys(content)) {
    if (!known.includes(key)) {
      throw new UsageError(`file ${path}: ${JSON.stringify(key)} is no setting; there are ${known.join(", ")}`);
    }
  }
  return content;
}
