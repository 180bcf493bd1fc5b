// Momentum on quadratics, one curvature at a time: (v, p) is multiplied by the same 2 × 2 matrix at each step.
import { optimizer } from "./optimizers.js";

/** @typedef {"heavy" | "damped" | "nesterov"} Kind v = μv + g; an average, v = μv + (1−μ)g; the look ahead */
/** @typedef {{ re: number, im: number }} Complex */

/** @type {Kind[]} */
export const KINDS = ["heavy", "damped", "nesterov"];

/**
 * What multiplies (v, p) at each step of ½·curvature·p².
 * @param {Kind} kind
 * @param {number} rate
 * @param {number} momentum
 * @param {number} curvature
 * @returns {[[number, number], [number, number]]}
 */
export function matrix(kind, rate, momentum, curvature) {
  const z = rate * curvature;
  if (kind === "nesterov") return [[momentum, curvature], [-rate * momentum ** 2, 1 - z * (1 + momentum)]];
  const share = kind === "damped" ? 1 - momentum : 1;
  return [[momentum, share * curvature], [-rate * momentum, 1 - share * z]];
}

/** Its trace and determinant: the eigenvalues need no more. @param {Kind} kind @param {number} z rate·curvature
 * @param {number} momentum @returns {[number, number]} */
function invariants(kind, z, momentum) {
  if (kind === "nesterov") return [(1 + momentum) * (1 - z), momentum * (1 - z)];
  return [1 + momentum - z * (kind === "damped" ? 1 - momentum : 1), momentum];
}

/** Below 0 where the eigenvalues are complex, 0 where they coincide.
 * @param {Kind} kind @param {number} z rate·curvature @param {number} momentum */
export function discriminant(kind, z, momentum) {
  const [trace, determinant] = invariants(kind, z, momentum);
  return trace * trace - 4 * determinant;
}

/** The two eigenvalues, the larger one first. @param {Kind} kind @param {number} z rate·curvature
 * @param {number} momentum @returns {[Complex, Complex]} */
export function eigenvalues(kind, z, momentum) {
  const [trace, determinant] = invariants(kind, z, momentum);
  const inside = trace * trace / 4 - determinant, root = Math.sqrt(Math.abs(inside));
  if (inside < 0) return [{ re: trace / 2, im: root }, { re: trace / 2, im: -root }];
  const large = trace / 2 + (trace < 0 ? -root : root);
  return [{ re: large, im: 0 }, { re: large && determinant / large, im: 0 }];
}

/** The convergence factor: what a step leaves of the distance in the long run, the larger eigenvalue's modulus.
 * @param {Kind} kind @param {number} z rate·curvature @param {number} momentum */
export function factor(kind, z, momentum) {
  const [trace, determinant] = invariants(kind, z, momentum), inside = trace * trace - 4 * determinant;
  return inside < 0 ? Math.sqrt(determinant) : (Math.abs(trace) + Math.sqrt(inside)) / 2;
}

/** @typedef {"monotone" | "alternating" | "critical" | "complex" | "divergent"} Region */

/** How the distance changes. @param {Kind} kind @param {number} z rate·curvature @param {number} momentum
 * @returns {Region} */
export function region(kind, z, momentum) {
  if (factor(kind, z, momentum) >= 1) return "divergent";
  const inside = discriminant(kind, z, momentum);
  if (Math.abs(inside) < 1e-9) return "critical";
  if (inside < 0) return "complex";
  return invariants(kind, z, momentum)[0] < 0 ? "alternating" : "monotone";
}

/** The arguments of SGD that take these steps. @param {Kind} kind @param {number} rate @param {number} momentum */
export function settings(kind, rate, momentum) {
  return { lr: kind === "damped" ? rate * (1 - momentum) : rate, momentum, nesterov: kind === "nesterov" };
}

/**
 * The points that SGD goes through on ½·Σ curvatureᵢ·pᵢ², from 1 in each direction and without velocity.
 * @param {Kind} kind
 * @param {number} rate
 * @param {number} momentum
 * @param {number[]} curvatures
 * @param {number} steps
 * @returns {number[][]} [steps + 1][curvatures]
 */
export function path(kind, rate, momentum, curvatures, steps) {
  const rule = optimizer("SGD", settings(kind, rate, momentum)), p = curvatures.map(() => 1), points = [p.slice()];
  for (let i = 0; i < steps; i++) {
    rule.step(p, curvatures.map((curvature, k) => curvature * p[k]));
    points.push(p.slice());
  }
  return points;
}

/**
 * The two modes whose sum is the path from 1 without velocity; null where the eigenvalues all but coincide.
 * @param {Kind} kind
 * @param {number} z rate·curvature
 * @param {number} momentum
 * @param {number} steps
 * @returns {{ parts: [number[], number[]] | null, envelope: number[] | null } | null} two real modes; or, if they are
 *   complex, the height that their sum swings within
 */
