/** SEMANTICS 5: expiry, to the millisecond and without anybody reading. */
import assert from "node:assert/strict";
import type { Check } from "./target.js";

/** Declares the checks. */
export function expiryContract(check: Check): void {
  check("an entry is a miss at the very ms it expires", {}, async ({ cache, advance }) => {
    await cache.set("k", "v", { ttl: 1000 });
    await advance(999);
    assert.equal(await cache.get("k"), "v");
    assert.equal(await cache.ttl("k"), 1);
    await advance(1);
    assert.equal(await cache.get("k"), undefined);
    assert.equal(await cache.has("k"), false);
    assert.equal(await cache.peek("k"), undefined);
    assert.equal(await cache.getEntry("k"), undefined);
    assert.equal(await cache.ttl("k"), undefined);
    assert.equal(await cache.delete("k"), false);
    assert.equal(await cache.add("k", "new"), true);
  });

  check("reports expiry", {}, async ({ cache, advance, now }) => {
    const at = now() + 5000;
    await cache.set("k", "v", { expiresAt: at });
    assert.equal((await cache.getEntry("k"))?.expiresAt, at);
    await advance(1000);
    assert.equal(await cache.ttl("k"), 4000);
    await cache.set("forever", "v");
    assert.equal(await cache.ttl("forever"), Number.POSITIVE_INFINITY);
    assert.equal((await cache.getEntry("forever"))?.expiresAt, undefined);
    assert.equal(await cache.ttl("absent"), undefined);
  });

  check("an expiry in the past deletes", {}, async ({ cache, now }) => {
    await cache.set("k", "v");
    await cache.set("k", "w", { expiresAt: now() - 1 });
    assert.equal(await cache.has("k"), false);
    assert.equal((await cache.stats()).entries, 0);
  });

  check("a write replaces the expiry unless it keeps it", {}, async ({ cache, advance }) => {
    await cache.set("k", 1, { ttl: 1000 });
    await cache.set("k", 2, { keepTtl: true });
    assert.equal(await cache.ttl("k"), 1000);
    await cache.incr("k");
    assert.equal(await cache.ttl("k"), 1000);
    await cache.set("k", 4);
    assert.equal(await cache.ttl("k"), Number.POSITIVE_INFINITY);
    await advance(2000);
    assert.equal(await cache.get("k"), 4);
  });

  check("the default ttl holds for writes that say nothing", { ttl: 500 }, async ({ cache }) => {
    await cache.set("k", "v");
    assert.equal(await cache.ttl("k"), 500);
    await cache.set("k", "v", { ttl: 50 });
    assert.equal(await cache.ttl("k"), 50);
    await cache.set("k", "v", { ttl: Number.POSITIVE_INFINITY });
    assert.equal(await cache.ttl("k"), Number.POSITIVE_INFINITY);
  });

  check("expire and persist change an expiry", {}, async ({ cache, advance }) => {
    assert.equal(await cache.expire("k", 100), false);
    assert.equal(await cache.persist("k"), false);
    await cache.set("k", "v");
    assert.equal(await cache.expire("k", 100), true);
    assert.equal(await cache.ttl("k"), 100);
    assert.equal(await cache.persist("k"), true);
    await advance(200);
    assert.equal(await cache.get("k"), "v");
    await cache.expire("k", 100);
    await advance(100);
    assert.equal(await cache.get("k"), undefined);
  });

  check("an idle ttl restarts with every use", { idleTtl: 1000 }, async ({ cache, advance }) => {
    await cache.set("k", "v");
    for (let i = 0; i < 3; i += 1) {
      await advance(900);
      assert.equal(await cache.get("k"), "v");
    }
    await advance(900);
    assert.equal(await cache.peek("k"), "v");
    await advance(100);
    assert.equal(await cache.get("k"), undefined);
    await cache.set("own", "v", { idleTtl: 50 });
    await advance(50);
    assert.equal(await cache.has("own"), false);
  });

  check("expired entries give their memory back unread", { compression: false }, async ({ cache, advance }) => {
    for (let i = 0; i < 1000; i += 1) await cache.set(`k${i}`, Buffer.alloc(1000, i), { ttl: 1000 });
    await cache.set("stays", 1);
    await advance(1000);
    // The background work goes by real time; each call gives it another moment.
    for (let i = 0; i < 1000 && (await cache.stats()).entries > 1; i += 1) {
      await new Promise((resume) => setTimeout(resume, 5));
    }
    assert.equal((await cache.stats()).entries, 1);
    assert.equal(await cache.get("stays"), 1);
  });
}
