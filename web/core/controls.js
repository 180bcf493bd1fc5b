// Native controls with a label, bound to the state: keyboard, touch and screen readers come with them.
import { roundNumbers, short } from "./format.js";

/**
 * @template S, D
 * @typedef {import("./interactive.js").View<S, D>} View
 */

/**
 * An element.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | boolean>} [attributes] true sets it, false leaves it out
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** @param {string} text @param {() => void} press @param {string} [hint] a tooltip */
export function button(text, press, hint = "") {
  const node = el("button", { type: "button", ...(hint && { title: hint }) }, text);
  node.addEventListener("click", press);
  return node;
}

/** @param {string} title @param {...(Node | string)} children */
export function group(title, ...children) { return el("fieldset", {}, el("legend", {}, title), ...children); }

let count = 0;
/** An id of its own. */
export function fresh() { return `miniai-${count++}`; }

/**
 * A slider. Give `min`, `max`, `step`, or `values`; with `log`, round numbers from `min` to `max`.
 * @template S, D
 * @param {View<S, D>} view
 * @param {object} o
 * @param {string} o.label
 * @param {(state: S) => number} o.get
 * @param {(value: number, state: S) => Partial<S>} o.set
 * @param {number} [o.min]
 * @param {number} [o.max]
 * @param {number} [o.step]
 * @param {boolean} [o.log]
 * @param {number[]} [o.values] all that can be chosen, in order
 * @param {string} [o.unit] said after the number
 * @param {string} [o.hint] a line below
 * @param {(value: number) => string} [o.say] how the value is written
 * @param {(state: S) => boolean} [o.off] whether it can't be used now
 * @param {(state: S) => number} [o.most] the largest value now, if that changes
 * @returns {HTMLLabelElement}
 */
export function slider(view, o) {
  const { min = 0, max = 1, step = 0.01 } = o;
  const values = o.values ?? (o.log ? roundNumbers(min, max) : null);
  const say = o.say ?? ((/** @type {number} */ v) => short(v) + (o.unit ? ` ${o.unit}` : ""));
  const name = el("span", { id: fresh() }, o.label);
  const [low, high, by] = values ? [0, values.length - 1, 1] : [min, max, step];
  const ends = { min: String(low), max: String(high), step: String(by) };
  const input = el("input", { type: "range", id: fresh(), "aria-labelledby": name.id, ...ends });
  const shown = el("output", { role: "none" }); // the input says it
  const label = el("label", { class: "slider", for: input.id }, el("span", {}, name, shown), input);
  if (o.hint) {
    const hint = el("span", { class: "hint", id: fresh() }, o.hint);
    input.setAttribute("aria-describedby", hint.id);
    label.append(hint);
  }
  const read = () => (values ? values[input.valueAsNumber] : input.valueAsNumber);
  input.addEventListener("input", () => view.set(o.set(read(), view.state)));
  view.draw((state) => {
    const value = o.get(state), text = say(value), at = String(values ? nearest(values, value) : value);
    if (o.most) input.max = String(o.most(state));
    if (input.value !== at) input.value = at;
    input.disabled = o.off?.(state) ?? false;
    if (input.getAttribute("aria-valuetext") === text) return;
    shown.value = text;
    input.setAttribute("aria-valuetext", text);
  });
  return label;
}

/** @param {number[]} values @param {number} value @returns {number} the index of the nearest */
function nearest(values, value) {
  let best = 0;
  values.forEach((v, i) => { if (Math.abs(v - value) < Math.abs(values[best] - value)) best = i; });
  return best;
}

/**
 * A list to choose from.
 * @template S, D
 * @param {View<S, D>} view
 * @param {object} o
 * @param {string} o.label
 * @param {[string, string][]} o.choices value and what a reader sees
 * @param {(state: S) => string} o.get
 * @param {(value: string, state: S) => Partial<S>} o.set
 */
export function select(view, o) {
  const input = el("select", {}, ...o.choices.map(([value, text]) => el("option", { value }, text)));
  input.addEventListener("change", () => view.set(o.set(input.value, view.state)));
  view.draw((state) => { input.value = o.get(state); });
  return el("label", {}, `${o.label} `, input);
}

