// A schedule as a reader designs it: pieces one after the other. Its curves, and the Python that makes them.
import { combine, cosine, exponential, linear, polynomial, step } from "./schedules.js";

/** @typedef {import("./schedules.js").Schedule} Schedule */
/** @typedef {"linear" | "hold" | "cosine" | "exponential" | "polynomial" | "step" | "restarts"} Kind */

/**
 * @typedef {object} Piece it starts where the one before ends
 * @property {Kind} kind
 * @property {number} share of the run, in whole hundredths; those of all pieces add up to 1
 * @property {number} end the rate at its end, as a share of the base rate; of "hold" its start; of "restarts" that
 *   before each
 * @property {number} power of "polynomial"
 * @property {number} times how often "step" falls, or "restarts" goes down
 */

/**
 * @typedef {object} Design
 * @property {number} start the first rate, as a share of the base rate
 * @property {Piece[]} pieces
 * @property {number} peak the base rate, of which the others are shares: the curve may stay below it
 * @property {boolean} cycle whether momentum goes down where the rate goes up; else it is `high` all along
 * @property {number} high momentum up to the first or the final rate: the higher of those below the base rate
 * @property {number} low momentum at the base rate
 * @property {number} steps batches in the run
 */

/** @type {Record<Kind, string>} */
export const KINDS = { linear: "linear", hold: "hold", cosine: "cosine", exponential: "exponential",
  polynomial: "polynomial", step: "step", restarts: "cosine restarts" };
export const MOST = 8; // pieces
export const LEAST = 1e-6; // what starts or ends an exponential or steps: a factor never leads to or from 0

/** @param {number} x @param {number} low @param {number} high */
const within = (x, low, high) => Math.min(Math.max(x, low), high);
const rounded = (/** @type {number} */ x, digits = 4) => Number(x.toPrecision(digits));
const height = (/** @type {number} */ x) => (x < LEAST / 2 ? 0 : rounded(within(x, LEAST, 1)));

/** Where the next piece starts. @param {Piece} piece @param {number} start */
const after = (piece, start) => (piece.kind === "restarts" ? start : piece.end);

/** Where each piece starts, as a share of the base rate.
 * @param {Pick<Design, "start" | "pieces">} design @returns {number[]} */
export function starts({ start, pieces }) {
  const found = [start];
  pieces.slice(0, -1).forEach((piece, i) => found.push(after(piece, found[i])));
  return found;
}

/** Where each piece begins in the run, and 1. @param {Piece[]} pieces @returns {number[]} */
export function edges(pieces) {
  let hundredths = 0;
  return [0, ...pieces.map(({ share }) => (hundredths += Math.round(share * 100)) / 100)];
}

/** Shares in whole hundredths, at least one each, that add up to 1. @param {number[]} shares @returns {number[]} */
export function fair(shares) {
  const positive = shares.map((share) => (share > 0 && Number.isFinite(share) ? share : 0));
  const total = positive.reduce((sum, share) => sum + share, 0);
  const exact = positive.map((share) => (total ? (share / total) * 100 : 100 / shares.length));
  const whole = exact.map((share) => Math.max(1, Math.floor(share)));
  for (let left = 100 - whole.reduce((sum, share) => sum + share, 0); left !== 0; left -= Math.sign(left)) {
    const lacks = exact.map((share, i) => (left < 0 && whole[i] === 1 ? Infinity : share - whole[i]));
    const i = left > 0 ? lacks.indexOf(Math.max(...lacks)) : lacks.indexOf(Math.min(...lacks));
    whole[i] += Math.sign(left);
  }
  return whole.map((hundredths) => hundredths / 100);
}

/**
 * Pieces that fit together: shares add up to 1, "hold" ends where it starts, no factor leads to or from 0.
 * @param {number} first @param {Piece[]} given @returns {{ start: number, pieces: Piece[] }}
 */
export function tidy(first, given) {
  const shares = fair(given.map(({ share }) => share));
  const pieces = given.map((piece, i) => ({ ...piece, share: shares[i], end: height(piece.end) }));
  let start = height(first);
  pieces.forEach((piece, i) => {
    if (piece.kind !== "exponential" && piece.kind !== "step") return;
    piece.end = Math.max(piece.end, LEAST);
    const from = source(pieces, i);
    if (from < 0) start = Math.max(start, LEAST);
    else pieces[from].end = Math.max(pieces[from].end, LEAST);
  });
  return { start, pieces: pieces.map((piece, i) => ({ ...piece, end: held(start, pieces, i) })) };
}

