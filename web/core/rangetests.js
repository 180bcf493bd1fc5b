// Recorded range tests and what training at each rate gave: what to show for a state, in numbers and in words.
import { short } from "./format.js";

/**
 * @typedef {object} Test a range test
 * @property {number} seed
 * @property {number[]} losses training loss of each batch, until the test stopped
 * @property {number[]} smooth these, smoothed
 * @property {number} steepest the rate at which the smoothed loss falls fastest
 * @property {number} tenth a tenth of the rate at which it is least
 */
/** @typedef {{ rate: number, accuracy: (number | null)[] }} Trained accuracy: 0 … 1, one a seed; null: it diverged */
/** @typedef {{ name: string, label: string, tests: Test[], trained: Trained[] }} Network */
/** @typedef {{ rates: number[], seeds: number[], networks: Network[] }} Data rates: of a test's batches */
/** @typedef {{ network: string, rate: number }} Mark */
/**
 * @typedef {object} State
 * @property {string} network its name
 * @property {number} seed of the range test that is shown
 * @property {number} rate the mark, one of the tests' rates
 * @property {Mark[]} marks those that were trained at, in order
 * @property {boolean} curve whether all recorded rates are shown where there is a mark
 */

const CHANCE = 0.1;
// Student's 97.5 % points for 2, 3 … 6 seeds.
const STUDENT = [12.7062, 4.30265, 3.18245, 2.77645, 2.57058];

/** The index of the nearest, as a factor. @param {number[]} rates @param {number} rate */
export function nearest(rates, rate) {
  const off = rates.map((x) => Math.abs(Math.log(x / rate)));
  return off.indexOf(Math.min(...off));
}

/** @param {Data} data @param {string} name */
export const networkOf = ({ networks }, name) => networks.find((n) => n.name === name) ?? networks[0];

/** @param {Data} data @param {State} s */
export function testOf(data, s) {
  const { tests } = networkOf(data, s.network);
  return tests.find(({ seed }) => seed === s.seed) ?? tests[0];
}

/** The index of the recorded rate nearest to one. @param {Network} network @param {number} rate */
export const recordedAt = ({ trained }, rate) => nearest(trained.map((t) => t.rate), rate);

/** The recorded rates that were trained at, by index. @param {Network} network @param {Mark[]} marks */
export const seen = (network, marks) =>
  [...new Set(marks.filter((m) => m.network === network.name).map(({ rate }) => recordedAt(network, rate)))];

/** @param {State} s @param {Data} data @returns {State} */
export function clean(s, data) {
  const network = networkOf(data, s.network), snap = (/** @type {number} */ rate) =>
    data.rates[nearest(data.rates, rate > 0 && Number.isFinite(rate) ? rate : 1e-3)];
  /** @type {Mark[]} */
  let marks = [];
  for (const mark of s.marks) {
    const known = data.networks.find(({ name }) => name === mark?.network);
    if (known && mark.rate > 0) marks = train(known, marks, snap(mark.rate));
  }
  return { network: network.name, seed: testOf(data, s).seed, rate: snap(s.rate), marks, curve: s.curve };
}

/** The marks with one more, unless its recorded rate is among them. @param {Network} network @param {Mark[]} marks
 * @param {number} rate */
export function train(network, marks, rate) {
  const old = seen(network, marks).includes(recordedAt(network, rate));
  return old ? marks : [...marks, { network: network.name, rate }];
}

const counted = (/** @type {number | null} */ accuracy) => accuracy ?? CHANCE;
const mean = (/** @type {number[]} */ xs) => xs.reduce((sum, x) => sum + x, 0) / xs.length;

/** Mean accuracy; a run that diverged counts as chance. @param {Trained} trained */
export const score = ({ accuracy }) => mean(accuracy.map(counted));

/** The index of the best recorded rate. @param {Network} network */
export function best({ trained }) {
  const scores = trained.map(score);
  return scores.indexOf(Math.max(...scores));
}

