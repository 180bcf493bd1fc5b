// The augmentation explorer: sixteen pictures, the transforms of `miniai.augment`, and what each of them drew.
import { button, check, code, el, fresh, group, slider, status } from "./core/controls.js";
import { augment } from "./core/draws.js";
import { python } from "./core/format.js";
import { interactive } from "./core/interactive.js";
import { clamp } from "./core/transforms.js";

/** @typedef {import("./core/transforms.js").Picture} Picture */
/** @typedef {import("./core/draws.js").Draws} Draws */
/** @typedef {import("./core/draws.js").Strengths & { originals: boolean, selected: number }} State */
/** @typedef {NonNullable<ReturnType<typeof read>>} Given */
/** @typedef {ReturnType<typeof augment>} Made */
/** @typedef {import("./core/interactive.js").View<State, Data | undefined>} View */

/**
 * @typedef {object} Data
 * @property {string} pictures base64 of 16·28·28 bytes, row by row
 * @property {string[]} labels 16 class names
 * @property {number} [mean] of the pixels that the network trains on, on the scale 0 … 1
 * @property {number} [std] their standard deviation
 */

const SIDE = 28;
const COUNT = 16;

/** @type {State} */
const DEFAULTS = { padding: 2, flip: 0.5, cutout: 0, erase: 3, copy: 0, pct: 0.2, mixup: 0, cutmix: 0, seed: 5,
  batch: false, originals: false, selected: 0 };

/** Greatest values of whole numbers. */
const MOST = { padding: 8, cutout: SIDE, erase: 4, copy: 4, seed: 99999, selected: COUNT - 1 };
const ALPHAS = [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2, 3, 5, 10];

/** A state that can be drawn. @param {State} state @returns {State} */
export function clean(state) {
  const names = /** @type {(keyof typeof MOST)[]} */ (Object.keys(MOST));
  const whole = names.map((name) => [name, clamp(Math.round(state[name]), 0, MOST[name])]);
  const alpha = (/** @type {number} */ v) => (v <= 0 ? 0 : clamp(v, 0.05, 10)); // less, and `Mixup`'s draws underflow
  return { ...state, ...Object.fromEntries(whole), flip: clamp(state.flip, 0, 1), pct: clamp(state.pct, 0.05, 0.5),
    mixup: alpha(state.mixup), cutmix: alpha(state.cutmix) };
}

/**
 * The pictures, normalised as a network gets them; null if there are none.
 * @param {Data | undefined} data
 */
export function read(data) {
  const bytes = Uint8Array.from(atob(data?.pictures ?? ""), (c) => c.charCodeAt(0));
  if (!data || bytes.length !== COUNT * SIDE * SIDE) return null;
  const { labels, mean = 0.286, std = 0.353 } = data;
  const classes = [...new Set(labels)];
  const images = labels.map((label, i) => ({
    pixels: Float64Array.from(bytes.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), (v) => (v / 255 - mean) / std),
    height: SIDE, width: SIDE, target: classes.map((name) => Number(name === label)) }));
  return { images, labels, classes, mean, std, fill: -mean / std };
}

/** A float in Python: `CutMix` takes no whole alpha. @param {number} x */
const decimal = (x) => (Number.isInteger(x) ? `${x}.0` : python(x));

/** The code of the callbacks that do the same in training. @param {State} s @param {number} fill of the crop: black */
export function pythonCode(s, fill) {
  const pct = python(s.pct);
  const chain = [
    s.padding && `RandomCrop(${s.padding}, fill=${python(fill, 4)})`, s.flip && `RandomFlip(${python(s.flip)})`,
    s.cutout && `Cutout(${s.cutout})`, s.erase && `RandErase(${pct}, max_num=${s.erase})`,
    s.copy && `RandCopy(${pct}, max_num=${s.copy})`,
  ].filter(Boolean).join(", ");
  const own = [chain && `augment(${chain})`, s.mixup && `Mixup(${python(s.mixup)})`].filter(Boolean);
  const cbs = [...own, s.cutmix && "lambda batch: cutmix(*batch)"].filter(Boolean)
    .map((tfm) => `BatchTransformCB(${tfm})`).join(",\n       ");
  return [
    s.cutmix && `from torchvision.transforms import v2\ncutmix = v2.CutMix(num_classes=10, alpha=${decimal(s.cutmix)})`,
    `cbs = [${cbs}]`,
    s.padding && "# fill: black. 0 is the mean of normalised pixels, a grey",
    s.batch && own.length && "# miniai draws anew for each picture, unlike here",
    s.cutmix && `# torchvision's CutMix draws once a batch${s.batch ? "" : ", unlike here"}; yours is exercise 3`,
  ].filter(Boolean).join("\n");
}

const percent = (/** @type {number} */ share) =>
  share > 0 && share < 0.005 ? "under 1\u00a0%" : `${Math.round(100 * share)}\u00a0%`;
