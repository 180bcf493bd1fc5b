// Recorded gradients of networks by depth, with shortcuts and without: means over the seeds, ratios, words.
import { short } from "./format.js";

/** @typedef {{ seed: number, before: number[], after: number[], train_loss: number }} Run the norm of the gradient for
 *   each convolution's weights, first to last, before and after a short training; the mean loss of this training */
/** @typedef {{ depth: number, shortcuts: boolean, runs: Run[] }} Network depth in convolutions, one run a seed */
/** @typedef {{ networks: Network[] }} Data */
/** @typedef {"both" | "without" | "with"} Shown */
/** @typedef {{ mean: number, low: number, high: number }} Spread over the seeds */

/**
 * @typedef {object} State
 * @property {number} depth convolutions
 * @property {Shown} shown the networks, by their shortcuts
 * @property {boolean} trained the gradients after the short training, else those before it
 * @property {number} layer the convolution that the gradient has come to on its way back, and that is read; from 1
 */

export const DEPTHS = [10, 20, 30, 50];
/** @type {Shown[]} */
export const SHOWN = ["both", "without", "with"];
export const CHANNELS = [8, 16, 32, 64, 128];
export const BATCHES = 20;

/** What was recorded, or null if a network is missing. @param {Data | undefined} data @returns {Data | null} */
export function read(data) {
  const has = (/** @type {number} */ depth, /** @type {boolean} */ shortcuts) => data?.networks?.some((network) =>
    network.depth === depth && network.shortcuts === shortcuts && network.runs.length > 0);
  return data && DEPTHS.every((depth) => has(depth, true) && has(depth, false)) ? data : null;
}

/** The networks shown. @param {Data} data @param {Pick<State, "depth" | "shown">} state */
export function chosen({ networks }, { depth, shown }) {
  return networks.filter((network) => network.depth === depth &&
    (shown === "both" || (shown === "with") === network.shortcuts));
}

/** Channels that a convolution puts out: each fifth of the network has twice as many as the one before.
 * @param {number} depth @param {number} layer from 1 */
export const channels = (depth, layer) => CHANNELS[Math.floor(((layer - 1) * CHANNELS.length) / depth)];

/** Geometric mean (that of the logarithms), lowest and highest. @param {number[]} values above 0 @returns {Spread} */
export function geometric(values) {
  const mean = Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);
  return { mean, low: Math.min(...values), high: Math.max(...values) };
}

/** @param {Network} network @param {boolean} trained */
const norms = ({ runs }, trained) => runs.map(({ before, after }) => (trained ? after : before));

/** The gradient's norm in each convolution. @param {Network} network @param {boolean} trained @returns {Spread[]} */
export function profile(network, trained) {
  const all = norms(network, trained);
  return all[0].map((_, i) => geometric(all.map((values) => values[i])));
}

/** The first convolution's gradient over that of the last. @param {Network} network @param {boolean} trained */
export function ratio(network, trained) {
  return geometric(norms(network, trained).map((values) => values[0] / values[values.length - 1]));
}

/** The largest gradient over the smallest. @param {Network} network @param {boolean} trained */
export function unevenness(network, trained) {
  return geometric(norms(network, trained).map((values) => Math.max(...values) / Math.min(...values)));
}

/** Mean loss of the short training. @param {Network} network @returns {Spread} */
export function loss({ runs }) {
  const values = runs.map((run) => run.train_loss), mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return { mean, low: Math.min(...values), high: Math.max(...values) };
}

/** The least and the greatest gradient of all networks, a little wider.
 * @param {Data} data @returns {[number, number]} */
export function limits({ networks }) {
  const all = networks.flatMap(({ runs }) => runs.flatMap(({ before, after }) => [...before, ...after]));
  return [Math.min(...all) / 1.3, Math.max(...all) * 1.3];
}

/** The least and the greatest mean of the networks shown: what the shades tell apart.
 * @param {Data} data @param {State} state @returns {[number, number]} */
export function shaded(data, state) {
  const all = chosen(data, state).flatMap((network) => profile(network, state.trained).map(({ mean }) => mean));
  return [Math.min(...all), Math.max(...all)];
}

/** @param {boolean} shortcuts */
export const named = (shortcuts) => `${shortcuts ? "with" : "without"} shortcuts`;

/** What becomes of the gradient from the last convolution to the first.
 * @param {Network} network @param {boolean} trained */
function change(network, trained) {
  const { mean } = ratio(network, trained);
  if (mean > 2 / 3 && mean < 1.5) return `stays about the same size (factor ${short(mean)})`;
  return mean > 1 ? `grows ${short(mean)}-fold` : `shrinks to ${short(mean)} of its size`;
}

/** What the picture shows, in words: what becomes of the gradient, and its size where it has come to.
 * @param {Data} data @param {State} state */
export function words(data, state) {
  const { depth, trained, layer } = state, networks = chosen(data, state);
  const [first, ...others] = networks.map((network) => change(network, trained));
  const name = named(networks[0].shortcuts);
  const when = trained ? `after ${BATCHES} batches of training` : "before training";
  const here = networks.map((network) =>
    `${short(profile(network, trained)[layer - 1].mean)} ${named(network.shortcuts)}`).join(", ");
  return `W${name.slice(1)} the gradient ${first} on its way back from the last convolution to the first` +
    `${others.map((other) => `; with them it ${other}`).join("")} (${depth} convolutions, ${when}).\n` +
    `The ring is at convolution ${layer} (${channels(depth, layer)} channels), where the gradient's size is ${here}.`;
}

/** The numbers with their ranges: what it is, and of each network shown "139 (68.6 to 518)".
 * @param {Data} data @param {State} state @returns {string[][]} */
export function rows(data, state) {
  const { trained, layer } = state, networks = chosen(data, state);
  const row = (/** @type {string} */ name, /** @type {(network: Network) => Spread} */ of) => [name,
    ...networks.map(of).map(({ mean, low, high }) => `${short(mean)} (${short(low)}\u00a0to\u00a0${short(high)})`)];
  return [
    row("first convolution ÷ last", (network) => ratio(network, trained)),
    row("largest ÷ smallest", (network) => unevenness(network, trained)),
    row(`convolution ${layer}`, (network) => profile(network, trained)[layer - 1]),
    row(`training loss, mean over the ${BATCHES} batches`, loss),
  ];
}
