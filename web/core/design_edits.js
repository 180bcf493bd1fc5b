// What a reader does to a design: boundaries moved, pieces added, removed and reordered; and what they see, in words.
import { curves, edges, MOST, piece, source, tidy } from "./design.js";
import { roundNumbers, short } from "./format.js";

/** @typedef {import("./design.js").Piece} Piece */
/** @typedef {import("./design.js").Design} State */

// Small ones by ten a decade, larger ones by hundredths.
/** What a slider of heights stops at. */
export const HEIGHTS = [0, ...roundNumbers(1e-6, 0.08), ...Array.from({ length: 91 }, (_, i) => (i + 10) / 100)];

/** Pieces that fit together. @param {State} state @param {Piece[]} pieces @param {number} [start] */
const put = (state, pieces, start = state.start) => tidy(start, pieces);

/** Some piece changed. @param {State} state @param {number} i @param {Partial<Piece>} patch */
export function change(state, i, patch) {
  return put(state, state.pieces.map((piece, j) => (j === i ? { ...piece, ...patch } : piece)));
}

/** The boundary behind piece `i` moved to some progress: the next piece gives or takes. @param {State} state
 * @param {number} i @param {number} t */
export function moveEdge(state, i, t) {
  const at = edges(state.pieces);
  const to = Math.min(Math.max(Math.round(t * 100) / 100, at[i] + 0.01), at[i + 2] - 0.01);
  return put(state, state.pieces.map((piece, j) =>
    (j === i ? { ...piece, share: to - at[i] } : j === i + 1 ? { ...piece, share: at[i + 2] - to } : piece)));
}

/** The share of piece `i` changed: the next piece gives or takes, for the last one that before. @param {State} state
 * @param {number} i @param {number} share */
export function setShare(state, i, share) {
  const at = edges(state.pieces);
  const last = state.pieces.length - 1;
  if (last === 0) return {};
  return i < last ? moveEdge(state, i, at[i] + share) : moveEdge(state, i - 1, 1 - share);
}

/** The height of a boundary changed: 0 is the start, `i` the end of the i-th piece.
 * @param {State} state @param {number} i @param {number} to as a share of the base rate */
export function setHeight(state, i, to) {
  const held = i > 0 && state.pieces[i - 1].kind === "hold";
  const from = held ? source(state.pieces, i - 1) : i - 1;
  return from < 0 ? put(state, state.pieces, to) : change(state, from, { end: to });
}

/** @param {State} state @param {number} from @param {number} to */
export function reorder(state, from, to) {
  const pieces = [...state.pieces];
  pieces.splice(to, 0, ...pieces.splice(from, 1));
  return put(state, pieces);
}

/** A piece less; that before it takes its share. @param {State} state @param {number} i */
export function remove(state, i) {
  const pieces = state.pieces.filter((_, j) => j !== i);
  if (!pieces.length) return {};
  const taker = Math.max(i - 1, 0);
  pieces[taker] = { ...pieces[taker], share: pieces[taker].share + state.pieces[i].share };
  return put(state, pieces);
}

const longest = (/** @type {State} */ { pieces }) =>
  pieces.reduce((best, { share }, i) => (share > pieces[best].share ? i : best), 0);

/** A hold in front of the longest piece, which gives half of its share. @param {State} state */
export function add(state) {
  const i = longest(state);
  const half = Math.floor(state.pieces[i].share * 50) / 100;
  const pieces = [...state.pieces];
  pieces[i] = { ...pieces[i], share: pieces[i].share - half };
  pieces.splice(i, 0, piece("hold", half, 0));
  return put(state, pieces);
}

/** A straight line from 0 to the first rate, in a tenth of the run. @param {State} state */
export function warmUp(state) {
  const pieces = state.pieces.map((piece) => ({ ...piece, share: piece.share * 0.9 }));
  return put(state, [piece("linear", 0.1, state.start), ...pieces], 0);
}

/** Why a piece, or a warm-up, can't be added now; or "". @param {State} state */
export function lacking({ start, pieces }) {
  if (pieces.length === MOST) return `${MOST} pieces are the most: remove one to add another.`;
  return start === 0 ? "The run starts at 0: a warm-up adds nothing." : "";
}

/** The next of the heights, up or down. @param {number} value @param {number} by */
export function nextHeight(value, by) {
  const near = HEIGHTS.findIndex((height) => height >= value - 1e-12);
  const at = near + by + (by > 0 && HEIGHTS[near] > value + 1e-12 ? -1 : 0);
  return HEIGHTS[Math.min(Math.max(at, 0), HEIGHTS.length - 1)];
}

/** The same again for the same state.
 * @template {object} S @template R @param {(state: S) => R} f @returns {(state: S) => R} */
function once(f) {
  const known = new WeakMap();
  return (state) => {
    if (!known.has(state)) known.set(state, f(state));
    return known.get(state);
  };
}

/** The curves as they are drawn: a thousand steps of progress, and each boundary. */
export const points = once((/** @type {State} */ state) => {
  const { lr, momentum } = curves(state);
  const ts = [...Array.from({ length: 1001 }, (_, i) => i / 1000), ...edges(state.pieces)].sort((a, b) => a - b);
  return { ts, rates: ts.map(lr), momenta: ts.map(momentum) };
});

const percent = (/** @type {number} */ t) => `${Math.round(t * 100)} %`;

/** Where the rate is highest. @param {number[]} ts @param {number[]} rates */
function whenHighest(ts, rates) {
  const top = Math.max(...rates);
  const [first, last] = [ts[rates.indexOf(top)], ts[rates.lastIndexOf(top)]];
  if (last - first > 0.005 && rates.every((rate, i) => ts[i] < first || ts[i] > last || rate === top)) {
    return { at: first, when: `from ${percent(first)} to ${percent(last)} of the run` };
  }
  return { at: first, when: first === 0 ? "at the start" : `at ${percent(first)} of the run` };
}

/** What the curves do, in words. */
export const words = once((/** @type {State} */ state) => {
  const { ts, rates, momenta } = points(state);
  const { lr, momentum } = curves(state);
  const { at, when } = whenHighest(ts, rates);
  const last = (state.steps - 1) / state.steps;
  const steady = Math.max(...momenta) - Math.min(...momenta) < 1e-9;
  const where = at === 0 ? "" : ` at the start, ${short(momentum(at))} where the rate is highest,`;
  const how = steady ? "throughout" : at === 0 ? `where the rate is highest and ${short(momentum(last))} at the end` :
    `and ${short(momentum(last))} at the end`;
  return `The learning rate starts at ${short(lr(0))}, is highest (${short(lr(at))}) ${when}, and is ` +
    `${short(lr(last))} in the last of ${short(state.steps, 6)} batches. ` +
    `Momentum is ${short(momentum(0))}${steady ? "" : where} ${how}.`;
});
