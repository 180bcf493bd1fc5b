// Pictures of a descent by hand: the path, on a map that may be hidden, and the height after each step.
import { arrow, axes, clipped, dot, frame, line } from "./canvas.js";
import { ahead, downhill, height, hindered, last, surfaceOf } from "./byhand.js";
import { sample, shade } from "./field.js";

/** @typedef {import("./byhand.js").State} State */
/** @typedef {import("./surfaces.js").Pair} Pair */
/** @typedef {import("./surfaces.js").Surface} Surface */
/** @typedef {import("./canvas.js").Axes} Axes */
/** @typedef {import("./colour.js").Colours} Colours */
/** @typedef {[number, number, number, number]} Box left, top, right, bottom, in CSS pixels */
/** @typedef {{ label: string, path: Pair[], width: number, colour: string, dash: number[] }} Walk */

/** Where the surface lies in the picture, a unit of x as long as one of y. @param {Surface} on
 * @param {number} width of the picture, in CSS pixels @returns {Box} */
export function boxOf({ xlim, ylim }, width) {
  const ratio = (ylim[1] - ylim[0]) / (xlim[1] - xlim[0]), free = Math.max(width - 72, 80);
  const tall = Math.min(free * ratio, 400), wide = tall / ratio, left = 58 + (free - wide) / 2;
  return [left, 10, left + wide, 10 + tall];
}

/** @param {Surface} on @param {number} width of the picture, in CSS pixels */
export function axesOf(on, width) { return axes({ xlim: on.xlim, ylim: on.ylim, box: boxOf(on, width) }); }

/** Heights between the shades of a map, as in miniai.lab.surface: each a constant factor above the one below.
 * @param {Float64Array} heights @returns {number[]} 13 of them */
export function levels(heights) {
  const every = Math.ceil(heights.length / 4000), some = new Float64Array(Math.ceil(heights.length / every));
  for (let i = 0; i < some.length; i++) some[i] = heights[i * every];
  const highest = heights.reduce((most, h) => Math.max(most, h), 0);
  const first = Math.max(some.sort()[Math.round(0.01 * (some.length - 1))], 1e-4 * highest);
  return Array.from({ length: 13 }, (_, i) => first * (highest / first) ** (i / 12));
}

/** Shades of height, and a cross at the minimum. @param {CanvasRenderingContext2D} ctx @param {Axes} at
 * @param {Surface} on @param {Colours} colours */
export function paintMap(ctx, at, on, colours) {
  const lowest = on.minimum ? on.f(...on.minimum) : 0, field = sample(at, 2, (x, y) => on.f(x, y) - lowest);
  const bounds = levels(field.values), [low, high] = colours.dark ? [27, 90] : [255, 165];
  clipped(ctx, at.box, () => shade(ctx, field, (value) => {
    let band = 0;
    while (band < 12 && value > bounds[band]) band++;
    const grey = Math.round(low + (band / 12) * (high - low));
    return [grey, grey, grey];
  }));
  if (!on.minimum) return;
  const [x, y] = [at.x(on.minimum[0]), at.y(on.minimum[1])];
  ctx.strokeStyle = colours.ink;
  ctx.lineWidth = 2;
  ctx.beginPath();
  for (const [dx, dy] of [[7, 0], [0, 7]]) {
    ctx.moveTo(x - dx, y - dy);
    ctx.lineTo(x + dx, y + dy);
  }
  ctx.stroke();
}

/** Instead of the map: no numbers, which would tell where its bottom lies. @param {CanvasRenderingContext2D} ctx
 * @param {Axes} at @param {Colours} colours */
export function veil(ctx, at, colours) {
  const [left, top, right, bottom] = at.box;
  ctx.strokeStyle = colours.grid;
  ctx.lineWidth = 1;
  ctx.setLineDash([]);
  ctx.strokeRect(left, top, right - left, bottom - top);
  ctx.fillStyle = colours.ink;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText("x", (left + right) / 2, bottom + 14);
  ctx.fillText("y", left - 14, (top + bottom) / 2);
  ctx.fillStyle = colours.soft;
  ctx.textAlign = "right";
  ctx.textBaseline = "top";
  ctx.fillText("the map is hidden until you are there", at.box[2] - 8, at.box[1] + 8);
}

/** The paths, and what is known of the next step. @param {CanvasRenderingContext2D} ctx @param {Axes} at
 * @param {State} s @param {Walk[]} walks yours last @param {Colours} colours */
export function paintWalks(ctx, at, s, walks, colours) {
  const from = last(s), { point } = ahead(s), open = !hindered(s), { colour: mine } = walks[walks.length - 1];
  const pixels = (/** @type {Pair} */ [x, y]) => /** @type {Pair} */ ([at.x(x), at.y(y)]);
  for (const { path, ...style } of walks) {
    line(ctx, at, path.map(([x]) => x), path.map(([, y]) => y), style);
    if (path.length <= 60) for (const p of path) dot(ctx, ...pixels(p), 3, style.colour);
  }
  if (open) line(ctx, at, [from[0], point[0]], [from[1], point[1]], { colour: colours.ink, dash: [2, 4] });
  if (open && s.way === "steer") dot(ctx, ...pixels(point), 5, colours.ink, false);
  if (s.arrow) arrow(ctx, pixels(from), pixels(downhill(surfaceOf(s), from)), colours.accent);
  dot(ctx, ...pixels(from), 6, mine);
}

/** The height after each step, and 1 % of the start's. @param {CanvasRenderingContext2D} ctx @param {number} width
 * @param {number} tall @param {Surface} on @param {Walk[]} walks yours last @param {Colours} colours */
export function paintHeights(ctx, width, tall, on, walks, colours) {
  const first = height(on, walks[0].path[0]) || 1, most = Math.max(10, ...walks.map(({ path }) => path.length - 1));
  const heights = walks.map(({ path }) => path.map((point) => limited(height(on, point), first)));
  const xlim = /** @type {Pair} */ ([0, most]), highest = Math.max(2 * first, ...heights.flat());
  const o = { xlim, ylim: /** @type {Pair} */ ([first / 1e3, highest]), ylog: true, xlabel: "step", ylabel: "height",
    box: /** @type {Box} */ ([58, 8, width - 14, tall - 40]) };
  const at = axes(o);
  frame(ctx, at, o, colours);
  clipped(ctx, o.box, () => {
    line(ctx, at, xlim, [first / 100, first / 100], { colour: colours.good, dash: [6, 4], width: 1.5 });
    walks.forEach((style, i) => line(ctx, at, heights[i].map((_, k) => k), heights[i], style));
    heights[heights.length - 1].forEach((h, k) => dot(ctx, at.x(k), at.y(h), 3, walks[walks.length - 1].colour));
  });
}

/** What a picture of heights can hold. @param {number} h @param {number} first */
const limited = (h, first) => Math.min(Math.max(h, first * 1e-4), first * 1e3);
