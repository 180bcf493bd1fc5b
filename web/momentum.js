// Momentum's plane: the convergence factor at each rate and momentum; the point's path and its two modes beside it.
import { handle, legend, picture, where } from "./core/canvas.js";
import { button, code, el, group, select, slider, status } from "./core/controls.js";
import { layer } from "./core/field.js";
import { python, short } from "./core/format.js";
import { interactive } from "./core/interactive.js";
import {
  FAR, KINDS, best, bestMomentum, discriminant, eigenvalues, factor, modes, path, region, settings, slowest, tenth,
} from "./core/modes.js";
import { levels, paintEigenvalues, paintLines, paintPlane, planeAxes, widest } from "./core/plane.js";

/** @typedef {import("./core/interactive.js").View<State, unknown>} View */
/** @typedef {import("./core/modes.js").Kind} Kind */

/**
 * @typedef {object} State
 * @property {Kind} kind the rule
 * @property {number} rate learning rate η
 * @property {number} momentum μ
 * @property {number} curvature λ, of the steepest direction
 * @property {number} condition largest curvature over smallest; 1: one direction alone
 */

/** @type {State} */
const defaults = { kind: "heavy", rate: 0.5, momentum: 0.6, curvature: 1, condition: 1 };
const STEPS = 60;
/** @type {[Kind, string][]} */
const CHOICES = [["heavy", "adding up: v = μv + g"], ["damped", "damped: v = μv + (1 − μ)g"], ["nesterov", "Nesterov"]];

/** @type {(x: number, low: number, high: number) => number} */
const limit = (x, low, high) => Math.min(Math.max(x, low), high);

/** @param {State} s @returns {State} */
export function clean(s) {
  return { kind: KINDS.includes(s.kind) ? s.kind : defaults.kind, rate: limit(s.rate, 0.001, 400),
    momentum: limit(s.momentum, 0, 0.999), curvature: limit(s.curvature, 0.1, 10),
    condition: limit(s.condition, 1, 1000) };
}

/** Curvatures of the directions, the steepest first. @param {State} s */
export function curvatures({ curvature, condition }) {
  return condition > 1 ? [curvature, curvature / condition] : [curvature];
}

const percent = (/** @type {number} */ rho) => `${short(100 * rho, rho > 0.999 ? 6 : rho > 0.9 ? 3 : 2)} %`;
const MANNER = {
  monotone: "no swing (real), it comes nearer from one side",
  alternating: "no swing (real), it jumps from side to side",
  critical: "on the border of no swing (real) and swing (complex), where the two modes coincide",
  complex: "it swings (complex)",
  divergent: "it diverges",
};

/** @param {Kind} kind @param {number} z @param {number} momentum */
function pace(kind, z, momentum) {
  const rho = factor(kind, z, momentum), found = tenth(kind, z, momentum);
  if (Math.abs(rho - 1) < 1e-9) return "it neither settles nor grows";
  if (!found) return `it grows ${short(rho)}-fold a step in the long run`;
  if (rho < 1e-6) return "it arrives within two steps";
  const grows = found.most > 1.05 ? `it first grows to ${short(found.most, 2)} times the start's and ` : "it ";
  const { steps } = found;
  const after = steps < Infinity ? `after ${short(steps, 6)}` : `only after more than ${short(FAR, 6)}`;
  return `in the long run a step leaves ${percent(rho)} of the distance; `
    + `from rest ${grows}stays below a tenth ${after} steps`;
}

/** The rate below which it settles. @param {State} s */
export function bound({ kind, momentum, curvature }) {
  const share = kind === "nesterov" ? 1 + 2 * momentum : kind === "damped" ? 1 - momentum : 1;
  return (2 + 2 * momentum) / curvature / share;
}

/** Whether no momentum settles at this rate. @param {State} s */
export function unsettled({ kind, rate, curvature, condition }) {
  return slowest(kind, rate * curvature, bestMomentum(kind, rate * curvature, condition), condition) >= 1;
}

/** What the picture shows, in words. @param {State} s */
export function words(s) {
  const { kind, rate, momentum, curvature, condition } = s, z = rate * curvature, all = curvatures(s);
  const ways = all.map((lambda, i) => {
    const name = i ? "Flat direction" : "Steep direction", here = rate * lambda;
    const start = all.length > 1 ? name : `Rate ${short(rate)} and momentum ${short(momentum)}`;
    return `${start}: ${MANNER[region(kind, here, momentum)]}; ${pace(kind, here, momentum)}.`;
  });
  if (slowest(kind, z, momentum, condition) >= 1) {
    if (unsettled(s)) return [...ways, "No momentum settles at this rate."].join("\n");
    return [...ways, `With this momentum it settles at rates below ${short(bound(s))}.`].join("\n");
  }
  const better = bestMomentum(kind, z, condition), leaves = slowest(kind, z, better, condition);
  ways.push(`Best momentum at this rate: ${short(better)}, which leaves ${percent(leaves)}.`);
  if (all.length > 1) {
    const top = best(kind, condition);
    const at = `rate ${short(top.z / curvature)}, momentum ${short(top.momentum)}`;
    ways.push(`Best of all: ${at}, which leaves ${percent(top.factor)}.`);
  }
  return ways.join("\n");
}

