import assert from "node:assert/strict";
import test from "node:test";

import {
  MOMENTA, MOST, RATES, STAY, again, arrival, begin, clean, defaults, downhill, fastest, height, hindered, inside,
  isThere, rivals, search, shown, startOf, step, surfaceOf, undo,
} from "../core/byhand.js";
import { levels } from "../core/byhandview.js";
import { optimizer } from "../core/optimizers.js";
import { SURFACES, descend, surface } from "../core/surfaces.js";
import { away, score, words } from "../descend.js";

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
  assert.deepEqual([s.path, s.velocities, s.next], [[[-4, 1.5], [-3, 0]], [[0, 0], [0, 0]], [-1.5, 0]]);
  assert.deepEqual(undo(s), { path: [[-4, 1.5]], velocities: [[0, 0]], next: [-3, 0], seen: false });
  assert.match(hindered({ ...s, next: [-3, 0] }), /choose another/);
  s = after(s, { next: [0.1, 0] });
  assert.ok(isThere(s) && shown(s));
  assert.deepEqual(step(s), {});
  assert.match(words(s), /^You are there, in 2 steps\.\n/);
  const known = again(s, s.surface, 10, s.path[0]);
  assert.ok(!s.seen && undo(s).seen && known.seen && !again(s, "beale", 10).seen && clean({ ...s, map: true }).seen);
  assert.match(words(after({ ...s, ...known }, { next: [0, 0] })), /^You are there, in 1 step, having seen the map\./);
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
  test(`${kind}: the optimizers to beat are there when they say and stay, and no rate of the list is faster`, () => {
    const on = surface(kind);
    const [plain, heavy] = rivals(on, on.start);
    assert.ok(plain && heavy && heavy.steps <= plain.steps);
    for (const { rate, momentum, steps, path } of [plain, heavy]) {
      const walk = /** @type {Pair[]} */ (descend(on, optimizer("SGD", { lr: rate, momentum }), steps));
      assert.deepEqual(path, walk);
      assert.equal(arrival(on, walk), steps);
      const later = descend(on, optimizer("SGD", { lr: rate, momentum }), steps + STAY).slice(steps);
      assert.equal(later.length, STAY + 1);
      for (const p of later) assert.ok(height(on, /** @type {Pair} */ (p)) <= 0.01 * height(on, on.start));
    }
    for (const lr of RATES) {
      const walk = /** @type {Pair[]} */ (descend(on, optimizer("SGD", { lr }), plain.steps - 1 + STAY));
      const first = arrival(on, walk.slice(0, plain.steps));
      const left = first === null ? [] : walk.slice(first, first + STAY + 1).map((p) => height(on, p));
      const stays = left.length > STAY && left.every((h) => h <= 0.01 * height(on, on.start));
      assert.ok(!stays, `${lr}`);
    }
    assert.ok(MOMENTA.includes(heavy.momentum) && plain.momentum === 0);
  });
}

test("a higher condition is never easier; both directions of the bowl hold a good part of the height", () => {
  assert.deepEqual(startOf("bowl", 10), surface("bowl", 10).start);
  assert.deepEqual(startOf("beale", 99), surface("beale").start);
  let was = 0;
  for (const condition of [4, 10, 30, 100, 300, 1000]) {
    const on = surface("bowl", condition), [x, y] = startOf("bowl", condition), [plain, heavy] = rivals(on, [x, y]);
    const share = (condition * y * y) / 2 / height(on, [x, y]);
    assert.ok(share > 0.5 && share < 0.65 && x === -4, `${condition}: ${share}`);
    assert.ok((plain?.steps ?? MOST) >= was && heavy && heavy.steps <= (plain?.steps ?? MOST), `${condition}`);
    was = plain?.steps ?? MOST;
  }
});

test("a fly-by is no arrival", () => {
  const on = surface("beale"), rule = optimizer("SGD", { lr: 0.3, momentum: 0.2 });
  const path = /** @type {Pair[]} */ (descend(on, rule, 4));
  assert.equal(arrival(on, path), 2);
  assert.equal(fastest(on, on.start, [0.2], [0.3]), null);
});

test("none is there where nothing moves", () => {
  assert.equal(fastest(surface("saddle"), [-1.5, 0], [0], [0.1, 1]), null);
  assert.equal(fastest(surface("bowl"), [-4, 1.5], [0], [1e-6]), null);
  assert.equal(MOST, 1000);
});

test("the score, once it is known", () => {
  const s = { ...defaults, ...begin("bowl", 7, [-4, 1]) };
  assert.equal(score(s), "…");
  search(s);
  assert.match(score(s),
    /^SGD \(rate [\d.]+\): \d+ steps\nSGD with momentum \(rate [\d.]+, momentum [\d.]+\): \d+ steps$/);
  assert.match(words(s), /^Step 0: loss 11.5; gradient \(−4, 7\)\.\nTo beat:\nSGD/);
  assert.match(words({ ...s, path: [...s.path, [9e5, 0]] }), /^Step 1: loss 4.05×10¹¹, far above the start;/);
  assert.match(words({ ...s, path: [[0, 0]] }), /begin at the bottom/);
  assert.equal(away(s, [-4.5, 1.25]), "0.5 left, 0.25 up");
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
