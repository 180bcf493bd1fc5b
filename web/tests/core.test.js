import assert from "node:assert/strict";
import { test } from "node:test";
import { brightness, scale, STYLES } from "../core/colour.js";
import { powers, python, roundNumbers, short, superscript, ticks } from "../core/format.js";
import { fitting } from "../core/interactive.js";

test("numbers are written as people write them", () => {
  const written = [0.05, 1200, 0.000031, -2.5, 12345678, 0, NaN, -Infinity].map((x) => short(x));
  assert.deepEqual(written, ["0.05", "1,200", "3.1×10⁻⁵", "−2.5", "1.23×10⁷", "0", "not a number", "−∞"]);
  assert.deepEqual([python(0.1 + 0.2), python(1e-7), superscript(-12)], ["0.3", "1e-7", "⁻¹²"]);
});

test("sliders and axes stop at round numbers", () => {
  assert.deepEqual(roundNumbers(0.05, 0.5), [0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5]);
  assert.deepEqual(ticks(-1, 3), [-1, 0, 1, 2, 3]);
  assert.deepEqual(ticks(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(powers(0.001, 10), [0.001, 0.01, 0.1, 1, 10]);
  assert.ok(powers(1e-12, 1e12).length <= 7);
});

test("a state from elsewhere keeps what fits and no more", () => {
  const defaults = { lr: 0.1, name: "SGD", path: [[0, 0]], hand: /** @type {number[] | null} */ (null) };
  assert.deepEqual(fitting(defaults, { lr: 0.3, colour: "red" }), { ...defaults, lr: 0.3 });
  assert.deepEqual(fitting(defaults, { lr: "0.3", name: 3, path: {} }), defaults);
  assert.deepEqual(fitting(defaults, { lr: NaN }), defaults);
  assert.deepEqual(fitting(defaults, { hand: [1] }), { ...defaults, hand: [1] });
  assert.deepEqual(fitting(defaults, { hand: null, path: null }, { ...defaults, hand: [1] }), defaults);
  for (const nothing of [null, undefined, "x", 3]) assert.equal(fitting(defaults, nothing), defaults);
});

/** @param {string} hex */
const light = (hex) => brightness(`rgb(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(", ")})`) ?? NaN;

test("the scale gets steadily brighter, so that it survives in grey", () => {
  const greys = Array.from({ length: 50 }, (_, i) => brightness(`rgb(${scale(i / 49).join(", ")})`) ?? NaN);
  greys.slice(1).forEach((grey, i) => assert.ok(grey > greys[i]));
});

test("each line stands out from both papers, and no two look alike in grey", () => {
  for (const { light: onWhite, dark: onBlack } of Object.values(STYLES)) {
    assert.ok(light(onWhite) < 0.6 && light(onBlack) > 0.5);
  }
  for (const theme of /** @type {const} */ (["light", "dark"])) {
    const looks = Object.values(STYLES).map((style) => `${Math.round(light(style[theme]) * 20)} ${style.dash}`);
    assert.equal(new Set(looks).size, looks.length, looks.join(" | "));
  }
});
