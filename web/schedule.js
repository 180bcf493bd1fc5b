// Schedule designer: pieces one after the other, the curves of rate and momentum, and the Python that makes them.
import { axes, clipped, frame, handle, line, picture } from "./core/canvas.js";
import { button, check, code as codeBox, el, group, select, slider, status } from "./core/controls.js";
import { clean, code, edges, KINDS, LEAST, MOST, PRESETS, presetOf } from "./core/design.js";
import { add, change, HEIGHTS, lacking, moveEdge, nextHeight, points, remove, reorder, setHeight, setShare, warmUp,
  words } from "./core/design_edits.js";
import { short } from "./core/format.js";
import { interactive } from "./core/interactive.js";

/** @typedef {import("./core/design.js").Piece} Piece */
/** @typedef {import("./core/design.js").Kind} Kind */
/** @typedef {import("./core/design.js").Design & { batches: boolean, log: boolean }} State and the axes: batches
 *   instead of progress, rates on a logarithmic one */
/** @typedef {import("./core/interactive.js").View<State, null>} View */

const css = `
[hidden] { display: none !important; }
.pieces { margin: 0; padding: 0; container-type: inline-size; }
.piece { display: grid; gap: 2px 10px; padding: 4px 0; border-top: 1px solid var(--line); align-items: start;
  grid-template-columns: 186px minmax(0, 11fr) minmax(0, 12fr) minmax(0, 8fr) auto; }
.piece > .name { display: flex; align-items: center; }
.piece .name label { display: flex; align-items: center; gap: 6px; min-width: 0; }
.piece select { min-width: 0; padding: 5px 2px; }
.piece > .slider { margin: 0; white-space: nowrap; grid-column: 4; }
.piece > .share { grid-column: 2; }
.piece > .end { grid-column: 3; }
.piece > .moves { grid-column: -2; justify-self: end; white-space: nowrap; }
.moves button { padding: 5px 8px; margin-right: 3px; }
@container (max-width: 760px) {
  .piece { grid-template-columns: 186px minmax(0, 1fr) minmax(0, 1fr); }
  .piece > .slider { grid-column: 2; }
  .piece > .end { grid-column: 3; }
}
@container (max-width: 520px) {
  .piece { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); }
  .piece > .name, .piece > .moves { grid-column: 1 / -1; }
  .piece > .slider { grid-column: 1; }
  .piece > .end { grid-column: 2; }
}
.axes { display: flex; flex-wrap: wrap; gap: 0 18px; align-items: center; }
.axes .slider { flex: 1 1 180px; }
.grip { display: inline-block; min-width: 30px; padding: 6px 4px; text-align: center; cursor: grab; touch-action: none;
  user-select: none; color: var(--soft); }
@media (max-width: 620px) { .row > .picture { order: -1; } }
`;

const ofBase = (/** @type {number} */ share) => `${short(share)} × base`;
const ofRun = (/** @type {number} */ share) => `${short(share)} of the run`;

/** The heights at all boundaries: the start, and the end of each piece. @param {State} state */
const heights = ({ start, pieces }) => [start, ...pieces.map(({ end }) => end)];

/** Progress on the axis. @param {State} state @param {number} t */
const along = (state, t) => (state.batches ? t * state.steps : t);

/** What can be drawn of a rate: on a logarithmic axis 0 is below all others. @param {State} state @param {number} y */
const shown = (state, y) => (state.log ? Math.max(y, LEAST * state.peak / 3) : y);

/** Room is left around the curve: the numbers of the axes would lie under its points else.
 * @param {State} state @param {number} width @param {number} height @param {boolean} rate else momentum */
function axesOf(state, width, height, rate) {
  const lowest = Math.min(state.high, state.cycle ? state.low : state.high);
  const ylim = !rate ? [Math.max(0, Math.floor(lowest * 10 - 0.2) / 10), 1]
    : state.log ? [LEAST * state.peak / 8, state.peak * 2] : [-0.06 * state.peak, state.peak * 1.08];
  const o = { xlim: /** @type {[number, number]} */ ([-0.03, 1.03].map((t) => along(state, t))),
    xlabel: rate ? "" : state.batches ? "batches" : "progress: share of the run",
    ylim: /** @type {[number, number]} */ (ylim), ylog: rate && state.log, ylabel: rate ? "learning rate" : "momentum",
    box: /** @type {[number, number, number, number]} */ ([66, 12, width - 16, height - (rate ? 24 : 40)]) };
  return { o, at: axes(o) };
}

