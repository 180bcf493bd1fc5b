// Losses of two parameters, as in miniai.lab.surface; and one of a matrix, for Muon.

/** @typedef {[number, number]} Pair */
/**
 * What can be descended: f and gradient take the parameters one by one.
 * @typedef {object} Problem
 * @property {string} name
 * @property {(...p: number[]) => number} f the loss
 * @property {(...p: number[]) => number[]} gradient as many numbers as there are parameters
 * @property {number[]} start where a descent begins
 * @property {number[] | null} minimum the lowest point, or the one nearest to the start; null: unknown
 * @property {Pair} xlim what a picture shows
 * @property {Pair} ylim
 */
/**
 * A loss of two parameters.
 * @typedef {object} Surface
 * @property {string} name
 * @property {(x: number, y: number) => number} f
 * @property {(x: number, y: number) => Pair} gradient
 * @property {Pair} start
 * @property {Pair | null} minimum
 * @property {Pair} xlim
 * @property {Pair} ylim
 */
/**
 * A loss of a 2 × 2 matrix, its rows one after the other: a picture shows the plane that `weights` spans.
 * @typedef {Problem & {rows: number, columns: number, coordinates: (w: readonly number[]) => Pair,
 *   weights: (x: number, y: number) => number[], height: (x: number, y: number) => number}} MatrixProblem
 */

/** ½(x² + condition·y²). @param {number} condition the second curvature, above 0 @returns {Surface} */
function bowl(condition) {
  if (!(condition > 0 && condition < Infinity)) {
    throw new RangeError(`condition is ${condition}: it must be a finite number above 0`);
  }
  return {
    name: `bowl, condition ${Number(condition.toPrecision(6))}`,
    f: (x, y) => (x * x + condition * y * y) / 2,
    gradient: (x, y) => [x, condition * y],
    start: [-4, 1.5], minimum: [0, 0], xlim: [-5, 5], ylim: [-2.5, 2.5],
  };
}

/** (1−x)² + 100(y−x²)². @returns {Surface} */
function rosenbrock() {
  return {
    name: "Rosenbrock",
    f: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    gradient: (x, y) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
    start: [-1.2, 1], minimum: [1, 1], xlim: [-2, 2], ylim: [-1, 3],
  };
}

/** Σ (cᵢ − x + xyⁱ)². @returns {Surface} */
function beale() {
  /** @type {(x: number, y: number) => number[]} */
  const errors = (x, y) => [1.5 - x + x * y, 2.25 - x + x * y * y, 2.625 - x + x * y * y * y];
  return {
    name: "Beale",
    f: (x, y) => errors(x, y).reduce((sum, e) => sum + e * e, 0),
    gradient: (x, y) => {
      const [a, b, c] = errors(x, y);
      return [2 * (a * (y - 1) + b * (y * y - 1) + c * (y * y * y - 1)), 2 * x * (a + 2 * b * y + 3 * c * y * y)];
    },
    start: [0.5, -1.5], minimum: [3, 0.5], xlim: [-1, 4.5], ylim: [-2, 2],
  };
}

/** ½x² + ¼(y²−1)²: a pass at the origin. @returns {Surface} */
function saddle() {
  return {
    name: "saddle",
    f: (x, y) => (x * x) / 2 + (y * y - 1) ** 2 / 4,
    gradient: (x, y) => [x, y * (y * y - 1)],
    start: [-1.5, 1e-6], minimum: [0, 1], xlim: [-2, 2], ylim: [-1.6, 1.6],
  };
}

/** tanh²x + ½y², with walls at |x| = 4.5. @returns {Surface} */
function plateau() {
  /** @param {number} x */
  const wall = (x) => Math.max(Math.abs(x) - 4.5, 0);
  return {
    name: "plateau",
    f: (x, y) => Math.tanh(x) ** 2 + (y * y) / 2 + wall(x) ** 2,
    gradient: (x, y) => [2 * Math.tanh(x) * (1 - Math.tanh(x) ** 2) + 2 * wall(x) * Math.sign(x), y],
    start: [-4, 1], minimum: [0, 0], xlim: [-5.5, 3], ylim: [-2, 2],
  };
}