/** The piece whose end is the start of piece `i`; −1: none, the first rate is.
 * @param {Piece[]} pieces @param {number} i */
export function source(pieces, i) {
  let from = i - 1;
  while (from >= 0 && (pieces[from].kind === "hold" || pieces[from].kind === "restarts")) from--;
  return from;
}

/** Where piece `i` ends. @param {number} start @param {Piece[]} pieces @param {number} i */
function held(start, pieces, i) {
  if (pieces[i].kind !== "hold") return pieces[i].end;
  const from = source(pieces, i);
  return from < 0 ? start : pieces[from].end;
}

/** @param {unknown} given @returns {Piece[]} what is a piece, with numbers that a piece can have */
function mended(given) {
  /** @type {(x: unknown, low: number, high: number, other: number) => number} */
  const number = (x, low, high, other) =>
    typeof x === "number" && Number.isFinite(x) ? within(x, low, high) : other;
  return (Array.isArray(given) ? given : [])
    .filter((piece) => typeof piece?.kind === "string" && Object.hasOwn(KINDS, piece.kind))
    .slice(0, MOST)
    .map(({ kind, share, end, power, times }) => ({ kind, share: number(share, 0, 1, 0.1), end: number(end, 0, 1, 0),
      power: rounded(number(power, 0.5, 6, 2), 3), times: Math.round(number(times, 1, 8, 2)) }));
}

/** A design that can be drawn, of any that a link or Python gives.
 * @template {Design} D @param {D} design @returns {D} */
export function clean(design) {
  const pieces = mended(design.pieces);
  if (!pieces.length) pieces.push(piece("cosine", 1, 0));
  const momentum = (/** @type {number} */ m) => rounded(within(m, 0.01, 0.99));
  return { ...design, ...tidy(within(design.start, 0, 1), pieces), peak: rounded(within(design.peak, 1e-6, 10)),
    high: momentum(design.high), low: momentum(design.low), steps: Math.round(within(design.steps, 10, 100000)) };
}

/** @param {Kind} kind @param {number} share @param {number} end @param {number} [times] @returns {Piece} */
export function piece(kind, share, end, times = 2) { return { kind, share, end, power: 2, times }; }

/** Momentum where the rate is so high. @param {Design} design @param {number} rate as a share of the base rate */
function momentumAt({ start, pieces, cycle, high, low }, rate) {
  if (!cycle) return high;
  const base = Math.max(0, ...[start, pieces[pieces.length - 1].end].filter((end) => end < 1));
  return rounded(high - (high - low) * within((rate - base) / (1 - base), 0, 1));
}

/** The factor of each of so many falls, and Python for it: short where a short number is as good.
 * @param {number} start @param {number} end @param {number} times @returns {[number, string]} */
function factor(start, end, times) {
  const exact = (end / start) ** (1 / times);
  const few = rounded(exact, 6);
  if (Math.abs(start * few ** times - end) < 1e-13 * end) return [few, String(few)];
  const ratio = start === 1 ? String(end) : `(${end} / ${start})`;
  return times === 1 ? [end / start, ratio.replace(/[()]/g, "")] : [exact, `${ratio} ** (1 / ${times})`];
}

/** A piece from one value to another: the schedule, its Python, and the names in that.
 * @param {Piece} piece @param {number} start @param {number} end
 * @returns {{ at: Schedule, python: string, name: string }} */
function made({ kind, power, times }, start, end) {
  const simple = { linear, cosine, exponential };
  if (kind === "polynomial") {
    return { at: polynomial(start, end, power), python: `polynomial(${start}, ${end}, ${power})`, name: kind };
  }
  if (kind === "restarts") {
    const down = cosine(start, end);
    const python = `lambda t: cosine(${start}, ${end})(${times === 1 ? "" : `${times} * `}t % 1)`;
    return { at: (t) => down((times * t) % 1), python, name: "cosine" };
  }
  if (kind === "step") {
    const [gamma, text] = factor(start, end, times);
    const falls = Array.from({ length: times }, (_, k) => (k + 1) / (times + 1));
    const written = falls.map((at, k) => (String(at).length < 6 ? String(at) : `${k + 1} / ${times + 1}`));
    return { at: step(start, gamma, falls), python: `step(${start}, ${text}, [${written.join(", ")}])`, name: kind };
  }
  const name = kind === "hold" ? "linear" : kind;
  return { at: simple[name](start, end), python: `${name}(${start}, ${end})`, name };
}

