import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULTS, KINDS, NAMES, arrowed, bands, beyond, choose, clean, ending, field, handWalk, lasting, moveTo,
  partsAt, race, rate, verdict } from "../core/race.js";
import { colours } from "../core/colour.js";
import { boxOf, curvesOf, lossLimits, magnification, near as drawn, styles } from "../core/raceview.js";
import { hintOf, verdicts } from "../playground.js";

/** @param {number} a @param {number} b */
function near(a, b) { assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`); }

/** @param {object} given as a link or Python gives it */
const state = (given = {}) => clean(/** @type {import("../core/race.js").State} */ ({ ...DEFAULTS, ...given }));

test("it opens with two optimizers on different paths, both visible and both arriving", () => {
  assert.deepEqual(clean(DEFAULTS), DEFAULTS);
  const { field, runs } = race(DEFAULTS), [sgd, momentum] = runs;
  assert.deepEqual(runs.map(({ label }) => label), ["SGD", "momentum"]);
  assert.ok(DEFAULTS.condition >= 10 && DEFAULTS.condition <= 50);
  const apart = sgd.points.map(([x, y], i) => Math.hypot(x - momentum.points[i][0], y - momentum.points[i][1]));
  assert.ok(Math.max(...apart) > 1);
  for (const { losses } of runs) assert.equal(ending(losses, 100).how, "arrived");
  assert.ok(partsAt(field, momentum, DEFAULTS.step)?.velocity);
});

test("a state that does not fit is mended, and one that fits is left alone", () => {
  const odd = state({ surface: "moon", condition: -3, start: [99, "x"], steps: 1e9, step: 700, noise: -1, seed: 0.4,
    optimizers: ["Adam", { name: "SGD", lr: 1e9 }, null, "SGD"] });
  assert.deepEqual(odd, { ...DEFAULTS, condition: 1, optimizers: [{ name: "Adam", lr: 0.1, beta1: 0.9, beta2: 0.999 },
    { name: "SGD", lr: 10 }, { name: "none" }], steps: 500, step: 500, seed: 0 });
  assert.deepEqual(state({ start: [99, -99] }).start, [5, -2.5]);
  assert.deepEqual(clean(odd), odd);
  assert.equal(state({ optimizers: ["Muon"], surface: "beale" }).surface, "matrix");
});

test("rates that sliders open with: nobody diverges or climbs, and SGD is seen moving", () => {
  for (const surface of KINDS) {
    for (const name of NAMES.filter((name) => name !== "Muon" || surface === "matrix")) {
      const { runs: [run] } = race(state({ surface, optimizers: [name], steps: 300 }));
      const { how } = ending(run.losses, 300), moved = run.losses[300] / run.losses[0];
      assert.ok((how === "arrived" || how === "away") && moved < 0.7, `${name} on ${surface}: ${how}, ${moved}`);
      assert.ok(rate(name, surface, 30) >= 1e-3, `${name} on ${surface}`);
    }
  }
  for (const condition of [1, 10, 100, 1000]) {
    const { runs } = race(state({ condition, optimizers: ["SGD", "momentum", "Nesterov"], steps: 500 }));
    for (const { losses } of runs) assert.ok(losses[500] < losses[0] / 4, String(condition));
  }
});

test("choosing Muon leads to the matrix problem, and another surface leaves it out", () => {
  const was = state({ surface: "beale", start: [1, 1], optimizers: ["SGD", "Adam"] });
  const there = { ...was, ...choose(was, 1, "Muon") };
  assert.deepEqual([there.surface, there.start], ["matrix", null]);
  assert.deepEqual(there.optimizers, state({ surface: "matrix", optimizers: ["SGD", "Muon"] }).optimizers);
  const back = { ...there, ...moveTo(there, "rosenbrock") };
  assert.deepEqual(back.optimizers, [{ name: "SGD", lr: 0.001 }, { name: "none" }, { name: "none" }]);
  const lion = state({ surface: "beale", optimizers: ["SGD", "Lion"] }).optimizers;
  assert.deepEqual(choose(was, 1, "Lion"), { optimizers: lion });
});

test("the first step is the rule's, on a surface and in the matrix problem's plane", () => {
  for (const surface of ["bowl", "matrix"]) {
    const optimizers = ["SGD", "momentum", "momentum (average)"].map((name) => ({ name, lr: 0.05 }));
    const given = state({ surface, condition: 10, start: [-4, 1.5], optimizers });
    const { field, runs: [sgd, heavy, average] } = race(given);
    const parts = partsAt(field, sgd, 0);
    [-4, 15].forEach((g, i) => near(parts?.gradient[i] ?? NaN, g));
    [0.2, -0.75].forEach((by, i) => near(parts?.step[i] ?? NaN, by));
    [-3.8, 0.75].forEach((x, i) => near(sgd.points[1][i], x));
    near(sgd.losses[0], 8 + 11.25);
    // second velocities: 0.9·15 + 7.5 and 0.9·15 + 0.1·7.5
    near(partsAt(field, heavy, 1)?.velocity?.[1] ?? NaN, 21);
    near(partsAt(field, average, 1)?.velocity?.[1] ?? NaN, 14.25);
    assert.equal(partsAt(field, sgd, 100), null);
  }
});

test("all see the same noise, and a seed repeats it", () => {
  const noisy = state({ noise: 2, optimizers: [{ name: "SGD", lr: 0.01 }, { name: "SGD", lr: 0.01 }] });
  const { runs: [a, b] } = race(noisy);
  assert.deepEqual([a.label, b.label], ["SGD (1)", "SGD (2)"]);
  assert.deepEqual(a.points, b.points);
  assert.deepEqual(race(noisy).runs[0].points, a.points);
  assert.notDeepEqual(race({ ...noisy, seed: 2 }).runs[0].points, a.points);
  const added = a.parts.map(({ gradient }, i) => gradient[0] - a.points[i][0]);   // the bowl's own is x
  assert.ok(Math.abs(Math.sqrt(added.reduce((sum, n) => sum + n * n, 0) / 100) - 2) < 0.6);
});

test("how a descent ends", () => {
  assert.deepEqual(ending([100, 5, 1, 3], 3), { how: "arrived", step: 2 });
  assert.deepEqual(ending([100, 5, 1.1], 2), { how: "away", step: null });
  assert.deepEqual(ending([4, 5, 0, 4.1], 3), { how: "climbed", step: 2 });
  assert.deepEqual(ending([4, 5], 3), { how: "diverged", step: 1 });
  assert.deepEqual(ending([4, 5, Infinity], 2), { how: "climbed", step: null });
  assert.deepEqual(ending([101, 2], 1, 1), { how: "arrived", step: 1 });
  assert.equal(verdict("momentum", [100, 5, 1, 3], 3),
    "Momentum reached 1 % of the starting height at step 2, but rose again; loss 3 after 3 steps.");
  assert.equal(verdict("momentum", [100, 1, 3, 0.9, 0.8], 4),
    "Momentum is at 1 % of the starting height or lower from step 3 on (first at step 1); loss 0.8 after 4 steps.");
  assert.equal(verdict("SGD", [101, 2], 1, 1),
    "SGD is at 1 % of the starting height or lower from step 1 on; loss 2 after 1 step.");
  assert.equal(verdict("SGD", [100, 50], 1), "SGD is not there yet: loss 50 after 1 step.");
  assert.equal(verdict("SGD", [1, 2], 9), "SGD diverged after step 1: no finite number.");
  assert.equal(verdict("SGD", [1, 2], 1), "SGD climbed: loss 2 after 1 step, from 1.");
});

test("the opening says that momentum, which is there first, stays there last", () => {
  const { field, runs } = race(DEFAULTS);
  const below = runs.map(({ losses }) => lasting(losses, (loss) => loss <= losses[0] / 100));
  assert.deepEqual(below, [24, 41]);
  const said = verdicts(DEFAULTS, { field, runs, hand: null, styles: [], colours: colours(false) });
  assert.match(said[0], /^SGD .* from step 24 on; /);
  assert.match(said[1], /^Momentum .* from step 41 on \(first at step 15\); /);
});

test("from where on something holds to the end", () => {
  const positive = (/** @type {number} */ v) => v > 0;
  assert.deepEqual([[1, -1, 2, 3], [1, 2], [1, -1], []].map((all) => lasting(all, positive)), [2, 0, null, null]);
});

test("what leaves the pictures is said, and what comes back is not", () => {
  const { field, runs: [sgd, momentum] } = race(state({ optimizers: [{ name: "SGD", lr: 10 }, "momentum"] }));
  assert.equal(beyond(sgd, field, lossLimits(curvesOf({ runs: [sgd], hand: null }))[1]),
    "SGD is off the map from step 1 on; above the loss chart, its line along the top, from step 1 on.");
  assert.equal(beyond(momentum, field, 100), "");
  assert.equal(beyond({ ...sgd, points: [[0, 0], [0, 9], [0, 0]], losses: [1, 9, NaN] }, field, 5),
    "SGD is above the loss chart, its line along the top, from step 1 on.");
});

test("arrows are one optimizer’s: the chosen one’s, else the first’s that keeps a velocity or an average", () => {
  const of = (/** @type {string[]} */ optimizers, /** @type {unknown} */ arrows = null) =>
    arrowed(state({ optimizers, arrows }));
  assert.deepEqual([of(["SGD", "momentum"]), of(["Adam", "RMSprop", "momentum"]), of(["none", "SGD"]), of(["none"])],
    [2, 1, 2, 0]);
  assert.deepEqual([0, 1, 2, 3, 7, true].map((arrows) => of(["SGD", "momentum"], arrows)), [0, 1, 2, 2, 2, 2]);
});

test("each slider’s hint fits its optimizer’s rule", () => {
  assert.deepEqual(["beta1", "beta2"].map((knob) => hintOf("Lion", knob)),
    ["share of v inside the sign", "share of v that a step keeps"]);
  assert.equal(hintOf("Adam", "beta2"), "share of the average of g² that a step keeps");
});

test("a path that diverges ends before it leaves the finite numbers, and its end is said", () => {
  const far = state({ surface: "rosenbrock", optimizers: [{ name: "SGD", lr: 0.1 }] });
  const { runs: [{ points, losses, label }] } = race(far);
  assert.ok(points.length < 101 && points.flat().every(Number.isFinite));
  assert.equal(verdict(label, losses, 100), `SGD diverged after step ${points.length - 1}: no finite number.`);
});

test("a walk by hand belongs to its kind of surface, whatever the condition", () => {
  const hand = { surface: "bowl, condition 10", path: [[-4, 1], [0, 0.2]] };
  assert.deepEqual(handWalk(hand, "bowl", field("bowl", 50))?.losses, [8 + 25, 1]);
  assert.equal(handWalk(hand, "beale", field("beale", 50)), null);
  assert.equal(handWalk({ surface: "beale", path: [[0, 0]] }, "beale", field("beale", 1)), null);
  assert.equal(handWalk(undefined, "bowl", field("bowl", 1)), null);
  const where = field("bowl", 50), scene = { runs: [], styles: [], colours: colours(false), field: where };
  assert.deepEqual(verdicts(DEFAULTS, { ...scene, hand: handWalk(hand, "bowl", where) }),
    ["The walk by hand is not there yet: loss 1 after 1 step."]);
});

test("the picture: a unit of x is one of y, bands rise, arrows grow by round numbers, curves fit", () => {
  for (const kind of KINDS) {
    const where = field(kind, 30), { xlim, ylim } = where;
    for (const width of [300, 900]) {
      const [left, top, right, bottom] = boxOf(where, width);
      near((right - left) / (xlim[1] - xlim[0]), (bottom - top) / (ylim[1] - ylim[0]));
      assert.ok(left > 53.999 && right <= width - 9 && bottom - top <= 400.001);
    }
    const band = bands(where), heights = [0, 0.2, 0.5, 1].map((t) =>
      band(where.minimum[0] + t * (xlim[0] - where.minimum[0]), where.minimum[1] + t * (ylim[0] - where.minimum[1])));
    assert.equal(heights[0], 0);
    assert.ok(heights[3] > heights[1], kind);
  }
  assert.deepEqual([100, 10, 3, 0.01, 0].map((px) => magnification(px, 60)), [1, 5, 20, 1000, 1]);
  assert.equal(drawn([[0, 0], [1, 30], [0, 1e9], [0, 0]], field("bowl", 30)), 3);
  assert.equal(drawn([[0, 0], [1, 1]], field("bowl", 30)), 2);
  assert.deepEqual(lossLimits([[30, 2], [30, 0.05, 1e300]]), [0.01, 100]);
  assert.deepEqual(lossLimits([]), [1e-12, 1e-11]);
  const dashes = styles(race(state({ optimizers: ["Adam", "Adam", "Adam"] })).runs, colours(false));
  assert.equal(new Set(dashes.map(({ dash }) => String(dash))).size, 3);
});
