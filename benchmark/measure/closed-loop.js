/**
 * A closed loop for servers of any protocol, as long as all replies to a command are of one length: redis-benchmark
 * speaks RESP only, memcached does not.
 */
import { connect } from "node:net";
import { cpuSeconds } from "./server-process.js";

/** How a server is asked, and how long its answer is, for `valueBytes` of value. */
export const protocols = {
  resp: {
    get: (key) => `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`,
    got: (_key, value) => `$${value.length}\r\n${value}\r\n`,
    set: (key, value) => `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`,
    stored: "+OK\r\n",
  },
  memcached: {
    get: (key) => `get ${key}\r\n`,
    got: (key, value) => `VALUE ${key} 0 ${value.length}\r\n${value}\r\nEND\r\n`,
    set: (key, value) => `set ${key} 0 0 ${value.length}\r\n${value}\r\n`,
    stored: "STORED\r\n",
  },
};

const keyOf = (number) => `key:${String(number).padStart(12, "0")}`;

/** Clients of one server that hold their connections from load to load. */
export class ClosedLoop {
  #server;
  #protocol;
  #value;
  #keys;
  #clients;

  /** Connects and stores every key, so that a GET hits. */
  static async start(server, protocol, { connections, keys, valueBytes }) {
    const loop = new ClosedLoop();
    loop.#server = server;
    loop.#protocol = protocols[protocol];
    loop.#value = "x".repeat(valueBytes);
    loop.#keys = keys;
    loop.#clients = await Promise.all(Array.from({ length: connections }, () => Client.connect(server.port)));
    let number = 0;
    await loop.#run("set", keys, () => number++);
    return loop;
  }

  /** Sends `requests` of `command` over keys at random; resolves with CPU-seconds of the server per million, and the rate. */
  async load(command, requests) {
    const before = cpuSeconds(this.#server.pid);
    const begun = performance.now();
    await this.#run(command, requests, () => Math.floor(Math.random() * this.#keys));
    const seconds = (performance.now() - begun) / 1000;
    return { cpu: ((cpuSeconds(this.#server.pid) - before) * 1e6) / requests, rate: requests / seconds };
  }

  stop() {
    for (const client of this.#clients) client.close();
  }

  async #run(command, requests, nextKey) {
    const { get, got, set, stored } = this.#protocol;
    let left = requests;
    const next = () => {
      if (left === 0) return undefined;
      left--;
      const key = keyOf(nextKey());
      return command === "get"
        ? { request: get(key), answer: got(key, this.#value) }
        : { request: set(key, this.#value), answer: stored };
    };
    await Promise.all(this.#clients.map((client) => client.run(next)));
  }
}

/** A connection with one request under way. */
class Client {
  #socket;
  #answer = "";
  #received = "";
  #next;
  #done;
  #failed;

  static connect(port) {
    const client = new Client();
    client.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    client.#socket.setEncoding("latin1");
    client.#socket.on("data", (chunk) => client.#receive(chunk));
    client.#socket.on("error", (error) => client.#failed?.(error));
    client.#socket.on("close", () => client.#failed?.(new Error("the server closed a connection")));
    return new Promise((resolve, reject) => {
      client.#failed = reject;
      client.#socket.once("connect", () => resolve(client));
    });
  }

  /** Sends what `next` returns, one after the other, until it returns `undefined` and all is answered. */
  run(next) {
    return new Promise((resolve, reject) => {
      this.#next = next;
      this.#done = resolve;
      this.#failed = reject;
      this.#send();
    });
  }

  close() {
    this.#failed = undefined;
    this.#socket.destroy();
  }

  #send() {
    const next = this.#next();
    if (next === undefined) return this.#done();
    this.#answer = next.answer;
    this.#received = "";
    this.#socket.write(next.request, "latin1");
  }

  #receive(chunk) {
    this.#received += chunk;
    if (this.#received === this.#answer) this.#send();
    else if (!this.#answer.startsWith(this.#received)) {
      this.#failed(new Error(`the server answered ${this.#received.slice(0, 100)}`));
    }
  }
}
