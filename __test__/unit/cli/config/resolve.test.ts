import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { resolve } from "../../../../src/cli/config/resolve.js";
import { UsageError } from "../../../../src/cli/usage-error.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tandem-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string): string {
  const path = join(folder, `${expect.getState().currentTestName?.replaceAll(/\W/g, "-")}.toml`);
  writeFileSync(path, content);
  return path;
}

const nothing = { flags: {}, environment: {} };

test("without anything there are defaults", () => {
  const { configuration, rows } = resolve(nothing);
  expect(configuration).toMatchObject({ port: 7379, bind: "127.0.0.1", policy: "default", maxClients: undefined });
  expect(configuration.threads).toBeGreaterThanOrEqual(1);
  expect(new Set(rows.map(({ origin }) => origin))).toEqual(new Set(["default"]));
  // What no value means is said in words: no port is opened, and the number of clients is found out.
  const shown = Object.fromEntries(rows.map(({ key, value }) => [key, value]));
  expect(shown).toMatchObject({ "admin-port": "none", "max-clients": "automatic", password: "none" });
});

test("a flag goes before the environment, that before the file, that before the default", () => {
  const config = file('port = 1\nthreads = 3\nmax-memory = "1gb"\n');
  const environment = { TANDEM_PORT: "2", TANDEM_THREADS: "4", TANDEM_CONFIG: "not used" };
  const { configuration, rows } = resolve({ flags: { config, port: "5" }, environment });
  expect(configuration).toMatchObject({ port: 5, threads: 4, maxMemory: "1gb", policy: "default" });
  expect(Object.fromEntries(rows.map(({ key, origin }) => [key, origin]))).toMatchObject({
    port: "flag --port",
    threads: "environment TANDEM_THREADS",
    "max-memory": `file ${config}`,
    policy: "default",
  });
});

test("the environment may name the file", () => {
  const TANDEM_CONFIG = file('policy = "lru"');
  expect(resolve({ flags: {}, environment: { TANDEM_CONFIG } }).configuration.policy).toBe("lru");
});

test.each([
  [{ port: "70000" }, {}, 'flag --port: "70000" is not a whole number from 0 to 65535'],
  [{ port: "1e3" }, {}, 'flag --port: "1e3" is not a whole number from 0 to 65535'],
  [{ maxMemory: "lots" }, {}, 'flag --max-memory: "lots" is not a size from 1mb to 32tb, such as 512mb or 1gb'],
  [{ maxMemory: "10kb" }, {}, 'flag --max-memory: "10kb" is not a size from 1mb to 32tb, such as 512mb or 1gb'],
  [{}, { TANDEM_POLICY: "LRU" }, 'environment TANDEM_POLICY: "LRU" is not default or lru'],
  [{}, { TANDEM_BIND: "example.org" }, 'environment TANDEM_BIND: "example.org" is not an IP address or "localhost"'],
  [{ threads: "0" }, {}, 'flag --threads: "0" is not a whole number from 1 to 256'],
])("%j with %j is refused in one line", (flags, environment, message) => {
  expect(() => resolve({ flags, environment })).toThrow(new UsageError(message));
});

test("a variable that is no setting is pointed out", () => {
  const environment = { TANDEM_PORT: "1", TANDEM_CONFIG: undefined, TANDEM_MAXMEMORY: "1gb", OTHER: "1" };
  expect(resolve({ flags: {}, environment }).warnings).toEqual([
    "environment TANDEM_MAXMEMORY is no setting and is ignored; there are TANDEM_CONFIG, TANDEM_PASSWORD, TANDEM_PORT, " +
      "TANDEM_BIND, TANDEM_PASSWORD_FILE, TANDEM_MAX_MEMORY, TANDEM_THREADS, TANDEM_POLICY, TANDEM_MAX_CLIENTS, " +
      "TANDEM_IDLE_TIMEOUT, TANDEM_TEXT_IDLE_TIMEOUT, TANDEM_TCP_KEEPALIVE, TANDEM_TEXT_FRAMING, TANDEM_NO_SCRIPTS, " +
      "TANDEM_ADMIN_PORT, TANDEM_LOG_LEVEL, TANDEM_LOG_FORMAT",
  ]);
});

test("a file that is no TOML is refused with the place", () => {
  const config = file("port = 1\nthreads = = 2\n");
  expect(() => resolve({ flags: { config }, environment: {} })).toThrow(/^cannot read .*\(line 2, column 1[01]\)$/);
});

test("a file is refused as a whole when a key is no setting", () => {
  const config = file("prot = 1\n");
  expect(() => resolve({ flags: { config }, environment: {} })).toThrow(
    `file ${config}: "prot" is no setting; there are port, bind, password-file, max-memory, threads, policy, ` +
      "max-clients, idle-timeout, text-idle-timeout, tcp-keepalive, text-framing, no-scripts",
  );
});

test("a value in a file is refused with file and key", () => {
  const config = file('port = "many"\n');
  expect(() => resolve({ flags: { config }, environment: {} })).toThrow(
    `file ${config}, key port: "many" is not a whole number from 0 to 65535`,
  );
});

test.each([["port ="], ["[port"]])("a file that is no TOML (%s) is refused in one line", (content) => {
  const config = file(content);
  expect(() => resolve({ flags: { config }, environment: {} })).toThrow(/^cannot read the configuration file .+: .+$/);
});

test("a file that is not there is refused", () => {
  const config = join(folder, "absent.toml");
  expect(() => resolve({ flags: { config }, environment: {} })).toThrow(/^cannot read the configuration file .+ENOENT/);
});

function password(passwordFile: string | undefined, TANDEM_PASSWORD: string | undefined) {
  const { configuration, rows } = resolve({ flags: { passwordFile }, environment: { TANDEM_PASSWORD } });
  return { bytes: configuration.password, row: rows.find(({ key }) => key === "password") };
}

test.each(["s\u00e9cret", "s\u00e9cret\n", "s\u00e9cret\r\n"])(
  "the password is the one line of its file: %j",
  (content) => {
    const path = file(content);
    const { bytes, row } = password(path, undefined);
    expect(bytes).toEqual(Buffer.from("s\u00e9cret"));
    expect(row).toEqual({ key: "password", value: "set", origin: `file ${path}` });
  },
);

test("a password may have any bytes, spaces and line breaks inside among them", () => {
  expect(password(file(" a\nb \n\n"), undefined).bytes).toEqual(Buffer.from(" a\nb \n"));
});

test("the password may be in the environment, and is never shown", () => {
  const { bytes, row } = password(undefined, "secret");
  expect(bytes).toEqual(Buffer.from("secret"));
  expect(row).toEqual({ key: "password", value: "set", origin: "environment TANDEM_PASSWORD" });
});

test("without a password there is none", () => {
  expect(password(undefined, undefined)).toEqual({
    bytes: undefined,
    row: { key: "password", value: "none", origin: "default" },
  });
});

test("a password that is none is refused", () => {
  const empty = file("\n");
  expect(() => password(empty, undefined)).toThrow(
    new UsageError(`file ${empty}: a password has 1 to 1024 bytes; this one has 0`),
  );
  expect(() => password(undefined, "x".repeat(1025))).toThrow(/this one has 1025$/);
  expect(() => password(join(folder, "absent"), undefined)).toThrow(/^cannot read the password file .+ENOENT/);
  expect(() => password(file("a"), "b")).toThrow(/^there are two passwords: password-file .+; keep one$/);
});
