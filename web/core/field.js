// Values over a rectangle of a picture: shades and contour lines, drawn once and kept.

/**
 * Values at the corners of square cells that cover a box.
 * @typedef {object} Field
 * @property {Float64Array} values row by row, from the top
 * @property {number} columns
 * @property {number} rows
 * @property {(column: number) => number} x CSS pixels
 * @property {(row: number) => number} y
 */

/**
 * @param {import("./canvas.js").Axes} at
 * @param {number} cell about how large a cell is, in CSS pixels
 * @param {(x: number, y: number) => number} f
 * @returns {Field}
 */
export function sample(at, cell, f) {
  const [left, top, right, bottom] = at.box;
  const [columns, rows] = [right - left, bottom - top].map((length) => Math.max(2, Math.round(length / cell) + 1));
  const x = (/** @type {number} */ column) => left + (column / (columns - 1)) * (right - left);
  const y = (/** @type {number} */ row) => top + (row / (rows - 1)) * (bottom - top);
  const values = new Float64Array(columns * rows);
  const xs = Array.from({ length: columns }, (_, i) => at.fromX(x(i)));
  for (let row = 0; row < rows; row++) {
    const here = at.fromY(y(row));
    for (let i = 0; i < columns; i++) values[row * columns + i] = f(xs[i], here);
  }
  return { values, columns, rows, x, y };
}

/** Where the value passes `level`: pieces of line, by marching squares. @param {Field} field @param {number} level
 * @returns {[number, number, number, number][]} from x, y to x, y, in cells */
export function contour({ values, columns, rows }, level) {
  /** @type {[number, number, number, number][]} */
  const pieces = [];
  for (let row = 0; row + 1 < rows; row++) {
    for (let column = 0; column + 1 < columns; column++) {
      const at = row * columns + column, a = values[at], b = values[at + 1];
      const d = values[at + columns], c = values[at + columns + 1];
      const first = a > level;
      if (first === b > level && first === c > level && first === d > level) continue;
      if (!Number.isFinite(a + b + c + d)) continue;
      const cut = (/** @type {number} */ from, /** @type {number} */ to) => (level - from) / (to - from);
      /** @type {[number, number][]} */
      const ends = [];
      if (a > level !== b > level) ends.push([column + cut(a, b), row]);
      if (b > level !== c > level) ends.push([column + 1, row + cut(b, c)]);
      if (c > level !== d > level) ends.push([column + 1 - cut(c, d), row + 1]);
      if (d > level !== a > level) ends.push([column, row + 1 - cut(d, a)]);
      for (let i = 0; i + 1 < ends.length; i += 2) pieces.push([...ends[i], ...ends[i + 1]]);
    }
  }
  return pieces;
}

/** Adds a contour line to the path of `ctx`. @param {CanvasRenderingContext2D} ctx @param {Field} field
 * @param {number} level */
export function trace(ctx, field, level) {
  for (const [x0, y0, x1, y1] of contour(field, level)) {
    ctx.moveTo(field.x(x0), field.y(y0));
    ctx.lineTo(field.x(x1), field.y(y1));
  }
}

/**
 * Fills the box with a colour for each value.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Field} field
 * @param {(value: number) => [number, number, number] | null} colour red, green, blue; null leaves it clear
 */
export function shade(ctx, field, colour) {
  const { columns, rows, values } = field, small = new OffscreenCanvas(columns, rows);
  const to = /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d"));
  const image = to.createImageData(columns, rows);
  const pixels = image.data;
  for (let i = 0, k = 0; i < values.length; i++, k += 4) {
    const found = colour(values[i]);
    if (!found) continue;
    [pixels[k], pixels[k + 1], pixels[k + 2]] = found;
    pixels[k + 3] = 255;
  }
  to.putImageData(image, 0, 0);
  const [dx, dy] = [field.x(1) - field.x(0), field.y(1) - field.y(0)];
  ctx.drawImage(small, field.x(0) - dx / 2, field.y(0) - dy / 2, columns * dx, rows * dy);
}

/**
 * A drawing that is kept until its key, its size or the screen's resolution changes.
 * @returns {(ctx: CanvasRenderingContext2D, width: number, height: number, key: string,
 *   draw: (ctx: CanvasRenderingContext2D) => void) => void}
 */
export function layer() {
  let was = "";
  /** @type {HTMLCanvasElement | null} */
  let kept = null;
  return (ctx, width, height, key, draw) => {
    const ratio = devicePixelRatio || 1, now = `${key} ${width} ${height} ${ratio}`;
    if (!kept || was !== now) {
      kept = document.createElement("canvas");
      [kept.width, kept.height] = [Math.round(width * ratio), Math.round(height * ratio)];
      const own = /** @type {CanvasRenderingContext2D} */ (kept.getContext("2d"));
      own.scale(ratio, ratio);
      own.font = ctx.font;
      draw(own);
      was = now;
    }
    ctx.drawImage(kept, 0, 0, width, height);
  };
}
