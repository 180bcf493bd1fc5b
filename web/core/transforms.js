/**
 * The transforms of `miniai.augment`, given the draws, one image at a time.
 * @typedef {{ pixels: Float64Array, height: number, width: number, target?: number[] }} Picture grey, row by row;
 *   `target` holds shares of classes that add up to 1
 * @typedef {"constant" | "edge" | "reflect"} PaddingMode
 */

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/**
 * Pad, then cut the window that begins at a place of the padded image.
 * @param {Picture} image
 * @param {number} top first row, 0 … 2·padding
 * @param {number} left first column
 * @param {number} padding pixels added on each side; to reflect, fewer than height and width
 * @param {number} [fill] their value, where the mode is "constant"
 * @param {PaddingMode} [paddingMode]
 * @returns {Picture} of the same size
 */
export function crop(image, top, left, padding, fill = 0, paddingMode = "constant") {
  const { pixels, height, width } = image;
  if (paddingMode === "reflect" && padding >= Math.min(height, width)) {
    throw new RangeError(`padding is ${padding}: to reflect ${height}×${width} pixels it must be smaller than both`);
  }
  for (const [name, first] of Object.entries({ top, left })) {
    if (!(first >= 0 && first <= 2 * padding)) {
      throw new RangeError(`${name} is ${first}: it must be from 0 to ${2 * padding}, twice the padding`);
    }
  }
  const inside = (/** @type {number} */ k, /** @type {number} */ size) =>
    paddingMode === "edge" ? clamp(k, 0, size - 1) : k < size ? Math.abs(k) : 2 * (size - 1) - k;
  const beyond = (/** @type {number} */ i, /** @type {number} */ j) => i < 0 || j < 0 || i >= height || j >= width;
  return { ...image, pixels: pixels.map((_, at) => {
    const i = Math.floor(at / width) + top - padding, j = (at % width) + left - padding;
    return paddingMode === "constant" && beyond(i, j) ? fill : pixels[inside(i, height) * width + inside(j, width)];
  }) };
}

/**
 * Mirror, left to right.
 * @param {Picture} image
 * @param {boolean} [which] false leaves it as it is
 * @returns {Picture}
 */
export function flip(image, which = true) {
  const { pixels, width } = image;
  return { ...image, pixels: pixels.map((value, at) => which ? pixels[at + width - 1 - 2 * (at % width)] : value) };
}

/**
 * Which pixels a patch has, row by row; beyond the edge, those at the edge.
 * @param {Picture} image
 * @param {number} top
 * @param {number} left
 * @param {number} height
 * @param {number} width
 * @returns {number[]} places in `image.pixels`
 */
function patch(image, top, left, height, width) {
  return Array.from({ length: height * width }, (_, k) => {
    const i = clamp(top + Math.floor(k / width), 0, image.height - 1);
    return i * image.width + clamp(left + (k % width), 0, image.width - 1);
  });
}

/**
 * Put `fill` into a square about a centre. What lies beyond the edge of the image is left out.
 * @param {Picture} image
 * @param {number} row the centre, 0 … height − 1
 * @param {number} column 0 … width − 1
 * @param {number} size pixels of a side
 * @param {number} [fill]
 * @returns {Picture}
 */
export function cutout(image, row, column, size, fill = 0) {
  const pixels = image.pixels.slice(), before = Math.floor(size / 2);
  for (const at of patch(image, row - before, column - before, size, size)) pixels[at] = fill;
  return { ...image, pixels };
}

/**
 * Put patches into an image, one after the other, the first one first.
 * @param {Picture} image
 * @param {number[]} top first row of each of k patches
 * @param {number[]} left first column
 * @param {boolean[]} wanted which of them to put in
 * @param {Picture[]} patches
 * @returns {Picture}
 */
export function erase(image, top, left, wanted, patches) {
  const pixels = image.pixels.slice();
  patches.forEach((from, k) => {
    if (!wanted[k]) return;
    patch(image, top[k], left[k], from.height, from.width).forEach((at, i) => { pixels[at] = from.pixels[i]; });
  });
  return { ...image, pixels };
}

/**
 * Copy patches from one place of an image to another, one after the other.
 * @param {Picture} image
 * @param {[number, number][]} to first row and first column of where each patch goes
 * @param {[number, number][]} source of where it comes from
 * @param {number} height pixels of a patch
 * @param {number} width
 * @returns {Picture}
 */
export function copyPatches(image, to, source, height, width) {
  const pixels = image.pixels.slice();
  to.forEach(([top, left], k) => {
    const read = patch(image, ...source[k], height, width).map((at) => pixels[at]);
    patch(image, top, left, height, width).forEach((at, i) => { pixels[at] = read[i]; });
  });
  return { ...image, pixels };
}

/** `image`, with a blend of the targets. @param {Picture} image @param {Picture} other @param {number} weight */
function blendTargets(image, other, weight) {
  if (!image.target || !other.target) return image;
  const shares = other.target;
  return { ...image, target: image.target.map((share, k) => weight * share + (1 - weight) * shares[k]) };
}

/**
 * Blend two images, and their targets with the same weights.
 * @param {Picture} image
 * @param {Picture} other of the same size
 * @param {number} weight of `image`, 0 … 1; `other` has the rest
 * @returns {Picture}
 */
export function mixup(image, other, weight) {
  const pixels = image.pixels.map((value, at) => weight * value + (1 - weight) * other.pixels[at]);
  return { ...blendTargets(image, other, weight), pixels };
}

/**
 * Put a rectangle of another image into this one at the same place; the targets have the shares of the area. What lies
 * beyond the edge is left out, of the shares too.
 * @param {Picture} image
 * @param {Picture} other of the same size
 * @param {number} top first row
 * @param {number} left first column
 * @param {number} height
 * @param {number} width
 * @returns {Picture}
 */
export function cutmix(image, other, top, left, height, width) {
  const pixels = image.pixels.slice();
  let area = 0;
  for (let i = Math.max(top, 0); i < Math.min(top + height, image.height); i++) {
    for (let j = Math.max(left, 0); j < Math.min(left + width, image.width); j++, area++) {
      pixels[i * image.width + j] = other.pixels[i * image.width + j];
    }
  }
  return { ...blendTargets(image, other, 1 - area / pixels.length), pixels };
}
