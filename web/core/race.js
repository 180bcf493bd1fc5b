// Optimizers that race on a surface: what the playground computes and says. No DOM.
import { roundNumbers, short } from "./format.js";
import { OPTIMIZERS, preset } from "./optimizers.js";
import { normal, random } from "./random.js";
import { SURFACES, descend, matrixProblem, surface } from "./surfaces.js";

/** @typedef {import("./surfaces.js").Pair} Pair */
/**
 * An optimizer of the race: a key of OPTIMIZERS, or none, and its sliders' values.
 * @typedef {{ name: string } & Record<string, string | number>} Entry
 */
/**
 * @typedef {object} State
 * @property {string} surface one of KINDS
 * @property {number} condition of the bowl and of the matrix problem: its second curvature; 1 … 1000
 * @property {number[] | null} start where all begin, (x, y); null: the surface's own
 * @property {Entry[]} optimizers three; `none` races with nobody
 * @property {number} steps how many each takes; 1 … 500
 * @property {number} step the one that is shown; 0 … steps
 * @property {number} noise standard deviation of what is added to each number of each gradient; 0 … 1000
 * @property {number} seed of the noise
 * @property {number | null} arrows whose parts of the shown step are drawn: place 1, 2 or 3; 0: nobody's; null: as
 *   `arrowed` chooses
 */
/** @typedef {{ surface: string, path: number[][] }} Hand a walk by hand: on which surface, and its points */
/**
 * A surface as the picture has it: two coordinates, whatever the number of parameters.
 * @typedef {object} Field
 * @property {string} name
 * @property {import("./surfaces.js").Surface | import("./surfaces.js").MatrixProblem} problem
 * @property {(x: number, y: number) => number} height the loss
 * @property {(p: readonly number[]) => Pair} place parameters, or a change of them → coordinates
 * @property {(x: number, y: number) => number[]} parameters
 * @property {Pair} start
 * @property {Pair} minimum
 * @property {Pair} xlim
 * @property {Pair} ylim
 */
/**
 * @typedef {object} Run
 * @property {string} name a key of OPTIMIZERS
 * @property {number} place 1, 2 or 3
 * @property {string} label the name, with a number if two have the same
 * @property {Pair[]} points at most steps + 1 of them, the start first
 * @property {number[]} losses one a point
 * @property {import("./optimizers.js").Parts[]} parts of each step
 */

/** What can be chosen as a surface. */
export const KINDS = [...SURFACES, "matrix"];
export const NAMES = Object.keys(OPTIMIZERS);

/** Learning rates to open with, where the slider's own default does not suit a surface.
 * @type {Record<string, Record<string, number>>} */
const RATES = {
  bowl: { Adadelta: 5 },
  matrix: { Adadelta: 5 },
  rosenbrock: { SGD: 1e-3, momentum: 1e-3, "momentum (average)": 2e-3, Nesterov: 1e-3, Adagrad: 1, Lion: 0.01 },
  beale: { SGD: 0.02, momentum: 5e-3, "momentum (average)": 0.02, Nesterov: 5e-3, Adadelta: 2 },
  saddle: { SGD: 0.1, momentum: 0.05, "momentum (average)": 0.5, Nesterov: 0.05, Adagrad: 0.2, RMSprop: 0.02,
    Adadelta: 2 },
  plateau: { SGD: 1, momentum: 0.2, "momentum (average)": 2, Nesterov: 0.2, Adagrad: 0.2, RMSprop: 0.02, Adadelta: 2 },
};
/** On the bowl, times the largest curvature: plain SGD zigzags at 1.8 and flies off at 2.
 * @type {Record<string, number>} */
const CURVED = { SGD: 1.8, momentum: 0.5, "momentum (average)": 5, Nesterov: 0.5 };

/** Whether the condition number says something of a surface. @param {string} kind */
export const curved = (kind) => kind === "bowl" || kind === "matrix";

/** The learning rate that a slider opens with. @param {string} name @param {string} kind @param {number} condition */
export function rate(name, kind, condition) {
  if (!curved(kind) || !(name in CURVED)) return RATES[kind][name] ?? OPTIMIZERS[name].defaults.lr;
  const most = (CURVED[name] / condition) * (1 + 1e-9);
  return roundNumbers(1e-4, 10).filter((lr) => lr <= most).at(-1) ?? 1e-4;
}

