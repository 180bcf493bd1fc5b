// Descend by hand: choose where to go next, or steer with rate and momentum; blind, as an optimizer is.
import {
  LONGEST, STAY, again, clean, defaults, height, hindered, inside, isThere, last, rivalsOf, search, shown, step,
  surfaceOf, undo,
} from "./core/byhand.js";
import { axesOf, boxOf, paintHeights, paintMap, paintWalks, veil } from "./core/byhandview.js";
import { clipped, frame, handle, legend, picture, where } from "./core/canvas.js";
import { button, check, el, group, select, slider, status } from "./core/controls.js";
import { styleOf } from "./core/colour.js";
import { layer } from "./core/field.js";
import { short } from "./core/format.js";
import { interactive } from "./core/interactive.js";
import { SURFACES } from "./core/surfaces.js";

/** @typedef {import("./core/byhand.js").State} State */
/** @typedef {import("./core/interactive.js").View<State, unknown>} View */
/** @typedef {import("./core/surfaces.js").Pair} Pair */

const steps = (/** @type {number} */ n) => `${n} ${n === 1 ? "step" : "steps"}`;

/** What there is to beat, in words. @param {State} s */
export function score(s) {
  const found = rivalsOf(s);
  if (!found) return "…";
  return found.map((r, i) => {
    const name = i ? "SGD with momentum" : "SGD";
    if (!r) return `${name}: not there in 1,000 steps`;
    return `${name} (rate ${short(r.rate)}${i ? `, momentum ${short(r.momentum)}` : ""}): ${steps(r.steps)}`;
  }).join("\n");
}

/** What one knows where one stands, in words. @param {State} s */
export function words(s) {
  const on = surfaceOf(s), here = last(s), n = s.path.length - 1;
  const [gx, gy] = on.gradient(...here), percent = (100 * height(on, here)) / height(on, s.path[0]);
  if (isThere(s) && n === 0) return "You begin at the bottom: choose another start.";
  const left = percent > 1000 ? ", far above the start" : `, ${short(percent, 2)} % of the start's height`;
  const seen = `Step ${n}: loss ${short(on.f(...here))}${n ? left : ""}; gradient (${short(gx)}, ${short(gy)}).`;
  if (!isThere(s)) return [seen, hindered(s), `To beat:\n${score(s)}`].filter(Boolean).join("\n");
  return `You are there, in ${steps(n)}${s.seen ? ", having seen the map" : ""}.\n${score(s)}\n${seen}`;
}

/** How far a point is from where one stands, in words. @param {State} s @param {Pair} point */
export function away(s, [x, y]) {
  const [fromX, fromY] = last(s), far = (/** @type {number} */ by) => short(Math.abs(by));
  return `${far(x - fromX)} ${x < fromX ? "left" : "right"}, ${far(y - fromY)} ${y < fromY ? "down" : "up"}`;
}

/** The paths to draw, yours last. @param {View} view @param {State} s */
function walks({ colours }, s) {
  const others = shown(s) ? (rivalsOf(s) ?? []).filter((r) => r !== null) : [];
  const you = { label: "you", path: s.path, width: 3, colour: colours.second, dash: [] };
  return [...others.map(({ name, path }) =>
    ({ label: `${name} at its best`, path, width: 2, ...styleOf(name, colours.dark) })), you];
}

/** @param {View} view */
function stage(view) {
  const keep = layer();
  const on = picture(view, {
    height: (width) => Math.round(boxOf(surfaceOf(view.state), width)[3]) + 42,
    label: (s) => `${shown(s) ? "The map, and the path on it" : "The path; the map is hidden"}. ${words(s)}`,
    paint(ctx, width, tall, s) {
      const surface = surfaceOf(s), at = axesOf(surface, width), { xlim, ylim } = surface, { colours } = view;
      if (shown(s)) frame(ctx, at, { xlim, ylim, box: at.box, xlabel: "x", ylabel: "y" }, colours);
      const key = `${surface.name} ${colours.dark}`;
      if (shown(s)) keep(ctx, width, tall, key, (own) => paintMap(own, at, surface, colours));
      else veil(ctx, at, colours);
      clipped(ctx, at.box, () => paintWalks(ctx, at, s, walks(view, s), colours));
    },
  });
  chooser(view, on);
  return el("div", {}, on.element, legend(view, (s) => walks(view, s)));
}

/** The next point: a ring to drag, or a click. @param {View} view @param {import("./core/canvas.js").Picture} on */
function chooser(view, on) {
  const at = () => axesOf(surfaceOf(view.state), on.size()[0]);
  const choose = (/** @type {Pair} */ point) => view.set({ next: inside(surfaceOf(view.state), point) });
  const ring = handle(view, on, {
    label: "next point",
    at: ({ next: [x, y] }) => [at().x(x), at().y(y)],
    say: (s) => (shown(s) ? `x ${short(s.next[0])}, y ${short(s.next[1])}` : away(s, s.next)),
    drag: (px, py) => choose([at().fromX(px), at().fromY(py)]),
    nudge(right, up) {
      const { next: [x, y] } = view.state, { xlim } = surfaceOf(view.state), unit = (xlim[1] - xlim[0]) / 100;
      choose([x + right * unit, y + up * unit]);
    },
  });
  ring.addEventListener("keydown", ({ key }) => { if (key === "Enter") view.set(step(view.state)); });
  on.element.addEventListener("click", (event) => {
    if (ring.hidden || event.target === ring) return;
    const [x, y] = where(on, event.clientX, event.clientY);
    choose([at().fromX(x), at().fromY(y)]);
  });
  view.draw((s) => { ring.hidden = s.way === "steer" || s.path.length > LONGEST || isThere(s); });
}

