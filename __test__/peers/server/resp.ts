/** A Redis client that shows replies as the bytes they are. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Encodes a request as clients do: an array of strings. */
export function encode(args: readonly (string | Buffer)[]): Buffer {
  const parts: (string | Buffer)[] = [`*${args.length}\r\n`];
  for (const arg of args) parts.push(`$${Buffer.byteLength(arg)}\r\n`, arg, "\r\n");
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

/** Where the reply that begins at `at` ends; `undefined` while it is not all there. */
export function replyEnd(buffer: Buffer, at: number): number | undefined {
  const lineEnd = buffer.indexOf("\r\n", at);
  if (lineEnd < 0) return undefined;
  const mark = String.fromCharCode(buffer[at] ?? 0);
  const count = Number(buffer.toString("latin1", at + 1, lineEnd));
  let end = lineEnd + 2;
  if (mark === "$" || mark === "=") {
    if (count >= 0) end += count + 2;
    return end <= buffer.length ? end : undefined;
  }
  let elements = mark === "*" || mark === "~" || mark === ">" ? count : mark === "%" ? count * 2 : 0;
  for (; elements > 0; elements--) {
    const next = replyEnd(buffer, end);
    if (next === undefined) return undefined;
    end = next;
  }
  return end;
}

/** The first line: the type, and how many elements there are. */
export function header(reply: Buffer): string {
  return reply.toString("latin1", 0, reply.indexOf("\r\n") + 2);
}

/** The elements of an array, each with its own frame. */
export function elements(reply: Buffer): string[] {
  const found: string[] = [];
  let at = reply.indexOf("\r\n") + 2;
  while (at < reply.length) {
    const end = replyEnd(reply, at);
    if (end === undefined) throw new Error("a reply that does not end");
    found.push(reply.toString("latin1", at, end));
    at = end;
  }
  return found;
}

/** A connection. */
export class RawClient {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#wake());
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, "127.0.0.1").setNoDelay();
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** Sends the requests at once and returns their replies in order, or the next `count` frames. */
  async ask(requests: readonly (readonly (string | Buffer)[])[], count = requests.length): Promise<Buffer[]> {
    if (requests.length > 0) this.#socket.write(Buffer.concat(requests.map(encode)));
    const replies: Buffer[] = [];
    let at = 0;
    while (replies.length < count) {
      const end = replyEnd(this.#received, at);
      if (end === undefined) {
        if (this.#socket.closed) throw new Error(`closed after ${this.#received.toString("latin1", at)}`);
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
      } else {
        replies.push(this.#received.subarray(at, end));
        at = end;
      }
    }
    this.#received = this.#received.subarray(at);
    return replies;
  }

  /** Sends bytes without waiting for anything. */
  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Takes frames up to the first that `isLast` holds for; returns the ones in front of it. */
  async until(isLast: (frame: Buffer) => boolean): Promise<Buffer[]> {
    const frames: Buffer[] = [];
    for (;;) {
      const [frame] = await this.ask([], 1);
      if (frame === undefined || isLast(frame)) return frames;
      frames.push(frame);
    }
  }

  /** Sends these very bytes and returns everything that comes until the server closes. */
  async sendAndDrain(bytes: string | Buffer): Promise<string> {
    // Bytes that the server leaves unread make its close a reset, which is an end like any other.
    const closed = new Promise((resolve) => this.#socket.once("close", resolve));
    this.#socket.write(bytes);
    await closed;
    return this.#received.toString("latin1");
  }

  close(): void {
    this.#socket.destroy();
  }
}
