/**
 * The draws of augmentation: each image of a batch has its own, of the distribution of the class of `miniai.augment`.
 * @typedef {import("./transforms.js").Picture} Picture
 * @typedef {import("./transforms.js").PaddingMode} PaddingMode
 * @typedef {() => number} Uniform draws at least 0 and below 1
 */
import { integer, normal } from "./random.js";
import { clamp, copyPatches, crop, cutmix, cutout, erase, flip, mixup } from "./transforms.js";

/**
 * As `RandomCrop`: rows and columns of the window are each 0 … 2·padding, all as likely.
 * @param {Uniform} uniform
 * @param {Picture[]} images
 * @param {{ padding?: number, fill?: number, paddingMode?: PaddingMode, p?: number }} [settings] p: share of the images
 * @returns {Picture[]}
 */
export function drawCrop(uniform, images, { padding = 1, fill = 0, paddingMode = "constant", p = 1 } = {}) {
  return images.map((image) => {
    if (uniform() >= p) return image;
    const top = integer(uniform, 2 * padding + 1), left = integer(uniform, 2 * padding + 1);
    return crop(image, top, left, padding, fill, paddingMode);
  });
}

/**
 * As `RandomFlip`: each image with probability p.
 * @param {Uniform} uniform
 * @param {Picture[]} images
 * @param {{ p?: number }} [settings]
 * @returns {Picture[]}
 */
export const drawFlip = (uniform, images, { p = 0.5 } = {}) => images.map((image) => flip(image, uniform() < p));

/**
 * As `Cutout`: every pixel as likely to be the centre.
 * @param {Uniform} uniform
 * @param {Picture[]} images
 * @param {{ size?: number, fill?: number, p?: number }} [settings] p: share of the images
 * @returns {Picture[]}
 */
export function drawCutout(uniform, images, { size = 8, fill = 0, p = 1 } = {}) {
  return images.map((image) => {
    if (uniform() >= p) return image;
    return cutout(image, integer(uniform, image.height), integer(uniform, image.width), size, fill);
  });
}

/**
 * What random erasing and random copy share: the size of patches, and draws of their number and places.
 * @param {Uniform} uniform
 * @param {Picture} image
 * @param {number} pct share of height and width
 * @param {number} maxNum
 * @param {number} p
 */
function patches(uniform, image, pct, maxNum, p) {
  const height = Math.max(1, Math.floor(pct * image.height)), width = Math.max(1, Math.floor(pct * image.width));
  /** @returns {[number, number]} first row and first column, every place inside the image as likely */
  const place = () => [integer(uniform, image.height - height + 1), integer(uniform, image.width - width + 1)];
  const number = uniform() < p ? integer(uniform, maxNum + 1) : 0;
  return { height, width, number, places: () => Array.from({ length: number }, place) };
}

/**
 * As `RandErase`: 0 … maxNum patches, each number as likely, of Gaussian noise with the mean and standard deviation of
 * the batch, clamped to its least and greatest value.
 * @param {Uniform} uniform
 * @param {Picture[]} images
 * @param {{ pct?: number, maxNum?: number, p?: number }} [settings] pct: share of height and of width that a patch has
 * @returns {Picture[]}
 */
export function drawErase(uniform, images, { pct = 0.2, maxNum = 4, p = 1 } = {}) {
  let n = 0, sum = 0, low = Infinity, high = -Infinity;
  const each = (/** @type {(value: number) => void} */ see) => images.forEach(({ pixels }) => pixels.forEach(see));
  each((value) => { n++; sum += value; low = Math.min(low, value); high = Math.max(high, value); });
  const mean = sum / n, gaussian = normal(uniform);
  let squares = 0;
  each((value) => { squares += (value - mean) ** 2; });
  const std = Math.sqrt(squares / n), noise = () => clamp(gaussian() * std + mean, low, high);
  return images.map((image) => {
    const { height, width, places } = patches(uniform, image, pct, maxNum, p), at = places();
    const filled = at.map(() => ({ pixels: Float64Array.from({ length: height * width }, noise), height, width }));
    return erase(image, at.map(([top]) => top), at.map(([, left]) => left), at.map(() => true), filled);
  });
}

/**
 * As `RandCopy`: 0 … maxNum patches, each number as likely, go from places inside the image to others, all as likely.
 * @param {Uniform} uniform
 * @param {Picture[]} images
 * @param {{ pct?: number, maxNum?: number, p?: number }} [settings] pct: share of height and of width that a patch has
 * @returns {Picture[]}
 */
