// Pictures of a race: paths over the surface, the shown step's parts as arrows, and the loss of each step.
import { arrow, axes, clipped, dot, frame, line } from "./canvas.js";
import { styleOf } from "./colour.js";
import { arrowed, bands, partsAt } from "./race.js";

/** @typedef {import("./race.js").State} State */
/** @typedef {import("./race.js").Field} Field */
/** @typedef {import("./race.js").Run} Run */
/** @typedef {import("./race.js").Pair} Pair */
/** @typedef {import("./colour.js").Colours} Colours */
/** @typedef {import("./canvas.js").Axes} Axes */
/** @typedef {{ colour: string, dash: number[] }} Style */
/**
 * @typedef {object} Scene
 * @property {Field} field
 * @property {Run[]} runs
 * @property {Style[]} styles one a run
 * @property {{ points: Pair[], losses: number[] } | null} hand
 * @property {Colours} colours
 */
/** @typedef {[number, number, number, number]} Box left, top, right, bottom, in CSS pixels */

const DASHES = [[], [7, 3], [2, 3]];
/** The optimizers' styles; a name that comes again gets another dash.
 * @param {Run[]} runs @param {Colours} colours @returns {Style[]} */
export function styles(runs, { dark }) {
  return runs.map(({ name }, i) => {
    const style = styleOf(name, dark), before = runs.slice(0, i).filter((run) => run.name === name).length;
    const others = DASHES.filter((dash) => String(dash) !== String(style.dash));
    return before ? { ...style, dash: others[before - 1] } : style;
  });
}

/** @param {Colours} colours @returns {Style} */
export const handStyle = (colours) => ({ colour: colours.soft, dash: [1, 4] });

/** Where the surface lies in a picture, a unit of x as long as one of y.
 * @param {Pick<Field, "xlim" | "ylim">} field @param {number} width of the picture @returns {Box} */
export function boxOf({ xlim, ylim }, width) {
  const ratio = (ylim[1] - ylim[0]) / (xlim[1] - xlim[0]), free = Math.max(width - 64, 80);
  const height = Math.min(free * ratio, 400), spare = (free - height / ratio) / 2;
  return [54 + spare, 8, 54 + spare + height / ratio, 8 + height];
}

/** How many times as long as they are steps are drawn: a round number that makes the longest well visible.
 * @param {number} longest in CSS pixels @param {number} reach of an arrow, likewise */
export function magnification(longest, reach) {
  if (!(longest > 0 && longest < reach / 2)) return 1;
  const most = reach / longest, power = 10 ** Math.floor(Math.log10(most));
  return Math.min(1000, power * (most / power >= 5 ? 5 : most / power >= 2 ? 2 : 1));
}

/** The surface in shades of grey, kept until it, its size or the theme changes.
 * @returns {(scene: Scene, width: number, height: number) => HTMLCanvasElement} */
export function terrain() {
  const canvas = document.createElement("canvas");
  let kept = "";
  return ({ field, colours }, width, height) => {
    const [w, h] = [Math.max(1, Math.round(width)), Math.max(1, Math.round(height))];
    const key = JSON.stringify([field.name, w, h, colours.dark]);
    if (key === kept) return canvas;
    kept = key;
    [canvas.width, canvas.height] = [w, h];
    const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const image = ctx.createImageData(w, h), pixels = new Uint32Array(image.data.buffer);
    const { xlim, ylim } = field, band = bands(field), [low, high] = colours.dark ? [27, 78] : [255, 205];
    for (let j = 0, k = 0; j < h; j++) {
      const y = ylim[1] - ((j + 0.5) / h) * (ylim[1] - ylim[0]);
      for (let i = 0; i < w; i++) {
        const shade = Math.round(low + band(xlim[0] + ((i + 0.5) / w) * (xlim[1] - xlim[0]), y) * (high - low));
        pixels[k++] = 0xff000000 | (shade * 0x10101);
      }
    }
    ctx.putImageData(image, 0, 0);
    return canvas;
  };
}

