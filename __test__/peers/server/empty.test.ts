/** Nothing where something belongs: redis-server and we answer the same, byte for byte. */
import { expect, test } from "vitest";
import { describeWithPeer } from "../needs.js";
import { bothServers } from "./both.js";
import { encode, RawClient } from "./resp.js";

describeWithPeer("redis-server", "empty keys, values, names and frames", () => {
  const servers = bothServers();

  /** What is answered up to the close. */
  async function hear(port: number, bytes: Buffer | string): Promise<string> {
    const client = await RawClient.connect(port);
    return client.sendAndDrain(Buffer.concat([Buffer.from(bytes), Buffer.from("\r\nQUIT\r\n")]));
  }

  async function areSame(bytes: Buffer | string, what: string): Promise<void> {
    const [theirs, ours] = [await hear(servers.redis.port, bytes), await hear(servers.tandem.port, bytes)];
    expect(ours, what).toBe(theirs);
  }

  test("in requests", async () => {
    for (const words of [
      "''",
      "'' '' ''",
      "FLUSHALL",
      "SET '' ''",
      "GET ''",
      "STRLEN ''",
      "SET k v EX ''",
      "SET k v ''",
      "APPEND '' ''",
      "GETRANGE '' 0 -1",
      "GETRANGE '' '' ''",
      "SETRANGE '' 0 ''",
      "SETRANGE absent 5 ''",
      "EXISTS absent",
      "INCR ''",
      "INCRBY n ''",
      "INCRBYFLOAT n ''",
      "MSET '' '' '' x",
      "MGET '' ''",
      "LCS '' ''",
      "EXPIRE '' ''",
      "TTL ''",
      "RENAME '' x",
      "RENAME x ''",
      "COPY '' y",
      "OBJECT ENCODING ''",
      "OBJECT ''",
      "TYPE ''",
      "KEYS ''",
      "SCAN '' MATCH ''",
      "SCAN 0 MATCH ''",
      "SCAN 0 ''",
      "DEL '' ''",
      "HSET '' '' ''",
      "HGET '' ''",
      "HGETALL ''",
      "HINCRBY '' '' 1",
      "HINCRBY h '' ''",
      "HDEL '' ''",
      "SADD s ''",
      "SMEMBERS s",
      "SISMEMBER s ''",
      "SMISMEMBER s '' ''",
      "SORT s BY ''",
      "SORT s ALPHA GET ''",
      "SPOP s ''",
      "SREM s ''",
      "PUBLISH '' ''",
      "SUBSCRIBE ''",
      "PSUBSCRIBE '' ''",
      "PUBSUB ''",
      "PUBSUB CHANNELS ''",
      "EVAL '' 0",
      "EVAL '' ''",
      "EVAL 'return KEYS[1]..ARGV[1]' 1 '' ''",
      "EVALSHA '' 0",
      "SCRIPT LOAD ''",
      "SCRIPT EXISTS ''",
      "SCRIPT ''",
      "AUTH ''",
      "AUTH '' ''",
      "HELLO ''",
      "HELLO 3 AUTH '' ''",
      "CLIENT SETNAME ''",
      "CLIENT GETNAME",
      "CLIENT ''",
      "CLIENT KILL ''",
      "CLIENT LIST TYPE ''",
      "CONFIG GET ''",
      "CONFIG SET '' ''",
      "ECHO ''",
      "PING ''",
      "SELECT ''",
      "SWAPDB '' ''",
      "MOVE '' ''",
      "COMMAND INFO ''",
      "MEMORY USAGE ''",
      "WATCH ''",
    ]) {
      const args = Array.from(words.matchAll(/'([^']*)'|\S+/g), ([word, quoted]) => quoted ?? word);
      await areSame(encode(args), words);
    }
  });

  test("in frames", async () => {
    for (const bytes of [
      "",
      "\r\n",
      "\n\n",
      "   \r\n",
      "*0",
      "*-1",
      "*",
      "*\r\n$",
      "$0",
      "$0\r\n\r\n",
      "$",
      "*1\r\n$0\r\n",
      "*1\r\n$-1\r\n",
      "*1\r\n$\r\n",
      "*1\r\n\r\n",
      "*2\r\n$0\r\n\r\n$0\r\n",
      "''",
      '""',
      "SET '' \"\"\r\nGET ''",
      "*1\r\n$4\r\nPING\r\n*0",
      "+",
      "-",
      ":",
      "_",
      "%0",
    ]) {
      await areSame(bytes, JSON.stringify(bytes));
    }
  });
});