export function modes(kind, z, momentum, steps) {
  if (Math.abs(discriminant(kind, z, momentum)) < 1e-6) return null;
  const [a, b] = eigenvalues(kind, z, momentum), times = Array.from({ length: steps + 1 }, (_, i) => i);
  const first = 1 - z * (kind === "damped" ? 1 - momentum : kind === "nesterov" ? 1 + momentum : 1);
  if (a.im !== 0) {
    const height = Math.hypot(1, (first - a.re) / a.im), rho = Math.hypot(a.re, a.im);
    return { parts: null, envelope: times.map((t) => height * rho ** t) };
  }
  const share = (first - b.re) / (a.re - b.re);
  return { parts: [times.map((t) => share * a.re ** t), times.map((t) => (1 - share) * b.re ** t)], envelope: null };
}

/** The most steps that `tenth` follows. */
export const FAR = 100_000;

/**
 * How long the path from 1 without velocity takes to a tenth, and how far it goes on the way.
 * @param {Kind} kind
 * @param {number} z rate·curvature
 * @param {number} momentum
 * @returns {{ steps: number, most: number } | null} steps: from there on it stays below a tenth, Infinity if that is
 *   after FAR; most: its largest distance; null: it does not settle
 */
export function tenth(kind, z, momentum) {
  const rho = factor(kind, z, momentum), [trace, determinant] = invariants(kind, z, momentum);
  if (rho >= 1) return null;
  const enough = rho > 0 ? Math.ceil(20 / -Math.log(rho)) + 20 : 20; // what is left then is far below a tenth
  let [was, p, steps, most] = [1, path(kind, z, momentum, [1], 1)[1][0], 1, 1];
  for (let t = 1; t <= Math.min(enough, FAR); t++) {
    if (Math.abs(p) >= 0.1) steps = t + 1;
    most = Math.max(most, Math.abs(p));
    [was, p] = [p, trace * p - determinant * was];
  }
  return { steps: steps > FAR ? Infinity : steps, most };
}

/** The factor of the slowest of several directions. @param {Kind} kind @param {number} z rate·largest curvature
 * @param {number} momentum @param {number} condition largest curvature over smallest */
export function slowest(kind, z, momentum, condition) {
  const steep = factor(kind, z, momentum);
  return condition === 1 ? steep : Math.max(steep, factor(kind, z / condition, momentum));
}

/**
 * The momentum that leaves the least at this rate: where the two eigenvalues of the slower direction meet.
 * @param {Kind} kind
 * @param {number} z rate·largest curvature
 * @param {number} [condition] largest curvature over smallest
 */
export function bestMomentum(kind, z, condition = 1) {
  const found = [z, z / condition].map((here) => meeting(kind, here));
  if (kind === "heavy") return Math.min(Math.max(...found), 0.999);
  let [low, high] = [0, 0.999];
  for (let i = 0; i < 45; i++) {
    const third = (high - low) / 3, [left, right] = [low + third, high - third];
    if (slowest(kind, z, left, condition) <= slowest(kind, z, right, condition)) high = right;
    else low = left;
  }
  const best = Math.min(...[low, ...found].map((momentum) => slowest(kind, z, momentum, condition)));
  return [...found, low].find((momentum) => slowest(kind, z, momentum, condition) === best) ?? low;
}

/** The momentum at which the two eigenvalues coincide. @param {Kind} kind @param {number} z rate·curvature */
export function meeting(kind, z) {
  if (kind === "damped") return ((1 - z) / (1 + z)) ** 2;
  if (kind === "heavy") return (1 - Math.sqrt(z)) ** 2;
  return z < 1 ? (1 - Math.sqrt(z)) / (1 + Math.sqrt(z)) : 0;
}

/**
 * The best pair for curvatures from 1/condition to 1: Polyak (1964); Nesterov's by Lessard, Recht and Packard (2016).
 * @param {Kind} kind
 * @param {number} condition largest curvature over smallest
 * @returns {{ z: number, momentum: number, factor: number }} z is rate·largest curvature
 */
export function best(kind, condition) {
  const root = Math.sqrt(kind === "nesterov" ? 3 * condition + 1 : condition);
  if (kind === "nesterov") {
    return { z: 4 * condition / (3 * condition + 1), momentum: (root - 2) / (root + 2), factor: 1 - 2 / root };
  }
  const momentum = ((root - 1) / (root + 1)) ** 2, z = (2 * root / (root + 1)) ** 2;
  return { z: kind === "damped" ? z / (1 - momentum) : z, momentum, factor: Math.sqrt(momentum) };
}
