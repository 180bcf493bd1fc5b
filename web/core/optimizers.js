// The update rules of miniai.optim in float64, and what a picture shows of each step.

import { orthogonalize } from "./orthogonalize.js";

/** @typedef {readonly number[]} Vector */
/**
 * What a rule makes of a gradient: p -= lr·direction. What else it gives is for display.
 * @typedef {(g: Vector) => {direction: Vector, velocity?: Vector, scaled?: Vector}} Rule
 */
/**
 * Names and meanings as in miniai.optim; each class has some of them. `rows` and `columns` give Muon's p its shape.
 * @typedef {object} Settings
 * @property {number} lr
 * @property {number} weight_decay
 * @property {number} momentum
 * @property {number} dampening
 * @property {boolean} nesterov
 * @property {number} lr_decay
 * @property {number} initial_accumulator_value
 * @property {number} eps
 * @property {number} alpha
 * @property {boolean} centered
 * @property {number} rho
 * @property {[number, number]} betas
 * @property {boolean} amsgrad
 * @property {boolean} decoupled_weight_decay
 * @property {number} momentum_decay
 * @property {[number, number, number]} ns_coefficients
 * @property {number} ns_steps
 * @property {"original" | "spectral_unclamped" | "match_rms_adamw" | null} adjust_lr_fn
 * @property {number} rows
 * @property {number} columns
 */
/** @typedef {Partial<Settings>} Hyperparameters */
/**
 * One step, each vector as long as p. All but `step` point uphill. Not to be written to.
 * @typedef {object} Parts
 * @property {Vector} gradient as it was given
 * @property {Vector} [velocity] the velocity, or the average of the gradients
 * @property {Vector} [scaled] what the rate multiplies, where that is neither of these (in RMSprop with momentum: what
 *   enters the velocity)
 * @property {Vector} step how far p went
 */
/**
 * @typedef {object} Optimizer
 * @property {string} name of the class
 * @property {Hyperparameters} hyperparameters all of them; what is changed here holds from the next step on
 * @property {(p: number[], g: Vector) => Parts} step moves p in place, against its gradient g
 */

/** @type {(a: Vector, b: Vector, weight: number) => number[]} */
const lerp = (a, b, weight) => a.map((x, i) => x + weight * (b[i] - x));
/** @type {(s: Vector, g: Vector, keep: number) => number[]} */
const meanSquare = (s, g, keep) => s.map((x, i) => keep * x + (1 - keep) * g[i] * g[i]);
/** @param {number} n */
const zeros = (n) => new Array(n).fill(0);

/** @type {(h: Settings) => Rule} */
function sgd(h) {
  /** @type {Vector | undefined} */
  let v;
  return (g) => {
    if (!h.momentum) return { direction: g };
    v = v ? v.map((x, i) => h.momentum * x + (1 - h.dampening) * g[i]) : g;
    if (!h.nesterov) return { direction: v, velocity: v };
    const ahead = v.map((x, i) => g[i] + h.momentum * x);
    return { direction: ahead, velocity: v, scaled: ahead };
  };
}

/** @type {(h: Settings, n: number) => Rule} */
function adagrad(h, n) {
  let sum = zeros(n).fill(h.initial_accumulator_value), t = 0;
  return (g) => {
    const decay = 1 + t++ * h.lr_decay;
    sum = sum.map((x, i) => x + g[i] * g[i]);
    const scaled = g.map((x, i) => x / (Math.sqrt(sum[i]) + h.eps) / decay);
    return { direction: scaled, scaled };
  };
}

/** @type {(h: Settings, n: number) => Rule} */
function rmsprop(h, n) {
  let s = zeros(n), mean = zeros(n), v = zeros(n);
  return (g) => {
    s = meanSquare(s, g, h.alpha);
    if (h.centered) mean = lerp(mean, g, 1 - h.alpha);
    const scaled = g.map((x, i) => x / (Math.sqrt(s[i] - mean[i] * mean[i]) + h.eps));
    if (!h.momentum) return { direction: scaled, scaled };
    v = v.map((x, i) => h.momentum * x + scaled[i]);
    return { direction: v, velocity: v, scaled };
  };
}

/** @type {(h: Settings, n: number) => Rule} */
function adadelta(h, n) {
  let s = zeros(n), d = zeros(n);
  return (g) => {
    s = meanSquare(s, g, h.rho);
    const scaled = g.map((x, i) => x * Math.sqrt(d[i] + h.eps) / Math.sqrt(s[i] + h.eps));
    d = meanSquare(d, scaled, h.rho);
    return { direction: scaled, scaled };
  };
}

/** @type {(h: Settings, n: number) => Rule} */
function adam(h, n) {
  let m = zeros(n), v = zeros(n), largest = zeros(n), t = 0;
  return (g) => {
    const [beta1, beta2] = h.betas;
    t++;
    m = lerp(m, g, 1 - beta1);
    v = meanSquare(v, g, beta2);
    if (h.amsgrad) largest = v.map((x, i) => Math.max(x, largest[i]));
    const root = Math.sqrt(1 - beta2 ** t), start = 1 - beta1 ** t, squares = h.amsgrad ? largest : v;
    const scaled = m.map((x, i) => x / start / (Math.sqrt(squares[i]) / root + h.eps));
    return { direction: scaled, velocity: m, scaled };
  };
}