/** @param {number} n @param {string} noun */
const plural = (n, noun) => `${n} ${noun}${n === 1 ? "" : noun.endsWith("ch") ? "es" : "s"}`;

/** The label, or those of a blend with shares. @param {number[]} target a share a class @param {string[]} classes */
export function caption(target, classes) {
  const shown = target.map((share, k) => ({ share, name: classes[k] })).filter(({ share }) => share >= 0.005)
    .sort((a, b) => b.share - a.share);
  return shown.length === 1 ? shown[0].name : shown.map(({ share, name }) => `${percent(share)} ${name}`).join(", ");
}

/**
 * What was drawn for a picture, in words.
 * @param {Draws} draw
 * @param {string[]} labels of the batch
 * @param {number} i which picture
 * @param {Pick<State, "erase" | "copy">} most patches
 */
export function drawn({ moved, flipped, cutout, erased, copied, mixed, pasted }, labels, i, most) {
  /** @param {number} by @param {string} more @param {string} less */
  const way = (by, more, less) => by && `${Math.abs(by)} ${by < 0 ? less : more}`;
  const other = (/** @type {number} */ k) => `picture ${k + 1} (${labels[k]})`;
  const ways = moved && [way(moved[1], "right", "left"), way(moved[0], "down", "up")].filter(Boolean);
  /** @param {number} n @param {number} most */
  const patches = (n, most) => `${n} of up to ${plural(most, "patch")}`;
  return [
    ways && (ways.length ? `moved ${ways.join(" and ")}` : "not moved"),
    flipped !== undefined && (flipped ? "flipped" : "not flipped"),
    cutout && `a square cut out about row ${cutout[0] + 1}, column ${cutout[1] + 1}`,
    erased && `${patches(erased.length, most.erase)} erased`,
    copied && `${patches(copied.length, most.copy)} copied`,
    mixed && (mixed.other === i ? "mixup drew the picture itself: unchanged"
      : mixed.share >= 0.995 ? `replaced by ${other(mixed.other)}`
        : `${percent(mixed.share)} of ${other(mixed.other)} mixed in`),
    pasted && (pasted.other === i ? "CutMix drew the picture itself: unchanged"
      : `${pasted.rows}×${pasted.columns} pixels of ${other(pasted.other)} pasted in`),
  ].filter(Boolean).join(", ") || "all transforms are off";
}

/** The share of pixels that differ. @param {Picture[]} now @param {Picture[]} before */
export function changed(now, before) {
  const differ = (/** @type {Picture} */ { pixels }, /** @type {number} */ i) =>
    pixels.filter((v, at) => Math.abs(v - before[i].pixels[at]) > 1e-9).length;
  return now.map(differ).reduce((sum, n) => sum + n, 0) / (now.length * now[0].pixels.length);
}

/** What the pictures show, in words. @param {State} state @param {Given} given @param {Made} made */
export function words({ selected: i, originals, erase, copy }, { images, labels }, made) {
  const shares = [changed(made.images, images), changed([made.images[i]], [images[i]])].map(percent);
  return `${originals ? "These are the originals. Augmented, " : ""}${shares[0]} of all pixels `
    + `${originals ? "would differ" : "differ from the originals"}.\n`
    + `Picture ${i + 1}, ${labels[i]}: ${drawn(made.draws[i], labels, i, { erase, copy })}; `
    + `${shares[1]} of its pixels differ.`;
}

const STYLE = `
.tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 6px; margin: 0 0 8px; padding: 0;
  border: 0; }
.tile { position: relative; margin: 0; padding: 4px; border: 2px solid transparent; border-radius: 6px;
  cursor: pointer; }
.tile:has(:checked) { border-color: var(--accent); }
.tile:has(:focus-visible) { outline: 3px solid var(--accent); outline-offset: 1px; }
.tile input { position: absolute; opacity: 0; }
.tile canvas { image-rendering: pixelated; }
.tile .name { display: block; font-size: 12px; line-height: 1.25; overflow-wrap: anywhere; }
.blends .name { min-height: 2.5em; }
.choices { align-items: center; }
.picture .status { min-height: 4.4em; }
@media (max-width: 480px) { .blends .name { min-height: 5em; } .picture .status { min-height: 7.5em; } }
`;

/** @param {CanvasRenderingContext2D} ctx @param {Picture} image @param {number} mean @param {number} std */
function paint(ctx, { pixels }, mean, std) {
  const image = ctx.createImageData(SIDE, SIDE);
  const { data } = image;
  data.fill(255);
  pixels.forEach((v, at) => { data[4 * at] = data[4 * at + 1] = data[4 * at + 2] = 255 * (v * std + mean); });
  ctx.putImageData(image, 0, 0);
}

