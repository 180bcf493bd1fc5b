// Residuals: the gradient in each convolution of recorded networks, by depth, with shortcuts and without.
import { axes, clipped, dot, frame, handle, legend, line, picture } from "./core/canvas.js";
import { scale } from "./core/colour.js";
import { check, el, group, player, select, slider, status } from "./core/controls.js";
import { interactive } from "./core/interactive.js";
import { BATCHES, CHANNELS, DEPTHS, SHOWN, chosen, limits, named, profile, read, words } from "./core/profiles.js";

/** @typedef {import("./core/profiles.js").Data} Data */
/** @typedef {import("./core/profiles.js").Network} Network */
/** @typedef {import("./core/profiles.js").Spread} Spread */
/** @typedef {import("./core/profiles.js").State} State */
/** @typedef {import("./core/canvas.js").Axes} Axes */
/** @typedef {import("./core/interactive.js").View<State, Data | undefined>} View */
/** @typedef {[number, number]} Lim */
/** @typedef {{ network: Network, shades: Spread[], colour: string, dash: number[] }} Drawn */

/** @type {State} */
const defaults = { depth: 50, shown: "both", trained: false, layer: 1, ahead: 0 };
const css = ".stage { touch-action: pan-y; cursor: crosshair; }";
const ROWS = 150; // CSS pixels for the networks above the axes
const HEIGHT = 420;

/** @type {(x: number, low: number, high: number) => number} */
const whole = (x, low, high) => Math.round(Math.min(Math.max(x, low), high));

/** @param {State} s @returns {State} */
export function clean(s) {
  const depth = DEPTHS.includes(s.depth) ? s.depth : defaults.depth;
  return { depth, shown: SHOWN.includes(s.shown) ? s.shown : defaults.shown, trained: s.trained,
    layer: whole(s.layer, 1, depth), ahead: whole(s.ahead, 0, depth) };
}

/** Another depth, with the gradient in all its layers.
 * @param {number} depth @param {State} s @returns {Partial<State>} */
export const deepen = (depth, { layer }) => ({ depth, layer: Math.min(layer, depth), ahead: 0 });

/** The gradient after so many convolutions on its way back, and a look at the last it came to.
 * @param {number} reached @param {State} s @returns {Partial<State>} */
export const walk = (reached, { depth }) => ({ ahead: depth - reached, layer: whole(depth - reached + 1, 1, depth) });

/** @param {State} state @param {number} width @param {number} height @param {Lim} ylim */
function axesOf({ depth }, width, height, ylim) {
  const o = { xlim: /** @type {Lim} */ ([0.5, depth + 0.5]), ylim, ylog: true, xlabel: "convolution, first to last",
    ylabel: "norm of the weights' gradient",
    box: /** @type {[number, number, number, number]} */ ([58, ROWS + 34, width - 34, height - 40]) };
  return { o, at: axes(o) };
}

/** The networks with their looks. @param {View} view @param {Data} data @param {State} state @returns {Drawn[]} */
function looks({ colours }, data, state) {
  return chosen(data, state).map((network) => ({ network, shades: profile(network, state.trained),
    colour: network.shortcuts ? colours.second : colours.accent, dash: network.shortcuts ? [7, 3] : [] }));
}

/** Where a gradient lies on the scale, 0 … 1. @param {number} norm @param {Lim} ylim */
export const share = (norm, [low, high]) => Math.log(norm / low) / Math.log(high / low);

/** @param {number} t 0 … 1 */
const shade = (t) => `rgb(${scale(t).join(" ")})`;

/** From the loss back to where the gradient is, and each shortcut on the way.
 * @param {CanvasRenderingContext2D} ctx @param {Axes} at @param {Drawn} drawn @param {number} ahead
 * @param {Lim} span top of the arcs, middle of the blocks @param {string} soft */
function paths(ctx, at, { network, colour }, ahead, [top, middle], soft) {
  const stroke = (/** @type {boolean} */ reached, /** @type {() => void} */ draw) => {
    ctx.strokeStyle = reached ? colour : soft;
    ctx.lineWidth = reached ? 2 : 1;
    ctx.beginPath();
    draw();
    ctx.stroke();
  };
  const straight = (/** @type {number} */ from, /** @type {number} */ to) => () => {
    ctx.moveTo(from, middle);
    ctx.lineTo(to, middle);
  };
  const [left, , right] = at.box, front = ahead < network.depth ? at.x(ahead + 1) : right;
  stroke(false, straight(left - 8, front));
  stroke(true, straight(front, right + 6));
  for (let i = 1; network.shortcuts && i < network.depth; i += 2) {
    const from = at.x(i - 0.5), to = at.x(i + 1.5), gap = (to - from) * 0.04;
    stroke(i + 1 > ahead, () => {
      ctx.moveTo(from + gap, middle);
      ctx.bezierCurveTo(from + gap, top, to - gap, top, to - gap, middle);
    });
  }
}