/** @type {(h: Settings, n: number) => Rule} */
function nadam(h, n) {
  let m = zeros(n), v = zeros(n), product = 1, t = 0;
  return (g) => {
    const [beta1, beta2] = h.betas;
    t++;
    const [mu, next] = [t, t + 1].map((step) => beta1 * (1 - 0.5 * 0.96 ** (step * h.momentum_decay)));
    product *= mu;
    m = lerp(m, g, 1 - beta1);
    v = meanSquare(v, g, beta2);
    const ofG = (1 - mu) / (1 - product), ofM = next / (1 - product * next), square = 1 - beta2 ** t;
    const scaled = m.map((x, i) => (ofG * g[i] + ofM * x) / (Math.sqrt(v[i] / square) + h.eps));
    return { direction: scaled, velocity: m, scaled };
  };
}

/** @type {(h: Settings, n: number) => Rule} */
function lion(h, n) {
  let m = zeros(n);
  return (g) => {
    const scaled = lerp(m, g, 1 - h.betas[0]).map(Math.sign);
    m = lerp(m, g, 1 - h.betas[1]);
    return { direction: scaled, velocity: m, scaled };
  };
}

/** @type {(h: Settings, n: number) => Rule} */
function muon(h, n) {
  const { rows, columns } = h;
  if (rows * columns !== n) throw new RangeError(`p has ${n} numbers: it must have rows·columns, ${rows}·${columns}`);
  const scale = {
    original: Math.sqrt(Math.max(1, rows / columns)), spectral_unclamped: Math.sqrt(rows / columns),
    match_rms_adamw: 0.2 * Math.sqrt(Math.max(rows, columns)),
  };
  let v = zeros(n);
  return (g) => {
    v = lerp(v, g, 1 - h.momentum);
    const mixed = h.nesterov ? lerp(g, v, h.momentum) : v, factor = scale[h.adjust_lr_fn ?? "original"];
    const scaled = orthogonalize(mixed, columns, h.ns_steps, h.ns_coefficients, h.eps).map((x) => factor * x);
    return { direction: scaled, velocity: v, scaled };
  };
}

/** @type {[number, number]} */
const BETAS = [0.9, 0.999];
const DECOUPLED = ["AdamW", "Lion", "Muon"];
/** @type {Record<string, [(h: Settings, n: number) => Rule, Hyperparameters]>} */
const CLASSES = {
  SGD: [sgd, { lr: 1e-3, momentum: 0, dampening: 0, weight_decay: 0, nesterov: false }],
  Adagrad: [adagrad, { lr: 1e-2, lr_decay: 0, weight_decay: 0, initial_accumulator_value: 0, eps: 1e-10 }],
  RMSprop: [rmsprop, { lr: 1e-2, alpha: 0.99, eps: 1e-8, weight_decay: 0, momentum: 0, centered: false }],
  Adadelta: [adadelta, { lr: 1, rho: 0.9, eps: 1e-6, weight_decay: 0 }],
  Adam: [adam, { lr: 1e-3, betas: BETAS, eps: 1e-8, weight_decay: 0, amsgrad: false, decoupled_weight_decay: false }],
  AdamW: [adam, { lr: 1e-3, betas: BETAS, eps: 1e-8, weight_decay: 1e-2, amsgrad: false }],
  NAdam: [nadam, { lr: 2e-3, betas: BETAS, eps: 1e-8, weight_decay: 0, momentum_decay: 4e-3,
    decoupled_weight_decay: false }],
  Lion: [lion, { lr: 1e-4, betas: [0.9, 0.99], weight_decay: 0 }],
  Muon: [muon, { lr: 1e-3, weight_decay: 0.1, momentum: 0.95, nesterov: true,
    ns_coefficients: [3.4445, -4.775, 2.0315], eps: 1e-7, ns_steps: 5, adjust_lr_fn: null, rows: 2, columns: 2 }],
};

/** @type {(name: string, given: Hyperparameters) => Settings} */
function complete(name, given) {
  if (!Object.hasOwn(CLASSES, name)) {
    throw new RangeError(`name is ${name}: it must be one of ${Object.keys(CLASSES).join(", ")}`);
  }
  const usual = CLASSES[name][1];
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(usual, key)) {
      throw new RangeError(`${key} is no hyperparameter of ${name}: it has ${Object.keys(usual).join(", ")}`);
    }
    if (typeof value === "number" && !(Number.isFinite(value) && (value >= 0 || key === "dampening"))) {
      throw new RangeError(`${key} is ${value}: it must be a finite number ≥ 0`);
    }
  }
  return /** @type {Settings} */ ({ ...usual, ...given });
}

/**
 * An optimizer of miniai.optim, for one vector of any length.
 * @param {string} name of the class
 * @param {Hyperparameters} [hyperparameters] those that differ from the class's defaults
 * @returns {Optimizer}
 */
