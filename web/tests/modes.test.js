import assert from "node:assert/strict";
import test from "node:test";

import {
  KINDS, best, bestMomentum, eigenvalues, factor, matrix, modes, path, region, settings, slowest, tenth,
} from "../core/modes.js";
import { optimizer } from "../core/optimizers.js";

/** @type {(actual: number, expected: number, within: number) => void} */
const near = (actual, expected, within) =>
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);
const RATES = [0.03, 0.2, 0.7, 1.3], MOMENTA = [0.05, 0.4, 0.8, 0.95], CURVATURE = 2.5;
const pairs = KINDS.flatMap((kind) =>
  RATES.flatMap((z) => MOMENTA.map((momentum) => /** @type {const} */ ([kind, z, momentum]))));

test("the matrix takes the optimizer's steps", () => {
  for (const [kind, z, momentum] of pairs) {
    const rate = z / CURVATURE, [[a, b], [c, d]] = matrix(kind, rate, momentum, CURVATURE);
    let [v, p] = [0, 1];
    for (const [measured] of path(kind, rate, momentum, [CURVATURE], 40)) {
      near(p, measured, 1e-11 * Math.max(1, Math.abs(measured)));
      [v, p] = [a * v + b * p, c * v + d * p];
    }
  }
});

test("the eigenvalues are the matrix's, and their larger modulus is the factor", () => {
  for (const [kind, z, momentum] of pairs) {
    const [[a, b], [c, d]] = matrix(kind, z / CURVATURE, momentum, CURVATURE);
    const [one, two] = eigenvalues(kind, z, momentum);
    near(one.re + two.re, a + d, 1e-12);
    near(one.re * two.re - one.im * two.im, a * d - b * c, 1e-12);
    near(one.re * two.im + one.im * two.re, 0, 1e-12);
    near(Math.hypot(one.re, one.im), factor(kind, z, momentum), 1e-12);
  }
});

test("the factor is the decay that the optimizer shows", () => {
  for (const [kind, z, momentum] of pairs) {
    const points = path(kind, z, momentum, [1], 400).map(([p]) => Math.abs(p));
    const peak = (/** @type {number} */ from) => Math.max(...points.slice(from, from + 60));
    near((peak(340) / peak(140)) ** (1 / 200), factor(kind, z, momentum), 5e-3);
  }
});

test("an average's factor is that of dampening, too: only the first step differs", () => {
  const rule = optimizer("SGD", { lr: 0.5, momentum: 0.8, dampening: 0.8 }), p = [1];
  const size = Array.from({ length: 400 }, () => { rule.step(p, p); return Math.abs(p[0]); });
  const peak = (/** @type {number} */ from) => Math.max(...size.slice(from, from + 60));
  near((peak(340) / peak(140)) ** (1 / 200), factor("damped", 0.5, 0.8), 5e-3);
  assert.deepEqual(settings("damped", 0.5, 0.75), { lr: 0.125, momentum: 0.75, nesterov: false });
});

test("the two modes add up to the path; complex ones bound it, and touch it", () => {
  for (const [kind, z, momentum] of pairs) {
    const points = path(kind, z, momentum, [1], 60), found = modes(kind, z, momentum, 60);
    assert.ok(found);
    if (found.parts) points.forEach(([p], t) => near(found.parts?.[0][t] ?? 0, p - (found.parts?.[1][t] ?? 0), 1e-9));
    else assert.ok(points.every(([p], t) => Math.abs(p) <= (found.envelope?.[t] ?? 0) * (1 + 1e-9)));
    if (found.envelope) assert.ok(points.some(([p], t) => Math.abs(p) > 0.9 * (found.envelope?.[t] ?? 0)));
  }
  assert.equal(modes("heavy", 0.25, 0.25, 5), null);
});

test("regions, and the bounds of the lesson", () => {
  assert.equal(region("heavy", 0.5, 0.01), "monotone");
  assert.equal(region("heavy", 0.5, 0.6), "complex");
  assert.equal(region("heavy", 2.1, 0.1), "alternating");
  assert.equal(region("heavy", 0.25, 0.25), "critical");
  for (const momentum of MOMENTA) {
    const heavy = 2 + 2 * momentum;
    const bounds = { heavy, damped: heavy / (1 - momentum), nesterov: heavy / (1 + 2 * momentum) };
    for (const kind of KINDS) {
      assert.equal(region(kind, bounds[kind] * 1.001, momentum), "divergent");
      assert.notEqual(region(kind, bounds[kind] * 0.999, momentum), "divergent");
    }
  }
});

test("below a tenth: as the path has it, from there on, and how far it goes on the way", () => {
  for (const [kind, z, momentum] of [...pairs, /** @type {const} */ (["heavy", 0.25, 0.25])]) {
    const sizes = path(kind, z, momentum, [1], 2000).map(([p]) => Math.abs(p)), found = tenth(kind, z, momentum);
    assert.equal(found === null, factor(kind, z, momentum) >= 1);
    if (found) assert.equal(found.steps, sizes.reduce((last, p, t) => (p >= 0.1 ? t : last), 0) + 1);
    if (found) near(found.most, Math.max(...sizes), 1e-9 * found.most);
  }
});

test("no momentum of a fine grid does better than the best one", () => {
  for (const kind of KINDS) {
    for (const z of [0.05, 0.4, 0.9, 1.2, 1.6]) {
      for (const condition of [1, 4, 50]) {
        const least = Math.min(...Array.from({ length: 1000 }, (_, i) => slowest(kind, z, i / 1000, condition)));
        const found = slowest(kind, z, bestMomentum(kind, z, condition), condition);
        assert.ok(found <= least + 1e-7, `${kind} ${z} ${condition}`);
      }
    }
  }
  near(bestMomentum("heavy", 0.25), 0.25, 1e-15);
});

test("the best pair for two curvatures: no pair of a grid does better, and heavy ball's is ((√κ−1)/(√κ+1))²", () => {
  for (const kind of KINDS) {
    for (const condition of [1, 10, 100]) {
      const { z, momentum, factor: rho } = best(kind, condition);
      near(slowest(kind, z, momentum, condition), rho, 1e-6);
      for (let i = 1; i <= 300; i++) {
        for (let k = 0; k < 100; k++) assert.ok(slowest(kind, i / 50, k / 100, condition) >= rho - 1e-9);
      }
    }
  }
  near(best("heavy", 25).momentum, (4 / 6) ** 2, 1e-15);
  near(best("heavy", 25).factor, 4 / 6, 1e-15);
});
