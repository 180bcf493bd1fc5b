// LR-finder reader: a range test's curve, a mark on it, and what training at that rate gave when it was recorded.
import { axes, clipped, dot, frame, handle, legend, line, picture } from "./core/canvas.js";
import { button, check, el, select, status } from "./core/controls.js";
import { short } from "./core/format.js";
import { interactive } from "./core/interactive.js";
import {
  best, clean, nearest, networkOf, readings, recordedAt, result, row, score, seen, summary, testOf, train, words,
} from "./core/rangetests.js";

/** @typedef {import("./core/rangetests.js").State} State */
/** @typedef {import("./core/rangetests.js").Data} Data */
/** @typedef {import("./core/interactive.js").View<State, Data>} View */
/** @typedef {import("./core/canvas.js").Axes} Axes */

/** @type {State} */
const defaults = { network: "cnn", seed: 42, rate: 0.001, marks: [], curve: true };
const css = `
[hidden] { display: none !important; }
caption { text-align: left; font-weight: 600; padding: 4px 0; }
table { margin: 4px 0 8px; }
.closing { white-space: pre-line; }
@media (min-width: 480px) { td:nth-child(2), td:last-child { white-space: nowrap; } }
.choose { display: flex; flex-wrap: wrap; gap: 0 16px; }
.row > .controls { flex-basis: 300px; max-width: 400px; }
button[aria-disabled=true] { opacity: .5; cursor: default; }
`;
const NOTE = "Recorded on Fashion-MNIST, 10,000 training images in batches of 128. A range test begins at 10⁻⁵ and " +
  "multiplies the rate by 1.15 after each batch, until the loss is more than four times its minimum. Training: 2 " +
  "epochs at a constant rate, 13 rates with 3 seeds each; SGD has momentum 0.9. Accuracy: on 5,000 held-out images, " +
  "after the last epoch. A run diverged if its loss was no longer finite; in differences and averages it counts " +
  "as chance, 10 %. Training failed where a seed diverged or ended no better than chance. Intervals are paired by " +
  "seed; the best rate was chosen by the same seeds, which flatters it a little.";

/** Whether all recorded rates may be seen. @param {View} view */
const open = ({ data, state }) => state.curve && seen(networkOf(data, state.network), state.marks).length > 0;

/** @param {Data} data @param {number} width @param {number} height
 * @param {{ ylim: [number, number], ylabel: string, xlabel?: string }} o */
function axesOf({ rates, networks }, width, height, o) {
  const { trained } = networks[0], last = Math.max(trained[trained.length - 1].rate, rates[rates.length - 1]);
  const settings = { ...o, xlog: true, xlim: /** @type {[number, number]} */ ([rates[0] / 1.4, last * 1.4]),
    box: /** @type {[number, number, number, number]} */ ([54, 10, width - 12, height - (o.xlabel ? 40 : 22)]) };
  return { o: settings, at: axes(settings) };
}

/** The marks of the usual readings, and the reader's. @param {CanvasRenderingContext2D} ctx @param {Axes} at
 * @param {View} view */
function verticals(ctx, at, view) {
  const { steepest, tenth } = testOf(view.data, view.state), [, top, , bottom] = at.box;
  const rule = (/** @type {number} */ rate, /** @type {{ colour: string, dash?: number[] }} */ style) =>
    line(ctx, { ...at, y: (v) => v }, [rate, rate], [top, bottom], style);
  for (const { rate, ...style } of open(view) ? rules(view, steepest, tenth) : []) rule(rate, style);
  rule(view.state.rate, { colour: view.colours.accent });
}

/** @param {View} view @param {number} steepest @param {number} tenth */
const rules = ({ colours }, steepest, tenth) => [
  { label: "steepest fall", rate: steepest, colour: colours.second, dash: [7, 3] },
  { label: "a tenth of the minimum", rate: tenth, colour: colours.third, dash: [2, 3] }];

/** @param {View} view @param {number} width @param {number} height */
function lossAxes({ data, state }, width, height) {
  const { losses, smooth } = testOf(data, state), least = Math.min(...losses, ...smooth), span = smooth[0] - least;
  return axesOf(data, width, height, { ylim: [least - span / 10, smooth[0] + span / 2], ylabel: "training loss",
    xlabel: "learning rate" });
}