/** Axes of which the units are pixels. @param {Axes} at @returns {Axes} */
const pixels = (at) => ({ ...at, x: (v) => v, y: (v) => v });

/** Coordinates that a canvas can take. @param {number} v */
const tame = (v) => Math.min(Math.max(v, -1e4), 1e4);

/** How many points of a path are worth drawing: up to the first that is ten pictures away.
 * @param {Pair[]} points @param {Pick<Field, "xlim" | "ylim">} field */
export function near(points, { xlim, ylim }) {
  const far = (/** @type {number} */ v, /** @type {Pair} */ [low, high]) => !(Math.abs(v - low) < 10 * (high - low));
  const i = points.findIndex(([x, y]) => far(x, xlim) || far(y, ylim));
  return i < 0 ? points.length : i + 1;
}

/** A path: all of it faint, and bold as far as it has come.
 * @param {CanvasRenderingContext2D} ctx @param {Axes} at @param {Pair[]} points @param {number} step
 * @param {Style} style @param {string} paper */
function path(ctx, at, points, step, style, paper) {
  const xs = points.map(([x]) => tame(x)), ys = points.map(([, y]) => tame(y)), n = step + 1;
  ctx.globalAlpha = 0.5;
  line(ctx, at, xs, ys, { ...style, width: 1.5 });
  ctx.globalAlpha = 0.75;
  line(ctx, at, xs.slice(0, n), ys.slice(0, n), { colour: paper, width: 5 });
  ctx.globalAlpha = 1;
  line(ctx, at, xs.slice(0, n), ys.slice(0, n), { ...style, width: 2.5 });
  const i = Math.min(step, xs.length - 1);
  dot(ctx, at.x(xs[i]), at.y(ys[i]), 5.5, paper);
  dot(ctx, at.x(xs[i]), at.y(ys[i]), 4, style.colour);
}

/** An arrow with its name beyond the head, or beside its middle.
 * @param {CanvasRenderingContext2D} ctx @param {Pair} from
 * @param {Pair} by in CSS pixels @param {{ name: string, colour: string, paper: string, beside?: boolean }} o */
function named(ctx, [x, y], [dx, dy], { name, colour, paper, beside }) {
  const length = Math.hypot(dx, dy);
  if (!(length > 2)) return;
  arrow(ctx, [x, y], [x + dx, y + dy], colour, beside ? 3.5 : 1.25);
  const [along, aside] = beside ? [0.5, 17 / length] : [1 + 12 / length, 0];
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.lineWidth = 3;
  ctx.strokeStyle = paper;
  ctx.fillStyle = colour;
  const at = /** @type {const} */ ([name, x + dx * along + dy * aside, y + dy * along - dx * aside]);
  ctx.strokeText(...at);
  ctx.fillText(...at);
}

/** One optimizer's arrows.
 * @param {CanvasRenderingContext2D} ctx @param {Axes} at @param {Scene} scene @param {State} state
 * @returns {number} how many times as long as it is the step is drawn */
function arrows(ctx, at, { field, runs, styles, colours: { paper } }, state) {
  const { step } = state, i = runs.findIndex(({ place }) => place === arrowed(state));
  const parts = i < 0 ? null : partsAt(field, runs[i], step);
  if (!parts) return 1;
  const scale = at.x(1) - at.x(0), reach = Math.min(70, Math.max(40, (at.box[2] - at.box[0]) / 8));
  const times = magnification(scale * Math.hypot(...parts.step), reach);
  const [x, y] = runs[i].points[step], from = /** @type {Pair} */ ([at.x(x), at.y(y)]), { colour } = styles[i];
  const { gradient, velocity = [0, 0] } = parts;
  const uphill = reach / Math.max(Math.hypot(...gradient), Math.hypot(...velocity));
  const by = (/** @type {Pair} */ [dx, dy], /** @type {number} */ s) => /** @type {Pair} */ ([dx * s, -dy * s]);
  named(ctx, from, by(gradient, -uphill), { name: "−g", colour, paper });
  named(ctx, from, by(velocity, -uphill), { name: "−v", colour, paper });
  named(ctx, from, by(parts.step, scale * times), { name: "step", colour, paper, beside: true });
  return times;
}

