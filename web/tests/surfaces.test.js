import assert from "node:assert/strict";
import test from "node:test";

import { optimizer } from "../core/optimizers.js";
import { SURFACES, descend, matrixProblem, surface } from "../core/surfaces.js";

/** @type {(actual: readonly number[], expected: readonly number[], within: number) => void} */
function near(actual, expected, within) {
  assert.ok(actual.every((x, i) => Math.abs(x - expected[i]) <= within), `${actual} is not ${expected}`);
}

for (const kind of SURFACES) {
  test(`${kind}: the gradient is 0 at the minimum`, () => {
    const { gradient, minimum } = surface(kind);
    near(gradient(...(minimum ?? [NaN, NaN])), [0, 0], 1e-12);
  });
}

test("the matrix problem is a bowl in its plane, and its gradient stays there", () => {
  const { f, gradient, height, weights, coordinates, start } = matrixProblem(50), w = weights(2, -0.3);
  near(coordinates(w), [2, -0.3], 1e-12);
  near([f(...w)], [height(2, -0.3)], 1e-12);
  near(gradient(...w), weights(2, 50 * -0.3), 1e-12);
  near(coordinates(start), [-4, 1.5], 1e-12);
});

test("Muon moves as far in both singular directions and stays in the plane", () => {
  const problem = matrixProblem(50), lr = 0.1;
  const path = descend(problem, optimizer("Muon", { lr, weight_decay: 0 }), 20);
  for (let i = 1; i < 10; i++) {
    const [[x, y], [x0, y0]] = [path[i], path[i - 1]].map(problem.coordinates);
    near([(x - x0) / lr, (y0 - y) / lr], [0.95, 0.95], 0.3);
    near(problem.weights(x, y), path[i], 1e-9);
  }
});

test("a path ends before it leaves the finite numbers; noise enters the gradient", () => {
  const path = descend(surface("rosenbrock"), optimizer("SGD", { lr: 0.1 }), 100);
  assert.ok(path.length < 101 && path.flat().every(Number.isFinite));
  assert.deepEqual(descend(surface("bowl"), optimizer("SGD", { lr: 1 }), 1, [0, 0], () => 0.5), [[0, 0], [-0.5, -0.5]]);
});

test("bad arguments are named", () => {
  assert.throws(() => surface("hill"), /kind is hill/);
  assert.throws(() => surface("bowl", 0), /condition is 0/);
});