/** The optimizer in Python. @param {State} s */
export function write({ kind, rate, momentum }) {
  const { lr, nesterov } = settings(kind, rate, momentum);
  const shown = momentum ? `, momentum=${python(momentum)}${nesterov ? ", nesterov=True" : ""}` : "";
  const why = kind === "damped" && momentum ? `  # ${python(rate)}·(1 − μ)` : "";
  return `SGD(params, lr=${python(lr)}${shown})${why}`;
}

/** The point elsewhere in the plane. @param {State} s @param {number} z rate·curvature @param {number} momentum */
export function moved({ kind, curvature, condition }, z, momentum) {
  const most = widest(kind, condition), within = limit(z, most / 1000, most);
  return { rate: Number((Math.round(within * 1000) / 1000 / curvature).toPrecision(6)),
    momentum: limit(Math.round(momentum * 1000) / 1000, 0, 0.99) };
}

/** @param {View} view */
function plane(view) {
  const keep = layer();
  const on = picture(view, {
    height: (width) => Math.round(limit(width * 0.8, 260, 400)),
    label: () => "Plane of rate times curvature and momentum, coloured by what a step leaves of the distance.",
    paint: (ctx, width, height, { kind, condition }) => {
      const key = `${kind} ${condition} ${view.colours.dark}`;
      keep(ctx, width, height, key, (own) => paintPlane(own, width, height, kind, condition, view.colours));
    },
  });
  const at = () => planeAxes(view.state, ...on.size());
  const z = () => view.state.rate * view.state.curvature;
  const place = (/** @type {number} */ px, /** @type {number} */ py) =>
    view.set(moved(view.state, at().fromX(px), at().fromY(py)));
  const point = handle(view, on, {
    label: "rate and momentum",
    say: ({ rate, momentum }) => `rate ${short(rate)}, momentum ${short(momentum)}`,
    at: ({ momentum }) => [at().x(z()), at().y(momentum)],
    drag: place,
    nudge(right, up) {
      const { kind, condition, momentum } = view.state;
      view.set(moved(view.state, z() + (right * widest(kind, condition)) / 400, momentum + up / 100));
    },
  });
  on.element.addEventListener("click", (event) => {
    if (event.target === point) return;
    place(...where(on, event.clientX, event.clientY));
  });
  const entries = legend(view, ({ kind, condition }) => [
    { label: "best momentum at each rate; dot: best of all", colour: view.colours.second },
    { label: `a step leaves ${levels(kind, condition).slice(0, 3).join(", ")} … of the distance; thick: all of it`,
      colour: view.colours.ink },
    { label: "border of no swing (real) and swing (complex)", colour: view.colours.ink, dash: [5, 4] }]);
  return el("div", {}, on.element, entries);
}

/** @param {View} view @param {State} s */
function pathLines({ colours }, s) {
  const { kind, rate, momentum, curvature, condition } = s, points = path(kind, rate, momentum, curvatures(s), STEPS);
  const at = (/** @type {number} */ i) => points.map((p) => p[i]), soft = { colour: colours.soft, width: 1.5 };
  const first = { label: "the point", colour: colours.accent, width: 2.5, values: at(0) };
  if (condition > 1) {
    const flat = { label: "flat direction", colour: colours.second, width: 2.5, dash: [7, 3], values: at(1) };
    return [{ ...first, label: "steep direction" }, flat];
  }
  const found = modes(kind, rate * curvature, momentum, STEPS);
  if (!found) return [first];
  if (found.parts) {
    const [slow, fast] = found.parts;
    return [first, { ...soft, label: "its slower mode", dash: [7, 3], values: slow },
      { ...soft, label: "its faster mode", dash: [2, 3], values: fast }];
  }
  const above = { ...soft, label: "how far its two modes reach", dash: [3, 3], values: found.envelope ?? [] };
  return [first, above, { ...above, label: "", values: above.values.map((v) => -v) }];
}

/** The path and its modes. @param {View} view */
function paths(view) {
  const on = picture(view, {
    height: 190,
    label: (s) => `The distance from the minimum over ${STEPS} steps. ${words(s)}`,
    paint: (ctx, width, height, s) => paintLines(ctx, width, height, pathLines(view, s).reverse(),
      { ylim: [-1.25, 1.25], ylabel: "distance", steps: STEPS }, view.colours),
  });
  return el("div", {}, on.element, legend(view, (s) => pathLines(view, s).filter(({ label }) => label)));
}

