import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, code, curves, edges, fair, piece, PRESETS, presetOf } from "../core/design.js";
import { add, change, lacking, moveEdge, nextHeight, remove, reorder, setHeight, setShare, warmUp, words }
  from "../core/design_edits.js";
import { oneCycle, rates } from "../core/schedules.js";
import { spec } from "../schedule.js";

/** @typedef {import("../schedule.js").State} State */
const own = { peak: 0.1, steps: 300, batches: false, log: false };
const preset = (/** @type {string} */ name) => ({ ...own, ...structuredClone(PRESETS[name]) });
const pieces = (/** @type {Partial<State>} */ { pieces = [] }) =>
  pieces.map(({ kind, share, end }) => [kind, share, end]);
const wsd = preset("warm-up, stable, decay (WSD)");

test("a preset is the class that it names, at each batch", () => {
  const length = 301;
  const one = rates("OneCycleLR", { max_lr: 0.1, total_steps: length, pct_start: (0.3 * 300 + 1) / length });
  /** @type {[string, import("../core/schedules.js").AfterSteps][]} */
  const same = [["1cycle (OneCycleLR)", one],
    ["cosine (CosineAnnealingLR)", rates("CosineAnnealingLR", { T_max: 300 }, 0.1)],
    ["1cycle (one_cycle)", (x) => ({ lr: 0.1 * oneCycle()[0](x / 300), momentum: oneCycle()[1](x / 300) })],
    ["steps (StepLR)", rates("StepLR", { step_size: 100 }, 0.1)],
    ["restarts (CosineAnnealingWarmRestarts)", rates("CosineAnnealingWarmRestarts", { T_0: 75 }, 0.1)]];
  for (const [name, at] of same) {
    const { lr, momentum } = curves(preset(name));
    for (let x = 0; x < 300; x++) {
      const wanted = { momentum: 0.9, ...at(x) };
      assert.ok(Math.abs(lr(x / 300) - wanted.lr) < 1e-10, `${name}: ${lr(x / 300)} at ${x}, not ${wanted.lr}`);
      assert.ok(Math.abs(momentum(x / 300) - wanted.momentum) < 1e-9, `${name}: momentum at ${x}`);
    }
  }
});

test("all presets are designs that need no mending, and are known again", () => {
  for (const name of Object.keys(PRESETS)) {
    assert.deepEqual(clean(preset(name)), preset(name));
    assert.equal(presetOf({ ...preset(name), peak: 3 }), name);
  }
  assert.equal(presetOf({ ...preset("warm-up + cosine"), start: 0.5 }), "");
  assert.deepEqual(spec.defaults, preset("1cycle (OneCycleLR)"));
});

test("shares are whole hundredths that add up to 1", () => {
  assert.deepEqual(fair([1, 1, 1]), [0.34, 0.33, 0.33]);
  assert.deepEqual(fair([0.1 + 0.2, 0.7]), [0.3, 0.7]);
  assert.deepEqual(fair([0, NaN]), [0.5, 0.5]);
  assert.deepEqual(fair([1, 0, 0]), [0.98, 0.01, 0.01]);
  const six = fair([1, 1, 1, 1, 1, 1]).map((share) => piece("hold", share, 1));
  assert.deepEqual(edges(six), [0, 0.17, 0.34, 0.51, 0.68, 0.84, 1]);
});

test("what a piece gains, its neighbour gives", () => {
  assert.deepEqual(pieces(setShare(wsd, 0, 0.3)), [["linear", 0.3, 1], ["hold", 0.5, 1], ["linear", 0.2, 0]]);
  assert.deepEqual(pieces(setShare(wsd, 2, 0.3)), [["linear", 0.1, 1], ["hold", 0.6, 1], ["linear", 0.3, 0]]);
  assert.deepEqual(pieces(moveEdge(wsd, 1, 2)), [["linear", 0.1, 1], ["hold", 0.89, 1], ["linear", 0.01, 0]]);
  assert.deepEqual(pieces(remove(wsd, 0)), [["hold", 0.8, 0], ["linear", 0.2, 0]]);
  assert.deepEqual(pieces(add(preset("1cycle (OneCycleLR)"))),
    [["cosine", 0.3, 1], ["hold", 0.35, 1], ["cosine", 0.35, 4e-6]]);
  const warm = warmUp(preset("cosine (CosineAnnealingLR)"));
  assert.deepEqual([warm.start, pieces(warm)], [0, [["linear", 0.1, 1], ["cosine", 0.9, 0]]]);
});

test("a hold ends where it starts, and its end moves both", () => {
  assert.deepEqual(pieces(setHeight(wsd, 2, 0.5)), [["linear", 0.1, 0.5], ["hold", 0.7, 0.5], ["linear", 0.2, 0]]);
  const first = reorder(wsd, 1, 0);
  assert.deepEqual(pieces(first), [["hold", 0.7, 0], ["linear", 0.1, 1], ["linear", 0.2, 0]]);
  assert.equal(setHeight({ ...wsd, ...first }, 1, 0.5).start, 0.5);
});