/**
 * A box to tick.
 * @template S, D
 * @param {View<S, D>} view
 * @param {object} o
 * @param {string} o.label
 * @param {(state: S) => boolean} o.get
 * @param {(value: boolean, state: S) => Partial<S>} o.set
 * @param {(state: S) => boolean} [o.off]
 */
export function check(view, o) {
  const input = el("input", { type: "checkbox" });
  input.addEventListener("change", () => view.set(o.set(input.checked, view.state)));
  view.draw((state) => {
    input.checked = o.get(state);
    input.disabled = o.off?.(state) ?? false;
  });
  return el("label", {}, input, o.label);
}

/**
 * What the picture shows now, in words. A screen reader hears it once changes have come to rest.
 * @template S, D
 * @param {View<S, D>} view
 * @param {(state: S) => string} words
 */
export function status(view, words) {
  const shown = el("p", { class: "status" });
  const heard = el("p", { class: "hidden", role: "status" });
  let wait = 0, first = true;
  view.draw((state) => {
    const text = words(state);
    if (shown.textContent === text) return;
    shown.textContent = text;
    if (first) return void (first = false); // nobody has done anything yet
    clearTimeout(wait);
    wait = Number(setTimeout(() => (heard.textContent = text), 500));
  });
  return el("div", {}, shown, heard);
}

/**
 * Puts text on the clipboard, or selects it where that is not allowed.
 * @param {string} text
 * @param {HTMLButtonElement} pressed says that it is done
 */
export async function copy(text, pressed) {
  pressed.dataset.label ??= pressed.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
    pressed.textContent = "Copied";
  } catch {
    prompt("Copy this:", text);
  }
  setTimeout(() => { pressed.textContent = pressed.dataset.label ?? ""; }, 1500);
}

/**
 * Code to copy.
 * @template S, D
 * @param {View<S, D>} view
 * @param {(state: S) => string} write
 */
export function code(view, write) {
  const text = el("code");
  const press = button("Copy code", () => void copy(text.textContent ?? "", press));
  view.draw((state) => { text.textContent = write(state); });
  return el("div", {}, el("pre", { tabindex: "0", "aria-label": "Python code" }, text), press);
}

/**
 * Play, step, and a bar to scrub on. With reduced motion, play goes to the end at once.
 * @template S, D
 * @param {View<S, D>} view
 * @param {object} o
 * @param {(state: S) => number} o.get the position, a whole number from 0
 * @param {(at: number) => Partial<S>} o.set
 * @param {(state: S) => number} o.last the last position
 * @param {number} [o.speed] positions a second; else the whole in about four seconds
 */
export function player(view, o) {
  let playing = false;
  let from = 0, began = 0, put = 0;
  const show = () => { play.textContent = playing ? "Pause" : "Play"; };
  const stop = () => { playing = false; show(); };
  const move = (/** @type {number} */ by) => {
    stop();
    view.set(o.set(Math.min(Math.max(o.get(view.state) + by, 0), o.last(view.state))));
  };
  const frame = (/** @type {number} */ now) => {
    if (!playing || !view.root.isConnected || o.get(view.state) !== put) return stop(); // or somebody else set it
    began ||= now;
    const last = o.last(view.state);
    const at = Math.min(last, Math.floor(from + ((now - began) / 1000) * (o.speed ?? Math.max(10, last / 4))));
    if (at !== put) view.set(o.set((put = at)));
    if (at >= last) return stop();
    requestAnimationFrame(frame);
  };
  const play = button("Play", () => {
    const last = o.last(view.state);
    if (playing) return stop();
    from = o.get(view.state) >= last ? 0 : o.get(view.state);
    if (view.still()) return view.set(o.set(last));
    if (from !== o.get(view.state)) view.set(o.set(from));
    [playing, began, put] = [true, 0, from];
    show();
    requestAnimationFrame(frame);
  });
  const bar = slider(view, { label: "step", min: 0, step: 1, max: o.last(view.state), most: o.last, get: o.get,
    set: (value) => { stop(); return o.set(value); }, say: (value) => `${value} of ${o.last(view.state)}` });
  return el("div", { class: "player" }, play, button("Step back", () => move(-1)), button("Step", () => move(1)), bar);
}
