import type { CommanderError } from "commander";
import { expect, test } from "vitest";
import { createProgram } from "../../../src/cli/program.js";

/** Runs the program with one example command and returns what it wrote and how it ended. */
async function run(...args: string[]) {
  let out = "";
  let err = "";
  const program = createProgram([
    (parent) =>
      parent
        .command("ping")
        .description("answer pong")
        .requiredOption("--port <number>", "where to listen")
        .action(() => {
          out += "pong\n";
        }),
  ]);
  for (const command of [program, ...program.commands]) {
    command.configureOutput({ writeOut: (text) => (out += text), writeErr: (text) => (err += text) });
  }
  const exit = await program.parseAsync(args, { from: "user" }).then(
    () => 0,
    (error: CommanderError) => error.exitCode,
  );
  return { out, err, exit };
}

test("runs a registered command", async () => {
  expect(await run("ping", "--port", "1")).toEqual({ out: "pong\n", err: "", exit: 0 });
});

test("the help names every command with its summary", async () => {
  const { out, exit } = await run("--help");
  expect(exit).toBe(0);
  expect(out).toMatch(/ping \[options\]\s+answer pong/);
});

test.each([
  [["pang"], "tandem: unknown command 'pang' (Did you mean ping?)\n"],
  [["ping", "--port", "1", "--prot", "1"], "tandem: unknown option '--prot' (Did you mean --port?)\n"],
  [["ping"], "tandem: required option '--port <number>' not specified\n"],
  [["ping", "--port", "1", "extra"], "tandem: too many arguments for 'ping'. Expected 0 arguments but got 1.\n"],
])("%j is answered with one line", async (args, line) => {
  const { err, exit } = await run(...args);
  expect(err).toBe(line);
  expect(exit).not.toBe(0);
});