/**
 * The race from above.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Box} box
 * @param {State} state
 * @param {Scene} scene
 * @param {CanvasImageSource} ground
 * @returns {number} how many times as long as it is the step is drawn
 */
export function paintPaths(ctx, box, state, scene, ground) {
  const { field, runs, hand, colours } = scene, { xlim, ylim } = field;
  const options = { xlim, ylim, box, xlabel: "x", ylabel: "y" }, at = axes(options);
  const [left, top, right, bottom] = box;
  let times = 1;
  ctx.drawImage(ground, left, top, right - left, bottom - top);
  frame(ctx, at, options, { ...colours, grid: colours.dark ? "#5c5c5c" : "#c4c4c4" });
  clipped(ctx, box, () => {
    const [x, y] = [at.x(field.minimum[0]), at.y(field.minimum[1])];
    line(ctx, pixels(at), [x - 6, x + 6, NaN, x, x], [y, y, NaN, y - 6, y + 6], { colour: colours.ink });
    const walk = (/** @type {Pair[]} */ points, /** @type {Style} */ style) =>
      path(ctx, at, points.slice(0, near(points, field)), state.step, style, colours.paper);
    if (hand) walk(hand.points, handStyle(colours));
    runs.forEach((run, i) => walk(run.points, scene.styles[i]));
    times = arrows(ctx, at, scene, state);
  });
  return times;
}

/** What the loss curve shows: whole powers of ten. @param {number[][]} curves @returns {Pair} */
export function lossLimits(curves) {
  const first = Math.max(1e-12, ...curves.map((losses) => losses[0]));
  const seen = curves.flat().filter((loss) => loss > first * 1e-12 && loss <= first * 1e4);
  const [low, high] = [Math.min(...seen, first), Math.max(...seen, first)].map(Math.log10);
  const [floor, ceiling] = [Math.floor(low), Math.ceil(high)];
  return [10 ** floor, 10 ** Math.max(ceiling, floor + 1)];
}

/** All losses: the walk by hand's, then each run's. @param {Pick<Scene, "runs" | "hand">} scene */
export const curvesOf = ({ runs, hand }) => [...(hand ? [hand] : []), ...runs].map(({ losses }) => losses);

/** The loss after each step, and a mark at the shown one. What is too high runs along the top, nobody leaves it empty.
 * @param {CanvasRenderingContext2D} ctx @param {number} width @param {number} height
 * @param {State} state @param {Scene} scene */
export function paintLosses(ctx, width, height, state, scene) {
  const { styles, hand, colours } = scene, curves = curvesOf(scene), ylim = lossLimits(curves);
  const drawn = [...(hand ? [handStyle(colours)] : []), ...styles];
  const box = /** @type {Box} */ ([64, 8, width - 16, height - 40]), [left, top, right, bottom] = box;
  /** @type {import("./canvas.js").AxesOptions} */
  const options = { xlim: [0, state.steps], ylim, ylog: true, box, xlabel: "step", ylabel: "loss" };
  const at = axes(options), x = at.x(state.step);
  if (!curves.length) {
    ctx.strokeStyle = colours.grid;
    ctx.strokeRect(left, top, right - left, bottom - top);
    return;
  }
  frame(ctx, at, options, colours);
  line(ctx, pixels(at), [x, x], [top, bottom], { colour: colours.ink, width: 1 });
  clipped(ctx, [left, top - 4, width, height], () => curves.forEach((losses, i) => {
    const shown = losses.map((loss) => (loss <= ylim[1] ? Math.max(loss, ylim[0]) : ylim[1]));
    const k = Math.min(state.step, losses.length - 1);
    line(ctx, at, losses.map((_, step) => step), shown, drawn[i]);
    dot(ctx, at.x(k), at.y(shown[k]), 4, drawn[i].colour);
  }));
}