/** One network: its convolutions shaded by their gradient, shortcuts as arcs.
 * @param {CanvasRenderingContext2D} ctx @param {View} view @param {Axes} at @param {Drawn} drawn
 * @param {Lim} span top and bottom @param {Lim} ylim */
function row(ctx, { colours, state }, at, drawn, [top, bottom], ylim) {
  const { network, shades } = drawn, pitch = at.x(2) - at.x(1), wide = Math.min(pitch * 0.7, 22);
  const tall = (bottom - top) * 0.34, middle = bottom - tall / 2;
  ctx.textBaseline = "top";
  ctx.textAlign = "left";
  const name = named(network.shortcuts);
  ctx.fillStyle = colours.paper;
  ctx.fillRect(at.box[0], top, ctx.measureText(name).width, 13);
  ctx.fillStyle = colours.ink;
  ctx.fillText(name, at.box[0], top);
  ctx.fillStyle = colours.soft;
  ctx.textBaseline = "middle";
  ctx.fillText("loss", at.box[2] + 9, middle);
  ctx.textAlign = "right";
  ctx.fillText("picture", at.box[0] - 11, middle);
  paths(ctx, at, drawn, state.ahead, [top + 4, middle], colours.soft);
  ctx.lineWidth = pitch < 8 ? 0.5 : 1;
  ctx.strokeStyle = colours.soft;
  shades.forEach(({ mean }, i) => {
    ctx.fillStyle = i < state.ahead ? colours.paper : shade(share(mean, ylim));
    ctx.fillRect(at.x(i + 1) - wide / 2, bottom - tall, wide, tall);
    ctx.strokeRect(at.x(i + 1) - wide / 2, bottom - tall, wide, tall);
  });
}

/** The bar that says which shade is which gradient. @param {CanvasRenderingContext2D} ctx @param {Axes} at */
function bar(ctx, { box: [, top, right, bottom] }) {
  const fill = ctx.createLinearGradient(0, bottom, 0, top);
  for (let i = 0; i <= 9; i++) fill.addColorStop(i / 9, shade(i / 9));
  ctx.fillStyle = fill;
  ctx.fillRect(right + 6, top, 10, bottom - top);
}

/** Where the number of channels doubles. @param {CanvasRenderingContext2D} ctx @param {Axes} at @param {number} depth
 * @param {import("./core/colour.js").Colours} colours */
function stages(ctx, { x, box: [left, top, right, bottom] }, depth, colours) {
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  CHANNELS.forEach((count, i) => {
    const from = x(0.5 + (i * depth) / CHANNELS.length);
    ctx.fillStyle = colours.grid;
    ctx.globalAlpha = 0.35;
    if (i % 2) ctx.fillRect(from, top, (right - left) / CHANNELS.length, bottom - top);
    ctx.globalAlpha = 1;
    ctx.fillStyle = colours.soft;
    ctx.fillText(right - left > 450 ? `${count} channels` : `${count} ch.`, from + (right - left) / 10, top + 4);
  });
}

/** The mean over the seeds and their range, as far as the gradient has come.
 * @param {CanvasRenderingContext2D} ctx @param {Axes} at @param {Drawn} drawn @param {number} ahead */
function curve(ctx, at, { shades, colour, dash }, ahead) {
  const there = shades.slice(ahead), xs = there.map((_, i) => ahead + i + 1);
  ctx.beginPath();
  xs.forEach((x, i) => ctx.lineTo(at.x(x), at.y(there[i].high)));
  for (let i = xs.length - 1; i >= 0; i--) ctx.lineTo(at.x(xs[i]), at.y(there[i].low));
  ctx.fillStyle = colour;
  ctx.globalAlpha = 0.2;
  ctx.fill();
  ctx.globalAlpha = 1;
  line(ctx, at, xs, there.map(({ mean }) => mean), { colour, dash, width: 2.5 });
}