/** @param {View} view @param {State} s */
function lossLines({ colours }, s) {
  const all = curvatures(s), least = 1e-15, rho = slowest(s.kind, s.rate * s.curvature, s.momentum, s.condition);
  const values = path(s.kind, s.rate, s.momentum, all, STEPS)
    .map((p) => p.reduce((sum, x, i) => sum + (all[i] * x * x) / 2, 0));
  const drawn = (/** @type {number} */ v) => Math.max(v, values[0] * least);
  const zero = values.findIndex((v) => v < values[0] * 1e-30);
  return [{ label: zero < 0 ? "loss" : `loss: 0 from step ${zero}`, colour: colours.accent, width: 2.5,
    values: values.map(drawn) },
    { label: "the rate of shrinking that the plane says", colour: colours.soft, dash: [5, 4], width: 1.5,
      values: values.map((_, t) => drawn(values[0] * rho ** (2 * t))) }];
}

/** @param {View} view */
function loss(view) {
  const on = picture(view, {
    height: 170,
    label: (s) => `The loss over ${STEPS} steps, from ${short(lossLines(view, s)[0].values[0])}.`,
    paint(ctx, width, height, s) {
      const lines = lossLines(view, s).reverse(), first = lines[1].values[0];
      paintLines(ctx, width, height, lines,
        { ylim: [first * 1e-10, first * 1e3], ylog: true, ylabel: "loss", steps: STEPS }, view.colours);
    },
  });
  return el("div", {}, on.element, legend(view, (s) => lossLines(view, s)));
}

/** The eigenvalues in words. @param {State} s */
export function spectrum(s) {
  const each = curvatures(s).map((lambda) => {
    const pair = eigenvalues(s.kind, s.rate * lambda, s.momentum);
    if (Math.abs(discriminant(s.kind, s.rate * lambda, s.momentum)) < 1e-9) return `${short(pair[0].re)} twice`;
    return pair.map(({ re, im }) => {
      return im ? `${short(re)} ${im > 0 ? "+" : "−"} ${short(Math.abs(im))}i` : short(re);
    }).join(" and ");
  });
  return each.join("; flat direction ");
}

/** @param {View} view */
function modesPlot(view) {
  const on = picture(view, {
    height: 230,
    label: (s) => `The eigenvalues ${spectrum(s)} and the unit circle.`,
    paint: (ctx, width, height, s) => paintEigenvalues(ctx, width, height,
      { kind: s.kind, zs: curvatures(s).map((lambda) => s.rate * lambda), momentum: s.momentum }, view.colours),
  });
  const text = el("p", { class: "note" });
  view.draw((s) => {
    text.textContent = "The distance is the sum of two modes; each step multiplies a mode by its eigenvalue: "
      + `${spectrum(s)}. Inside the circle a mode dies out; dashed: the slowest; arrow: outside of the picture.`;
  });
  return el("div", {}, on.element, text);
}

/** @param {View} view */
function controls(view) {
  const to = (/** @type {number} */ z, /** @type {number} */ momentum) =>
    view.set({ rate: z / view.state.curvature, momentum });
  const here = () => view.state.rate * view.state.curvature;
  const bestHere = button("Best momentum at this rate", () =>
    to(here(), bestMomentum(view.state.kind, here(), view.state.condition)));
  view.draw((s) => {
    bestHere.disabled = unsettled(s);
    bestHere.title = unsettled(s) ? "no momentum settles at this rate" : "";
  });
  const rule = group("The rule",
    select(view, { label: "velocity", choices: CHOICES, get: (s) => s.kind,
      set: (kind) => ({ kind: /** @type {Kind} */ (kind) }) }),
    slider(view, { label: "learning rate η", min: 0.001, max: 400, log: true, get: (s) => s.rate,
      set: (rate) => ({ rate }) }),
    slider(view, { label: "momentum μ", max: 0.99, step: 0.01, get: (s) => s.momentum,
      set: (momentum) => ({ momentum }), hint: "the share of the velocity that stays at each step" }),
    bestHere,
    button("Best of all", () => {
      const { z, momentum } = best(view.state.kind, view.state.condition);
      to(z, momentum);
    }));
  const bowl = group("The bowl",
    slider(view, { label: "curvature λ", min: 0.1, max: 10, log: true, get: (s) => s.curvature,
      set: (curvature) => ({ curvature }), hint: "of the steepest direction: the gradient is λ times the distance" }),
    slider(view, { label: "condition number", min: 1, max: 1000, log: true, get: (s) => s.condition,
      set: (condition) => ({ condition }), say: (v) => (v > 1 ? short(v) : "1: one direction"),
      hint: "largest curvature ÷ smallest" }));
  return el("div", {}, rule, bowl);
}

/** @param {View} view */
function build(view) {
  const left = el("div", { class: "picture" }), right = el("div", { class: "picture" });
  view.root.append(el("div", { class: "row" }, left, right), code(view, write));
  left.append(plane(view), paths(view), status(view, words));
  right.append(controls(view), loss(view), modesPlot(view));
}

/** @type {import("./core/interactive.js").Spec<State, unknown>} */
export const spec = { name: "momentum", title: "Momentum's plane", defaults, clean, build };
export const mount = interactive(spec);