/** The curve of one of the two, over bands of the pieces. @param {View} view @param {boolean} rate */
function curve(view, rate) {
  return picture(view, {
    height: rate ? (width) => Math.round(Math.min(300, Math.max(200, width * 0.45))) : 140,
    label: (state) => (rate ? words(state).split(" Momentum")[0] : `Momentum${words(state).split(" Momentum")[1]}`),
    paint: (ctx, width, height, state) => {
      const { o, at } = axesOf(state, width, height, rate);
      const [left, top, right, bottom] = o.box;
      bands(ctx, state, (t) => at.x(along(state, t)), [top, bottom], view.colours);
      frame(ctx, at, o, view.colours);
      const { ts, rates, momenta } = points(state);
      const ys = rate ? rates.map((y) => (state.log ? Math.max(y, o.ylim[0] / 10) : y)) : momenta;
      const style = rate ? { colour: view.colours.accent, width: 2.5 }
        : { colour: view.colours.second, width: 2.5, dash: [7, 3] };
      clipped(ctx, [left - 2, top - 2, right + 2, bottom + 2], () =>
        line(ctx, at, ts.map((t) => along(state, t)), ys, style));
      if (rate && state.log) zeros(ctx, state, at, view.colours);
    },
  });
}

/** Marks the points whose rate is 0, which a logarithmic axis has no place for.
 * @param {CanvasRenderingContext2D} ctx @param {State} state @param {import("./core/canvas.js").Axes} at
 * @param {import("./core/colour.js").Colours} colours */
function zeros(ctx, state, at, colours) {
  ctx.fillStyle = colours.ink;
  ctx.strokeStyle = colours.paper;
  ctx.lineWidth = 6;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  heights(state).forEach((height, i) => {
    const place = /** @type {const} */ ([at.x(along(state, edges(state.pieces)[i])), at.y(shown(state, 0)) - 9]);
    if (height > 0) return;
    ctx.strokeText("0↓", ...place);
    ctx.fillText("0↓", ...place);
  });
}

/** Every second piece shaded, and the numbers of all. @param {CanvasRenderingContext2D} ctx @param {State} state
 * @param {(t: number) => number} x @param {[number, number]} span
 * @param {import("./core/colour.js").Colours} colours */
function bands(ctx, state, x, [top, bottom], colours) {
  const at = edges(state.pieces);
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  state.pieces.forEach((_, i) => {
    ctx.fillStyle = colours.grid;
    ctx.globalAlpha = 0.35;
    if (i % 2) ctx.fillRect(x(at[i]), top, x(at[i + 1]) - x(at[i]), bottom - top);
    ctx.globalAlpha = 1;
    ctx.fillStyle = colours.soft;
    if (x(at[i + 1]) - x(at[i]) > 12) ctx.fillText(String(i + 1), (x(at[i]) + x(at[i + 1])) / 2, bottom - 15);
  });
}

/** A point at each boundary, to drag. @param {View} view @param {import("./core/canvas.js").Picture} on */
function handles(view, on) {
  const where = (/** @type {State} */ state) => axesOf(state, ...on.size(), true).at;
  const height = (/** @type {State} */ state, /** @type {number} */ i) => heights(state)[i] ?? 0;
  let made = 0;
  const make = (/** @type {number} */ i) => {
    const both = (/** @type {number} */ t, /** @type {number} */ y) => {
      const between = i > 0 && i < view.state.pieces.length;
      const moved = between ? { ...view.state, ...moveEdge(view.state, i - 1, t) } : view.state;
      view.set(setHeight(moved, i, y));
    };
    const node = handle(view, on, {
      label: i ? `end of piece ${i}` : "first rate",
      at: (state) => {
        const at = where(state);
        const y = state.peak * height(state, i);
        return [at.x(along(state, edges(state.pieces)[i] ?? 0)), at.y(shown(state, y))];
      },
      say: (state) => `${ofBase(height(state, i))} at ${short(edges(state.pieces)[i] ?? 0)} of the run`,
      drag: (px, py) => {
        const { peak, log, batches, steps } = view.state;
        const at = where(view.state);
        const y = Math.min(Math.max(at.fromY(py) / peak, 0), 1);
        both(at.fromX(px) / (batches ? steps : 1), log ? Number(y.toPrecision(2)) : Math.round(y * 100) / 100);
      },
      nudge: (right, up) => {
        const y = height(view.state, i);
        both(edges(view.state.pieces)[i] + right / 100,
          view.state.log ? nextHeight(y, up) : up ? Math.min(Math.max(Math.round(y * 100 + up) / 100, 0), 1) : y);
      },
    });
    view.draw(({ pieces }) => { node.hidden = i > pieces.length; });
  };
  view.draw(({ pieces }) => { while (made <= pieces.length) make(made++); });
}