/** @param {CanvasRenderingContext2D} ctx @param {number} width @param {number} height @param {View} view
 * @param {Data} data @param {Lim} ylim */
function paint(ctx, width, height, view, data, ylim) {
  const { state, colours } = view, { o, at } = axesOf(state, width, height, ylim), drawn = looks(view, data, state);
  stages(ctx, at, state.depth, colours);
  frame(ctx, at, o, colours);
  bar(ctx, at);
  ctx.strokeStyle = colours.soft;
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(at.x(state.layer), 4);
  ctx.lineTo(at.x(state.layer), at.box[3]);
  ctx.stroke();
  const each = ROWS / drawn.length;
  drawn.forEach((one, i) => row(ctx, view, at, one, [i * each + 2, (i + 1) * each - 4], ylim));
  clipped(ctx, at.box, () => drawn.forEach((one) => curve(ctx, at, one, state.ahead)));
  for (const { shades, colour } of state.layer > state.ahead ? drawn : []) {
    dot(ctx, at.x(state.layer), at.y(shades[state.layer - 1].mean), 5, colour);
  }
}

/** The networks above their gradients; the pointer and the arrow keys choose a convolution.
 * @param {View} view @param {Data} data */
function pictures(view, data) {
  const ylim = limits(data);
  const on = picture(view, { height: HEIGHT, label: (s) => `Networks and the gradient in each layer. ${words(data, s)}`,
    paint: (ctx, width, height) => paint(ctx, width, height, view, data, ylim) });
  const at = () => axesOf(view.state, ...on.size(), ylim).at;
  const look = (/** @type {number} */ layer) => {
    const now = whole(layer, 1, view.state.depth);
    if (now !== view.state.layer) view.set({ layer: now });
  };
  const follow = (/** @type {PointerEvent} */ event) =>
    look(at().fromX(event.clientX - on.element.getBoundingClientRect().left));
  on.element.addEventListener("pointerdown", follow);
  on.element.addEventListener("pointermove", follow);
  handle(view, on, {
    label: "convolution",
    say: (s) => `${s.layer} of ${s.depth}`,
    at: (s) => [at().x(s.layer), ROWS + 16],
    drag: (px) => look(at().fromX(px)),
    nudge: (right, up) => look(view.state.layer + right + up),
  });
  const entries = legend(view, (s) => looks(view, data, s).map(({ network, colour, dash }) =>
    ({ label: named(network.shortcuts), colour, dash })));
  return [on.element, entries];
}

/** @param {View} view */
function back(view) {
  const hint = "from the loss back: a step is one convolution further, from the last to the first";
  return el("div", {}, player(view, { get: (s) => s.depth - s.ahead, set: (reached) => walk(reached, view.state),
    last: (s) => s.depth }), el("span", { class: "hint" }, hint));
}

/** @param {View} view @param {Data} data */
function controls(view, data) {
  const networks = group("The networks",
    slider(view, { label: "depth", values: DEPTHS, unit: "convolutions", get: (s) => s.depth, set: deepen,
      hint: "3×3 convolutions, each with batchnorm; a shortcut goes around two" }),
    select(view, { label: "show", choices: [["both", "both"], ["without", named(false)], ["with", named(true)]],
      get: (s) => s.shown, set: (shown) => ({ shown: /** @type {State["shown"]} */ (shown) }) }),
    check(view, { label: `after ${BATCHES} batches of training`, get: (s) => s.trained,
      set: (trained) => ({ trained }) }));
  const seeds = data.networks[0].runs.length;
  const note = el("p", { class: "note" }, `A line is the geometric mean of ${seeds} seeds (for the loss: the mean). ` +
    "The band, and the numbers in brackets, reach from the lowest seed to the highest. A block is shaded by its " +
    "gradient; the bar beside the curves says how.");
  return el("div", { class: "controls" }, networks, note);
}

/** @param {View} view */
function build(view) {
  const data = read(view.data);
  if (!data) return view.root.append(el("p", {}, "The recorded gradients are missing."));
  const left = el("div", { class: "picture" });
  view.root.append(el("style", {}, css), el("div", { class: "row" }, left, controls(view, data)));
  left.append(...pictures(view, data), back(view), status(view, (s) => words(data, s)));
}

/** @type {import("./core/interactive.js").Spec<State, Data | undefined>} */
export const spec = { name: "residuals", title: "Residuals", defaults, clean, build };
export const mount = interactive(spec);
