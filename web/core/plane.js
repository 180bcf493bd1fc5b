// The pictures of momentum: its plane of rate and momentum, the path, the loss, and the eigenvalues.
import { arrow, axes, clipped, dot, frame, line } from "./canvas.js";
import { scale } from "./colour.js";
import { sample, shade, trace } from "./field.js";
import { best, bestMomentum, eigenvalues, factor, meeting, region, slowest } from "./modes.js";

/** @typedef {import("./colour.js").Colours} Colours */
/** @typedef {import("./modes.js").Kind} Kind */
/** @typedef {[number, number, number, number]} Box */

/** How far the plane goes to the right, as rate·curvature: so far that the best point is on it.
 * @param {Kind} kind @param {number} condition */
export function widest(kind, condition) {
  return kind === "damped" ? Math.max(8, Math.ceil(1.2 * best(kind, condition).z)) : kind === "heavy" ? 4 : 2;
}

/** The factors that have a contour line: six, from the best one up. @param {Kind} kind @param {number} condition */
export function levels(kind, condition) {
  const lowest = best(kind, condition).factor;
  return [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999].filter((level) => level > lowest).slice(0, 6);
}
/** The colours of the factors, from the best one to 1. */
const PALETTE = Array.from({ length: 256 }, (_, i) => scale(0.1 + 0.9 * (1 - i / 255)));

/** @param {number} width @param {number} height @returns {Box} */
const within = (width, height) => [58, 10, width - 14, height - 40];

/** The plane's axes. @param {{ kind: Kind, condition: number }} s @param {number} width CSS pixels @param {number} height */
export function planeAxes({ kind, condition }, width, height) {
  return axes({ xlim: [0, widest(kind, condition)], ylim: [0, 1], box: within(width, height) });
}

/** Text that stays legible on any colour. @param {CanvasRenderingContext2D} ctx @param {string} text @param {number} x
 * @param {number} y @param {Colours} colours */
function mark(ctx, text, x, y, colours) {
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 4;
  ctx.strokeStyle = colours.paper;
  ctx.fillStyle = colours.ink;
  ctx.strokeText(text, x, y);
  ctx.fillText(text, x, y);
}

/** @param {CanvasRenderingContext2D} ctx @param {Box} box @param {string} colour */
function hatch(ctx, [left, top, right, bottom], colour) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let x = left - (bottom - top); x < right; x += 9) {
    ctx.moveTo(x, bottom);
    ctx.lineTo(x + bottom - top, top);
  }
  ctx.stroke();
}

/** Where the names of regions go: in each, the place farthest from its border and from what is taken.
 * @param {import("./field.js").Field} field @param {import("./canvas.js").Axes} at
 * @param {(z: number, momentum: number) => string} name @param {[number, number][]} taken CSS pixels
 * @returns {[string, number, number][]} those with room, and where */
function places(field, at, name, taken) {
  const spots = [], [left, top, right, bottom] = at.box;
  for (let row = 0; row < field.rows; row += 4) {
    for (let column = 0; column < field.columns; column += 4) {
      const [x, y] = [field.x(column), field.y(row)];
      spots.push({ x, y, key: name(at.fromX(x), at.fromY(y)) });
    }
  }
  /** @type {Map<string, { room: number, x: number, y: number }>} */
  const found = new Map();
  const near = (/** @type {number} */ dx, /** @type {number} */ dy) =>
    Math.max(Math.abs(dx) / 3, Math.abs(dy)); // text is wide
  for (const { x, y, key } of spots) {
    let room = Math.min((x - left) / 3, (right - x) / 3, y - top, bottom - y,
      ...taken.map(([a, b]) => near(a - x, b - y)));
    const least = found.get(key)?.room ?? 7;
    for (const other of spots) {
      if (room <= least) break;
      if (other.key !== key) room = Math.min(room, near(other.x - x, other.y - y));
    }
    if (room > least) found.set(key, { room, x, y });
  }
  return [...found].filter(([key, { room }]) => room > 1.3 * key.length).map(([key, { x, y }]) => [key, x, y]);
}

/** @param {CanvasRenderingContext2D} ctx @param {import("./field.js").Field} field @param {number[]} lines their levels
 * @param {number} lowest @param {Colours} colours */
