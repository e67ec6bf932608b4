import { describe, test } from "vitest";
import { Cache } from "../../src/index.js";
import { cacheContract } from "../../src/testing/index.js";

cacheContract(
  "embedded cache",
  (options) => {
    let time = 1_700_000_000_000;
    const now = () => time;
    const advance = (ms: number) => {
      time += ms;
    };
    return { cache: new Cache({ maxBytes: "64mb", clock: now, ...options }), now, advance };
  },
  { describe, test },
);