/** What each piece makes of rate (as a share of the base rate) and of momentum. @param {Design} design */
function parts(design) {
  const begins = starts(design);
  const m = (/** @type {number} */ rate) => momentumAt(design, rate);
  return {
    lr: design.pieces.map((piece, i) => made(piece, begins[i], piece.end)),
    momentum: design.cycle ? design.pieces.map((piece, i) => made(piece, m(begins[i]), m(piece.end)))
      : [made(piece("hold", 1, 0), design.high, design.high)],
  };
}

/** The two schedules: progress → rate, progress → momentum.
 * @param {Design} design @returns {{ lr: Schedule, momentum: Schedule }} */
export function curves(design) {
  const shares = design.pieces.map(({ share }) => share);
  const { lr, momentum } = parts(design);
  const one = (/** @type {{ at: Schedule }[]} */ made) =>
    (made.length === 1 ? made[0].at : combine(shares, made.map(({ at }) => at)));
  const rate = one(lr);
  return { lr: (t) => design.peak * rate(t), momentum: one(momentum) };
}

/** The design in Python, to copy. @param {Design} design */
export function code(design) {
  const { lr, momentum } = parts(design);
  const several = design.pieces.length > 1;
  const names = [...new Set([...lr, ...momentum].map(({ name }) => name)), ...(several ? ["combine"] : [])].sort();
  const shares = `shares = [${design.pieces.map(({ share }) => share).join(", ")}]  # of the run`;
  return [`from miniai.sched import BatchSchedCB, ScheduleLR, ${names.join(", ")}`, "",
    `base_lr = ${design.peak}`, `total_steps = ${design.steps}  # epochs × batches in each`,
    ...(several ? [shares] : []),
    `lr = ${written(lr)}`, `momentum = ${written(momentum)}`,
    "schedule = BatchSchedCB(lambda opt: ScheduleLR(opt, total_steps, lr, momentum))",
    "# learn.fit(n_epochs, lr=base_lr, cbs=[schedule])", ""].join("\n");
}

/** @param {{ python: string }[]} made */
function written(made) {
  const all = made.map(({ python }) => python);
  if (all.length === 1) return all[0];
  const line = `combine(shares, [${all.join(", ")}])`;
  return line.length < 100 ? line : `combine(shares, [\n    ${all.join(",\n    ")}])`;
}

/** @typedef {Pick<Design, "start" | "pieces" | "cycle" | "high" | "low">} Shape a design without rate and length */
const constant = { cycle: false, high: 0.9, low: 0.85 };
const cycled = { cycle: true, high: 0.95, low: 0.85 };

/** Well-known ones. Those that name a class or function make its curve. @type {Record<string, Shape>} */
export const PRESETS = {
  "1cycle (OneCycleLR)": { ...cycled, start: 0.04, pieces: [piece("cosine", 0.3, 1), piece("cosine", 0.7, 4e-6)] },
  "1cycle (one_cycle)": { ...cycled, start: 0.1,
    pieces: [piece("linear", 0.45, 1), piece("linear", 0.45, 0.1), piece("linear", 0.1, 0.001)] },
  "cosine (CosineAnnealingLR)": { ...constant, start: 1, pieces: [piece("cosine", 1, 0)] },
  "warm-up + cosine": { ...constant, start: 0, pieces: [piece("linear", 0.1, 1), piece("cosine", 0.9, 0)] },
  "warm-up, stable, decay (WSD)": { ...constant, start: 0,
    pieces: [piece("linear", 0.1, 1), piece("hold", 0.7, 1), piece("linear", 0.2, 0)] },
  "steps (StepLR)": { ...constant, start: 1, pieces: [piece("step", 1, 0.01)] },
  "restarts (CosineAnnealingWarmRestarts)": { ...constant, start: 1, pieces: [piece("restarts", 1, 0, 4)] },
};

/** The preset that a design is, or "". @param {Design} design */
export function presetOf(design) {
  const seen = (/** @type {Piece} */ { kind, share, end, power, times }) => [kind, share, end,
    kind === "polynomial" ? power : 0, kind === "step" || kind === "restarts" ? times : 0];
  const same = (/** @type {Shape} */ { start, pieces, cycle, high, low }) =>
    JSON.stringify([start, cycle, high, cycle ? low : 0, pieces.map(seen)]);
  return Object.keys(PRESETS).find((name) => same(PRESETS[name]) === same(design)) ?? "";
}
