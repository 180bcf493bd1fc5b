import assert from "node:assert/strict";
import { test } from "node:test";
import { beta, random } from "../core/random.js";
import { copyPatches, crop, cutmix, cutout, erase, flip, mixup } from "../core/transforms.js";

/** Two rows of three. @param {number[]} values @param {number[]} [target] */
const image = (values, target) => ({ pixels: Float64Array.from(values), height: 2, width: 3, target });
const x = image([1, 2, 3, 4, 5, 6], [1, 0]), y = image([7, 8, 9, 10, 11, 12], [0, 1]);
/** @param {{ pixels: Float64Array }} out @param {number[]} values */
const holds = (out, values) => assert.deepEqual([...out.pixels], values);

test("geometry", () => {
  holds(crop(x, 0, 2, 1), [0, 0, 0, 2, 3, 0]);
  holds(crop(x, 0, 2, 1, 0, "edge"), [2, 3, 3, 2, 3, 3]);
  holds(crop(x, 0, 2, 1, 0, "reflect"), [5, 6, 5, 2, 3, 2]);
  holds(flip(x), [3, 2, 1, 6, 5, 4]);
  holds(flip(x, false), [1, 2, 3, 4, 5, 6]);
  holds(cutout(x, 0, 0, 2, -1), [-1, 2, 3, 4, 5, 6]);
  const patch = { pixels: Float64Array.of(8, 9), height: 1, width: 2 };
  holds(erase(x, [0, 1, 0], [0, 1, 1], [true, true, false], [patch, patch, patch]), [8, 9, 3, 4, 8, 9]);
  holds(copyPatches(x, [[1, 0], [0, 1]], [[0, 0], [1, 0]], 1, 2), [1, 1, 2, 1, 2, 6]);
  holds(x, [1, 2, 3, 4, 5, 6]);
});

test("blends, and the targets with them", () => {
  const blend = mixup(x, y, 0.75), mix = cutmix(x, y, -1, 1, 2, 9);
  holds(blend, [2.5, 3.5, 4.5, 5.5, 6.5, 7.5]);
  assert.deepEqual(blend.target, [0.75, 0.25]);
  holds(mix, [1, 8, 9, 4, 5, 6]);
  mix.target?.forEach((share, k) => assert.ok(Math.abs(share - [2 / 3, 1 / 3][k]) < 1e-15));
});

test("what lies beyond the padding says so", () => {
  assert.throws(() => crop(x, 3, 0, 1), /top is 3: it must be from 0 to 2/);
  assert.throws(() => crop(x, 0, -1, 1), /left is -1/);
  assert.throws(() => crop(x, 0, 0, 2, 0, "reflect"), /padding is 2: to reflect 2×3/);
  assert.throws(() => beta(random(0), 0), /alpha is 0/);
});

test("Beta(alpha, alpha) has its mean and variance", () => {
  const uniform = random(3), n = 20_000;
  for (const alpha of [0.05, 0.4, 1, 4]) {
    const draws = Array.from({ length: n }, () => beta(uniform, alpha) - 0.5);
    const mean = draws.reduce((a, b) => a + b) / n, variance = draws.reduce((a, b) => a + b * b, 0) / n;
    assert.ok(Math.abs(mean) < 0.02 && Math.abs(variance * 4 * (2 * alpha + 1) - 1) < 0.05, `${alpha}: ${variance}`);
  }
});