/** The controls of piece `i`; hidden while there are fewer.
 * @param {View} view @param {number} i @param {HTMLElement} list */
function row(view, i, list) {
  const of = (/** @type {State} */ { pieces }) => pieces[Math.min(i, pieces.length - 1)];
  const shape = select(view, { label: `${i + 1}`, choices: Object.entries(KINDS), get: (s) => of(s).kind,
    set: (kind, s) => change(s, i, { kind: /** @type {Kind} */ (kind) }) });
  shape.querySelector("select")?.setAttribute("aria-label", `shape of piece ${i + 1}`);
  const share = slider(view, { label: "share", min: 0.01, step: 0.01, get: (s) => of(s).share,
    most: (s) => (s.pieces.length < 2 ? 1
      : of(s).share + (s.pieces[i + 1] ?? s.pieces[s.pieces.length - 2]).share - 0.01),
    set: (value, s) => setShare(s, i, value), say: ofRun, off: (s) => s.pieces.length === 1 });
  const end = slider(view, { label: "end", values: HEIGHTS, get: (s) => of(s).end, say: ofBase,
    set: (value, s) => change(s, i, { end: value }) });
  const power = slider(view, { label: "power", min: 0.5, max: 6, step: 0.5, get: (s) => of(s).power,
    set: (value, s) => change(s, i, { power: value }), hint: "of the time left" });
  const times = slider(view, { label: "times", min: 1, max: 8, step: 1, get: (s) => of(s).times,
    set: (value, s) => change(s, i, { times: value }), hint: "in this piece" });
  const item = el("div", { class: "piece", role: "group", "aria-label": `piece ${i + 1}` });
  const name = el("span", { class: "name" }, grip(view, i, list), shape);
  share.classList.add("share");
  end.classList.add("end");
  item.append(name, share, end, power, times, moves(view, i, list));
  view.draw((state) => {
    const { kind } = of(state);
    item.hidden = i >= state.pieces.length;
    end.hidden = kind === "hold";
    power.hidden = kind !== "polynomial";
    times.hidden = kind !== "step" && kind !== "restarts";
  });
  return item;
}

/** @param {HTMLElement} list @param {number} i @param {string} text */
function focusOn(list, i, text) {
  const buttons = [...(list.children[i]?.querySelectorAll("button") ?? [])];
  const able = buttons.filter((node) => !node.disabled);
  (able.find((node) => node.textContent === text) ?? able[0])?.focus();
}

/** Up, down, remove; the focus goes along. @param {View} view @param {number} i @param {HTMLElement} list */
function moves(view, i, list) {
  const to = (/** @type {number} */ j, /** @type {string} */ text) => {
    view.set(reorder(view.state, i, j));
    focusOn(list, j, text);
  };
  const up = button("Up", () => to(i - 1, "Up"));
  const down = button("Down", () => to(i + 1, "Down"));
  const away = button("Remove", () => {
    view.set(remove(view.state, i));
    focusOn(list, Math.min(i, view.state.pieces.length - 1), "Remove");
  });
  up.disabled = i === 0;
  view.draw(({ pieces }) => {
    down.disabled = i >= pieces.length - 1;
    away.disabled = pieces.length === 1;
  });
  return el("span", { class: "moves" }, up, down, away);
}

/** What a piece is dragged by; Up and Down do the same by keyboard.
 * @param {View} view @param {number} i @param {HTMLElement} list */
function grip(view, i, list) {
  const node = el("span", { class: "grip", "aria-hidden": "true", title: "drag to reorder" }, "⠿");
  let now = i;
  node.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    node.setPointerCapture(event.pointerId);
    now = i;
  });
  node.addEventListener("pointermove", (event) => {
    if (!node.hasPointerCapture(event.pointerId)) return;
    const over = [...list.children].findIndex((item) => {
      const { top, bottom } = item.getBoundingClientRect();
      return event.clientY >= top && event.clientY < bottom;
    });
    if (over < 0 || over === now) return;
    view.set(reorder(view.state, now, over));
    now = over;
  });
  return node;
}