/** The range test, with the mark on it. @param {View} view */
function rangeTest(view) {
  const { data } = view;
  const on = picture(view, {
    height: (width) => Math.round(Math.min(280, Math.max(210, width * 0.45))),
    label: (s) => `Range test of ${networkOf(data, s.network).label}, seed ${s.seed}: loss over learning rate. ` +
      words(data, s),
    paint: (ctx, width, height, s) => {
      const { o, at } = lossAxes(view, width, height), { losses, smooth } = testOf(data, s), { colours } = view;
      frame(ctx, at, o, colours);
      clipped(ctx, o.box, () => {
        line(ctx, at, data.rates.slice(0, losses.length), losses, { colour: colours.soft, width: 1 });
        line(ctx, at, data.rates.slice(0, losses.length), smooth, { colour: colours.ink, width: 3 });
        verticals(ctx, at, view);
      });
    },
  });
  const put = (/** @type {number} */ i) =>
    view.set({ rate: data.rates[Math.min(Math.max(i, 0), data.rates.length - 1)] });
  const drag = (/** @type {number} */ px) => put(nearest(data.rates, lossAxes(view, ...on.size()).at.fromX(px)));
  handle(view, on, {
    label: "learning rate",
    say: ({ rate }) => short(rate),
    at: ({ rate }) => {
      const { at } = lossAxes(view, ...on.size()), [, top, , bottom] = at.box;
      const loss = testOf(data, view.state).smooth[nearest(data.rates, rate)] ?? Infinity;
      return [at.x(rate), Math.min(Math.max(at.y(loss), top), bottom)];
    },
    drag,
    nudge: (right, up) => put(nearest(data.rates, view.state.rate) + right + up),
  });
  on.element.addEventListener("click", (event) => {
    if (event.target instanceof HTMLCanvasElement) drag(event.offsetX);
  });
  return el("div", {}, on.element, legend(view, () => [
    { label: "each batch", colour: view.colours.soft }, { label: "smoothed", colour: view.colours.ink },
    { label: "your mark", colour: view.colours.accent }, ...shownRules(view)]));
}

/** @param {View} view */
function shownRules(view) {
  const { steepest, tenth } = testOf(view.data, view.state);
  return open(view) ? rules(view, steepest, tenth).map(({ label, colour, dash }) => ({ label, colour, dash })) : [];
}

/** The recorded rates that may be seen, by index. @param {View} view */
function visible(view) {
  const network = networkOf(view.data, view.state.network);
  return open(view) ? network.trained.map((_, i) => i) : seen(network, view.state.marks);
}

/** Seeds, mean, and what diverged. @param {CanvasRenderingContext2D} ctx @param {Axes} at @param {View} view */
function points(ctx, at, view) {
  const network = networkOf(view.data, view.state.network), { colours } = view, bottom = at.box[3];
  const shown = visible(view).map((i) => network.trained[i]);
  const whole = (/** @type {typeof shown[0]} */ t) => (t.accuracy.includes(null) ? NaN : 100 * score(t));
  if (open(view)) line(ctx, at, shown.map((t) => t.rate), shown.map(whole), { colour: colours.ink, width: 2.5 });
  for (const { rate, accuracy } of shown) {
    for (const a of accuracy) if (a !== null) dot(ctx, at.x(rate), at.y(100 * a), 2, colours.soft, false);
    if (accuracy.includes(null)) cross(ctx, at.x(rate), bottom - 9, colours.bad);
  }
  for (const i of seen(network, view.state.marks)) {
    const t = network.trained[i];
    if (!t.accuracy.includes(null)) dot(ctx, at.x(t.rate), at.y(whole(t)), 6, colours.accent);
  }
  const top = network.trained[best(network)];
  if (open(view)) dot(ctx, at.x(top.rate), at.y(whole(top)), 9, colours.ink, false);
}

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {string} colour */
function cross(ctx, x, y, colour) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2;
  ctx.setLineDash([]);
  ctx.beginPath();
  for (const way of [-4, 4]) {
    ctx.moveTo(x - 4, y - way);
    ctx.lineTo(x + 4, y + way);
  }
  ctx.stroke();
}

/** Accuracy over the rate, once there is a mark. @param {View} view */
function accuracies(view) {
  const { data } = view, place = el("div");
  view.draw(() => { place.hidden = visible(view).length === 0; });
  const on = picture(view, {
    height: (width) => Math.round(Math.min(260, Math.max(200, width * 0.4))),
    label: (s) => {
      const { trained } = networkOf(data, s.network);
      const each = visible(view).map((i) => `${short(trained[i].rate)}: ${result(trained[i])}`);
      return `Held-out accuracy over learning rate. ${each.join("; ")}.`;
    },
    paint: (ctx, width, height) => {
      const { o, at } = axesOf(data, width, height, { ylim: [0, 100], ylabel: "held-out accuracy, %",
        xlabel: "learning rate" });
      frame(ctx, at, o, view.colours);
      line(ctx, at, o.xlim, [10, 10], { colour: view.colours.soft, dash: [1, 3], width: 1.5 });
      verticals(ctx, at, view);
      points(ctx, at, view);
    },
  });
  place.append(on.element, legend(view, () => [
    ...(open(view) ? [{ label: "mean of the seeds", colour: view.colours.ink }] : []),
    { label: "chance", colour: view.colours.soft, dash: [1, 3] }]), signs(view));
  return place;
}

