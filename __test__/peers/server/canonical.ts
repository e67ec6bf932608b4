/** What may differ between two servers that are both right, and how it is left out of a comparison. */
import type { Request } from "./programs.js";
import { elements, header } from "./resp.js";

/** Neither server runs a request at the moment the other does: what is left of a time may differ by as much. */
export const CLOCK_SLACK_MS = 20_000;

/**
 * Makes replies comparable where two right ones may differ:
 * the order of keys is nobody's promise, time passes between the two servers (a time is `about` so many ms, for
 * `withTimesOf`), and redis-server counts entries that have expired until it comes across them.
 */
export function canonical(request: Request, reply: Buffer, program: readonly Request[]): string {
  const name = String(request[0]).toUpperCase();
  if (reply[0] === 0x2d) return reply.toString("latin1");
  if (name === "DBSIZE" && program.some((words) => words.some((word) => /^P?XAT$|^EXAT$/i.test(String(word))))) {
    return "a count";
  }
  if (name === "RANDOMKEY" || name === "TIME") return reply.toString("latin1", 0, 2) === "$-" ? "none" : "some";
  if (name === "EXPIRETIME" || name === "PEXPIRETIME") {
    const moment = Number(reply.toString("latin1", 1));
    if (moment > 0) return `about ${name === "EXPIRETIME" ? moment * 1_000 : moment}`;
  }
  // What Redis has changed in place stays "raw" or "embstr", whatever it is now.
  if (name === "OBJECT" && /^\$\d+\r\n(int|embstr|raw)/.test(reply.toString("latin1"))) {
    const changed = program.some((words) => /^(APPEND|SETRANGE|INCRBYFLOAT)$/i.test(String(words[0])));
    return changed ? "a string" : reply.toString("latin1");
  }
  // The order of elements is nobody's promise either, but fields and values belong together.
  if (["KEYS", "SMEMBERS", "HKEYS", "HVALS", "SPOP", "SRANDMEMBER"].includes(name) && reply[0] !== 0x24) {
    return header(reply) + elements(reply).sort().join("");
  }
  if (name === "HGETALL") return header(reply) + paired(reply).sort().join("");
  if (name === "HSCAN" || name === "SSCAN") {
    const [cursor, shown] = elements(reply);
    const inner = Buffer.from(shown ?? "", "latin1");
    return `${cursor}${header(inner)}${(name === "HSCAN" ? paired(inner) : elements(inner)).sort().join("")}`;
  }
  if ((name === "SORT" || name === "SORT_RO") && tiesAreFree(request, reply)) {
    const words = request.map((word) => String(word).toUpperCase());
    // Which of them are within a limit is as free as their order.
    return words.includes("LIMIT") ? header(reply) : header(reply) + grouped(reply, words).sort().join("");
  }
  if (name === "SCAN") {
    // A cursor is the server's own; one that was made up may show anything.
    if (request[1] !== "0") return "a step";
    const [cursor, keys] = elements(reply);
    return `${cursor}${elements(Buffer.from(keys ?? "", "latin1"))
      .sort()
      .join("")}`;
  }
  if (name === "PTTL" || name === "TTL") {
    const left = Number(reply.toString("latin1", 1));
    if (left > 0) return `about ${name === "TTL" ? left * 1_000 : left}`;
  }
  return reply.toString("latin1");
}

/** A canonical reply, with the time of `reference` if both are times that differ by no more than the clock's slack. */
export function withTimesOf(reference: string | undefined, reply: string | undefined): string | undefined {
  const [theirs, ours] = [reference, reply].map((text) => Number(/^about (\d+)$/.exec(text ?? "")?.[1]));
  return Math.abs(Number(theirs) - Number(ours)) <= CLOCK_SLACK_MS ? reference : reply;
}

/** Whether SORT may put some members in any order: all of them, or those with the same text to sort by. */
function tiesAreFree(request: Request, reply: Buffer): boolean {
  const words = request.map((word) => String(word).toUpperCase());
  const patterns = words.filter((_, at) => at > 2 && words[at - 1] === "BY");
  if (patterns.some((pattern) => !pattern.includes("*"))) return true;
  // To C a text ends at its first NUL.
  return words.includes("ALPHA") && (patterns.length > 0 || reply.includes(0));
}

/** What SORT shows of each member. */
function grouped(reply: Buffer, words: readonly string[]): string[] {
  const size = Math.max(1, words.filter((word, at) => at > 1 && at + 1 < words.length && word === "GET").length);
  const flat = elements(reply);
  return Array.from({ length: flat.length / size }, (_, at) => flat.slice(at * size, (at + 1) * size).join(""));
}

/** Fields of a hash, each with its value. */
function paired(reply: Buffer): string[] {
  const flat = elements(reply);
  return flat.flatMap((field, at) => (at % 2 === 0 ? [field + flat[at + 1]] : []));
}
