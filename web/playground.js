// Optimizers race on a surface: drag the start, move their sliders, play, step and look at each step's parts.
import { axes, handle, legend, picture } from "./core/canvas.js";
import { button, el, group, player, select, slider, status } from "./core/controls.js";
import { short } from "./core/format.js";
import { interactive } from "./core/interactive.js";
import { DEFAULTS, KINDS, NAMES, arrowed, beyond, choose, clean, curved, handWalk, moveTo, partsWords, race, verdict }
  from "./core/race.js";
import { boxOf, curvesOf, handStyle, lossLimits, paintLosses, paintPaths, styles, terrain } from "./core/raceview.js";
import { OPTIMIZERS } from "./core/optimizers.js";

/** @typedef {import("./core/race.js").State} State */
/** @typedef {{ hand?: import("./core/race.js").Hand } | undefined} Data */
/** @typedef {import("./core/interactive.js").View<State, Data>} View */
/** @typedef {import("./core/raceview.js").Scene} Scene */

const TITLES = /** @type {Record<string, string>} */ ({
  bowl: "bowl", rosenbrock: "Rosenbrock", beale: "Beale", saddle: "saddle", plateau: "plateau",
  matrix: "matrix problem",
});
const RULES = /** @type {Record<string, string>} */ ({
  SGD: "p ← p − lr·g",
  momentum: "v ← μv + g; p ← p − lr·v",
  "momentum (average)": "v ← μv + (1 − μ)g; p ← p − lr·v",
  Nesterov: "v ← μv + g; p ← p − lr·(g + μv)",
  Adagrad: "s ← s + g²; p ← p − lr·g/√s",
  RMSprop: "s ← αs + (1 − α)g²; p ← p − lr·g/√s",
  Adadelta: "s, d: averages of g² and u²; u ← g·√d/√s; p ← p − lr·u",
  Adam: "v, s: averages of g and g², corrected for their start; p ← p − lr·v/√s",
  AdamW: "Adam; p shrinks too, by lr·weight decay a step",
  NAdam: "Adam with Nesterov’s look ahead",
  Lion: "p ← p − lr·sign(β₁v + (1 − β₁)g); v ← β₂v + (1 − β₂)g",
  Muon: "v ← μv + (1 − μ)g; p ← p − lr·(μv + (1 − μ)g, its singular values made about 1)",
});
const MATRIX = "The weights of a layer, a 2 × 2 matrix; the picture shows the plane of its two singular directions. "
  + "Muon evens out the singular values of each step, and only a matrix has these: so choosing Muon leads here, "
  + "and another surface leaves it out. Rules that scale each entry by itself leave the plane: their paths are seen "
  + "from above.";

const SHARES = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999];
const KNOBS = /** @type {Record<string, { label: string, hint?: string, values?: number[] }>} */ ({
  lr: { label: "learning rate" },
  momentum: { label: "momentum μ", hint: "share of v that a step keeps", values: SHARES },
  alpha: { label: "α", hint: "share of s that a step keeps", values: SHARES },
  rho: { label: "ρ", hint: "share of s and d that a step keeps", values: SHARES },
  beta1: { label: "β₁", hint: "share of the average of g that a step keeps", values: SHARES },
  beta2: { label: "β₂", hint: "share of the average of g² that a step keeps", values: SHARES },
  weight_decay: { label: "weight decay", hint: "times the learning rate: share of p that a step takes away",
    values: [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1] },
});
/** Where a hyperparameter means something else. @type {Record<string, Record<string, string>>} */
const HINTS = { Lion: { beta1: "share of v inside the sign", beta2: "share of v that a step keeps" } };

/** What a slider's number means. @param {string} optimizer @param {string} knob */
export const hintOf = (optimizer, knob) => HINTS[optimizer]?.[knob] ?? KNOBS[knob].hint ?? "";

const STEPS = [5, 10, 20, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500];
const NOISES = [0, 0.1, 0.2, 0.5, 1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 80, 100, 200, 500, 1000];

/** Change what an element says, only if it changes. @param {HTMLElement} node @param {string} text */
function write(node, text) { if (node.textContent !== text) node.textContent = text; }

/** The last result, for as long as what it follows from is the same.
 * @template {unknown[]} A, R @param {(...given: A) => R} f @returns {(...given: A) => R} */
function remembered(f) {
  /** @type {{ key: string, value: R } | undefined} */
  let last;
  return (...given) => {
    const key = JSON.stringify(given);
    if (last?.key !== key) last = { key, value: f(...given) };
    return last.value;
  };
}

/** What is to be drawn and said; races anew only if it must. @param {View} view @returns {(state: State) => Scene} */
function scenes(view) {
  const run = remembered(race);
  return (state) => {
    const { field, runs } = run({ ...state, step: 0, arrows: null });
    return { field, runs, hand: handWalk(view.data?.hand, state.surface, field),
      styles: styles(runs, view.colours), colours: view.colours };
  };
}

