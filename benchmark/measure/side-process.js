/**
 * A side of a comparison in a process of its own. Sides take turns, so rounds are interleaved, yet neither pays for
 * the other's heap and memory can be told apart.
 */
import { fork } from "node:child_process";
import { join } from "node:path";

const entry = join(import.meta.dirname, "side-entry.js");

export class SideProcess {
  #child;
  #name;
  #waiting;

  /**
   * Starts a process in which the exports of `module` can be called.
   *
   * @param {string} module path of an ES module
   * @param {string[]} execArgv options of Node for it
   */
  constructor(module, execArgv = ["--expose-gc"]) {
    this.#name = module;
    this.#child = fork(entry, [module], { execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child.on("message", ({ error, result }) => {
      const { resolve, reject } = this.#waiting;
      this.#waiting = undefined;
      if (error === undefined) resolve(result);
      else reject(new Error(error));
    });
    this.#child.on("exit", (code, signal) => {
      this.#waiting?.reject(new Error(`the process of ${this.#name} ended early (${signal ?? code})`));
    });
  }

  /** Calls the export `name` there and resolves with what it returns. One call at a time. */
  call(name, ...args) {
    if (this.#waiting !== undefined) throw new Error(`${this.#name} is still busy`);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.send({ name, args });
    });
  }

  /** Ends the process; resolves when it is gone. */
  async [Symbol.asyncDispose]() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    // It ends by itself, so that it can clear up; one that is stuck is ended.
    this.#child.disconnect();
    const stuck = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await gone;
    clearTimeout(stuck);
  }
}

/** Starts a process for each name, hands them to `use`, and ends them whatever happens. */
export async function withSides(module, names, use) {
  const sides = Object.fromEntries(names.map((name) => [name, new SideProcess(module)]));
  try {
    return await use(sides);
  } finally {
    for (const process of Object.values(sides)) await process[Symbol.asyncDispose]();
  }
}

/** Runs one export of `module` in a fresh process. */
export async function once(module, name, ...args) {
  return withSides(module, ["only"], ({ only }) => only.call(name, ...args));
}
