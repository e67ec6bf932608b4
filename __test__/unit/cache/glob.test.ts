import { expect, test } from "vitest";
import { globTest } from "../../../src/cache/glob.js";

test.each([
  ["*", ["", "anything"], []],
  ["", [""], ["a"]],
  ["a?c", ["abc", "a🙂c"], ["ac", "abbc"]],
  ["a*c", ["ac", "abc", "abcbc"], ["ab", "xac"]],
  ["*:*:end", ["a:b:end", "::end"], ["a:end"]],
  ["[abc]", ["a", "b"], ["d", "ab"]],
  ["[a-cx]", ["a", "c", "x"], ["d"]],
  ["[c-a]", ["b"], ["d"]],
  ["[^a-c]", ["d", "-"], ["a"]],
  ["\\*", ["*"], ["a"]],
  ["[\\]]", ["]"], ["\\"]],
  ["[ab", ["a", "b"], ["c", "["]],
  ["a\\", ["a\\"], ["a"]],
  ["**a", ["a", "ba"], ["b"]],
  [".", ["."], ["a"]],
])("%s", (pattern, matching, other) => {
  const matches = globTest(pattern);
  for (const key of matching) expect(matches(key), key).toBe(true);
  for (const key of other) expect(matches(key), key).toBe(false);
});

test("a hostile pattern takes no more than key times pattern", () => {
  const matches = globTest("a*".repeat(500));
  expect(matches(`${"a".repeat(20_000)}b`.repeat(2))).toBe(true);
  expect(globTest(`${"*a".repeat(400)}*x`)("a".repeat(20_000))).toBe(false);
  expect(() => globTest("a".repeat(1025))).toThrow(RangeError);
});
