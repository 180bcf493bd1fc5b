// Residuals: the gradient in each convolution of recorded networks, by depth, with shortcuts and without.
import { axes, clipped, dot, frame, handle, legend, line, picture, where } from "./core/canvas.js";
import { scale } from "./core/colour.js";
import { check, el, group, player, select, slider, status } from "./core/controls.js";
import { interactive } from "./core/interactive.js";
import { BATCHES, CHANNELS, DEPTHS, SHOWN, chosen, limits, named, profile, read, rows, shaded, words }
  from "./core/profiles.js";

/** @typedef {import("./core/profiles.js").Data} Data */
/** @typedef {import("./core/profiles.js").Network} Network */
/** @typedef {import("./core/profiles.js").Spread} Spread */
/** @typedef {import("./core/profiles.js").State} State */
/** @typedef {import("./core/canvas.js").Axes} Axes */
/** @typedef {import("./core/interactive.js").View<State, Data | undefined>} View */
/** @typedef {[number, number]} Lim */
/** @typedef {{ network: Network, shades: Spread[], colour: string, dash: number[] }} Drawn */

/** @type {State} */
const defaults = { depth: 50, shown: "both", trained: false, layer: 50 };
const css = `
.stage { touch-action: pan-y; cursor: crosshair; }
table { margin: 4px 0; }
caption { text-align: left; color: var(--soft); font-size: 12.5px; padding: 4px 0; }
`;
const ROWS = 150; // CSS pixels for the networks above the axes
const HEIGHT = 450;
const FAINT = 0.55; // where the gradient has yet to come

/** @type {(x: number, low: number, high: number) => number} */
const whole = (x, low, high) => Math.round(Math.min(Math.max(x, low), high));

/** @param {State} s @returns {State} */
export function clean(s) {
  const depth = DEPTHS.includes(s.depth) ? s.depth : defaults.depth;
  return { depth, shown: SHOWN.includes(s.shown) ? s.shown : defaults.shown, trained: s.trained,
    layer: whole(s.layer, 1, depth) };
}

/** Another depth: where the gradient has yet to start it starts from the new end.
 * @param {number} depth @param {State} s @returns {Partial<State>} */
export const deepen = (depth, s) => ({ depth, layer: s.layer === s.depth ? depth : Math.min(s.layer, depth) });

/** So many convolutions further than the last. @param {number} steps @param {State} s @returns {Partial<State>} */
export const walk = (steps, { depth }) => ({ layer: depth - steps });

/** @param {State} state @param {number} width @param {number} height @param {Lim} ylim */
function axesOf({ depth }, width, height, ylim) {
  const o = { xlim: /** @type {Lim} */ ([0.5, depth + 0.5]), ylim, ylog: true,
    xlabel: "convolution, first to last; top: channels", ylabel: "size (norm) of the weights' gradient",
    box: /** @type {[number, number, number, number]} */ ([58, ROWS + 34, width - 34, height - 40]) };
  return { o, at: axes(o) };
}

/** The networks with their looks. @param {View} view @param {Data} data @param {State} state @returns {Drawn[]} */
function looks({ colours }, data, state) {
  return chosen(data, state).map((network) => ({ network, shades: profile(network, state.trained),
    colour: network.shortcuts ? colours.second : colours.accent, dash: network.shortcuts ? [7, 3] : [] }));
}

/** Where a gradient lies on the scale, 0 … 1. @param {number} norm @param {Lim} ylim */
export const share = (norm, [low, high]) => (high > low ? Math.log(norm / low) / Math.log(high / low) : 0.5);

/** @param {number} t 0 … 1 */
const shade = (t) => `rgb(${scale(t).join(" ")})`;

/** From the loss back to where the gradient is, and each shortcut on the way.
 * @param {CanvasRenderingContext2D} ctx @param {Axes} at @param {Drawn} drawn @param {number} layer
 * @param {Lim} span top of the arcs, middle of the blocks @param {string} soft */
