/** A connection that speaks RESP3: requests in a row, replies in their order, pushes in between. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type ErrorCode, TandemError } from "../../errors.js";

/** What a reply may be. Strings are bytes; an error inside an array is a value. */
export type Reply = null | boolean | number | Buffer | string | TandemError | Reply[] | Map<Reply, Reply>;

/** Redis' words for failures that have a code here. */
const CODES: ReadonlyMap<string, ErrorCode> = new Map<string, ErrorCode>([
  ["ERR value is not an integer or out of range", "NotInteger"],
  ["ERR increment or decrement would overflow", "Overflow"],
]);

/** A reply and where it ends; `undefined` while it is not all there. */
type Parsed = { reply: Reply; end: number; push: boolean } | undefined;

export class Connection {
  readonly #socket: Socket;
  readonly #onPush: (push: Reply[]) => void;
  readonly #waiting: { resolve(reply: Reply): void; reject(reason: unknown): void }[] = [];
  #received = Buffer.alloc(0);
  #closed = false;

  private constructor(socket: Socket, onPush: (push: Reply[]) => void, onClose: () => void) {
    this.#socket = socket;
    this.#onPush = onPush;
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.close();
      onClose();
    });
  }

  /** Connects to a server on this machine. `onClose` is called once, however the connection ends. */
  static async open(port: number, onPush: (push: Reply[]) => void, onClose: () => void): Promise<Connection> {
    const socket = connect(port, "127.0.0.1").setNoDelay();
    await once(socket, "connect");
    const connection = new Connection(socket, onPush, onClose);
    await connection.ask(["HELLO", "3"]);
    return connection;
  }

  /** The reply to a request. @throws {TandemError} the error that it was answered with; `Closed`. */
  ask(request: readonly (string | Buffer)[]): Promise<Reply> {
    if (this.#closed) return Promise.reject(closed());
    this.#socket.write(encode(request));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** The replies to requests that run as one. */
  async transaction(requests: readonly (readonly (string | Buffer)[])[]): Promise<Reply[]> {
    const replies = await Promise.all([["MULTI"], ...requests, ["EXEC"]].map((request) => this.ask(request)));
    const results = replies.at(-1) as Reply[];
    const failed = results.find((reply) => reply instanceof TandemError);
    if (failed) throw failed;
    return results;
  }

  /** Ends the connection; what waits for a reply is told so. */
  close(): void {
    this.#closed = true;
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(closed());
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    let at = 0;
    for (let parsed = parse(this.#received, at); parsed; parsed = parse(this.#received, at)) {
      at = parsed.end;
      if (parsed.push) {
        this.#onPush(parsed.reply as Reply[]);
        continue;
      }
      const waiting = this.#waiting.shift();
      if (parsed.reply instanceof TandemError) waiting?.reject(parsed.reply);
      else waiting?.resolve(parsed.reply);
    }
    this.#received = this.#received.subarray(at);
  }
}

function closed(): TandemError {
  return new TandemError("Closed", "the connection is closed");
}

function encode(request: readonly (string | Buffer)[]): Buffer {
  const parts = request.flatMap((part) => [Buffer.from(`$${Buffer.byteLength(part)}\r\n`), Buffer.from(part), CRLF]);
  return Buffer.concat([Buffer.from(`*${request.length}\r\n`), ...parts]);
}

const CRLF = Buffer.from("\r\n");

/** The error behind `-`: its code is its first word, if that is one of ours. */
function errorOf(line: string): TandemError {
  const code = CODES.get(line) ?? (/^[A-Z][a-z]\w*(?= )/.exec(line)?.[0] as ErrorCode | undefined) ?? "Internal";
  return new TandemError(code, line.startsWith(`${code} `) ? line.slice(code.length + 1) : line);
}

function parse(bytes: Buffer, at: number): Parsed {
  const lineEnd = bytes.indexOf(CRLF, at);
  if (lineEnd < 0) return undefined;
  const mark = String.fromCharCode(bytes[at] ?? 0);
  const line = bytes.toString("utf8", at + 1, lineEnd);
  const end = lineEnd + 2;
  const simple = (reply: Reply): Parsed => ({ reply, end, push: false });
  switch (mark) {
    case "+":
      return simple(line);
    case "-":
      return simple(errorOf(line));
    case ":":
    case ",":
      return simple(Number(line));
    case "#":
      return simple(line === "t");
    case "_":
      return simple(null);
    case "$":
    case "=": {
      const last = end + Number(line);
      if (bytes.length < last + 2) return undefined;
      return { reply: bytes.subarray(mark === "=" ? end + 4 : end, last), end: last + 2, push: false };
    }
    default: {
      const elements: Reply[] = [];
      let next = end;
      const count = mark === "%" ? Number(line) * 2 : Number(line);
      while (elements.length < count) {
        const element = parse(bytes, next);
        if (element === undefined) return undefined;
        elements.push(element.reply);
        next = element.end;
      }
      return { reply: mark === "%" ? mapOf(elements) : elements, end: next, push: mark === ">" };
    }
  }
}

function mapOf(elements: Reply[]): Map<Reply, Reply> {
  const map = new Map<Reply, Reply>();
  for (let at = 0; at < elements.length; at += 2) map.set(elements[at] ?? null, elements[at + 1] ?? null);
  return map;
}
