import assert from "node:assert/strict";
import { test } from "node:test";
import { DEPTHS, channels, chosen, geometric, limits, profile, ratio, read, unevenness, words }
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
  close(ratio(plain, true, 9).mean, 1.1);
  close(unevenness(plain, false, 5).mean, 1.1 ** 4);
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

test("the words: all the way, on the way, at the start", () => {
  assert.equal(words(data, { ...state, depth: 10 }),
    "10 convolutions, before training: the first one's gradient is 2.36 times the last one's (2.36 to 2.36) " +
    "without shortcuts, 1 (1 to 1) with shortcuts.\n" +
    "The largest of all over the smallest: 2.36 (2.36 to 2.36) without shortcuts, 1 (1 to 1) with shortcuts.\n" +
    "Convolution 1 (8 channels), norm: 9.43 (4.72 to 18.9) without shortcuts, 4 (2 to 8) with shortcuts.\n" +
    "Training loss over the 20 batches: 1.25 (0.5 to 2) without shortcuts, 1.25 (0.5 to 2) with shortcuts; " +
    "guessing gives 2.3.");
  const after = words(data, { depth: 10, shown: "without", trained: true, layer: 8, ahead: 7 });
  assert.match(after, /^10 convolutions, after 20 batches of training: on its way back the gradient has come to /);
  assert.match(after, /convolution 8, where it is 1\.21 times the last one's \(1\.21 to 1\.21\) without shortcuts\.\n/);
  assert.match(after, /largest of these 3 over the smallest: 1\.21 /);
  const at = (/** @type {number} */ ahead) => words(data, { ...state, depth: 10, layer: 9, ahead });
  assert.match(at(9), /has come to the last convolution\.\nConvolution 9 \(128 channels\), norm: not reached yet\.\n/);
  assert.match(at(10), /before training: the gradient of the loss has not reached a convolution yet\.\nConvolution 9/);
});

test("a walk looks at the convolution that the gradient came to; another depth has all of it", () => {
  assert.deepEqual([0, 1, 10].map((reached) => walk(reached, { ...state, depth: 10 })),
    [{ ahead: 10, layer: 10 }, { ahead: 9, layer: 10 }, { ahead: 0, layer: 1 }]);
  assert.deepEqual(deepen(10, { ...state, layer: 31, ahead: 4 }), { depth: 10, layer: 10, ahead: 0 });
});

test("a link may say anything", () => {
  assert.deepEqual(clean(state), state);
  const wild = { depth: 11, shown: /** @type {"both"} */ ("x"), trained: true, layer: 99, ahead: -3 };
  assert.deepEqual(clean(wild), { depth: 50, shown: "both", trained: true, layer: 50, ahead: 0 });
  assert.deepEqual(clean({ ...state, depth: 10, layer: 2.4, ahead: 11 }), { ...state, depth: 10, layer: 2, ahead: 10 });
});