/** An optimizer with the values that its sliders open with.
 * @param {string} name @param {string} kind @param {number} condition @returns {Entry} */
export function fresh(name, kind, condition) {
  if (name === "none") return { name };
  return { name, ...OPTIMIZERS[name].defaults, lr: rate(name, kind, condition) };
}

const opening = ["SGD", "momentum", "none"].map((name) => fresh(name, "bowl", 30));
/** @type {State} */
export const DEFAULTS = { surface: "bowl", condition: 30, start: null, optimizers: opening, steps: 100, step: 8,
  noise: 0, seed: 1, arrows: null };

/** @param {unknown} value @param {number} low @param {number} high @param {number} otherwise */
function within(value, low, high, otherwise) {
  return typeof value === "number" && Number.isFinite(value) ? Math.min(Math.max(value, low), high) : otherwise;
}

/** @param {unknown} given a name, or an entry @param {string} kind @param {number} condition @returns {Entry} */
function mended(given, kind, condition) {
  const whole = typeof given === "object" && given !== null;
  const entry = whole ? /** @type {Record<string, unknown>} */ (given) : { name: given };
  const name = NAMES.find((known) => known === entry.name) ?? "none", usual = fresh(name, kind, condition);
  const knobs = name === "none" ? [] : OPTIMIZERS[name].knobs;
  const values = knobs.map((k) => [k.name, within(entry[k.name], k.min, k.max, Number(usual[k.name]))]);
  return { name, ...Object.fromEntries(values) };
}

/** A state mended where it does not fit. An optimizer may be its name alone. @param {State} state @returns {State} */
export function clean(state) {
  const names = state.optimizers.slice(0, 3).map((entry) => entry?.name ?? entry);
  const asked = KINDS.includes(state.surface) ? state.surface : DEFAULTS.surface;
  const kind = names.includes("Muon") ? "matrix" : asked, condition = within(state.condition, 1, 1000, 30);
  const optimizers = [0, 1, 2].map((i) => mended(state.optimizers[i], kind, condition));
  const { xlim, ylim } = field(kind, condition), start = state.start;
  const placed = Array.isArray(start) && start.length === 2 && start.every(Number.isFinite);
  const steps = Math.round(within(state.steps, 1, 500, 100));
  return {
    ...state, surface: kind, condition, optimizers, steps,
    start: placed ? [within(start[0], ...xlim, 0), within(start[1], ...ylim, 0)] : null,
    step: Math.round(within(state.step, 0, steps, 0)), noise: within(state.noise, 0, 1000, 0),
    seed: Math.round(within(state.seed, 0, 2 ** 31, 1)),
    arrows: [0, 1, 2, 3].find((place) => place === state.arrows) ?? null,
  };
}

/** Whose arrows are drawn: those of the place that was chosen, if it races; else of the first that keeps an average or
 * a velocity, since it has an arrow more. @param {State} state @returns {number} a place, 1 to 3; 0: nobody's */
export function arrowed({ arrows, optimizers }) {
  const racing = [1, 2, 3].filter((place) => optimizers[place - 1].name !== "none");
  if (arrows === 0 || racing.includes(arrows ?? NaN)) return arrows ?? 0;
  const keeps = (/** @type {Entry} */ entry) => "momentum" in entry || "beta1" in entry;
  return racing.find((place) => keeps(optimizers[place - 1])) ?? racing[0] ?? 0;
}

/** Another surface: rates that suit it, its own start. Muon stays on the matrix problem.
 * @param {State} state @param {string} kind @returns {Partial<State>} */
export function moveTo(state, kind) {
  const optimizers = state.optimizers.map((entry) => {
    if (entry.name === "none" || (entry.name === "Muon" && kind !== "matrix")) return { name: "none" };
    return { ...entry, lr: rate(entry.name, kind, state.condition) };
  });
  return { surface: kind, start: null, optimizers };
}

/** Another optimizer in one of the three places; Muon takes all to the matrix problem.
 * @param {State} state @param {number} place 0, 1 or 2 @param {string} name @returns {Partial<State>} */