function contours(ctx, field, lines, lowest, colours) {
  for (const level of lines) {
    ctx.strokeStyle = level - lowest < 0.6 * (1 - lowest) ? "#202020" : "#f4f4f4";
    ctx.lineWidth = 1;
    ctx.beginPath();
    trace(ctx, field, level);
    ctx.stroke();
  }
  ctx.strokeStyle = colours.ink;
  ctx.lineWidth = 2.5;
  ctx.beginPath();
  trace(ctx, field, 1);
  ctx.stroke();
}

/** Where the number of each contour line goes: on it, and apart from the others.
 * @param {import("./field.js").Field} field @param {number[]} lines their levels @param {number} column
 * @param {boolean[]} ways false: the first from above; true: from below
 * @returns {[string, number, number][]} */
function numbers(field, lines, column, ways) {
  /** @type {[string, number, number][]} */
  const found = [];
  for (const [level, up] of ways.flatMap((way) => lines.map((l) => /** @type {const} */ ([l, way])))) {
    for (let i = 0; i < field.rows; i++) {
      const row = up ? field.rows - 1 - i : i;
      if (field.values[row * field.columns + column] > level) continue;
      const y = field.y(row);
      const apart = i > 3 && found.every(([text, , other]) =>
        Math.abs(y - other) > (text === String(level) ? 40 : 14));
      if (apart) found.push([String(level), field.x(column), y]);
      break;
    }
  }
  return found;
}

const NAMES = { monotone: "no swing", alternating: "side to side", critical: "", complex: "swings",
  divergent: "diverges" };

/** All of the plane but the point. @param {CanvasRenderingContext2D} ctx @param {number} width @param {number} height
 * @param {Kind} kind @param {number} condition @param {Colours} colours */
export function paintPlane(ctx, width, height, kind, condition, colours) {
  const at = planeAxes({ kind, condition }, width, height), { box } = at;
  const xlim = /** @type {[number, number]} */ ([0, widest(kind, condition)]);
  const field = sample(at, 2.5, (z, momentum) => slowest(kind, z, momentum, condition));
  const lines = levels(kind, condition), lowest = best(kind, condition).factor, share = (/** @type {number} */ rho) =>
    Math.min(Math.max((rho - lowest) / (1 - lowest), 0), 1);
  frame(ctx, at, { xlim, ylim: [0, 1], box, ylabel: "momentum μ",
    xlabel: condition === 1 ? "rate × curvature, ηλ" : "rate × largest curvature, ηλ" }, colours);
  clipped(ctx, box, () => {
    hatch(ctx, box, colours.soft);
    shade(ctx, field, (rho) => (rho < 1 ? PALETTE[Math.round(255 * share(rho))] : null));
    contours(ctx, field, lines, lowest, colours);
    curve(ctx, at, kind, condition, colours);
    for (const part of new Set([1, 1 / condition])) border(ctx, at, kind, part, xlim[1], colours);
    bestPair(ctx, at, kind, condition, colours);
  });
  const column = Math.round(field.columns * (condition > 1 ? 0.45 : kind === "nesterov" ? 0.15 : 0.3));
  const figures = numbers(field, lines, column, condition > 1 ? [true, false] : [false]);
  const name = (/** @type {number} */ z, /** @type {number} */ momentum) => {
    const found = region(kind, z, momentum);
    if (condition > 1) return slowest(kind, z, momentum, condition) >= 1 ? NAMES.divergent : "";
    return NAMES[found];
  };
  const taken = figures.map(([, x, y]) => /** @type {[number, number]} */ ([x, y]));
  for (const [text, x, y] of [...figures, ...places(field, at, name, taken)]) mark(ctx, text, x, y, colours);
}

/** Where real and complex meet. @param {CanvasRenderingContext2D} ctx @param {import("./canvas.js").Axes} at
 * @param {Kind} kind @param {number} share of the largest curvature @param {number} right end @param {Colours} colours */
