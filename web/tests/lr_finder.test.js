import assert from "node:assert/strict";
import test from "node:test";

import { below, clean, nearest, outcome, readings, row, score, summary, train, verdict, words }
  from "../core/rangetests.js";
import { spec } from "../lr_finder.js";

const losses = [2.3, 2.2, 2, 1, 4];
/** @param {string} name @param {(number | null)[][]} accuracies */
const network = (name, accuracies) => ({
  name, label: name.toUpperCase(),
  tests: [42, 43].map((seed) => ({ seed, losses, smooth: losses, steepest: 0.1, tenth: 0.012 })),
  trained: accuracies.map((accuracy, i) => ({ rate: 10 ** (i - 3), accuracy })),
});
const a = network("a", [[0.2, 0.3, 0.25], [0.8, 0.82, 0.84], [0.84, 0.81, 0.86], [0.1, 0.7, null], [null, null, null]]);
const b = network("b", [[0.1, 0.1, 0.7], [0.5, 0.6, 0.7], [0.6, 0.7, 0.8], [0.59, 0.68, 0.79], [0.1, 0.1, 0.1]]);
const data = { rates: [0.001, 0.005, 0.03, 0.1, 1, 2], seeds: [42, 43, 44], networks: [a, b] };
/** @type {import("../core/rangetests.js").State} */
const state = { network: "a", seed: 42, rate: 0.005, marks: [], curve: true };
const marked = { ...state, marks: [{ network: "a", rate: 0.005 }] };

test("the nearest rate is so by its factor", () => {
  assert.deepEqual([0.02, 0.04, 0.9, 1e9].map((rate) => nearest([0.01, 0.1, 1], rate)), [0, 1, 2, 2]);
});

test("nothing is said of what training gave before it was asked for", () => {
  assert.equal(words(data, state), "A: your mark is at 0.005, where the smoothed loss is 2.2 (it began at 2.3; " +
    "its minimum is 1).\nTrain to see what this rate gives.");
  assert.match(words(data, { ...state, rate: 2 }), /at 2, above 1, where this test stopped\.\n/);
  assert.match(words(data, { ...marked, rate: 0.1 }), /Train to see/);
  assert.match(words(data, { ...marked, network: "b" }), /Train to see/);
});

test("what training gave: seeds, chance, divergence", () => {
  assert.equal(words(data, marked).split("\n")[0],
    "A, trained at 0.01, the recorded rate nearest to your 0.005: 82.0 % of the held-out images right; by seed 80.0, " +
    "82.0 and 84.0 %.");
  assert.equal(outcome(a.trained[3]),
    "1 of 3 seeds diverged; the others: 10.0 and 70.0 %. 1 of 3 no better than chance, 10 %.");
  assert.equal(outcome(a.trained[4]), "all 3 seeds diverged.");
  assert.match(outcome(b.trained[4]), /^10.0 % .* 3 of 3 no better than chance/);
  assert.ok(Math.abs(score(a.trained[3]) - 0.3) < 1e-12);
});

test("how far below the best, and what three seeds cannot tell", () => {
  const { points, half, dead, tied } = below(a, 1); // differences 4, −1, 2: mean 5/3, deviation √(19/3), t = 4.303
  assert.deepEqual([points.toFixed(4), half.toFixed(4), dead, tied], ["1.6667", "6.2516", 0, true]);
  assert.equal(verdict(a, 1), "That is 1.7 points below the best recorded rate, 0.1 (83.7 %), but 3 seeds are " +
    "too few to be sure that it is worse: 95 % interval −4.6 to 7.9.");
  assert.equal(verdict(a, 2), "That is the best of the 5 recorded rates, but 3 seeds are too few to be sure that it " +
    "beats 0.01.");
  assert.match(verdict(a, 0), /^That is 58.7 ± 16.9 points below/);
  assert.equal(verdict(a, 3), "That is 53.7 points below the best recorded rate, 0.1 (83.7 %), counting a diverged " +
    "run as 10 %.");
  assert.equal(verdict(b, 0), "That is 40.0 points below the best recorded rate, 0.1 (70.0 %).");
});

test("tables: the usual readings, marks, averages over networks", () => {
  assert.deepEqual(readings(data, state), [["steepest fall", "0.1", "83.7 %", "the best"],
    ["a tenth of the minimum", "0.012 → 0.01", "82.0 %", "1.7\u00a0±\u00a06.3"],
    ["best recorded", "0.1", "83.7 %", "the best"]]);
  assert.deepEqual(row(a, 1), ["1", "1 of 3 diverged", "53.7"]);
  assert.equal(summary(data, marked), "");
  const marks = [...marked.marks, { network: "b", rate: 0.001 }, { network: "b", rate: 0.1 }];
  const third = { ...data, networks: [...data.networks, { ...a, name: "c" }] };
  const average = "On average over 2 networks your first mark is 20.8 points below the best, the steepest fall 0.0 " +
    "and a tenth of the minimum 5.8 (the two rules: over the range tests of all seeds).";
  assert.equal(summary(third, { ...state, marks }), average);
  assert.equal(summary(data, { ...state, marks }), `${average}\nOn these 2 networks the safer rule is the ` +
    "steepest fall. Training at the steepest fall failed in none of 4 range tests and lost up to 0.0 points (A), at " +
    "a tenth of the minimum it failed in none of 4 range tests and lost up to 10.0 points (B). Look at the curve all " +
    "the same.");
});

test("the rule after which training fails less often is the safer one; alike, neither", () => {
  const marks = [{ network: "a", rate: 0.1 }, { network: "b", rate: 0.1 }];
  const ends = (/** @type {number} */ steepest, /** @type {number} */ tenth) => summary({ ...data,
    networks: [a, b].map((one) => ({ ...one, tests: one.tests.map((t) => ({ ...t, steepest, tenth })) })) },
  { ...state, marks });
  assert.match(ends(1, 0.001), /rule is the steepest fall\. .* in 2 of 4 .* 53\.7 .* in 2 of 4 .* 58\.7/);
  assert.match(ends(10, 0.01), /rule is a tenth of the minimum\. .* in 4 of 4 range tests.* in none of 4 range tests/);
  assert.match(ends(0.1, 0.1), /On these 2 networks neither rule is the safer one\./);
});

test("a rate is trained at once", () => {
  const once = train(a, [], 0.005);
  assert.equal(train(a, once, 0.012), once);
  assert.equal(train(b, once, 0.005).length, 2);
});

test("a link's state is mended", () => {
  const bad = /** @type {typeof state.marks} */ (/** @type {unknown} */ ([null, 3, { network: "x", rate: 1 },
    { network: "b", rate: "y" }, { network: "b", rate: 0.004, more: 1 }, { network: "b", rate: 0.006 }]));
  assert.deepEqual(clean({ network: "x", seed: 7, rate: -1, marks: bad, curve: false }, data),
    { network: "a", seed: 42, rate: 0.001, marks: [{ network: "b", rate: 0.005 }], curve: false });
  assert.deepEqual(clean(marked, data), marked);
  assert.equal(spec.defaults.marks.length, 0);
});
