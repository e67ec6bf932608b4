/** The contract every implementation of the cache keeps, as tests for any framework. */
import assert from "node:assert/strict";
import { capacityContract } from "./capacity.js";
import { dataContract } from "./data.js";
import { expiryContract } from "./expiry.js";
import { operationsContract } from "./operations.js";
import type { Awaitable, Check, ContractOptions, Framework, Subject } from "./target.js";
import { waitingContract } from "./waiting.js";

export type { Awaitable, ContractCache, ContractOptions, Framework, Subject, WaitingCache } from "./target.js";

/**
 * Declares the contract's tests for one implementation.
 *
 * @param name of the implementation
 * @param create makes an empty cache with the given options and a clock that stands still until it is advanced
 * @param framework `describe` and `test` of vitest, jest or `node:test`
 * @param exceptions titles of tests that do not hold for this implementation, each with the reason
 */
export function cacheContract(
  name: string,
  create: (options: ContractOptions) => Awaitable<Subject>,
  framework: Framework,
  exceptions: Readonly<Record<string, string>> = {},
): void {
  const stale = new Set(Object.keys(exceptions));
  const check: Check = (title, options, body) => {
    if (stale.delete(title)) return;
    framework.test(title, async () => {
      const subject = await create(options);
      try {
        await body(subject);
      } finally {
        await subject.cache.close();
      }
    });
  };
  const group = (title: string, declare: (check: Check) => void) =>
    framework.describe(`${name}: ${title}`, () => declare(check));
  group("data", dataContract);
  group("operations", operationsContract);
  group("capacity", capacityContract);
  group("expiry", expiryContract);
  group("waiting", waitingContract);
  framework.test(`${name}: what is left out are tests of the contract`, async () => assert.deepEqual([...stale], []));
}