/**
 * How far a recorded rate is below the best: the mean of the seeds' differences and half of its 95 % interval, in
 * points. `dead`: runs that diverged or ended no better than chance. `tied`: all learned, and the interval holds 0.
 * @param {Network} network
 * @param {number} i
 */
export function below(network, i) {
  const { accuracy } = network.trained[i], top = network.trained[best(network)].accuracy, n = accuracy.length;
  const d = accuracy.map((a, j) => 100 * (counted(top[j]) - counted(a))), points = mean(d);
  const spread = Math.sqrt(d.reduce((sum, x) => sum + (x - points) ** 2, 0) / (n - 1));
  const half = n > 1 ? ((STUDENT[n - 2] ?? 1.96) * spread) / Math.sqrt(n) : Infinity;
  const dead = accuracy.filter((a) => counted(a) <= CHANCE).length;
  return { points, half, dead, tied: dead === 0 && points <= half };
}

/** @param {number} x 0 … 1 */
export const percent = (x) => (100 * x).toFixed(1);
const fixed = (/** @type {number} */ x) => x.toFixed(1).replace("-", "−");
const listed = (/** @type {string[]} */ all) =>
  all.length > 1 ? `${all.slice(0, -1).join(", ")} and ${all[all.length - 1]}` : all[0] ?? "";

/** What training gave, short: a mean, or how many seeds diverged. @param {Trained} trained */
export function result(trained) {
  const { accuracy } = trained, lost = accuracy.filter((a) => a === null).length;
  return lost ? `${lost} of ${accuracy.length} diverged` : `${percent(score(trained))} %`;
}

/** What training gave, in words. @param {Trained} trained */
export function outcome(trained) {
  const { accuracy } = trained, n = accuracy.length, finite = accuracy.filter((a) => a !== null);
  const each = listed(finite.map(percent)), lost = n - finite.length, dead = finite.filter((a) => a <= CHANCE).length;
  const failed = dead ? ` ${dead} of ${n} no better than chance, 10 %.` : "";
  if (!lost) return `${percent(score(trained))} % of the held-out images right; by seed ${each} %.${failed}`;
  if (lost === n) return `all ${n} seeds diverged.`;
  return `${lost} of ${n} seeds diverged; the other${finite.length > 1 ? "s" : ""}: ${each} %.${failed}`;
}

/** How it compares with the best recorded rate, in words. @param {Network} network @param {number} i */
export function verdict(network, i) {
  const top = best(network), n = network.trained[i].accuracy.length;
  const rateOf = (/** @type {number} */ j) => short(network.trained[j].rate);
  if (i === top) {
    const ties = network.trained.flatMap((_, j) => (j !== top && below(network, j).tied ? [rateOf(j)] : []));
    const also = ties.length ? `, but ${n} seeds are too few to be sure that it beats ${listed(ties)}` : "";
    return `That is the best of the ${network.trained.length} recorded rates${also}.`;
  }
  const { points, half, dead, tied } = below(network, i);
  const counting = network.trained[i].accuracy.includes(null) ? ", counting a diverged run as 10 %" : "";
  const against = `below the best recorded rate, ${rateOf(top)} (${result(network.trained[top])})`;
  if (tied) {
    return `That is ${fixed(points)} points ${against}, but ${n} seeds are too few to be sure that it is worse: ` +
      `95 % interval ${fixed(points - half)} to ${fixed(points + half)}.`;
  }
  return `That is ${fixed(points)}${dead ? "" : ` ± ${fixed(half)}`} points ${against}${counting}.`;
}

/** What the pictures show, in words. @param {Data} data @param {State} s */
export function words(data, s) {
  const network = networkOf(data, s.network), i = recordedAt(network, s.rate), { rate } = network.trained[i];
  if (seen(network, s.marks).includes(i)) {
    const where = short(rate) === short(s.rate) ? `at ${short(rate)}` :
      `at ${short(rate)}, the recorded rate nearest to your ${short(s.rate)}`;
    return `${network.label}, trained ${where}: ${outcome(network.trained[i])}\n${verdict(network, i)}`;
  }
  const { smooth } = testOf(data, s), at = nearest(data.rates, s.rate);
  const ends = `it began at ${short(smooth[0])}; its minimum is ${short(Math.min(...smooth))}`;
  const here = at < smooth.length ? `where the smoothed loss is ${short(smooth[at])} (${ends}).`
    : `above ${short(data.rates[smooth.length - 1])}, where this test stopped.`;
  return `${network.label}: your mark is at ${short(s.rate)}, ${here}\nTrain to see what this rate gives.`;
}

