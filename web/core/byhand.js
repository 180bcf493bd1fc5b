// A descent by hand: its steps, when it is there, and the optimizers to beat, at their best fixed settings.
import { roundNumbers } from "./format.js";
import { SURFACES, surface } from "./surfaces.js";

/** @typedef {import("./surfaces.js").Pair} Pair */
/** @typedef {import("./surfaces.js").Surface} Surface */

/** Height above the minimum, 0 if that is unknown. @param {Surface} on @param {Pair} point */
export function height(on, point) { return on.f(...point) - (on.minimum ? on.f(...on.minimum) : 0); }

/**
 * How many steps a path takes to the bottom, as miniai.lab.playground counts them.
 * @param {Surface} on
 * @param {Pair[]} path
 * @param {number} [share] of the start's height: you are there when no more is left
 * @returns {number | null} the first step that is low enough
 */
export function arrival(on, path, share = 0.01) {
  const enough = share * height(on, path[0]), found = path.findIndex((point) => height(on, point) <= enough);
  return found < 0 ? null : found;
}

/**
 * One step of SGD with momentum, v = μv + g, whose settings may differ from step to step.
 * @param {Surface} on
 * @param {Pair} point
 * @param {Pair} velocity
 * @param {number} rate
 * @param {number} momentum
 * @returns {{ point: Pair, velocity: Pair }}
 */
export function steer(on, point, velocity, rate, momentum) {
  const [gx, gy] = on.gradient(...point), [vx, vy] = [momentum * velocity[0] + gx, momentum * velocity[1] + gy];
  return { point: [point[0] - rate * vx, point[1] - rate * vy], velocity: [vx, vy] };
}

/** How many steps an optimizer must stay at the bottom: a fly-by is no arrival. */
export const STAY = 20;

/** @param {Surface} on @param {Pair} start @param {number} rate @param {number} momentum @param {number} most steps
 * @param {number} enough the height @returns {number} steps; Infinity: it is not there, or leaves again */
function stepsTo(on, [x, y], rate, momentum, most, enough) {
  const lowest = on.minimum ? on.f(...on.minimum) : 0;
  for (let i = 0, vx = 0, vy = 0, there = Infinity; i <= most || there <= most; i++) {
    const low = on.f(x, y) - lowest <= enough;
    if (low) there = Math.min(there, i);
    else if (there <= most) break;
    if (i === there + STAY) return there;
    const g = on.gradient(x, y);
    vx = momentum * vx + g[0];
    vy = momentum * vy + g[1];
    x -= rate * vx;
    y -= rate * vy;
    if (!(Math.abs(x) + Math.abs(y) < 1e4)) break; // diverged
  }
  return Infinity;
}

export const RATES = roundNumbers(1e-4, 10);
export const MOMENTA = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98];
export const MOST = 1000;

/**
 * The rate and momentum, out of all that are given, that are there first and stay; the lowest rate among equals.
 * @param {Surface} on
 * @param {Pair} start
 * @param {number[]} momenta
 * @param {number[]} [rates]
 * @returns {{ rate: number, momentum: number, steps: number } | null} null: none is there within MOST steps
 */
export function fastest(on, start, momenta, rates = RATES) {
  const enough = 0.01 * height(on, start);
  let [best, steps] = [{ rate: 0, momentum: 0 }, Infinity];
  for (const momentum of momenta) {
    for (const rate of rates) {
      const found = stepsTo(on, start, rate, momentum, Math.min(MOST, steps - 1), enough);
      if (found < steps) [best, steps] = [{ rate, momentum }, found];
    }
  }
  return steps < Infinity ? { ...best, steps } : null;
}

/** @typedef {{ name: string, rate: number, momentum: number, steps: number, path: Pair[] }} Rival */

/** The optimizers to beat: SGD, and momentum. @param {Surface} on @param {Pair} start @returns {(Rival | null)[]} */
export function rivals(on, start) {
  return /** @type {[string, number[]][]} */ ([["SGD", [0]], ["momentum", MOMENTA]]).map(([name, momenta]) => {
    const found = fastest(on, start, momenta);
    if (!found) return null;
    /** @type {Pair[]} */
    const path = [start];
    for (let i = 0, velocity = /** @type {Pair} */ ([0, 0]); i < found.steps; i++) {
      const next = steer(on, path[i], velocity, found.rate, found.momentum);
      path.push(next.point);
      velocity = next.velocity;
    }
    return { name, ...found, path };
  });
}

/** Where the tip of the downhill arrow lies; without slope, the point. @param {Surface} on @param {Pair} point
 * @returns {Pair} */
export function downhill(on, [x, y]) {
  const [gx, gy] = on.gradient(x, y), size = Math.hypot(gx, gy), length = 0.15 * (on.xlim[1] - on.xlim[0]);
  return size > 0 ? [x - (length * gx) / size, y - (length * gy) / size] : [x, y];
}

/**
 * @typedef {object} State
 * @property {string} surface its kind
 * @property {number} condition of the bowl
 * @property {Pair[]} path the start first
 * @property {Pair[]} velocities at each point of the path; 0 after a step to a chosen point
 * @property {"choose" | "steer"} way
 * @property {Pair} next the point that is chosen
 * @property {number} rate learning rate of the next step, if it is steered
 * @property {number} momentum of the next step, likewise
 * @property {boolean} arrow whether an arrow points downhill
 * @property {boolean} map whether the map is shown before the arrival
 * @property {boolean} seen whether it has been
 */

/** How many steps a path may have. */
export const LONGEST = 200;
/** @type {(x: number, low: number, high: number) => number} */
const limit = (x, low, high) => Math.min(Math.max(x, low), high);
/** @type {Map<string, Surface>} */
const made = new Map();