export function choose(state, place, name) {
  const chosen = fresh(name, state.surface, state.condition);
  const optimizers = state.optimizers.map((was, i) => (i === place ? chosen : was));
  if (name !== "Muon" || state.surface === "matrix") return { optimizers };
  return moveTo({ ...state, optimizers }, "matrix");
}

/** @param {string} kind one of KINDS @param {number} condition @returns {Field} */
export function field(kind, condition) {
  if (kind === "matrix") {
    const problem = matrixProblem(condition), { name, height, weights, coordinates, xlim, ylim } = problem;
    return { name, problem, height, place: coordinates, parameters: weights, start: coordinates(problem.start),
      minimum: [0, 0], xlim, ylim };
  }
  const problem = surface(kind, condition), { name, f, start, xlim, ylim } = problem;
  return { name, problem, height: f, place: ([x, y]) => [x, y], parameters: (x, y) => [x, y], start,
    minimum: problem.minimum ?? [0, 0], xlim, ylim };
}

/** Names, with a number where two are the same. @param {string[]} names */
function labels(names) {
  return names.map((name, i) => names.filter((other) => other === name).length > 1 ? `${name} (${i + 1})` : name);
}

/** All run: each sees the same noise. @param {State} state @returns {{ field: Field, runs: Run[] }} */
export function race(state) {
  const where = field(state.surface, state.condition), problem = where.problem;
  const start = state.start ? where.parameters(state.start[0], state.start[1]) : problem.start;
  const called = labels(state.optimizers.map(({ name }) => name));
  const runs = state.optimizers.flatMap(({ name, ...values }, i) => {
    if (name === "none") return [];
    const draw = normal(random(state.seed)), opt = preset(name, /** @type {Record<string, number>} */ (values));
    /** @type {import("./optimizers.js").Parts[]} */
    const parts = [];
    const step = (/** @type {number[]} */ p, /** @type {number[]} */ g) => parts.push(opt.step(p, g));
    const path = descend(problem, { step }, state.steps, start, state.noise ? () => state.noise * draw() : undefined);
    const loss = /** @type {(...p: number[]) => number} */ (problem.f);
    return [{ name, place: i + 1, label: called[i], points: path.map(where.place),
      losses: path.map((p) => loss(...p)), parts }];
  });
  return { field: where, runs };
}

/** The walk by hand, if it was on this kind of surface and went anywhere.
 * @param {Hand | undefined} hand @param {string} kind @param {Field} where
 * @returns {{ points: Pair[], losses: number[] } | null} */
export function handWalk(hand, kind, where) {
  const called = String(hand?.surface).split(",")[0].toLowerCase();   // "bowl, condition 10" is a bowl
  if (!hand || called !== kind || !Array.isArray(hand.path) || hand.path.length < 2) return null;
  const points = hand.path.map(([x, y]) => /** @type {Pair} */ ([x, y]));
  return { points, losses: points.map(([x, y]) => where.height(x, y)) };
}

/** The first index from which something holds to the end; null: not at the end.
 * @template T @param {T[]} values @param {(value: T) => boolean} holds */
export function lasting(values, holds) {
  let first = values.length;
  while (first > 0 && holds(values[first - 1])) first--;
  return first < values.length ? first : null;
}

/** Whether at most 1 % of the start's height above the minimum is left.
 * @param {number[]} losses @param {number} lowest */
const low = ([first], lowest) => (/** @type {number} */ loss) => loss - lowest <= 0.01 * (first - lowest);

/**
 * How a descent ended. Arrived: at most 1 % of the start's height above the minimum was left; `step` is the first
 * such, as miniai.lab.surface's `arrival` counts.
 * @param {number[]} losses of all points, the start's first
 * @param {number} steps how many were asked for
 * @param {number} [lowest] the minimum's loss
 * @returns {{ how: "diverged" | "climbed" | "arrived" | "away", step: number | null }} how; the step
 *   after which it diverged, or else on which it arrived
 */
export function ending(losses, steps, lowest = 0) {
  const last = losses.length - 1;
  if (last < steps) return { how: "diverged", step: last };
  const there = losses.findIndex(low(losses, lowest));
  const step = there < 0 ? null : there;
  if (!(losses[last] <= losses[0])) return { how: "climbed", step };
  return { how: step === null ? "away" : "arrived", step };
}