test("no factor leads to or from 0", () => {
  const { start, pieces: mended } = change({ ...wsd, ...change(wsd, 2, { kind: "exponential" }) }, 0, { kind: "step" });
  assert.deepEqual([start, mended[0].end, mended[2].end], [1e-6, 1, 1e-6]);
  const flat = clean({ ...wsd, start: 0, pieces: [piece("hold", 0.5, 1), piece("step", 0.5, 0.1)] });
  assert.deepEqual([flat.start, flat.pieces[0].end], [1e-6, 1e-6]);
});

test("a link may say anything", () => {
  const wild = { ...wsd, start: -1, peak: 1e9, high: 2, low: -1, steps: 1.5,
    pieces: [null, 3, { kind: "toString" }, { kind: "polynomial", share: Infinity, end: "a", power: 99, times: 0.4 }] };
  assert.deepEqual(clean(/** @type {State} */ (/** @type {unknown} */ (wild))), { ...wsd, start: 0, peak: 10,
    high: 0.99, low: 0.01, steps: 10, pieces: [{ kind: "polynomial", share: 1, end: 0, power: 6, times: 1 }] });
  assert.deepEqual(pieces(clean({ ...wsd, pieces: [] })), [["cosine", 1, 0]]);
  assert.equal(clean({ ...wsd, pieces: Array.from({ length: 20 }, () => piece("linear", 1, 1)) }).pieces.length, 8);
});

test("the code is short", () => {
  const text = code({ ...wsd, ...setShare(wsd, 0, 0.1 + 0.2), cycle: true, high: 0.95, low: 0.85 });
  assert.match(text, /^from miniai\.sched import BatchSchedCB, ScheduleLR, combine, linear$/m);
  assert.match(text, /^shares = \[0\.3, 0\.5, 0\.2\]/m);
  assert.match(text, /^lr = combine\(shares, \[linear\(0, 1\), linear\(1, 1\), linear\(1, 0\)\]\)$/m);
  assert.match(text, /^momentum = .*linear\(0\.95, 0\.85\), linear\(0\.85, 0\.85\), linear\(0\.85, 0\.95\)\]\)$/m);
  const steps = preset("steps (StepLR)");
  assert.match(code(steps), /^lr = step\(1, 0\.1, \[1 \/ 3, 2 \/ 3\]\)\nmomentum = linear\(0\.9, 0\.9\)$/m);
  assert.match(code({ ...steps, start: 0.7 }), /step\(0\.7, \(0\.01 \/ 0\.7\) \*\* \(1 \/ 2\), /);
  assert.match(code(preset("restarts (CosineAnnealingWarmRestarts)")),
    /^lr = lambda t: cosine\(1, 0\)\(4 \* t % 1\)$/m);
});

test("heights go on by those of the slider", () => {
  const from = [0.5, 0.055, 1, 0, 1e-6];
  assert.deepEqual(from.map((height) => nextHeight(height, 1)), [0.51, 0.06, 1, 1e-6, 1.2e-6]);
  assert.deepEqual(from.map((height) => nextHeight(height, -1)), [0.49, 0.05, 0.99, 0, 0]);
});

test("what can't be added says why", () => {
  assert.equal(lacking({ ...wsd, pieces: Array.from({ length: 8 }, () => piece("linear", 0.1, 1)) }),
    "8 pieces are the most: remove one to add another.");
  assert.equal(lacking(wsd), "The run starts at 0: a warm-up adds nothing.");
  assert.equal(lacking(preset("steps (StepLR)")), "");
});

test("the code has a base rate, which a curve need not reach", () => {
  const low = { ...wsd, ...setHeight(wsd, 1, 0.64) };
  assert.match(code(low), /^base_lr = 0\.1\n[^]*lr=base_lr/m);
  assert.doesNotMatch(code(low), /peak/);
  assert.match(words(low), /highest \(0\.064\)/);
});

test("the words say what the curves do", () => {
  assert.equal(words(wsd), "The learning rate starts at 0, is highest (0.1) from 10 % to 80 % of the run, and is " +
    "0.00167 in the last of 300 batches. Momentum is 0.9 throughout.");
  const cycle = words(preset("1cycle (OneCycleLR)"));
  assert.match(cycle, /highest \(0\.1\) at 30 % of the run, /);
  assert.match(cycle, /0\.95 at the start, 0\.85 where the rate is highest, and 0\.95 at the end\.$/);
  const down = words({ ...preset("cosine (CosineAnnealingLR)"), cycle: true });
  assert.match(down, /starts at 0\.1, is highest \(0\.1\) at the start, /);
  assert.match(down, /Momentum is 0\.85 where the rate is highest and 0\.9 at the end\.$/);
});
