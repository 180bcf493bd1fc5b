import assert from "node:assert/strict";
import { test } from "node:test";
import { DEPTHS, channels, chosen, geometric, limits, profile, ratio, read, rows, shaded, unevenness, words }
  from "../core/profiles.js";
import { clean, deepen, share, spec, walk } from "../residuals.js";

/** Two seeds: norms 8 and 2 times those of a geometric sequence, 4 and 1 after training.
 * @param {number} depth @param {boolean} shortcuts @returns {import("../core/profiles.js").Network} */
const network = (depth, shortcuts) => ({ depth, shortcuts, runs: [8, 2].map((size, seed) => {
  const before = Array.from({ length: depth }, (_, i) => size * (shortcuts ? 1 : 1.1) ** (depth - 1 - i));
  return { seed, before, after: before.map((v) => v / 2), train_loss: size / 4 };
}) });
const data = { networks: DEPTHS.flatMap((depth) => [network(depth, false), network(depth, true)]) };
const state = spec.defaults;
const close = (/** @type {number} */ a, /** @type {number} */ b) => assert.ok(Math.abs(a - b) < 1e-9 * b, `${a}, ${b}`);

test("means are those of the logarithms; ratios and ranges over the seeds", () => {
  const { mean, ...ends } = geometric([2, 8]);
  close(mean, 4);
  assert.deepEqual(ends, { low: 2, high: 8 });
  const plain = data.networks[0];
  close(profile(plain, false)[9].mean, 4);
  close(profile(plain, true)[0].mean, 2 * 1.1 ** 9);
  close(ratio(plain, false).mean, 1.1 ** 9);
  close(unevenness(plain, true).mean, 1.1 ** 9);
  close(limits(data)[1], 1.3 * 8 * 1.1 ** 49);
  assert.deepEqual([share(1, [0.1, 10]), share(10, [0.1, 10])], [0.5, 1]);
});

test("a fifth of the convolutions to each number of channels", () => {
  assert.deepEqual([1, 2, 3, 10].map((layer) => channels(10, layer)), [8, 8, 16, 128]);
  assert.deepEqual([10, 11, 50].map((layer) => channels(50, layer)), [8, 16, 128]);
});

test("the networks that are shown, and nothing without all of them", () => {
  const seen = (/** @type {import("../core/profiles.js").Shown} */ shown) =>
    chosen(data, { depth: 20, shown }).map(({ depth, shortcuts }) => [depth, shortcuts]);
  assert.deepEqual(seen("both"), [[20, false], [20, true]]);
  assert.deepEqual([seen("without"), seen("with")], [[[20, false]], [[20, true]]]);
  assert.equal(read(data), data);
  assert.equal(read({ networks: data.networks.slice(1) }), null);
  assert.equal(read(undefined), null);
});

test("the words begin with what becomes of the gradient, and end with where the ring is", () => {
  assert.equal(words(data, { ...state, depth: 10, layer: 1 }),
    "Without shortcuts the gradient grows 2.36-fold on its way back from the last convolution to the first; with " +
    "them it stays about the same size (factor 1) (10 convolutions, before training).\nThe ring is at convolution " +
    "1 (8 channels), where the gradient's size is 9.43 without shortcuts, 4 with shortcuts.");
  const alone = words(data, { depth: 10, shown: "with", trained: true, layer: 10 });
  assert.match(alone, /^With shortcuts the gradient stays .* \(10 convolutions, after 20 batches of training\)\.\n/);
  const runs = data.networks[0].runs.map((run) => ({ ...run, before: [...run.before].reverse() }));
  const falling = { ...data.networks[0], runs };
  assert.match(words({ networks: [falling] }, { ...state, depth: 10, layer: 1 }), /shrinks to 0\.424 of its size on /);
});

test("the numbers with their ranges, and shades over the range of what is shown", () => {
  const said = rows(data, { ...state, depth: 10, layer: 1 }).map((row) => row.join("; ").replaceAll("\u00a0", " "));
  assert.deepEqual(said, [
    "first convolution ÷ last; 2.36 (2.36 to 2.36); 1 (1 to 1)",
    "largest ÷ smallest; 2.36 (2.36 to 2.36); 1 (1 to 1)",
    "convolution 1; 9.43 (4.72 to 18.9); 4 (2 to 8)",
    "training loss, mean over the 20 batches; 1.25 (0.5 to 2); 1.25 (0.5 to 2)"]);
  assert.deepEqual(shaded(data, { ...state, shown: "with" }).map((v) => v.toFixed(9)), ["4.000000000", "4.000000000"]);
  close(shaded(data, { ...state, depth: 10 })[1], 4 * 1.1 ** 9);
  assert.equal(share(4, [4, 4]), 0.5);
});

test("it opens where Play and Step have somewhere to go; another depth keeps the place", () => {
  assert.equal(state.layer, state.depth);
  assert.deepEqual([0, 1, 9].map((steps) => walk(steps, { ...state, depth: 10 }).layer), [10, 9, 1]);
  assert.deepEqual(deepen(10, { ...state, layer: 31 }), { depth: 10, layer: 10 });
  assert.deepEqual(deepen(50, { ...state, depth: 10, layer: 10 }), { depth: 50, layer: 50 });
  assert.deepEqual(deepen(50, { ...state, depth: 10, layer: 9 }), { depth: 50, layer: 9 });
});

test("a link may say anything", () => {
  assert.deepEqual(clean(state), state);
  const wild = { depth: 11, shown: /** @type {"both"} */ ("x"), trained: true, layer: 99 };
  assert.deepEqual(clean(wild), { depth: 50, shown: "both", trained: true, layer: 50 });
  assert.deepEqual(clean({ ...state, depth: 10, layer: 2.4 }), { ...state, depth: 10, layer: 2 });
});