export function drawCopy(uniform, images, { pct = 0.2, maxNum = 4, p = 1 } = {}) {
  return images.map((image) => {
    const { height, width, places } = patches(uniform, image, pct, maxNum, p);
    return copyPatches(image, places(), places(), height, width);
  });
}

/**
 * The logarithm of a draw of Gamma(alpha, 1), Marsaglia and Tsang (2000): below 1 by way of alpha + 1.
 * @param {Uniform} uniform
 * @param {() => number} gaussian
 * @param {number} alpha
 * @returns {number}
 */
function logGamma(uniform, gaussian, alpha) {
  if (alpha < 1) return logGamma(uniform, gaussian, alpha + 1) + Math.log(1 - uniform()) / alpha;
  const d = alpha - 1 / 3;
  for (;;) {
    const x = gaussian(), v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - uniform()) < (x * x) / 2 + d * (1 - v + Math.log(v))) return Math.log(d * v);
  }
}

/**
 * A draw of Beta(alpha, alpha).
 * @param {Uniform} uniform
 * @param {number} alpha above 0: 1 is uniform, less favours 0 and 1
 * @returns {number} 0 … 1
 */
export function beta(uniform, alpha) {
  if (!(alpha > 0)) throw new RangeError(`alpha is ${alpha}: it must be above 0`);
  const gaussian = normal(uniform);
  return 1 / (1 + Math.exp(logGamma(uniform, gaussian, alpha) - logGamma(uniform, gaussian, alpha)));
}

/** A permutation of the images, all as likely, Fisher and Yates. @param {Uniform} uniform @param {Picture[]} images */
function shuffled(uniform, images) {
  const out = images.slice();
  for (let i = out.length - 1; i > 0; i--) {
    const j = integer(uniform, i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/**
 * As `Mixup`: each image with another of the batch (a permutation), and a weight from Beta(alpha, alpha) of its own.
 * @param {Uniform} uniform
 * @param {Picture[]} images of one size
 * @param {{ alpha?: number }} [settings] 0 blends nothing
 * @returns {Picture[]}
 */
export function drawMixup(uniform, images, { alpha = 0.4 } = {}) {
  if (alpha === 0) return images;
  const others = shuffled(uniform, images);
  return images.map((image, i) => mixup(image, others[i], beta(uniform, alpha)));
}

/**
 * Yun et al. (2019), each image with its own draws: what stays is a share from Beta(alpha, alpha), the rest a rectangle
 * of the image's proportions from another of the batch (a permutation), every pixel as likely to be its centre.
 * @param {Uniform} uniform
 * @param {Picture[]} images of one size
 * @param {{ alpha?: number }} [settings] 0 puts nothing in
 * @returns {Picture[]}
 */
export function drawCutmix(uniform, images, { alpha = 1 } = {}) {
  if (alpha === 0) return images;
  const others = shuffled(uniform, images);
  return images.map((image, i) => {
    const side = Math.sqrt(1 - beta(uniform, alpha));
    const height = Math.floor(side * image.height), width = Math.floor(side * image.width);
    const top = integer(uniform, image.height) - Math.floor(height / 2);
    return cutmix(image, others[i], top, integer(uniform, image.width) - Math.floor(width / 2), height, width);
  });
}

/**
 * A chain of transforms by the names of `miniai.lab.explorer.augmentation_code`, in its order, then mixup and CutMix;
 * those of strength 0, and those that are not given, are left out.
 * @param {Picture[]} images of one size
 * @param {{ padding?: number, flip?: number, cutout?: number, erase?: number, copy?: number, pct?: number,
 *   fill?: number, mixup?: number, cutmix?: number }} settings pixels of the crop, share of flips, pixels of the
 *   cutout, most patches erased and copied, share of height and width of a patch, the crop's value at the edge, alphas
 * @param {Uniform} uniform
 * @returns {Picture[]}
 */
export function apply(images, settings, uniform) {
  const { padding, pct = 0.2, fill = 0 } = settings;
  if (padding) images = drawCrop(uniform, images, { padding, fill });
  if (settings.flip) images = drawFlip(uniform, images, { p: settings.flip });
  if (settings.cutout) images = drawCutout(uniform, images, { size: settings.cutout });
  if (settings.erase) images = drawErase(uniform, images, { pct, maxNum: settings.erase });
  if (settings.copy) images = drawCopy(uniform, images, { pct, maxNum: settings.copy });
  if (settings.mixup) images = drawMixup(uniform, images, { alpha: settings.mixup });
  if (settings.cutmix) images = drawCutmix(uniform, images, { alpha: settings.cutmix });
  return images;
}