/** Where the race stands now. @param {State} state @param {Scene} scene */
function now({ step, steps }, { runs }) {
  const losses = runs.map(({ label, losses }, i) =>
    `${label}’s ${i ? "" : "loss "}is ${short(losses[Math.min(step, losses.length - 1)])}`);
  return runs.length ? `Step ${step} of ${steps}: ${losses.join(", ")}.` : "Choose an optimizer.";
}

/** How each ends. @param {State} state @param {Scene} scene @returns {string[]} */
export function verdicts(state, { field, runs, hand }) {
  const lowest = field.height(...field.minimum);
  const highest = lossLimits(curvesOf({ runs, hand }))[1];
  const said = runs.flatMap((run) =>
    [verdict(run.label, run.losses, state.steps, lowest), beyond(run, field, highest)].filter(Boolean));
  return hand ? [...said, verdict("the walk by hand", hand.losses, hand.losses.length - 1, lowest)] : said;
}

const pair = (/** @type {number[]} */ [x, y]) => `x ${short(x)}, y ${short(y)}`;

/** The start in words. @param {number[]} start @param {Scene} scene */
function startWords([x, y], { field }) { return `${pair([x, y])}; loss ${short(field.height(x, y))}`; }

/** The picture in words. @param {State} state @param {Scene} scene */
function pathsLabel(state, { field, runs }) {
  const names = runs.map(({ label }) => label).join(", ") || "nobody";
  return `Paths over the surface ${field.name}, from ${pair(state.start ?? field.start)}: ${names}.`;
}

/** What the arrows are. @param {State} state @param {Scene} scene @param {number} times */
function arrowsNote(state, { runs }, times) {
  const run = runs.find(({ place }) => place === arrowed(state));
  if (!run) return "";
  const longer = times > 1 ? `, drawn ${short(times)} times as long` : "";
  const velocity = run.parts[0]?.velocity ? ", −v against the velocity, on one scale" : "";
  return `−g against the gradient${velocity}; and the next step${longer}.`;
}

/** Whose arrows are drawn, to choose. @param {View} view @param {(state: State) => Scene} scene */
function arrowsOf(view, scene) {
  const chosen = select(view, { label: "arrows of", choices: ["none", "", "", ""].map((text, i) => [String(i), text]),
    get: (state) => String(arrowed(state)), set: (place) => ({ arrows: Number(place) }) });
  const options = chosen.querySelectorAll("option");
  view.draw((state) => {
    const { runs } = scene(state);
    options.forEach((option, i) => {
      const run = runs.find(({ place }) => place === i);
      if (i) write(option, run?.label ?? "");
      option.hidden = option.disabled = i > 0 && !run;
    });
  });
  return chosen;
}

/** @param {View} view @param {number} place 0, 1 or 2 */
function panel(view, place) {
  const rule = el("p", { class: "note" }), sliders = el("div");
  /** @type {Map<string, HTMLElement>} */
  const made = new Map();
  const knob = (/** @type {string} */ name, /** @type {string} */ hint) => slider(view, {
    ...KNOBS[name], hint, ...(name === "lr" && { log: true, min: 1e-4, max: 10 }),
    get: ({ optimizers }) => Number(optimizers[place][name] ?? 0),
    set: (value, { optimizers }) =>
      ({ optimizers: optimizers.map((was, i) => (i === place ? { ...was, [name]: value } : was)) }),
  });
  const pick = select(view, { label: "optimizer", choices: [...NAMES, "none"].map((name) => [name, name]),
    get: ({ optimizers }) => optimizers[place].name, set: (name, state) => choose(state, place, name) });
  let shown = "";
  view.draw(({ optimizers }) => {
    const { name } = optimizers[place];
    if (name === shown) return;
    shown = name;
    rule.textContent = RULES[name] ?? "";
    const knobs = name === "none" ? [] : OPTIMIZERS[name].knobs;
    sliders.replaceChildren(...knobs.map((of) => {
      const hint = hintOf(name, of.name), key = of.name + hint, kept = made.get(key) ?? knob(of.name, hint);
      made.set(key, kept);
      return kept;
    }));
  });
  return group(`Optimizer ${place + 1}`, pick, rule, sliders);
}

/** @param {View} view */
function surfaceGroup(view) {
  const why = el("p", { class: "note" });
  view.draw(({ surface }) => write(why, surface === "matrix" ? MATRIX : ""));
  return group("Surface",
    select(view, { label: "surface", choices: KINDS.map((kind) => [kind, TITLES[kind]]), get: ({ surface }) => surface,
      set: (kind, state) => moveTo(state, kind) }),
    why,
    slider(view, { label: "condition number", hint: "largest curvature ÷ smallest, on bowl and matrix problem",
      log: true, min: 1, max: 1000, get: ({ condition }) => condition, set: (condition) => ({ condition }),
      off: ({ surface }) => !curved(surface) }),
    slider(view, { label: "number of steps", values: STEPS, get: ({ steps }) => steps,
      set: (steps, { step }) => ({ steps, step: Math.min(step, steps) }) }),
    button("Start at the usual place", () => view.set({ start: null }), "where descents on this surface begin"));
}

