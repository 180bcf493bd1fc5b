import assert from "node:assert/strict";
import test from "node:test";

import { OPTIMIZERS, hyperparameters, optimizer, preset } from "../core/optimizers.js";
import { descend, matrixProblem, surface } from "../core/surfaces.js";

test("a step and its parts, by hand", () => {
  const opt = optimizer("SGD", { lr: 0.5, momentum: 0.5 }), p = [1, 2];
  assert.deepEqual(opt.step(p, [2, 0]), { gradient: [2, 0], velocity: [2, 0], step: [-1, 0] });
  assert.deepEqual(opt.step(p, [2, 4]), { gradient: [2, 4], velocity: [3, 4], step: [-1.5, -2] });
  assert.deepEqual(p, [-1.5, 0]);
});

test("parts keep what they said, and a changed rate holds from the next step on", () => {
  const opt = optimizer("Lion", { lr: 0.5 }), p = [0, 0], g = [3, -1];
  const parts = opt.step(p, g), said = structuredClone(parts);
  opt.hyperparameters.lr = 2;
  g[0] = -1000;
  assert.deepEqual(opt.step(p, g).step, [2, 2]);
  assert.deepEqual(parts, said);
});

for (const key of Object.keys(OPTIMIZERS)) {
  test(`${key}: its sliders begin within their range, and it descends`, () => {
    const { defaults, knobs } = OPTIMIZERS[key], problem = key === "Muon" ? matrixProblem() : surface("bowl");
    for (const { name, min, max } of knobs) assert.ok(min <= defaults[name] && defaults[name] <= max);
    const path = descend(problem, preset(key), 100), height = /** @type {(...p: number[]) => number} */ (problem.f);
    assert.ok(height(...path[100]) < height(...path[0]));
  });
}

test("an average's dampening follows its momentum; betas are two sliders", () => {
  assert.deepEqual(hyperparameters("momentum (average)", { momentum: 0.5 }),
    { lr: 0.2, momentum: 0.5, dampening: 0.5 });
  assert.deepEqual(hyperparameters("Adam", { beta1: 0.5 }), { lr: 0.1, betas: [0.5, 0.999] });
});

test("Muon takes a vector as one row", () => {
  assert.equal(preset("Muon", {}, { rows: 1, columns: 3 }).step([0, 0, 0], [1, 2, 3]).step.length, 3);
});

test("bad arguments are named", () => {
  assert.throws(() => optimizer("Sgd"), /name is Sgd/);
  assert.throws(() => optimizer("SGD", { alpha: 0.5 }), /alpha is no hyperparameter of SGD/);
  assert.throws(() => optimizer("SGD", { lr: NaN }), /lr is NaN/);
  assert.throws(() => preset("sgd"), /key is sgd/);
  assert.throws(() => optimizer("SGD").step([1, 2], [1]), /g has 1 numbers/);
  assert.throws(() => preset("Muon").step([1, 2], [1, 2]), /p has 2 numbers/);
});

test("three optimizers run 300 steps well within a slider's move", (t) => {
  const run = () => ["momentum", "Adam", "NAdam"].forEach((key) => descend(surface("bowl"), preset(key), 300));
  for (let i = 0; i < 200; i++) run();
  const before = performance.now();
  for (let i = 0; i < 20; i++) run();
  const ms = (performance.now() - before) / 20;
  t.diagnostic(`${ms.toFixed(2)} ms`);
  assert.ok(ms < 20);
});
