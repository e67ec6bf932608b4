/** How much is measured: in seconds to see that it works, in minutes for a look or for figures to publish. */

/**
 * `rounds`: interleaved rounds; `entries`: what TARGETS call a million; `seconds`: of one side in one round;
 * `processes`: rounds where every figure takes a fresh process; `requests`: to a server, of one side in one round;
 * `caches`: bounds in bytes of caches that are filled to see what the size of a cache changes.
 */
export const sizes = {
  smoke: {
    mode: "smoke",
    rounds: 2,
    entries: 20_000,
    seconds: 0.02,
    processes: 2,
    requests: 20_000,
    caches: [2 ** 24],
  },
  normal: {
    mode: "normal",
    rounds: 9,
    entries: 1_000_000,
    seconds: 0.3,
    processes: 3,
    requests: 200_000,
    caches: [2 ** 26, 2 ** 30],
  },
  full: {
    mode: "full",
    rounds: 9,
    entries: 1_000_000,
    seconds: 0.5,
    processes: 9,
    requests: 200_000,
    caches: [2 ** 26, 2 ** 30],
  },
};
