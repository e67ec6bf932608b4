import { expectTypeOf, test } from "vitest";
import { Cache, type CacheEvent, type CacheOptions, type Codec, type Entry } from "../../src/index.js";
import { LRUCache } from "../../src/lru/index.js";
import { cacheContract } from "../../src/testing/index.js";

interface User {
  id: number;
  name: string;
}

declare const users: Cache<User>;

test("the value type runs through every operation", () => {
  expectTypeOf(users.get("k")).toEqualTypeOf<User | undefined>();
  expectTypeOf(users.peek(new Uint8Array())).toEqualTypeOf<User | undefined>();
  expectTypeOf(users.take("k")).toEqualTypeOf<User | undefined>();
  expectTypeOf(users.getMany(["a", Buffer.from("b")])).toEqualTypeOf<(User | undefined)[]>();
  expectTypeOf(users.getEntry("k")).toEqualTypeOf<Entry<User> | undefined>();
  expectTypeOf([...users]).toEqualTypeOf<[string | Buffer, User][]>();
  users.set("k", { id: 1, name: "Ada" }, { ttl: 1000, cost: 2, ifVersion: 0n });
  // @ts-expect-error no user
  users.set("k", "text");
  // @ts-expect-error no key
  users.get(1);
});

test("bytes and numbers come back as such", () => {
  expectTypeOf(users.getBuffer("k")).toEqualTypeOf<Buffer | undefined>();
  expectTypeOf(users.getInto("k", new Uint8Array(8))).toEqualTypeOf<number | undefined>();
  expectTypeOf(users.setEntry("k", { id: 1, name: "Ada" })).toEqualTypeOf<bigint>();
  expectTypeOf(users.add("k", { id: 1, name: "Ada" })).toEqualTypeOf<boolean>();
  expectTypeOf(users.incr("n")).toEqualTypeOf<number>();
  expectTypeOf(users.ttl("k")).toEqualTypeOf<number | undefined>();
  expectTypeOf(users.resize("1gb")).toEqualTypeOf<Promise<void>>();
});

test("options are those that exist", () => {
  const codec: Codec = { encode: () => new Uint8Array(), decode: () => null };
  const options: CacheOptions = { maxBytes: "1gb", policy: "lru", compression: { minBytes: 100 }, codec };
  expectTypeOf(new Cache<User>(options)).toEqualTypeOf<Cache<User>>();
  expectTypeOf(Cache.open<User>("users", options)).toEqualTypeOf<Cache<User>>();
  // @ts-expect-error misspelt
  new Cache({ maxByte: 5 });
  // @ts-expect-error the name goes through open
  new Cache({}, "name");
  // @ts-expect-error add decides by presence
  users.add("k", { id: 1, name: "Ada" }, { ifVersion: 1n });
});

test("events have names", () => {
  users.on("evict", (events) => expectTypeOf(events).toEqualTypeOf<readonly CacheEvent[]>());
  // @ts-expect-error not an event
  users.on("evicted", () => undefined);
});

test("the door has the types of lru-cache, with keys that are primitives", () => {
  const cache = new LRUCache<string, User, { trace: boolean }>({
    max: 5,
    dispose: (value, key, reason) => {
      expectTypeOf(value).toEqualTypeOf<User>();
      expectTypeOf(key).toEqualTypeOf<string>();
      expectTypeOf(reason).toEqualTypeOf<"evict" | "set" | "delete" | "expire" | "fetch">();
    },
    fetchMethod: async (_key, _stale, { context }) => {
      expectTypeOf(context).toEqualTypeOf<{ trace: boolean }>();
      return undefined;
    },
  });
  expectTypeOf(cache.get("k")).toEqualTypeOf<User | undefined>();
  expectTypeOf(cache.fetch("k")).toEqualTypeOf<Promise<User | undefined>>();
  expectTypeOf(cache.set("k", { id: 1, name: "Ada" })).toEqualTypeOf<typeof cache>();
  const [key] = new LRUCache<number | bigint | boolean, User>({ max: 5 }).keys();
  expectTypeOf(key).toEqualTypeOf<number | bigint | boolean | undefined>();
  cache.allowStale = true;
  // @ts-expect-error fixed when the cache is made
  cache.max = 7;
  // @ts-expect-error keys are copied
  new LRUCache<object, User>({ max: 5 });
});

test("the contract takes the embedded cache", () => {
  expectTypeOf(cacheContract).parameter(1).returns.resolves.toHaveProperty("cache");
  expectTypeOf<Cache>().toExtend<import("../../src/testing/index.js").ContractCache>();
});