function paths(ctx, at, { network, colour }, layer, [top, middle], soft) {
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
  const [left, , right] = at.box, front = at.x(layer);
  stroke(false, straight(left - 8, front));
  stroke(true, straight(front, right + 6));
  for (let i = 1; network.shortcuts && i < network.depth; i += 2) {
    const from = at.x(i - 0.5), to = at.x(i + 1.5), gap = (to - from) * 0.04;
    const peak = Math.max(top, middle - 2.2 * (to - from) - 12); // low where they are narrow
    stroke(i + 1 >= layer, () => {
      ctx.moveTo(from + gap, middle);
      ctx.bezierCurveTo(from + gap, peak, to - gap, peak, to - gap, middle);
    });
  }
}

/** One network: its convolutions shaded by their gradient, shortcuts as arcs.
 * @param {CanvasRenderingContext2D} ctx @param {View} view @param {Axes} at @param {Drawn} drawn
 * @param {Lim} span top and bottom @param {Lim} range of the shades */
function row(ctx, { colours, state }, at, drawn, [top, bottom], range) {
  const { network, shades } = drawn;
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
  paths(ctx, at, drawn, state.layer, [top + 4, middle], colours.soft);
  blocks(ctx, at, shades, state.layer, [bottom - tall, tall], range, colours);
}

/** Convolutions, each with its shade; where they are narrow, the two that a shortcut goes around are in one frame.
 * @param {CanvasRenderingContext2D} ctx @param {Axes} at @param {Spread[]} shades @param {number} layer
 * @param {Lim} span top and height @param {Lim} range of the shades @param {View["colours"]} colours */
function blocks(ctx, at, shades, layer, [top, tall], range, colours) {
  const pitch = at.x(2) - at.x(1), each = pitch < 7 ? 2 : 1, gap = Math.max(pitch * each * 0.3, pitch * each - 22);
  const wide = (pitch * each - gap) / each;
  ctx.lineWidth = 1;
  ctx.strokeStyle = colours.soft;
  for (let i = 0; i < shades.length; i += each) {
    const left = at.x(i + 0.5) + gap / 2;
    ctx.clearRect(left, top, wide * each, tall);
    for (let j = 0; j < each; j++) {
      ctx.globalAlpha = i + j + 1 < layer ? FAINT : 1;
      ctx.fillStyle = shade(share(shades[i + j].mean, range));
      ctx.fillRect(left + j * wide, top, wide, tall);
    }
    ctx.globalAlpha = 1;
    ctx.strokeRect(left, top, wide * each, tall);
  }
}

/** The bar that says which shade is which gradient. @param {CanvasRenderingContext2D} ctx @param {Axes} at
 * @param {Lim} range of the shades */
function bar(ctx, { y, box: [, , right] }, range) {
  const [bottom, top] = range.map(y);
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
    ctx.fillText(`${count}`, from + (right - left) / 10, top + 4);
  });
}

/** The mean over the seeds and their range; faint where the gradient has yet to come.
 * @param {CanvasRenderingContext2D} ctx @param {Axes} at @param {Drawn} drawn @param {number} layer */
function curve(ctx, at, { shades, colour, dash }, layer) {
  const part = (/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ strength) => {
    const some = shades.slice(from - 1, to), xs = some.map((_, i) => from + i);
    ctx.beginPath();
    xs.forEach((x, i) => ctx.lineTo(at.x(x), at.y(some[i].high)));
    for (let i = xs.length - 1; i >= 0; i--) ctx.lineTo(at.x(xs[i]), at.y(some[i].low));
    ctx.fillStyle = colour;
    ctx.globalAlpha = 0.2 * strength;
    ctx.fill();
    ctx.globalAlpha = strength;
    line(ctx, at, xs, some.map(({ mean }) => mean), { colour, dash, width: strength < 1 ? 2 : 2.5 });
    ctx.globalAlpha = 1;
  };
  part(1, layer, FAINT);
  part(layer, shades.length, 1);
}

/** @param {CanvasRenderingContext2D} ctx @param {number} width @param {number} height @param {View} view
 * @param {Data} data @param {Lim} ylim */