const KINDS = { bowl, rosenbrock, beale, saddle, plateau };

/** The kinds of surface. */
export const SURFACES = /** @type {(keyof typeof KINDS)[]} */ (Object.keys(KINDS));

/**
 * @param {string} kind one of SURFACES
 * @param {number} [condition] of the bowl: its second curvature; the first is 1
 * @returns {Surface}
 */
export function surface(kind, condition = 10) {
  const found = SURFACES.find((name) => name === kind);
  if (!found) throw new RangeError(`kind is ${kind}: it must be one of ${SURFACES.join(", ")}`);
  return KINDS[found](condition);
}

/**
 * A linear layer on two inputs, one far stronger than the other: ½ tr(W·C·Wᵀ), W its distance from the best weights
 * and C = V·diag(1, condition)·Vᵀ the second moments of its inputs. In the plane W = U·diag(x, y)·Vᵀ the loss is the
 * bowl ½(x² + condition·y²), and the gradient U·diag(x, condition·y)·Vᵀ stays in it: x and y are the two singular
 * directions. SGD and Muon never leave the plane; a rule that scales each entry by itself does.
 * @param {number} [condition] the second curvature, above 0; the first is 1
 * @returns {MatrixProblem}
 */
export function matrixProblem(condition = 50) {
  const { f: height, start, xlim, ylim } = bowl(condition);
  const [cu, su, cv, sv] = [Math.cos(0.5), Math.sin(0.5), Math.cos(1.1), Math.sin(1.1)];   // angles of U and V
  const [c00, c01, c11] = [cv * cv + condition * sv * sv, (1 - condition) * cv * sv, sv * sv + condition * cv * cv];
  /** @type {(x: number, y: number) => number[]} */
  const weights = (x, y) => [cu * cv * x + su * sv * y, cu * sv * x - su * cv * y,
    su * cv * x - cu * sv * y, su * sv * x + cu * cv * y];
  /** @type {(a: number, b: number, c: number, d: number) => number[]} */
  const gradient = (a, b, c, d) => [a * c00 + b * c01, a * c01 + b * c11, c * c00 + d * c01, c * c01 + d * c11];
  return {
    name: `matrix, condition ${Number(condition.toPrecision(6))}`,
    f: (a, b, c, d) => gradient(a, b, c, d).reduce((sum, g, i) => sum + (g * [a, b, c, d][i]) / 2, 0),
    gradient, height, weights, rows: 2, columns: 2,
    coordinates: ([a, b, c, d]) => [cu * (a * cv + b * sv) + su * (c * cv + d * sv),
      -su * (-a * sv + b * cv) + cu * (-c * sv + d * cv)],
    start: weights(...start), minimum: [0, 0, 0, 0], xlim, ylim,
  };
}

/**
 * Walk down a surface; the path ends before it leaves the finite numbers.
 * @param {Problem | Surface | MatrixProblem} problem
 * @param {{step(p: number[], g: number[]): unknown}} opt a fresh one
 * @param {number} nSteps
 * @param {number[]} [start] the problem's, if left out
 * @param {() => number} [noise] draws that are added to each number of each gradient
 * @returns {number[][]} at most nSteps + 1 points, the start first
 */
export function descend(problem, opt, nSteps, start = problem.start, noise) {
  const p = start.slice(), path = [start.slice()], gradient = /** @type {Problem} */ (problem).gradient;
  for (let i = 0; i < nSteps; i++) {
    const g = gradient(...p);
    opt.step(p, noise ? g.map((x) => x + noise()) : g);
    if (!p.every(Number.isFinite)) break;
    path.push(p.slice());
  }
  return path;
}
