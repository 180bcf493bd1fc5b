// A batch augmented, and what was drawn for each picture. Each transform of a picture draws from a stream of its own:
// a slider changes how strong that transform is, and leaves alone what the others drew.
import { beta, integer, normal, random } from "./random.js";
import { clamp, copyPatches, crop, cutmix, cutout, erase, flip, mixup } from "./transforms.js";

/** @typedef {import("./transforms.js").Picture} Picture */
/** @typedef {[number, number]} Place row and column */

/**
 * @typedef {object} Strengths 0 leaves a transform out
 * @property {number} padding pixels of the crop
 * @property {number} flip share of the pictures
 * @property {number} cutout pixels of a side
 * @property {number} erase most patches
 * @property {number} copy most patches
 * @property {number} pct side of these patches, as a share of the picture's
 * @property {number} mixup alpha
 * @property {number} cutmix alpha
 * @property {number} seed whole, at least 0
 * @property {boolean} batch one draw for the whole batch, instead of one for each picture
 */

/**
 * @typedef {object} Draws of one picture; what is left out is absent
 * @property {Place} [moved] pixels down and to the right
 * @property {boolean} [flipped]
 * @property {Place} [cutout] the centre
 * @property {Place[]} [erased] first row and column of each patch
 * @property {{ from: Place, to: Place }[]} [copied]
 * @property {{ other: number, share: number }} [mixed] which picture, and the share that it has
 * @property {{ other: number, rows: number, columns: number }} [pasted] CutMix: which picture's, and the size in pixels
 */

/** Mean, standard deviation, least and greatest value of the pixels. @param {Picture[]} images */
function statistics(images) {
  let [n, mean, squares, low, high] = [0, 0, 0, Infinity, -Infinity];
  for (const { pixels } of images) for (const v of pixels) mean += (v - mean) / ++n;
  for (const { pixels } of images) {
    for (const v of pixels) {
      squares += (v - mean) ** 2;
      if (v < low) low = v;
      if (v > high) high = v;
    }
  }
  return { mean, std: Math.sqrt(squares / n), low, high };
}

/**
 * Gaussian noise as `RandErase` draws it: mean, standard deviation and range are the batch's.
 * @param {Picture[]} images
 * @returns {(uniform: () => number) => () => number}
 */
function noiseLike(images) {
  /** @type {ReturnType<typeof statistics>} */
  let of;
  return (uniform) => {
    const { mean, std, low, high } = (of ??= statistics(images));
    const gaussian = normal(uniform);
    return () => clamp(gaussian() * std + mean, low, high);
  };
}

/** Which picture each is mixed with: Fisher and Yates' permutation. @param {() => number} uniform @param {number} n */
function partners(uniform, n) {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = integer(uniform, i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * @typedef {object} Batch as it is when a transform begins
 * @property {Picture[]} images
 * @property {number[]} others which picture each one is mixed with
 * @property {ReturnType<typeof noiseLike>} noise
 * @property {[number, number]} patch height and width of a patch that is erased or copied
 * @property {(uniform: () => number) => Place} place of such a patch
 * @property {Strengths} s
 * @property {number} fill
 */

/** In the order of the chain. @type {["padding" | "flip" | "cutout" | "erase" | "copy" | "mixup" | "cutmix",
 *   (image: Picture, uniform: () => number, draw: Draws, batch: Batch, i: number) => Picture][]} */
const CHAIN = [
  ["padding", (image, uniform, draw, { s: { padding }, fill }) => {
    const [top, left] = [0, 0].map(() => integer(uniform, 2 * padding + 1));
    draw.moved = [padding - top, padding - left];
    return crop(image, top, left, padding, fill);
  }],
  ["flip", (image, uniform, draw, { s }) => flip(image, (draw.flipped = uniform() < s.flip))],
  ["cutout", (image, uniform, draw, { s }) => {
    draw.cutout = [integer(uniform, image.height), integer(uniform, image.width)];
    return cutout(image, ...draw.cutout, s.cutout);
  }],
  ["erase", (image, uniform, draw, { s, patch: [height, width], place, noise }) => {
    const at = (draw.erased = Array.from({ length: integer(uniform, s.erase + 1) }, () => place(uniform)));
    const next = noise(uniform);
    const patches = at.map(() => ({ pixels: Float64Array.from({ length: height * width }, next), height, width }));
    return erase(image, at.map(([top]) => top), at.map(([, left]) => left), at.map(() => true), patches);
  }],
  ["copy", (image, uniform, draw, { s, patch, place }) => {
    const both = () => ({ from: place(uniform), to: place(uniform) });
    const copied = (draw.copied = Array.from({ length: integer(uniform, s.copy + 1) }, both));
    return copyPatches(image, copied.map(({ to }) => to), copied.map(({ from }) => from), ...patch);
  }],
  ["mixup", (image, uniform, draw, { s, images, others }, i) => {
    const weight = beta(uniform, s.mixup);
    draw.mixed = { other: others[i], share: 1 - weight };
    return mixup(image, images[others[i]], weight);
  }],
  ["cutmix", (image, uniform, draw, { s, images, others }, i) => {
    const side = Math.sqrt(1 - beta(uniform, s.cutmix));
    const ends = [image.height, image.width];
    const sizes = ends.map((end) => Math.floor(side * end));
    const first = ends.map((end, k) => integer(uniform, end) - Math.floor(sizes[k] / 2));
    const [rows, columns] = ends.map((end, k) => Math.min(first[k] + sizes[k], end) - Math.max(first[k], 0));
    draw.pasted = { other: others[i], rows, columns };
    return cutmix(image, images[others[i]], first[0], first[1], sizes[0], sizes[1]);
  }],
];

/**
 * The chain of `augmentation_code`, then mixup, then CutMix.
 * @param {Picture[]} images of one size, at most 255
 * @param {Strengths} s
 * @param {number} fill what the crop puts at the edge
 * @returns {{ images: Picture[], draws: Draws[] }}
 */
export function augment(images, s, fill) {
  const { height, width } = images[0];
  const patch = /** @type {[number, number]} */ ([height, width].map((n) => Math.max(1, Math.floor(s.pct * n))));
  /** @returns {Place} every place inside the picture as likely */
  const place = (/** @type {() => number} */ uniform) =>
    [integer(uniform, height - patch[0] + 1), integer(uniform, width - patch[1] + 1)];
  const draws = images.map(() => /** @type {Draws} */ ({}));
  CHAIN.forEach(([name, step], k) => {
    if (!s[name]) return;
    const stream = (/** @type {number} */ i) => random(s.seed * 4096 + k * 256 + i);
    const others = partners(stream(255), images.length);
    const batch = { images, others, noise: noiseLike(images), patch, place, s, fill };
    images = images.map((image, i) => step(image, stream(s.batch ? 0 : i), draws[i], batch, i));
  });
  return { images, draws };
}