/** @param {string} label */
const capital = (label) => label[0].toUpperCase() + label.slice(1);

/** How a descent ended, in a sentence.
 * @param {string} label @param {number[]} losses @param {number} steps @param {number} [lowest] */
export function verdict(label, losses, steps, lowest = 0) {
  const { how, step } = ending(losses, steps, lowest), last = losses[losses.length - 1];
  const after = `${short(last)} after ${steps} ${steps === 1 ? "step" : "steps"}`;
  const who = capital(label);
  if (how === "diverged") return `${who} diverged after step ${step}: no finite number.`;
  if (how === "climbed") return `${who} climbed: loss ${after}, from ${short(losses[0])}.`;
  if (how === "away") return `${who} is not there yet: loss ${after}.`;
  const kept = lasting(losses, low(losses, lowest));
  if (kept === null) return `${who} reached 1 % of the starting height at step ${step}, but rose again; loss ${after}.`;
  const first = kept === step ? "" : ` (first at step ${step})`;
  return `${who} is at 1 % of the starting height or lower from step ${kept} on${first}; loss ${after}.`;
}

/** What of a run lies beyond the pictures to its end, in a sentence; "" if nothing does.
 * @param {Run} run @param {Pick<Field, "xlim" | "ylim">} map @param {number} highest loss that the chart shows */
export function beyond({ label, points, losses }, { xlim, ylim }, highest) {
  const inside = (/** @type {number} */ v, /** @type {Pair} */ [a, b]) => a <= v && v <= b;
  const off = lasting(points, ([x, y]) => !(inside(x, xlim) && inside(y, ylim)));
  const above = lasting(losses, (loss) => !(loss <= highest));
  const said = [...(off === null ? [] : [`off the map from step ${off} on`]),
    ...(above === null ? [] : [`above the loss chart, its line along the top, from step ${above} on`])];
  return said.length ? `${capital(label)} is ${said.join("; ")}.` : "";
}

const pair = (/** @type {readonly number[]} */ [x, y]) => `(${short(x, 2)}, ${short(y, 2)})`;

/** A step's parts, seen in the picture's plane; null where there is no such step. @param {Field} where @param {Run} run
 * @param {number} step @returns {{ gradient: Pair, velocity?: Pair, scaled?: Pair, step: Pair } | null} */
export function partsAt(where, run, step) {
  if (step >= run.points.length - 1) return null;
  const { gradient, velocity, scaled, step: moved } = run.parts[step], { place } = where;
  return { gradient: place(gradient), ...(velocity && { velocity: place(velocity) }),
    ...(scaled && { scaled: place(scaled) }), step: place(moved) };
}

/** The shown step's parts, in words. @param {Field} where @param {Run} run @param {number} step */
export function partsWords(where, run, step) {
  const at = Math.min(step, run.points.length - 1), parts = partsAt(where, run, step);
  const words = parts ? Object.entries(parts).map(([name, vector]) => `${name} ${pair(vector)}`) : ["no further step"];
  return `${run.label}: at ${pair(run.points[at])}, loss ${short(run.losses[at])}; ${words.join(", ")}`;
}

/** Thirteen logarithmic bands of height: that of a point, from 0, the lowest, to 1.
 * @param {Field} where @returns {(x: number, y: number) => number} */
export function bands({ height, minimum, xlim, ylim }) {
  const lowest = height(...minimum), n = 40, sample = [];
  for (let i = 0; i <= n; i++) {
    for (let j = 0; j <= n; j++) {
      sample.push(height(xlim[0] + (i / n) * (xlim[1] - xlim[0]), ylim[0] + (j / n) * (ylim[1] - ylim[0])) - lowest);
    }
  }
  sample.sort((a, b) => a - b);
  const most = sample[sample.length - 1], low = sample[Math.floor(sample.length / 100)];
  const first = Math.log(Math.max(low, 1e-4 * most));
  const perBand = (Math.log(most) - first) / 12;
  return (x, y) => Math.min(Math.max(Math.ceil((Math.log(height(x, y) - lowest) - first) / perBand), 0), 12) / 12;
}
