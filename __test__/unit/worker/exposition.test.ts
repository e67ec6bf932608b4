import { expect, test } from "vitest";
import { Exposition } from "../../../src/worker/admin/exposition.js";

test("labels may hold anything", () => {
  const out = new Exposition();
  out.gauge("g", "A gauge.", 1.5, { a: 'quote " slash \\ break \n', b: "é" });
  expect(String(out)).toBe('# HELP g A gauge.\n# TYPE g gauge\ng{a="quote \\" slash \\\\ break \\n",b="é"} 1.5\n');
});

test("a histogram has its bounds, infinity, sum and count", () => {
  const out = new Exposition();
  out.histograms("h_seconds", "Times.", [[{ x: "1" }, { bounds: [0.001, 2], upTo: [3, 4], count: 5, sum: 7.5 }]]);
  expect(String(out).split("\n").slice(2)).toEqual([
    'h_seconds_bucket{x="1",le="0.001"} 3',
    'h_seconds_bucket{x="1",le="2"} 4',
    'h_seconds_bucket{x="1",le="+Inf"} 5',
    'h_seconds_sum{x="1"} 7.5',
    'h_seconds_count{x="1"} 5',
    "",
  ]);
});

test("a metric without series has no help either", () => {
  const out = new Exposition();
  out.counters("a_total", "None.", []);
  out.histograms("b_seconds", "None.", []);
  out.counter("c_total", "One.", 2);
  expect(String(out)).toBe("# HELP c_total One.\n# TYPE c_total counter\nc_total 2\n");
});
