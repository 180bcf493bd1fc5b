/**
 * The schedules of `miniai.sched`, with its names and arguments: pure functions of progress, and what each scheduler
 * class makes of rate and momentum.
 * @typedef {(t: number) => number} Schedule progress 0 … 1 → value
 * @typedef {{ lr: number, momentum?: number }} Rates momentum (or beta1) only where the scheduler sets it
 * @typedef {(x: number) => Rates} AfterSteps steps so far, whole or not → rate and momentum
 */

/** In a straight line. @param {number} start @param {number} end @returns {Schedule} */
export const linear = (start, end) => (t) => start + (end - start) * t;

/** Half a cosine: flat, steep, flat. @param {number} start @param {number} end @returns {Schedule} */
export const cosine = (start, end) => (t) => end + ((start - end) / 2) * (1 + Math.cos(Math.PI * t));

/**
 * By the same factor in equal times.
 * @param {number} start
 * @param {number} end of the same sign: 0 is never reached
 * @returns {Schedule}
 */
export function exponential(start, end) {
  if (!(start * end > 0)) throw new RangeError(`exponential goes from ${start} to ${end}: both must be above 0`);
  return (t) => start * (end / start) ** t;
}

/**
 * What is left of the time, to a power.
 * @param {number} start
 * @param {number} end
 * @param {number} [power] 1 is linear; more falls early
 * @returns {Schedule}
 */
export function polynomial(start, end, power = 1) {
  if (!(power >= 0)) throw new RangeError(`power is ${power}: it must be ≥ 0`);
  return (t) => end + (start - end) * (1 - t) ** power;
}

/**
 * Constant, and times `gamma` from each milestone on.
 * @param {number} start
 * @param {number} gamma the factor at each milestone
 * @param {number[]} milestones in the unit of progress; one that comes twice counts twice
 * @returns {Schedule}
 */
export const step = (start, gamma, milestones) => (t) => start * gamma ** milestones.filter((m) => m <= t).length;

/**
 * At x, the schedule of the first piece that x does not lie beyond; past the end, the last goes on.
 * @param {number[]} ends
 * @param {Schedule[]} schedules
 * @returns {Schedule}
 */
function pieces(ends, schedules) {
  const last = ends.length - 1;
  return (x) => {
    const found = ends.findIndex((end) => x <= end);
    const i = found < 0 ? last : found;
    const start = i ? ends[i - 1] : 0;
    const length = ends[i] - start;
    return schedules[i](length ? (x - start) / length : 1);
  };
}

/**
 * One schedule after the other: warm-up and decay, restarts, 1cycle.
 * @param {number[]} fractions of the whole, one a piece; they add up to 1
 * @param {Schedule[]} schedules one a piece
 * @returns {Schedule}
 */
export function combine(fractions, schedules) {
  if (fractions.length !== schedules.length || !fractions.length) {
    throw new RangeError(
      `${fractions.length} fractions for ${schedules.length} schedules: it takes one of each a piece`);
  }
  let sum = 0;
  const ends = fractions.map((fraction) => (sum += fraction));
  if (!fractions.every((fraction) => fraction >= 0) || !(Math.abs(sum - 1) <= 1e-9)) {
    throw new RangeError(`fractions are ${fractions}: they must be ≥ 0 and add up to 1, not to ${sum}`);
  }
  return pieces(ends, schedules);
}

/**
 * 1cycle with two equal steps and an annihilation, Smith (2018).
 * @param {{ div?: number, final_div?: number, annihilation?: number, low?: number, high?: number }} [settings] the rate
 *   starts and comes back at 1/div of its peak and ends at 1/final_div of that in the share `annihilation` of the run;
 *   momentum is `low` at the peak and `high` at both ends
 * @returns {[Schedule, Schedule]} the factor of the rate, and momentum
 */
export function oneCycle({ div = 10, final_div = 100, annihilation = 0.1, low = 0.85, high = 0.95 } = {}) {
  if (!(annihilation >= 0 && annihilation < 1)) {
    throw new RangeError(`annihilation is ${annihilation}: it must be ≥ 0 and below 1`);
  }
  const fractions = [(1 - annihilation) / 2, (1 - annihilation) / 2, annihilation];
  const rate = [linear(1 / div, 1), linear(1, 1 / div), linear(1 / div, 1 / div / final_div)];
  return [combine(fractions, rate), combine(fractions, [linear(high, low), linear(low, high), linear(high, high)])];
}

