/**
 * The admin port: health, counters and metrics over HTTP. It listens on 127.0.0.1 alone, takes no orders, and tells
 * neither keys nor values, so that it needs no password.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { TandemError } from "../../errors.js";
import type { WorkerReport } from "../report.js";
import { EXPOSITION_TYPE } from "./exposition.js";
import { metrics } from "./metrics.js";

const HOST = "127.0.0.1";
/** Watchers are few; more than so many are a mistake. */
const MAX_CONNECTIONS = 64;
/** A request is one line and some headers. */
const MAX_HEADER_BYTES = 8 << 10;
const MAX_REQUEST_MS = 5_000;
/** Event loops that have not come round after so long are stuck. */
const MAX_SILENCE_MS = 1_000;

/** What the admin port asks of the worker. */
export interface Watched {
  report(): WorkerReport;
  /** Whether every event loop comes round within this time. */
  answers(withinMs: number): Promise<boolean>;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** The admin port of one worker. */
export class AdminServer {
  readonly port: number;
  readonly #http: Server;

  private constructor(http: Server) {
    this.#http = http;
    this.port = (http.address() as AddressInfo).port;
  }

  /**
   * Listens; when it resolves, requests are answered.
   *
   * @throws {TandemError} `CannotListen` for a port that is taken.
   */
  static async listen(port: number, watched: Watched): Promise<AdminServer> {
    const http = createServer(
      { maxHeaderSize: MAX_HEADER_BYTES, headersTimeout: MAX_REQUEST_MS, requestTimeout: MAX_REQUEST_MS },
      (request, response) => void serve(watched, request, response),
    );
    http.maxConnections = MAX_CONNECTIONS;
    try {
      http.listen(port, HOST);
      await once(http, "listening");
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code === "EADDRINUSE" ? "the port is taken" : String(cause);
      throw new TandemError("CannotListen", `cannot listen on ${HOST}:${port} for the admin port: ${reason}`, {
        cause,
      });
    }
    return new AdminServer(http);
  }

  /** Stops at once. */
  async close(): Promise<void> {
    const closed = once(this.#http, "close");
    this.#http.close();
    this.#http.closeAllConnections();
    await closed;
  }
}

async function serve(watched: Watched, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, type, body } = await answer(watched, request).catch(() => text(500, "internal error"));
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...(status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function answer(watched: Watched, { method, url = "/", headers }: IncomingMessage): Promise<Answer> {
  // A page in a browser of this machine can reach loopback by a name of its own; it cannot choose an address as the name.
  if (!isOwnName(headers.host)) return text(403, "the Host header must be an address or localhost");
  if (method !== "GET" && method !== "HEAD") return text(405, "only GET and HEAD");
  const [path] = url.split("?", 1);
  switch (path) {
    case "/livez":
      return (await watched.answers(MAX_SILENCE_MS)) ? text(200, "alive") : text(503, "an event loop is stuck or gone");
    case "/readyz":
      return watched.report().stopping ? text(503, "stopping") : text(200, "ready");
    case "/stats":
      return { status: 200, type: "application/json", body: `${JSON.stringify(watched.report())}\n` };
    case "/metrics":
      return { status: 200, type: EXPOSITION_TYPE, body: metrics(watched.report()) };
    default:
      return text(404, "there are /livez, /readyz, /stats and /metrics");
  }
}

function text(status: number, line: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${line}\n` };
}

function isOwnName(host: string | undefined): boolean {
  if (host === undefined) return false;
  const name = host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" || isIP(name) !== 0;
}
