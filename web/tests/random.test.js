import assert from "node:assert/strict";
import test from "node:test";

import { integer, normal, random } from "../core/random.js";

/** @param {number} n @param {() => number} draw */
const draws = (n, draw) => Array.from({ length: n }, draw);
/** @param {number[]} x */
const mean = (x) => x.reduce((sum, value) => sum + value, 0) / x.length;

test("a seed repeats its draws, another gives others", () => {
  assert.deepEqual(draws(5, random(3)), draws(5, random(3)));
  assert.notDeepEqual(draws(5, random(3)), draws(5, random(4)));
  assert.equal(random(1)(), 0.6270739405881613);           // mulberry32's first draw for 1
});

test("uniform draws fill [0, 1), normal ones have mean 0 and standard deviation 1", () => {
  const uniform = draws(20000, random(1)), z = draws(20000, normal(random(2)));
  assert.ok(uniform.every((x) => x >= 0 && x < 1) && Math.abs(mean(uniform) - 0.5) < 0.01);
  assert.ok(Math.abs(mean(z)) < 0.02 && Math.abs(mean(z.map((x) => x * x)) - 1) < 0.03);
  assert.ok(Math.abs(mean(z.map((x, i) => x * (z[i + 1] ?? 0)))) < 0.02);
});

test("whole numbers come equally often", () => {
  const uniform = random(5), counts = [0, 0, 0];
  for (let i = 0; i < 9000; i++) counts[integer(uniform, 3)]++;
  assert.ok(counts.every((count) => Math.abs(count - 3000) < 150));
});

test("bad arguments are named", () => {
  assert.throws(() => random(0.5), /seed is 0.5/);
  assert.throws(() => integer(random(1), 0), /n is 0/);
});