/** What a table says of a rate that someone or some rule chose: the rate and the recorded one nearest to it, what that
 * gave, and the points lost to the best, with half of their interval where all learned. @param {Network} network
 * @param {number} rate */
export function row(network, rate) {
  const i = recordedAt(network, rate), near = short(network.trained[i].rate);
  const { points, half, dead } = below(network, i);
  const lost = i === best(network) ? "the best" : `${fixed(points)}${dead ? "" : `\u00a0±\u00a0${fixed(half)}`}`;
  return [near === short(rate) ? near : `${short(rate)} → ${near}`, result(network.trained[i]), lost];
}

/** The usual readings of the curve that is shown, and the best recorded rate: a name and a `row` each.
 * @param {Data} data @param {State} s */
export function readings(data, s) {
  const network = networkOf(data, s.network), { steepest, tenth } = testOf(data, s);
  return [["steepest fall", ...row(network, steepest)], ["a tenth of the minimum", ...row(network, tenth)],
    ["best recorded", ...row(network, network.trained[best(network)].rate)]];
}

/** What rates cost: points below the best, mean and worst, where the worst is, and at how many a run failed.
 * @param {[Network, number][]} chosen networks and rates */
function cost(chosen) {
  const all = chosen.map(([network, rate]) => ({ network, ...below(network, recordedAt(network, rate)) }));
  const worst = all.reduce((a, b) => (b.points > a.points ? b : a));
  return { mean: mean(all.map(({ points }) => points)), worst: worst.points, where: worst.network.label,
    failed: all.filter(({ dead }) => dead > 0).length };
}

/** How the first mark in each network did, beside the rules; what to trust once all networks were tried.
 * @param {Data} data @param {State} s */
export function summary(data, s) {
  const tried = data.networks.filter(({ name }) => s.marks.some(({ network }) => network === name));
  if (tried.length < 2) return "";
  const rule = (/** @type {"steepest" | "tenth"} */ name) =>
    cost(tried.flatMap((network) => network.tests.map((test) => [network, test[name]])));
  const mine = cost(tried.map((network) =>
    [network, s.marks.find((mark) => mark.network === network.name)?.rate ?? NaN]));
  const steepest = rule("steepest"), tenth = rule("tenth");
  const said = `On average over ${tried.length} networks your first mark is ${fixed(mine.mean)} points below the ` +
    `best, the steepest fall ${fixed(steepest.mean)} and a tenth of the minimum ${fixed(tenth.mean)} (the two rules: ` +
    "over the range tests of all seeds).";
  return tried.length < data.networks.length ? said : `${said}\n${trust(data, steepest, tenth)}`;
}

/** Which rule to trust. @param {Data} data @param {ReturnType<typeof cost>} steepest
 * @param {ReturnType<typeof cost>} tenth */
function trust({ networks }, steepest, tenth) {
  const count = networks.reduce((sum, { tests }) => sum + tests.length, 0);
  const told = (/** @type {ReturnType<typeof cost>} */ { failed, worst, where }) =>
    `failed in ${failed || "none"} of ${count} range tests and lost up to ${fixed(worst)} points (${where})`;
  const safe = tenth.failed - steepest.failed || tenth.worst - steepest.worst;
  const rule = safe < 0 ? "the safer rule is a tenth of the minimum" : "the safer rule is the steepest fall";
  return `On these ${networks.length} networks ${safe ? rule : "neither rule is the safer one"}. Training at the ` +
    `steepest fall ${told(steepest)}, at a tenth of the minimum it ${told(tenth)}. Look at the curve all the same.`;
}
