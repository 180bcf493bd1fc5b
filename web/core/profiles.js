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
 * @property {number} layer the convolution that is looked at, from 1
 * @property {number} ahead convolutions that the gradient has yet to reach on its way back; 0: it is in the first
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

/** A convolution's gradient over that of the last. @param {Network} network @param {boolean} trained
 * @param {number} [layer] from 1 */
export function ratio(network, trained, layer = 1) {
  return geometric(norms(network, trained).map((values) => values[layer - 1] / values[values.length - 1]));
}

/** The largest gradient over the smallest. @param {Network} network @param {boolean} trained
 * @param {number} [ahead] convolutions at the start that do not count */
export function unevenness(network, trained, ahead = 0) {
  const reached = norms(network, trained).map((values) => values.slice(ahead));
  return geometric(reached.map((values) => Math.max(...values) / Math.min(...values)));
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

/** @param {boolean} shortcuts */
export const named = (shortcuts) => `${shortcuts ? "with" : "without"} shortcuts`;

/** A number of each network: "140 times the last one's (69 to 518) without shortcuts, …".
 * @param {Network[]} networks @param {(network: Network) => Spread} of @param {string} [unit] said once */
function each(networks, of, unit = "") {
  return networks.map((network, i) => {
    const { mean, low, high } = of(network);
    return `${short(mean)}${i ? "" : unit} (${short(low)} to ${short(high)}) ${named(network.shortcuts)}`;
  }).join(", ");
}

/** How far the gradient has come, and how large it is there. @param {Network[]} networks @param {State} state */
function come(networks, { depth, trained, ahead }) {
  const start = `${depth} convolutions, ${trained ? `after ${BATCHES} batches of training` : "before training"}`;
  const times = each(networks, (network) => ratio(network, trained, ahead + 1), " times the last one's");
  if (ahead === 0) return `${start}: the first one's gradient is ${times}.`;
  if (ahead === depth) return `${start}: the gradient of the loss has not reached a convolution yet.`;
  if (ahead === depth - 1) return `${start}: on its way back the gradient has come to the last convolution.`;
  return `${start}: on its way back the gradient has come to convolution ${ahead + 1}, where it is ${times}.`;
}

/** What the picture shows, in words. @param {Data} data @param {State} state */
export function words(data, state) {
  const { depth, trained, layer, ahead } = state, networks = chosen(data, state);
  const said = [come(networks, state)];
  if (ahead < depth - 1) {
    const uneven = each(networks, (network) => unevenness(network, trained, ahead));
    said.push(`The largest of ${ahead ? `these ${depth - ahead}` : "all"} over the smallest: ${uneven}.`);
  }
  const here = layer > ahead ? each(networks, (network) => profile(network, trained)[layer - 1]) : "not reached yet";
  said.push(`Convolution ${layer} (${channels(depth, layer)} channels), norm: ${here}.`);
  const guessing = short(Math.log(10));
  said.push(`Training loss over the ${BATCHES} batches: ${each(networks, loss)}; guessing gives ${guessing}.`);
  return said.join("\n");
}