export function optimizer(name, hyperparameters = {}) {
  const h = complete(name, hyperparameters), begin = CLASSES[name][0];
  /** @type {Rule | undefined} */
  let rule;
  return {
    name, hyperparameters: h,
    step(p, g) {
      if (g.length !== p.length) throw new RangeError(`g has ${g.length} numbers: it must have ${p.length}, as p`);
      const before = p.slice(), gradient = g.slice(), decay = h.weight_decay;
      const decoupled = h.decoupled_weight_decay || DECOUPLED.includes(name);
      const decayed = decay && !decoupled ? gradient.map((x, i) => x + decay * p[i]) : gradient;
      rule ??= begin(h, p.length);
      const { direction, ...shown } = rule(decayed), shrink = decoupled ? 1 - h.lr * decay : 1;
      for (let i = 0; i < p.length; i++) p[i] = shrink * p[i] - h.lr * direction[i];
      return { gradient, ...shown, step: p.map((x, i) => x - before[i]) };
    },
  };
}

/**
 * A slider: a hyperparameter's, or `beta1` or `beta2`.
 * @typedef {{name: string, min: number, max: number, log?: boolean}} Knob
 */
/**
 * An optimizer of the playground: a class, what is fixed of it, and what sliders set. `average`: dampening is momentum,
 * so that the velocity is an average, v = μv + (1-μ)g.
 * @typedef {object} Preset
 * @property {string} label
 * @property {string} class
 * @property {Hyperparameters} fixed
 * @property {boolean} [average]
 * @property {Record<string, number>} defaults where the sliders begin: for surfaces, not for networks
 * @property {Knob[]} knobs
 */
/** @type {Record<string, [min: number, max: number, log?: boolean]>} */
const RANGES = {
  lr: [1e-4, 10, true], momentum: [0, 0.999], alpha: [0, 0.999], rho: [0, 0.999], beta1: [0, 0.999],
  beta2: [0, 0.999], weight_decay: [0, 1],
};

/** @type {(label: string, name: string, defaults: Record<string, number>, fixed?: Hyperparameters) => Preset} */
const entry = (label, name, defaults, fixed = {}) => ({
  label, class: name, fixed, defaults,
  knobs: Object.keys(defaults).map((knob) => {
    const [min, max, log = false] = RANGES[knob];
    return { name: knob, min, max, log };
  }),
});

/** The playground's optimizers, by the names that miniai.lab.surface.STYLES colours. @type {Record<string, Preset>} */
export const OPTIMIZERS = {
  SGD: entry("SGD", "SGD", { lr: 0.05 }),
  momentum: entry("Momentum", "SGD", { lr: 0.02, momentum: 0.9 }),
  "momentum (average)": { ...entry("Momentum, an average", "SGD", { lr: 0.2, momentum: 0.9 }), average: true },
  Nesterov: entry("Nesterov", "SGD", { lr: 0.02, momentum: 0.9 }, { nesterov: true }),
  Adagrad: entry("Adagrad", "Adagrad", { lr: 0.5 }),
  RMSprop: entry("RMSprop", "RMSprop", { lr: 0.05, alpha: 0.99 }),
  Adadelta: entry("Adadelta", "Adadelta", { lr: 1, rho: 0.9 }),
  Adam: entry("Adam", "Adam", { lr: 0.1, beta1: 0.9, beta2: 0.999 }),
  AdamW: entry("AdamW", "AdamW", { lr: 0.1, beta1: 0.9, beta2: 0.999, weight_decay: 0.01 }),
  NAdam: entry("NAdam", "NAdam", { lr: 0.1, beta1: 0.9, beta2: 0.999 }),
  Lion: entry("Lion", "Lion", { lr: 0.05, beta1: 0.9, beta2: 0.99, weight_decay: 0 }),
  Muon: entry("Muon", "Muon", { lr: 0.05, momentum: 0.95, weight_decay: 0 }),
};

/**
 * What sliders say, in the class's own names.
 * @param {string} key of OPTIMIZERS
 * @param {Record<string, number>} [values] of knobs; the others stay at their defaults
 * @returns {Hyperparameters}
 */
export function hyperparameters(key, values = {}) {
  if (!Object.hasOwn(OPTIMIZERS, key)) {
    throw new RangeError(`key is ${key}: it must be one of ${Object.keys(OPTIMIZERS).join(", ")}`);
  }
  const { fixed, average, defaults } = OPTIMIZERS[key], { beta1, beta2, ...plain } = { ...defaults, ...values };
  const betas = beta1 === undefined ? {} : { betas: /** @type {[number, number]} */ ([beta1, beta2]) };
  return { ...fixed, ...plain, ...betas, ...(average && { dampening: plain.momentum }) };
}

/**
 * An optimizer of the playground.
 * @param {string} key of OPTIMIZERS
 * @param {Record<string, number>} [values] of knobs
 * @param {Hyperparameters} [shape] for Muon, rows and columns of p; 2 and 2 if left out
 * @returns {Optimizer}
 */
export function preset(key, values = {}, shape = {}) {
  const given = hyperparameters(key, values), name = OPTIMIZERS[key].class;
  return optimizer(name, name === "Muon" ? { ...given, ...shape } : given);
}