/** As Python's `x // length`, also for floats. @param {number} x @param {number} length */
const wholeTimes = (x, length) => Math.round((x - (x % length)) / length);

/** A scheduler of the rate alone. @param {Schedule} at steps → rate @returns {AfterSteps} */
const only = (at) => (x) => ({ lr: at(x) });

/**
 * @param {number} lr the optimizer's own rate
 * @param {{ T_0: number, T_mult?: number, eta_min?: number }} settings
 */
function warmRestarts(lr, { T_0, T_mult = 1, eta_min = 0 }) {
  return only((x) => {
    let length = T_0;
    for (; x >= length; length *= T_mult) x -= length;
    return cosine(lr, eta_min)(x / length);
  });
}

/**
 * `scale_fn` takes the number of the cycle (from 1), or with `scale_mode` "iterations" the step.
 * @param {number} _lr replaced by `base_lr` and `max_lr`
 * @param {{ base_lr: number, max_lr: number, step_size_up?: number, step_size_down?: number,
 *   mode?: "triangular" | "triangular2" | "exp_range", gamma?: number, scale_fn?: (x: number) => number,
 *   scale_mode?: "cycle" | "iterations", cycle_momentum?: boolean, base_momentum?: number, max_momentum?: number
 * }} settings
 * @returns {AfterSteps}
 */
function cyclic(_lr, { base_lr, max_lr, step_size_up = 2000, step_size_down = step_size_up, mode = "triangular",
  gamma = 1, scale_fn, scale_mode = "cycle", cycle_momentum = true, base_momentum = 0.8, max_momentum = 0.9 }) {
  const scales = {
    triangular: () => 1,
    triangular2: (/** @type {number} */ cycle) => 0.5 ** (cycle - 1),
    exp_range: (/** @type {number} */ x) => gamma ** x,
  };
  const scale = scale_fn ?? scales[mode];
  const byStep = scale_fn ? scale_mode === "iterations" : mode === "exp_range";
  const period = step_size_up + step_size_down;
  const triangle = pieces([step_size_up, period], [linear(0, 1), linear(1, 0)]);
  return (x) => {
    const height = triangle(x % period) * scale(byStep ? x : 1 + wholeTimes(x, period));
    const lr = linear(base_lr, max_lr)(height);
    return cycle_momentum ? { lr, momentum: linear(max_momentum, base_momentum)(height) } : { lr };
  };
}

/**
 * @param {number} _lr replaced by `max_lr`
 * @param {{ max_lr: number, total_steps?: number, epochs?: number, steps_per_epoch?: number, pct_start?: number,
 *   anneal_strategy?: "cos" | "linear", cycle_momentum?: boolean, base_momentum?: number, max_momentum?: number,
 *   div_factor?: number, final_div_factor?: number, three_phase?: boolean }} settings `total_steps`, or `epochs` and
 *   `steps_per_epoch`
 * @returns {AfterSteps}
 */
function oneCycleLR(_lr, { max_lr, epochs = NaN, steps_per_epoch = NaN, total_steps = epochs * steps_per_epoch,
  pct_start = 0.3, anneal_strategy = "cos", cycle_momentum = true, base_momentum = 0.85, max_momentum = 0.95,
  div_factor = 25, final_div_factor = 1e4, three_phase = false }) {
  if (!(total_steps >= 1)) throw new RangeError(`total_steps is ${total_steps}: it must be a whole number, at least 1`);
  const anneal = anneal_strategy === "cos" ? cosine : linear;
  const up = pct_start * total_steps - 1;
  const ends = three_phase ? [up, 2 * up, total_steps - 1] : [up, total_steps - 1];
  const along = (/** @type {number} */ from, /** @type {number} */ peak, /** @type {number} */ end) => {
    const turns = three_phase ? [from, peak, from, end] : [from, peak, end];
    return pieces(ends, ends.map((_, i) => anneal(turns[i], turns[i + 1])));
  };
  const low = max_lr / div_factor;
  const rate = along(low, max_lr, low / final_div_factor);
  const momentum = along(max_momentum, base_momentum, max_momentum);
  return (x) => {
    if (x > total_steps) throw new RangeError(`step ${x} lies beyond total_steps, ${total_steps}`);
    return cycle_momentum ? { lr: rate(x), momentum: momentum(x) } : { lr: rate(x) };
  };
}

