import assert from "node:assert/strict";
import { test } from "node:test";
import { combine, cosine, exponential, linear, oneCycle, polynomial, rates, step } from "../core/schedules.js";

/** @param {number} actual @param {number} expected */
const close = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} is not ${expected}`);

test("the pure schedules half-way", () => {
  close(linear(1, 3)(0.5), 2);
  close(cosine(1, 0)(0.5), 0.5);
  close(exponential(1, 0.01)(0.5), 0.1);
  close(polynomial(1, 0, 2)(0.5), 0.25);
  close(step(1, 0.1, [0.5, 0.25])(0.5), 0.01);
});

test("pieces follow one another, and the last goes on", () => {
  const both = combine([0.25, 0.75], [linear(0, 1), linear(1, 0)]);
  [0, 0.125, 0.25, 0.625, 1, 1.75].forEach((t, i) => close(both(t), [0, 0.5, 1, 0.5, 0, -1][i]));
  const [rate, momentum] = oneCycle();
  [0, 0.45, 0.9, 1].forEach((t, i) => close(rate(t), [0.1, 1, 0.1, 0.001][i]));
  [0, 0.45, 0.9, 1].forEach((t, i) => close(momentum(t), [0.95, 0.85, 0.95, 0.95][i]));
});

test("schedulers cycle rate and momentum", () => {
  const once = rates("OneCycleLR", { max_lr: 1, total_steps: 10, pct_start: 0.5, div_factor: 2 });
  assert.deepEqual([0, 4, 9].map((x) => once(x).momentum), [0.95, 0.85, 0.95]);
  assert.deepEqual([0, 4].map((x) => once(x).lr), [0.5, 1]);
  assert.deepEqual(rates("OneCycleLR", { max_lr: 1, epochs: 2, steps_per_epoch: 5 })(2), { lr: 1, momentum: 0.85 });
  const cycles = rates("CyclicLR", { base_lr: 0, max_lr: 1, step_size_up: 2, mode: "triangular2" });
  assert.deepEqual([0, 2, 4, 6, 10].map((x) => cycles(x).lr), [0, 1, 0, 0.5, 0.25]);
  assert.deepEqual(rates("StepLR", { step_size: 0.1 }, 2)(0.05), { lr: 2 });
});

test("what no schedule can be says so", () => {
  assert.throws(() => exponential(1, 0), /both must be above 0/);
  assert.throws(() => polynomial(1, 0, -1), /power is -1/);
  assert.throws(() => combine([0.5, 0.4], [linear(0, 1), linear(1, 0)]), /add up to 1, not to 0.9/);
  assert.throws(() => combine([1], []), /1 fractions for 0 schedules/);
  assert.throws(() => oneCycle({ annihilation: 1 }), /annihilation is 1/);
  assert.throws(() => rates("OneCycleLR", { max_lr: 1, total_steps: 9 })(10), /step 10 lies beyond/);
  assert.throws(() => rates("OneCycleLR", { max_lr: 1 }), /total_steps is NaN/);
  // @ts-expect-error: no such class
  assert.throws(() => rates("toString", {}), /name is toString/);
});