/** What each sign is. @param {View} view */
function signs(view) {
  const list = el("ul", { class: "legend" });
  view.draw(() => {
    const { accent, soft, bad, ink } = view.colours;
    const all = [["●", accent, "mean at your marks"], ["○", soft, "each seed"], ["×", bad, "a seed diverged"],
      ...(open(view) ? [["◯", ink, "the best"]] : [])];
    list.replaceChildren(...all.map(([sign, colour, text]) =>
      el("li", {}, el("span", { "aria-hidden": "true", style: `color: ${colour}` }, sign), ` ${text}`)));
  });
  return list;
}

/** A table that follows the state; hidden while it is empty. @param {View} view @param {string} title
 * @param {string[]} head @param {() => string[][]} rows */
function table(view, title, head, rows) {
  const body = el("tbody"), cells = (/** @type {string[]} */ all) => all.map((text) => el("td", {}, text));
  const heads = head.map((text) => el("th", { scope: "col" }, text));
  const caption = el("caption", {}, title);
  const node = el("table", {}, caption, el("thead", {}, el("tr", {}, ...heads)), body);
  let was = "";
  view.draw(() => {
    const now = rows();
    node.hidden = now.length === 0;
    if (JSON.stringify(now) === was) return;
    was = JSON.stringify(now);
    body.replaceChildren(...now.map((all) => el("tr", {}, ...cells(all))));
  });
  return node;
}

/** @param {View} view */
function tables(view) {
  const { data } = view, rate = "rate → trained at", lost = "points lost";
  const read = table(view, "What the rules say", ["", rate, "accuracy", lost],
    () => (open(view) ? readings(data, view.state) : []));
  const mine = table(view, "Your marks so far", ["network", rate, "accuracy", lost],
    () => view.state.marks.map((m) => {
      const network = networkOf(data, m.network);
      return [network.label, ...row(network, m.rate)];
    }));
  const average = el("p", { class: "closing" }), n = data.seeds.length;
  const lostHint = "Steepest fall: the rate at which the smoothed loss falls fastest. A tenth of the minimum: a " +
    "tenth of the rate at which it is lowest. Trained at: the nearest recorded rate. Points lost: percentage points " +
    `of accuracy below the best recorded rate, ± half of the 95 % interval over ${n} seeds (none where training ` +
    "failed).";
  const hint = el("p", { class: "hint" }, lostHint);
  view.draw((s) => {
    average.textContent = summary(data, s);
    hint.hidden = s.marks.length === 0;
  });
  return [read, mine, hint, average];
}

/** @param {View} view */
function build(view) {
  const { data } = view, seeds = data.networks[0].tests.map(({ seed }) => `${seed}`);
  const choices = data.networks.map(({ name, label }) => /** @type {[string, string]} */ ([name, label]));
  const press = button("Train at this rate", () => {
    const { network, marks, rate } = view.state;
    view.set({ marks: train(networkOf(data, network), marks, rate) });
  }, "recorded, so it answers at once");
  const all = check(view, { label: "show all recorded rates and both rules", get: (s) => s.curve,
    set: (curve) => ({ curve }) });
  view.draw((s) => {
    const network = networkOf(data, s.network), trained = seen(network, s.marks);
    all.hidden = trained.length === 0;
    press.setAttribute("aria-disabled", String(trained.includes(recordedAt(network, s.rate)))); // it keeps the focus
  });
  const choose = el("div", { class: "choose" },
    select(view, { label: "network", choices, get: (s) => s.network, set: (network) => ({ network }) }),
    select(view, { label: "range test", choices: seeds.map((seed) => [seed, `seed ${seed}`]),
      get: (s) => `${s.seed}`, set: (seed) => ({ seed: Number(seed) }) }));
  const left = el("div", { class: "picture" }, choose, rangeTest(view), press, status(view, (s) => words(data, s)), all,
    accuracies(view));
  const right = el("div", { class: "controls" }, ...tables(view), el("p", { class: "note" }, NOTE));
  const task = "Where would you train? Drag the mark along the curve, then press “Train at this rate”. " +
    `Try all ${choices.length} networks: which rule for reading the curve can you trust?`;
  view.root.append(el("style", {}, css), el("p", {}, task), el("div", { class: "row" }, left, right));
}

/** @type {import("./core/interactive.js").Spec<State, Data>} */
export const spec = { name: "lr_finder", title: "Reading the LR finder", defaults, clean, build };
export const mount = interactive(spec);