/**
 * @param {number} base the optimizer's own rate
 * @param {{ total_steps: number, lr?: Schedule, momentum?: Schedule }} settings progress → factor of the rate, and
 *   progress → momentum; without them they are left alone
 * @returns {AfterSteps}
 */
function scheduleLR(base, { total_steps, lr = () => 1, momentum }) {
  return (x) => {
    const t = Math.min(x / total_steps, 1);
    return momentum ? { lr: base * lr(t), momentum: momentum(t) } : { lr: base * lr(t) };
  };
}

/** The scheduler classes of `miniai.sched`: name → (the optimizer's own rate, the class's arguments) → rates. */
export const SCHEDULERS = {
  /** @param {number} lr @param {{ lr_lambda: (x: number) => number }} settings steps → factor */
  LambdaLR: (lr, { lr_lambda }) => only((x) => lr * lr_lambda(x)),
  /** @param {number} lr @param {{ step_size: number, gamma?: number }} settings */
  StepLR: (lr, { step_size, gamma = 0.1 }) => only((x) => lr * gamma ** wholeTimes(x, step_size)),
  /** @param {number} lr @param {{ milestones: number[], gamma?: number }} settings */
  MultiStepLR: (lr, { milestones, gamma = 0.1 }) => only(step(lr, gamma, milestones)),
  /** @param {number} lr @param {{ gamma: number }} settings */
  ExponentialLR: (lr, { gamma }) => only((x) => lr * gamma ** x),
  /** @param {number} lr @param {{ total_iters?: number, power?: number }} settings */
  PolynomialLR: (lr, { total_iters = 5, power = 1 }) =>
    only((x) => polynomial(lr, 0, power)(Math.min(x / total_iters, 1))),
  /** @param {number} lr @param {{ factor?: number, total_iters?: number }} settings */
  ConstantLR: (lr, { factor = 1 / 3, total_iters = 5 }) => only((x) => lr * (x < total_iters ? factor : 1)),
  /** @param {number} lr @param {{ start_factor?: number, end_factor?: number, total_iters?: number }} settings */
  LinearLR: (lr, { start_factor = 1 / 3, end_factor = 1, total_iters = 5 }) =>
    only((x) => lr * linear(start_factor, end_factor)(Math.min(x / total_iters, 1))),
  /** @param {number} lr @param {{ T_max: number, eta_min?: number }} settings */
  CosineAnnealingLR: (lr, { T_max, eta_min = 0 }) => only((x) => cosine(lr, eta_min)(x / T_max)),
  CosineAnnealingWarmRestarts: warmRestarts,
  CyclicLR: cyclic,
  OneCycleLR: oneCycleLR,
  ScheduleLR: scheduleLR,
};

/**
 * Rate and momentum of a scheduler class after x steps, by nobody else's hand.
 * @template {keyof typeof SCHEDULERS} N
 * @param {N} name of the class
 * @param {Parameters<(typeof SCHEDULERS)[N]>[1]} settings its arguments by Python's names and with its defaults
 * @param {number} [lr] the optimizer's own rate; CyclicLR and OneCycleLR don't look at it
 * @returns {AfterSteps}
 */
export function rates(name, settings, lr = 1) {
  if (!Object.hasOwn(SCHEDULERS, name)) {
    throw new RangeError(`name is ${name}: it must be one of ${Object.keys(SCHEDULERS).join(", ")}`);
  }
  const scheduler = /** @type {(lr: number, settings: Parameters<(typeof SCHEDULERS)[N]>[1]) => AfterSteps} */ (
    SCHEDULERS[name]);
  return scheduler(lr, settings);
}
