/** What does not run on the oldest Node that Tandem supports. */
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis6";
import { expect, onTestFinished, test } from "vitest";
import { listen } from "../listen.js";
import { expectAbout, startWorker } from "../worker.js";

const worker = await startWorker();

test("connect-redis 10 keeps the sessions of express-session", async () => {
  const client = await createClient({ url: `redis://127.0.0.1:${worker.port}` }).connect();
  onTestFinished(() => client.destroy());
  const app = express();
  const store = new RedisStore({ client, ttl: 100 });
  app.use(session({ store, secret: "secret", resave: false, saveUninitialized: false }));
  app.get("/count", (request, response) => {
    request.session.count = (request.session.count ?? 0) + 1;
    response.send(`${request.session.count}`);
  });
  app.get("/leave", (request, response) => request.session.destroy(() => response.send("gone")));
  const address = await listen(app);
  const first = await fetch(`${address}/count`);
  const headers = { cookie: first.headers.get("set-cookie").split(";")[0] };
  expect(await first.text()).toBe("1");
  expect(await (await fetch(`${address}/count`, { headers })).text()).toBe("2");
  const [key] = await client.keys("sess:*");
  expectAbout(await client.ttl(key), 100);
  await fetch(`${address}/leave`, { headers });
  expect(await client.exists(key)).toBe(0);
  expect(await (await fetch(`${address}/count`, { headers })).text()).toBe("1");
});