/** @param {View} view @param {(state: State) => Scene} scene */
function noiseGroup(view, scene) {
  const long = el("p", { class: "note" });
  const again = button("Fresh noise", () => view.set({ seed: view.state.seed + 1 }), "another seed");
  view.draw((state) => {
    const { problem, parameters, start } = scene(state).field, [x, y] = state.start ?? start;
    const gradient = /** @type {(...p: number[]) => number[]} */ (problem.gradient)(...parameters(x, y));
    write(long, "Standard deviation, added to each number of the gradient, which is "
      + `${short(Math.hypot(...gradient))} long at the start. Seed ${state.seed}.`);
    again.disabled = state.noise === 0;
  });
  const noise = slider(view, { label: "gradient noise", values: NOISES, get: (state) => state.noise,
    set: (value) => ({ noise: value }), say: (value) => (value ? short(value) : "none") });
  return group("Noise", noise, long, again);
}

/** @param {number} v @param {[number, number]} limits */
function rounded(v, [low, high]) { return Math.round(Math.min(Math.max(v, low), high) * 100) / 100; }

/** The race from above, with the start to drag. @param {View} view @param {(state: State) => Scene} scene */
function above(view, scene) {
  const ground = terrain(), note = el("p", { class: "note" });
  const box = (/** @type {number} */ width) => boxOf(scene(view.state).field, width);
  const map = picture(view, { height: (width) => box(width)[3] + 40,
    label: (state) => pathsLabel(state, scene(state)),
    paint: (ctx, width, _, state) => {
      const place = box(width), shown = scene(state), [left, top, right, bottom] = place;
      const times = paintPaths(ctx, place, state, shown, ground(shown, right - left, bottom - top));
      write(note, arrowsNote(state, shown, times));
    } });
  const at = () => axes({ ...scene(view.state).field, box: box(map.size()[0]) });
  const to = (/** @type {number} */ x, /** @type {number} */ y) => {
    const { xlim, ylim } = scene(view.state).field;
    view.set({ start: [rounded(x, xlim), rounded(y, ylim)] });
  };
  const where = (/** @type {State} */ state) => state.start ?? scene(state).field.start;
  handle(view, map, { label: "start", at: (state) => [at().x(where(state)[0]), at().y(where(state)[1])],
    say: (state) => startWords(where(state), scene(state)),
    drag: (px, py) => to(at().fromX(px), at().fromY(py)),
    nudge: (right, up) => to(where(view.state)[0] + 0.05 * right, where(view.state)[1] + 0.05 * up) });
  map.element.addEventListener("click", ({ target, offsetX, offsetY }) => {
    const [left, top, right, bottom] = at().box;
    const within = left <= offsetX && offsetX <= right && top <= offsetY && offsetY <= bottom;
    if (within && target instanceof HTMLCanvasElement) to(at().fromX(offsetX), at().fromY(offsetY));
  });
  return el("div", {}, map.element, arrowsOf(view, scene), note);
}

/** @param {View} view */
function build(view) {
  const scene = scenes(view);
  const entries = (/** @type {State} */ state) => {
    const { runs, styles, hand, colours } = scene(state);
    const walk = hand ? [{ label: "by hand", ...handStyle(colours) }] : [];
    return [...walk, ...runs.map(({ label }, i) => ({ label, ...styles[i] }))];
  };
  const losses = picture(view, { height: 190,
    label: (state) => `The loss of each step, on a logarithmic scale. ${now(state, scene(state))}`,
    paint: (ctx, width, height, state) => paintLosses(ctx, width, height, state, scene(state)) });
  const lines = [0, 1, 2].map(() => el("li"));
  view.draw((state) => {
    const { field, runs } = scene(state);
    lines.forEach((item, i) => {
      item.hidden = i >= runs.length;
      write(item, runs[i] ? partsWords(field, runs[i], state.step) : "");
    });
  });
  const play = player(view, { get: (state) => state.step, set: (step) => ({ step }), last: (state) => state.steps });
  view.draw((state) => {
    const { runs, hand } = scene(state);
    for (const control of /** @type {NodeListOf<HTMLButtonElement | HTMLInputElement>} */ (
      play.querySelectorAll("button, input"))) control.disabled = !runs.length && !hand;
  });
  const words = (/** @type {State} */ state) => [now(state, scene(state)), ...verdicts(state, scene(state))].join("\n");
  const hint = el("p", { class: "note" });
  view.draw(() => write(hint, "Click or tap the map, or drag the ring: all begin there. "
    + `${view.colours.dark ? "Darker" : "Lighter"} is lower.`));
  const pictures = el("div", { class: "picture" }, hint, above(view, scene), legend(view, entries), play,
    losses.element, status(view, words), el("ul", { class: "note" }, ...lines));
  const controls = el("div", { class: "controls" }, surfaceGroup(view), panel(view, 0), panel(view, 1), panel(view, 2),
    noiseGroup(view, scene));
  view.root.append(el("div", { class: "row" }, pictures, controls));
}

/** @type {import("./core/interactive.js").Spec<State, Data>} */
export const spec = { name: "playground", title: "Optimizers on a surface", defaults: DEFAULTS, build, clean };
export const mount = interactive(spec);