/** @param {View} view */
function settings(view) {
  const last = (/** @type {State} */ { pieces }) => pieces[pieces.length - 1];
  const momentum = (/** @type {string} */ label, /** @type {"high" | "low"} */ name, /** @type {string} */ hint) =>
    slider(view, { label, min: 0.01, max: 0.99, step: 0.01, hint, get: (s) => s[name], set: (v) => ({ [name]: v }),
      off: (s) => name === "low" && !s.cycle });
  const names = Object.keys(PRESETS).map((name) => /** @type {[string, string]} */ ([name, name]));
  const presets = select(view, { label: "start from", choices: [["", "your own"], ...names], get: presetOf,
    set: (name) => structuredClone(PRESETS[name] ?? {}) });
  const own = /** @type {HTMLOptionElement} */ (presets.querySelector("option"));
  view.draw((state) => { own.disabled = own.hidden = presetOf(state) !== ""; });
  return el("div", { class: "controls" }, presets,
    group("Learning rate",
      slider(view, { label: "base rate", min: 1e-5, max: 10, log: true, get: (s) => s.peak, set: (peak) => ({ peak }),
        hint: "the optimizer's learning rate: 1 × base" }),
      slider(view, { label: "first rate", values: HEIGHTS, get: (s) => s.start, say: ofBase,
        set: (to, s) => setHeight(s, 0, to) }),
      slider(view, { label: "final rate", values: HEIGHTS, get: (s) => last(s).end, say: ofBase,
        set: (to, s) => setHeight(s, s.pieces.length, to) })),
    group("Momentum, or beta1 of Adam",
      check(view, { label: "falls where the rate rises", get: (s) => s.cycle, set: (cycle) => ({ cycle }) }),
      momentum("at low rates", "high", "a share of the average kept each step; all along, if it is constant"),
      momentum("at the base rate", "low", "where the rate reaches it")));
}

/** @param {View} view */
function axesGroup(view) {
  const both = el("div", {},
    check(view, { label: "batches instead of progress", get: (s) => s.batches, set: (batches) => ({ batches }) }),
    check(view, { label: "logarithmic rates", get: (s) => s.log, set: (log) => ({ log }) }));
  return group("Axes", el("div", { class: "axes" },
    slider(view, { label: "total steps", min: 10, max: 100000, log: true, get: (s) => s.steps, unit: "batches",
      set: (steps) => ({ steps }), hint: "epochs × batches in each" }), both));
}

/** @param {View} view */
function build(view) {
  const rate = curve(view, true);
  handles(view, rate);
  const list = el("div", { class: "pieces" });
  const made = () => list.children.length;
  view.draw(({ pieces }) => { while (made() < pieces.length) list.append(row(view, made(), list)); });
  const more = button("Add a piece", () => view.set(add(view.state)));
  const warm = button("Add a warm-up", () => view.set(warmUp(view.state)));
  const why = el("span", { class: "note" });
  view.draw(({ pieces, start }) => {
    more.disabled = pieces.length === MOST;
    warm.disabled = pieces.length === MOST || start === 0;
    why.textContent = lacking(view.state);
  });
  const shares = el("p", { class: "hint" },
    "A new piece is a hold in front of the longest, with half of its share; a " +
    "warm-up climbs from 0 to the first rate in a tenth of the run. Shares always add up to 1: neighbours give and " +
    "take. Drag the points on the curve, or ⠿ to reorder.");
  view.root.append(el("style", {}, css), el("div", { class: "row" }, settings(view),
    el("div", { class: "picture" }, rate.element, curve(view, false).element, status(view, words), axesGroup(view))),
  group("Pieces", list, more, warm, why, shares), codeBox(view, code));
}

/** @type {State} */
const defaults = { ...structuredClone(PRESETS["1cycle (OneCycleLR)"]), peak: 0.1, steps: 300, batches: false,
  log: false };

/** @type {import("./core/interactive.js").Spec<State, null>} */
export const spec = { name: "schedule", title: "Schedule designer", defaults, build, clean };
export const mount = interactive(spec);