/** The pictures; one is selected. @param {View} view @param {Given} given @param {(state: State) => Made} made */
function tiles(view, given, made) {
  const name = fresh();
  const all = given.images.map((_, i) => {
    const input = el("input", { type: "radio", name });
    input.addEventListener("change", () => view.set({ selected: i }));
    const canvas = el("canvas", { width: String(SIDE), height: String(SIDE), "aria-hidden": "true" });
    const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const label = el("span", { class: "name" });
    return { input, label, ctx, tile: el("label", { class: "tile" }, input, canvas, label) };
  });
  const legend = el("legend", { class: "hidden" }, "pictures");
  const grid = el("fieldset", { class: "tiles" }, legend, ...all.map(({ tile }) => tile));
  view.draw((state) => {
    const images = state.originals ? given.images : made(state).images;
    grid.classList.toggle("blends", state.mixup + state.cutmix > 0);
    all.forEach(({ input, label, ctx }, i) => {
      input.checked = state.selected === i;
      label.textContent = caption(images[i].target ?? [], given.classes);
      input.setAttribute("aria-label", `picture ${i + 1}: ${label.textContent}`);
      paint(ctx, images[i], given.mean, given.std);
    });
  });
  return grid;
}

const off = (/** @type {(v: number) => string} */ say) => (/** @type {number} */ v) => (v ? say(v) : "off");

/** @param {View} view */
function strengths(view) {
  /** @param {"padding" | "cutout" | "erase" | "copy"} name @param {string} label @param {string} noun
   * @param {string} hint @param {string} [most] before the number */
  const whole = (name, label, noun, hint, most = "") => slider(view, { label, max: MOST[name], step: 1, hint,
    get: (state) => state[name], set: (value) => ({ [name]: value }), say: off((v) => most + plural(v, noun)) });
  /** @param {"mixup" | "cutmix"} name @param {string} label @param {string} hint */
  const alpha = (name, label, hint) => slider(view, { label, values: ALPHAS, hint,
    get: (state) => state[name], set: (value) => ({ [name]: value }), say: off((v) => `alpha ${v}`) });
  return el("div", { class: "controls" },
    group("Pictures",
      whole("padding", "crop", "pixel", "padding, black: how far a picture may move each way"),
      slider(view, { label: "flip", step: 0.1, hint: "share of the pictures that are mirrored",
        get: (state) => state.flip, set: (flip) => ({ flip }), say: off(percent) }),
      whole("cutout", "cutout", "pixel",
        "side of the square, a part may fall outside; grey: 0, the mean of normalised pixels"),
      whole("erase", "erase", "patch", "of noise in a picture; the number is drawn", "up to "),
      whole("copy", "copy", "patch", "copied within a picture; the number is drawn", "up to "),
      slider(view, { label: "patch side", min: 0.05, max: 0.5, step: 0.05,
        hint: "of erase and copy, as a share of the picture's side",
        get: (state) => state.pct, set: (pct) => ({ pct }), off: (state) => !state.erase && !state.copy,
        say: (v) => `${percent(v)}, ${plural(Math.max(1, Math.floor(v * SIDE)), "pixel")}` })),
    group("Pictures and their labels",
      alpha("mixup", "mixup", "weights come from Beta(alpha, alpha): 1 is uniform, more is nearer to half and half"),
      alpha("cutmix", "CutMix", "Beta(alpha, alpha) gives the share of the area that stays")));
}

/** The last result of a function of the state, while nothing that it depends on changes.
 * @param {(state: State) => Made} make @returns {(state: State) => Made} */
function kept(make) {
  let key = "";
  /** @type {Made} */
  let last;
  return (state) => {
    const now = JSON.stringify({ ...state, originals: null, selected: null });
    if (key !== now) [key, last] = [now, make(state)];
    return last;
  };
}

/** @param {View} view */
function build(view) {
  const given = read(view.data);
  if (!given) {
    view.root.append(el("p", {}, "The pictures did not come with this page. In a notebook, run the cell to see them."));
    return;
  }
  const made = kept((state) => augment(given.images, state, given.fill));
  const next = () => view.set({ seed: (view.state.seed + 1) % (MOST.seed + 1) });
  const choices = el("div", { class: "row choices" }, button("Fresh draws", next, "the same strengths, other draws"),
    check(view, { label: "show the originals", get: (state) => state.originals, set: (originals) => ({ originals }) }),
    check(view, { label: "one draw for the whole batch", get: (state) => state.batch, set: (batch) => ({ batch }) }));
  const pictures = el("div", { class: "picture" }, tiles(view, given, made), choices,
    status(view, (state) => words(state, given, made(state))));
  view.root.append(el("style", {}, STYLE), el("div", { class: "row" }, pictures, strengths(view)),
    code(view, (state) => pythonCode(state, given.fill)));
}

/** @type {import("./core/interactive.js").Spec<State, Data | undefined>} */
export const spec = { name: "augment", title: "Augmentation explorer", defaults: DEFAULTS, build, clean };
export const mount = interactive(spec);