function border(ctx, at, kind, share, right, colours) {
  const zs = Array.from({ length: 401 }, (_, i) => (right / share) * (i / 400) ** 3);
  const momenta = zs.map((z) => (kind === "nesterov" && z > 1 / share ? NaN : meeting(kind, z * share)));
  const ends = kind === "nesterov" ? [[...zs, 1 / share, 1 / share], [...momenta, 0, 1]] : [zs, momenta];
  line(ctx, at, ends[0], ends[1], { colour: colours.ink, width: 1.5, dash: [5, 4] });
}

/** The best momentum at each rate. @param {CanvasRenderingContext2D} ctx
 * @param {import("./canvas.js").Axes} at @param {Kind} kind @param {number} condition @param {Colours} colours */
function curve(ctx, at, kind, condition, colours) {
  const zs = Array.from({ length: 200 }, (_, i) => widest(kind, condition) * ((i + 0.5) / 200) ** 2);
  const momenta = zs.map((z) => {
    const found = bestMomentum(kind, z, condition);
    return slowest(kind, z, found, condition) < 1 ? found : NaN;
  });
  line(ctx, at, zs, momenta, { colour: colours.paper, width: 8 });
  line(ctx, at, zs, momenta, { colour: colours.second, width: 5 });
}

/** @param {CanvasRenderingContext2D} ctx @param {import("./canvas.js").Axes} at @param {Kind} kind
 * @param {number} condition @param {Colours} colours */
function bestPair(ctx, at, kind, condition, colours) {
  const { z, momentum } = best(kind, condition);
  dot(ctx, at.x(z), at.y(momentum), 6, colours.paper);
  dot(ctx, at.x(z), at.y(momentum), 4, colours.second);
}

/** Numbers over the steps. @param {CanvasRenderingContext2D} ctx @param {number} width @param {number} height
 * @param {{ values: number[], colour: string, dash?: number[], width?: number }[]} lines
 * @param {{ ylim: [number, number], ylog?: boolean, ylabel: string, steps: number }} o @param {Colours} colours */
export function paintLines(ctx, width, height, lines, o, colours) {
  const xlim = /** @type {[number, number]} */ ([0, o.steps]);
  const settings = { ...o, xlim, box: within(width, height), xlabel: "step" };
  const at = axes(settings), steps = Array.from({ length: o.steps + 1 }, (_, i) => i);
  frame(ctx, at, settings, colours);
  clipped(ctx, settings.box, () => {
    for (const { values, ...style } of lines) line(ctx, at, steps, values, style);
  });
}

/**
 * The eigenvalues of each direction and the unit circle; an arrow points to one that is outside of the picture.
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} width
 * @param {number} height
 * @param {{ kind: Kind, zs: number[], momentum: number }} o zs: rate·curvature of each direction
 * @param {Colours} colours
 */
export function paintEigenvalues(ctx, width, height, { kind, zs, momentum }, colours) {
  const half = Math.max(1, Math.min(width - 72, height - 50) / 2), [x, y] = [width / 2, 10 + half];
  const lim = /** @type {[number, number]} */ ([-1.25, 1.25]);
  const box = /** @type {Box} */ ([x - half, y - half, x + half, y + half]), at = axes({ xlim: lim, ylim: lim, box });
  frame(ctx, at, { xlim: lim, ylim: lim, box, xlabel: "real part", ylabel: "imaginary part" }, colours);
  const ring = (/** @type {number} */ radius, /** @type {string} */ colour, /** @type {number[]} */ dash) => {
    ctx.setLineDash(dash);
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    ctx.arc(x, y, (radius * half) / 1.25, 0, 2 * Math.PI);
    ctx.stroke();
    ctx.setLineDash([]);
  };
  ring(1, colours.ink, []);
  clipped(ctx, box, () => ring(Math.max(...zs.map((z) => factor(kind, z, momentum))), colours.soft, [4, 4]));
  zs.forEach((z, i) => {
    for (const { re, im } of eigenvalues(kind, z, momentum)) {
      const out = Math.max(Math.abs(re), Math.abs(im)) / 1.2, colour = i ? colours.second : colours.accent;
      if (out <= 1) dot(ctx, at.x(re), at.y(im), 6, colour, i === 0);
      else arrow(ctx, [at.x(0.85 * re / out), at.y(0.85 * im / out)], [at.x(re / out), at.y(im / out)], colour);
    }
  });
}