/** The surface of a state, made once. @param {{ surface: string, condition: number }} s */
export function surfaceOf({ surface: kind, condition }) {
  const key = kind === "bowl" ? `bowl ${condition}` : kind, found = made.get(key) ?? surface(kind, condition);
  made.set(key, found);
  return found;
}

/** The point where one stands. @param {State} s */
export const last = (s) => s.path[s.path.length - 1];

/** A point in the picture, to a thousandth of its width. @param {Surface} on @param {Pair} point @returns {Pair} */
export function inside({ xlim, ylim }, [x, y]) {
  const unit = 10 ** Math.floor(Math.log10((xlim[1] - xlim[0]) / 1000));
  const near = (/** @type {number} */ v) => Number((Math.round(v / unit) * unit).toPrecision(12));
  return [limit(near(x), ...xlim), limit(near(y), ...ylim)];
}

/** Where a descent begins: at the surface's own start; in the bowl with y scaled, so that each direction holds the same
 * share of the height at any condition. @param {string} kind @param {number} condition @returns {Pair} */
export function startOf(kind, condition) {
  const on = surfaceOf({ surface: kind, condition }), [x, y] = on.start;
  return kind === "bowl" ? inside(on, [x, y * Math.sqrt(10 / condition)]) : on.start;
}

/** At the start, nothing done. @param {string} kind @param {number} condition @param {Pair} [start] */
export function begin(kind, condition, start = startOf(kind, condition)) {
  const on = surfaceOf({ surface: kind, condition }), still = /** @type {Pair} */ ([0, 0]);
  return { surface: kind, condition, path: [start], velocities: [still], next: inside(on, downhill(on, start)) };
}

/** @type {State} */
export const defaults = { ...begin("bowl", 10), way: "choose", rate: 0.05, momentum: 0, arrow: true, map: false,
  seen: false };

const isPair = (/** @type {unknown} */ p) => Array.isArray(p) && p.length === 2
  && p.every((v) => Number.isFinite(v) && Math.abs(v) <= 1e6);

/** @param {State} s @returns {State} */
export function clean(s) {
  const kind = SURFACES.some((name) => name === s.surface) ? s.surface : "bowl";
  const condition = limit(s.condition, 1, 1000);
  const on = surfaceOf({ surface: kind, condition }), fits = s.path.length > 0 && s.path.every(isPair);
  const path = fits ? s.path.slice(0, LONGEST + 1) : [startOf(kind, condition)];
  const known = s.velocities.slice(0, path.length);
  const still = path.map(() => /** @type {Pair} */ ([0, 0]));
  const velocities = known.length === path.length && known.every(isPair) ? known : still;
  const next = inside(on, isPair(s.next) ? s.next : downhill(on, path[path.length - 1]));
  return { surface: kind, condition, path, velocities, next, way: s.way === "steer" ? "steer" : "choose",
    rate: limit(s.rate, 1e-4, 10), momentum: limit(s.momentum, 0, 0.99), arrow: s.arrow, map: s.map,
    seen: s.seen || s.map };
}

/** Where the next step would go. @param {State} s @returns {{ point: Pair, velocity: Pair }} */
export function ahead(s) {
  if (s.way === "choose") return { point: s.next, velocity: [0, 0] };
  return steer(surfaceOf(s), last(s), s.velocities[s.path.length - 1], s.rate, s.momentum);
}

/** Whether the path is at the bottom. @param {State} s */
export function isThere(s) { return arrival(surfaceOf(s), s.path) !== null; }

/** Whether the map and the optimizers' paths are shown. @param {State} s */
export function shown(s) { return s.map || isThere(s); }

/** Why there is no next step; empty if there is one. @param {State} s */
export function hindered(s) {
  if (isThere(s)) return "You are there.";
  if (s.path.length > LONGEST) return `No more than ${LONGEST} steps: undo, or begin again.`;
  const { point } = ahead(s);
  if (!isPair(point)) return "The next step would go beyond all bounds: lower the rate, or undo.";
  return String(point) === String(last(s)) ? "The next point is the one you stand on: choose another." : "";
}

/** After the next step; the point to choose is then at the arrow's tip. @param {State} s @returns {Partial<State>} */
export function step(s) {
  if (hindered(s)) return {};
  const on = surfaceOf(s), { point, velocity } = ahead(s), next = inside(on, downhill(on, point));
  return { path: [...s.path, point], velocities: [...s.velocities, velocity], next };
}

/** One step back, its point still chosen. @param {State} s @returns {Partial<State>} */
export function undo(s) {
  if (s.path.length < 2) return {};
  return { path: s.path.slice(0, -1), velocities: s.velocities.slice(0, -1), next: inside(surfaceOf(s), last(s)),
    seen: s.seen || shown(s) };
}

/** Another descent, and whether its map is known. @param {State} s the one before @param {string} kind
 * @param {number} condition @param {Pair} [start] @returns {Partial<State>} */
export function again(s, kind, condition, start) {
  return { ...begin(kind, condition, start), seen: s.map || (kind === s.surface && (s.seen || shown(s))) };
}

/** @type {Map<string, (Rival | null)[]>} */
const searched = new Map();
const place = (/** @type {State} */ s) => JSON.stringify([s.surface, s.condition, s.path[0]]);

/** The optimizers to beat from the state's start; null until they have been searched. @param {State} s */
export function rivalsOf(s) { return searched.get(place(s)) ?? null; }

/** Searches them. @param {State} s */
export function search(s) {
  if (searched.size > 200) searched.clear();
  searched.set(place(s), rivals(surfaceOf(s), s.path[0]));
}