function paint(ctx, width, height, view, data, ylim) {
  const { state, colours } = view, { o, at } = axesOf(state, width, height, ylim), drawn = looks(view, data, state);
  stages(ctx, at, state.depth, colours);
  frame(ctx, at, o, colours);
  const range = shaded(data, state);
  bar(ctx, at, range);
  ctx.strokeStyle = colours.soft;
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(at.x(state.layer), 4);
  ctx.lineTo(at.x(state.layer), at.box[3]);
  ctx.stroke();
  const each = ROWS / drawn.length;
  drawn.forEach((one, i) => row(ctx, view, at, one, [i * each + 2, (i + 1) * each - 4], range));
  clipped(ctx, at.box, () => drawn.forEach((one) => curve(ctx, at, one, state.layer)));
  for (const { shades, colour } of drawn) {
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
  const follow = (/** @type {PointerEvent} */ event) => {
    if (event.target instanceof HTMLCanvasElement) look(at().fromX(where(on, event.clientX, event.clientY)[0]));
  };
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
  const hint = "The ring is where the gradient has come to on its way back from the loss. A step moves it one " +
    "convolution on, towards the picture; or drag it, or point at the curves.";
  return el("div", {}, player(view, { get: (s) => s.depth - s.layer, set: (steps) => walk(steps, view.state),
    last: (s) => s.depth - 1 }), el("span", { class: "hint" }, hint));
}

/** The numbers. @param {View} view @param {Data} data */
function table(view, data) {
  const head = el("tr"), body = el("tbody"), seeds = data.networks[0].runs.length;
  const cell = (/** @type {string} */ text) => el("td", {}, text);
  view.draw((s) => {
    const heads = chosen(data, s).map(({ shortcuts }) => el("th", { scope: "col" }, named(shortcuts)));
    head.replaceChildren(el("td"), ...heads);
    body.replaceChildren(...rows(data, s).map(([name, ...all]) =>
      el("tr", {}, el("th", { scope: "row" }, name), ...all.map(cell))));
  });
  const caption = `Mean of ${seeds} seeds (lowest to highest)`;
  const hint = `A network that guesses among ten classes has a loss of ln 10 = ${Math.log(10).toFixed(2)}.`;
  return el("div", {}, el("table", {}, el("caption", {}, caption), el("thead", {}, head), body),
    el("span", { class: "hint" }, hint));
}

/** @param {View} view */
function controls(view) {
  const networks = group("The networks",
    slider(view, { label: "depth", values: DEPTHS, unit: "convolutions", get: (s) => s.depth, set: deepen,
      hint: "3×3 convolutions, each with batchnorm; a shortcut goes around two" }),
    select(view, { label: "show", choices: [["both", "both"], ["without", named(false)], ["with", named(true)]],
      get: (s) => s.shown, set: (shown) => ({ shown: /** @type {State["shown"]} */ (shown) }) }),
    check(view, { label: `after ${BATCHES} batches of training`, get: (s) => s.trained,
      set: (trained) => ({ trained }) }));
  const note = el("p", { class: "note" }, "A line is the geometric mean over the seeds (in the table the mean of the " +
    "loss is the ordinary one), a band reaches from the lowest seed to the highest. A block is a convolution, shaded " +
    "by its gradient; the bar beside the curves says which shade is which size. A shortcut is an arc.");
  return el("div", { class: "controls" }, networks, note);
}

/** @param {View} view */
function build(view) {
  const data = read(view.data);
  if (!data) return view.root.append(el("p", {}, "The recorded gradients are missing."));
  const left = el("div", { class: "picture" });
  view.root.append(el("style", {}, css), el("div", { class: "row" }, left, controls(view)));
  left.append(...pictures(view, data), back(view), status(view, (s) => words(data, s)), table(view, data));
}

/** @type {import("./core/interactive.js").Spec<State, Data | undefined>} */
export const spec = { name: "residuals", title: "Gradients with and without shortcuts", defaults, clean, build };
export const mount = interactive(spec);
