import assert from "node:assert/strict";
import test from "node:test";

import {
  MOMENTA, MOST, RATES, arrival, begin, clean, defaults, downhill, fastest, hindered, inside, isThere, rivals, search,
  step, surfaceOf, undo,
} from "../core/byhand.js";
import { levels } from "../core/byhandview.js";
import { optimizer } from "../core/optimizers.js";
import { SURFACES, descend, surface } from "../core/surfaces.js";
import { score, shown, words } from "../descend.js";

/** @typedef {import("../core/surfaces.js").Pair} Pair */
/** @param {import("../core/byhand.js").State} s @param {Partial<typeof s>} [patch] */
const after = (s, patch = {}) => ({ ...s, ...patch, ...step({ ...s, ...patch }) });

test("there at the first point with 1 % of the start's height left", () => {
  const on = surface("bowl", 10);
  assert.equal(arrival(on, [[10, 0], [2, 0], [1.0001, 0]]), null);
  assert.equal(arrival(on, [[10, 0], [2, 0], [1, 0], [5, 0], [0, 0]]), 2);
  assert.equal(arrival(surface("saddle"), [[0, 0], [0, -1]]), 1);
});

test("chosen points: a path, its end, and back", () => {
  let s = after(defaults, { next: [-3, 0] });
  assert.deepEqual([s.path, s.velocities, s.next], [[[-4, 1.5], [-3, 0]], [[0, 0], [0, 0]], [-2, -1.5]]);
  assert.deepEqual(undo(s), { path: [[-4, 1.5]], velocities: [[0, 0]], next: [-3, 0] });
  assert.match(hindered({ ...s, next: [-3, 0] }), /choose another/);
  s = after(s, { next: [0.1, 0] });
  assert.ok(isThere(s) && shown(s));
  assert.deepEqual(step(s), {});
  assert.match(words(s), /^You are there, in 2 steps/);
});

test("steered steps are SGD's, with settings that change between them", () => {
  const plan = [[0.05, 0], [0.05, 0.5], [0.01, 0.9], [0.1, 0.3]], on = surface("beale");
  const rule = optimizer("SGD", { lr: 1, momentum: 0 }), p = on.start.slice();
  let s = { ...defaults, ...begin("beale", 10), way: /** @type {typeof defaults.way} */ ("steer") };
  for (const [rate, momentum] of plan) {
    s = after(s, { rate, momentum });
    Object.assign(rule.hyperparameters, { lr: rate, momentum: momentum || 1e-300 }); // at 0 it would keep no velocity
    rule.step(p, on.gradient(p[0], p[1]));
    assert.deepEqual(s.path[s.path.length - 1], p);
  }
  assert.deepEqual(clean(JSON.parse(JSON.stringify(s))), s);
  const first = step({ ...s, rate: 10 }), second = step({ ...s, ...first, rate: 10 });
  assert.match(hindered({ ...s, ...first, ...second, rate: 10 }), /beyond all bounds/);
});

for (const kind of SURFACES) {
  test(`${kind}: the optimizers to beat are there when they say, and no rate of the list is faster`, () => {
    const on = surface(kind);
    const [plain, heavy] = rivals(on, on.start);
    assert.ok(plain && heavy && heavy.steps <= plain.steps);
    for (const { rate, momentum, steps, path } of [plain, heavy]) {
      const walk = /** @type {Pair[]} */ (descend(on, optimizer("SGD", { lr: rate, momentum }), steps));
      assert.deepEqual(path, walk);
      assert.equal(arrival(on, walk), steps);
    }
    for (const lr of RATES) {
      const walk = /** @type {Pair[]} */ (descend(on, optimizer("SGD", { lr }), plain.steps - 1));
      assert.equal(arrival(on, walk), null);
    }
    assert.ok(MOMENTA.includes(heavy.momentum) && plain.momentum === 0);
  });
}

test("none is there where nothing moves", () => {
  assert.equal(fastest(surface("saddle"), [-1.5, 0], [0], [0.1, 1]), null);
  assert.equal(fastest(surface("bowl"), [-4, 1.5], [0], [1e-6]), null);
  assert.equal(MOST, 1000);
});

test("the score, once it is known", () => {
  const s = { ...defaults, ...begin("bowl", 7, [-4, 1]) };
  assert.equal(score(s), "…");
  search(s);
  assert.match(score(s), /^SGD at its best fixed rate, [\d.]+: \d+ steps; at its best rate and momentum, [\d.]+ and /);
  assert.match(words(s), /^Step 0: loss 11.5; gradient \(−4, 7\)\.\nTo beat: SGD/);
  assert.ok(!shown(s) && shown({ ...s, map: true }));
});

test("downhill is against the gradient; a point stays in the picture", () => {
  const on = surface("bowl", 10), [x, y] = downhill(on, [-4, 1.5]), length = Math.hypot(4, 15);
  assert.ok(Math.abs(x + 4 - (1.5 * 4) / length) < 1e-12 && Math.abs(y - 1.5 + (1.5 * 15) / length) < 1e-12);
  assert.deepEqual(downhill(on, [0, 0]), [0, 0]);
  assert.deepEqual(inside(on, [99, 0.123456]), [5, 0.12]);
  assert.equal(surfaceOf({ surface: "beale", condition: 3 }), surfaceOf({ surface: "beale", condition: 5 }));
});

test("a link's state is mended; a path without velocities gets some", () => {
  const bad = { ...defaults, surface: "hill", condition: -1, path: /** @type {Pair[]} */ ([]), rate: 1e9, momentum: -1,
    next: /** @type {Pair} */ (/** @type {unknown} */ (["x"])) };
  assert.deepEqual(clean(bad), { ...defaults, ...begin("bowl", 1), rate: 10, momentum: 0 });
  const walked = clean({ ...defaults, path: [[1, 1], [0, 1], [2, 2]] });
  assert.deepEqual(walked.velocities, [[0, 0], [0, 0], [0, 0]]);
  assert.equal(clean({ ...defaults, path: Array.from({ length: 999 }, () => [1, 1]) }).path.length, 201);
});

test("the map's shades: each a constant factor above the one below", () => {
  const found = levels(Float64Array.from({ length: 1001 }, (_, i) => i));
  assert.equal(found.length, 13);
  assert.ok(Math.abs(found[0] - 10) < 1e-12 && Math.abs(found[12] - 1000) < 1e-9);
  assert.ok(Math.abs(found[1] / found[0] - found[12] / found[11]) < 1e-9);
});