/** @param {View} view */
function walk(view) {
  const take = button("Step", () => view.set(step(view.state)));
  const back = button("Undo", () => view.set(undo(view.state)));
  const anew = button("Begin again", () => {
    const s = view.state;
    view.set(again(s, s.surface, s.condition, s.path[0]));
  });
  view.draw((s) => {
    take.disabled = hindered(s) !== "";
    back.disabled = anew.disabled = s.path.length < 2;
  });
  return { buttons: [take, anew, back], element: el("div", {}, take, back, anew) };
}

/** What has the keyboard's focus. @param {View} view */
const focused = ({ root }) => /** @type {ShadowRoot} */ (root.getRootNode()).activeElement;

/** Gives the focus to a live button when what had it is switched off. @param {View} view
 * @param {() => Element | null} had what had it before all was drawn
 * @param {HTMLButtonElement[]} buttons the first that is live gets it */
function passOn(view, had, buttons) {
  view.draw(() => {
    const was = had();
    if (was instanceof HTMLButtonElement && (was.disabled || was.hidden)) buttons.find((b) => !b.disabled)?.focus();
  });
}

/** @param {View} view */
function heights(view) {
  const on = picture(view, {
    height: 170,
    label: (s) => `The height above the minimum after each step, ${short(height(surfaceOf(s), last(s)))} now.`,
    paint: (ctx, width, tall, s) => paintHeights(ctx, width, tall, surfaceOf(s), walks(view, s), view.colours),
  });
  return on.element;
}

/** @param {View} view */
function nextStep(view) {
  const off = (/** @type {State} */ s) => s.way === "choose";
  return group("The next step",
    select(view, { label: "by", choices: [["choose", "choosing a point"], ["steer", "steering SGD"]], get: (s) => s.way,
      set: (way) => /** @type {Partial<State>} */ ({ way }) }),
    slider(view, { label: "learning rate", min: 1e-4, max: 10, log: true, off, get: (s) => s.rate,
      set: (rate) => ({ rate }) }),
    slider(view, { label: "momentum", max: 0.99, step: 0.01, off, get: (s) => s.momentum,
      set: (momentum) => ({ momentum }), hint: "share of the velocity that stays; you may change both between steps" }),
    check(view, { label: "downhill arrow", get: (s) => s.arrow, set: (arrow) => ({ arrow }) }),
    check(view, { label: "map, before you are there", get: (s) => s.map,
      set: (map, s) => ({ map, seen: s.seen || map }) }));
}

/** @param {View} view @param {0 | 1} i x or y */
function start(view, i) {
  const lim = (/** @type {State} */ s) => surfaceOf(s)[i ? "ylim" : "xlim"];
  return slider(view, {
    label: `start ${"xy"[i]}`, min: 0, max: 100, step: 1,
    say: (percent) => (shown(view.state) ? short(view.state.path[0][i]) : `${percent} %`),
    hint: i ? "from the picture's bottom to its top" : "from the picture's left to its right",
    get: (s) => Math.round((100 * (s.path[0][i] - lim(s)[0])) / (lim(s)[1] - lim(s)[0])),
    set(percent, s) {
      const [low, high] = lim(s), moved = low + (percent / 100) * (high - low), [x, y] = s.path[0];
      const [nearX, nearY] = inside(surfaceOf(s), [moved, moved]);
      return again(s, s.surface, s.condition, i ? [x, nearY] : [nearX, y]);
    },
  });
}

/** @param {View} view */
function ground(view) {
  return group("The surface",
    select(view, { label: "surface", choices: SURFACES.map((name) => [name, name]), get: (s) => s.surface,
      set: (kind, s) => again(s, kind, s.condition) }),
    slider(view, { label: "condition number", min: 1, max: 1000, log: true, get: (s) => s.condition,
      off: (s) => s.surface !== "bowl", set: (condition, s) => again(s, s.surface, condition),
      hint: "largest curvature ÷ smallest" }),
    start(view, 0), start(view, 1), el("p", { class: "hint" }, "A change of these begins the descent again."));
}

/** Searches the optimizers to beat, once the start has come to rest. @param {View} view */
function searching(view) {
  let wait = 0;
  view.draw((s) => {
    clearTimeout(wait);
    if (rivalsOf(s)) return;
    wait = Number(setTimeout(() => {
      search(s);
      view.set({});
    }, 50));
  });
}

/** @param {View} view */
function build(view) {
  const left = el("div", { class: "picture" }), right = el("div", { class: "controls" });
  const task = "Get down to 1 % of the height you begin with (height: the loss above the lowest), in as few steps as "
    + "you can. You know what an optimizer knows: the loss and the gradient where you stand. "
    + "Drag the ring, or click in the picture; then press Step.";
  const rivals = "Dashed in the lower picture: 1 %. To compare, SGD runs from your start at 51 rates from 0.0001 to "
    + "10, ten in each factor of 10; then at each of them with 12 momenta from 0.1 to 0.98. Its best is the one "
    + `that is there first and then stays below 1 % for ${STAY} more steps.`;
  const note = (/** @type {string} */ text) => el("p", { class: "note" }, text);
  view.root.append(note(task), el("div", { class: "row" }, left, right), note(rivals));
  /** @type {Element | null} */
  let had = null;
  view.draw(() => { had = focused(view); });
  const scene = stage(view), { buttons, element } = walk(view);
  passOn(view, () => had, buttons);
  left.append(scene, element, status(view, words), heights(view));
  right.append(nextStep(view), ground(view));
  searching(view);
}

/** @type {import("./core/interactive.js").Spec<State, unknown>} */
export const spec = { name: "descend", title: "Descend by hand", defaults, clean, build };
export const mount = interactive(spec);
