import assert from "node:assert/strict";
import test from "node:test";

import { best, bestMomentum } from "../core/modes.js";
import { levels } from "../core/plane.js";
import { bound, clean, moved, spec, spectrum, unsettled, words, write } from "../momentum.js";

const state = spec.defaults;

test("what it says: a swing, a crawl, a divergence, the border", () => {
  assert.match(words(state),
    /it swings \(complex\); .* leaves 77 % of the distance; from rest it stays below a tenth after 9 steps/);
  assert.match(words(state), /Best momentum at this rate: 0.0858, which leaves 29 %/);
  assert.match(words({ ...state, momentum: 0.01 }), /no swing \(real\), it comes nearer from one side/);
  assert.match(words({ ...state, rate: 0.25, momentum: 0.25 }), /the border of no swing.*leaves 50 %/);
  assert.match(words({ ...state, rate: 4 }), /it diverges; it grows .*\nNo momentum settles at this rate\.$/);
  assert.match(words({ ...state, rate: 3.5 }), /it diverges; it grows .*\nWith this momentum .* at rates below 3.2\./);
  assert.deepEqual([3.5, 4, 5].map((rate) => unsettled({ ...state, rate })), [false, true, true]);
  assert.match(words({ ...state, rate: 1, momentum: 0 }), /arrives within two steps/);
});

test("two directions: which is slow, and the best pair of the lesson", () => {
  const s = { ...state, condition: 25, curvature: 25, rate: 1 / 9, momentum: 4 / 9 }, said = words(s);
  assert.match(said, /Steep direction: .*Flat direction: /s);
  assert.match(said, /Best of all: rate 0.111, momentum 0.444, which leaves 67 %\./);
  assert.equal(spectrum({ ...state, condition: 4 }),
    "0.55 + 0.545i and 0.55 − 0.545i; flat direction 0.738 + 0.237i and 0.738 − 0.237i");
});

test("on the border: steps are counted on the path, and what grows first is said; no numerical dust", () => {
  assert.match(words({ ...state, momentum: bestMomentum("heavy", 0.5) }), /stays below a tenth after 3 steps/);
  const { z, momentum } = best("heavy", 1000), far = { ...state, condition: 1000, rate: z, momentum };
  const said = words(far);
  assert.match(said, /Steep .* first grows to 12 times the start's and stays below a tenth after 123 steps\.\nFlat/);
  assert.match(said, /Flat .* from rest it stays below a tenth after 61 steps/);
  assert.match(words({ ...state, rate: 0.001, curvature: 0.1, momentum: 0 }), /after 23,025 steps/);
  assert.match(words({ ...far, rate: 0.001, momentum: 0 }), /only after more than 100,000 steps/);
  assert.equal(spectrum(far), "−0.939 twice; flat direction 0.939 twice");
});

test("the plane's lines begin at the best factor", () => {
  assert.deepEqual(levels("heavy", 1), [0.3, 0.5, 0.7, 0.8, 0.9, 0.95]);
  assert.deepEqual(levels("heavy", 1000), [0.95, 0.98, 0.99, 0.995, 0.998, 0.999]);
});

test("each rule in Python, damped with PyTorch's rate", () => {
  assert.equal(write(state), "SGD(params, lr=0.5, momentum=0.6)");
  assert.equal(write({ ...state, kind: "damped" }), "SGD(params, lr=0.2, momentum=0.6)  # 0.5·(1 − μ)");
  assert.equal(write({ ...state, kind: "nesterov" }), "SGD(params, lr=0.5, momentum=0.6, nesterov=True)");
  assert.equal(write({ ...state, kind: "nesterov", momentum: 0 }), "SGD(params, lr=0.5)");
});

test("bounds of the three rules at μ = 0.9, as in the lesson", () => {
  const at = (/** @type {typeof state.kind} */ kind) => bound({ ...state, kind, momentum: 0.9 }).toFixed(2);
  assert.deepEqual([at("heavy"), at("damped"), at("nesterov")], ["3.80", "38.00", "1.36"]);
});

test("the point stays in the plane; a link's numbers are mended", () => {
  assert.deepEqual(moved({ ...state, curvature: 2 }, 1.23456, 0.98765), { rate: 0.6175, momentum: 0.988 });
  assert.deepEqual(moved(state, -1, 2), { rate: 0.004, momentum: 0.99 });
  assert.deepEqual(clean({ kind: /** @type {"heavy"} */ ("x"), rate: -1, momentum: 5, curvature: 1e9, condition: 0 }),
    { kind: "heavy", rate: 0.001, momentum: 0.999, curvature: 10, condition: 1 });
});
