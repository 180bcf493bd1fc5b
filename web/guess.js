// Guess first: a number or a choice is locked, then the answer is shown, with its interval and how far off it was.
import { button, el, fresh, status } from "./core/controls.js";
import { short } from "./core/format.js";
import { interactive } from "./core/interactive.js";

/** @typedef {import("./core/interactive.js").View<State, Data>} View */

/**
 * @typedef {object} Data
 * @property {string} question
 * @property {string} key what the guess is kept under in the browser
 * @property {string} [unit] of the answer
 * @property {number} [answer] the measured value
 * @property {[number, number]} [interval] of the measured value
 * @property {string[]} [choices] what to choose from instead of a number
 * @property {number[]} [right] the choices that hold
 * @property {string} [because] said once the answer is shown
 */

/** @typedef {{ guess: number | null }} State a number, or the index of a choice; null: not guessed yet */

/** @param {Data} data @returns {number | null} the guess that this browser keeps */
function kept({ key, choices }) {
  try {
    const guess = read(localStorage.getItem(`miniai-guess-${key}`) ?? "");
    return guess === null || (choices && !(guess in choices)) ? null : guess;
  } catch {
    return null;
  }
}

/** @param {string} key @param {number | null} guess */
function keep(key, guess) {
  try {
    if (guess === null) localStorage.removeItem(`miniai-guess-${key}`);
    else localStorage.setItem(`miniai-guess-${key}`, String(guess));
  } catch {
    // A page that may not store anything forgets the guess when it is closed.
  }
}

const withUnit = (/** @type {number} */ x, /** @type {Data} */ { unit = "" }) => short(x) + (unit && ` ${unit}`);

/** The answer, in words. @param {Data} data */
export function measured(data) {
  if (data.choices) return `The answer: ${(data.right ?? []).map((i) => data.choices?.[i]).join("; ")}.`;
  const { answer = NaN, interval } = data;
  const range = interval ? `, 95 % interval ${short(interval[0])} to ${withUnit(interval[1], data)}` : "";
  return `The answer: ${withUnit(answer, data)}${range}.`;
}

/**
 * The number that a person wrote: 1.5, 1,5, −2, 1 500, 1,500 or 3e-4; null if it is none.
 * @param {string} text
 */
export function read(text) {
  const plain = text.replace(/[\s_]/g, "").replace("−", "-").replace(/%$/, "");
  const grouped = (/** @type {string} */ by, /** @type {string} */ point) =>
    new RegExp(`^[-+]?[1-9]\\d{0,2}(${by}\\d{3})+(${point}\\d*)?$`).test(plain);
  const point = grouped(",", "\\.") ? plain.replaceAll(",", "") : /,/.test(plain) && grouped("\\.", ",")
    ? plain.replaceAll(".", "").replace(",", ".") : plain.replace(",", ".");
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(point) && Number.isFinite(Number(point)) ? Number(point) : null;
}

const printed = (/** @type {number} */ x) => Number(x.toPrecision(3));

/** How near the guess was, in words. @param {Data} data @param {number} guess */
export function verdict(data, guess) {
  if (data.choices) return (data.right ?? []).includes(guess) ? "Your guess was right." : `You said: ${data.choices[guess]}.`;
  const { answer = NaN, interval } = data;
  const off = guess - answer;
  const yours = `Your guess, ${withUnit(guess, data)},`;
  if (interval && guess >= printed(interval[0]) && guess <= printed(interval[1])) return `${yours} lies within the interval.`;
  if (printed(guess) === printed(answer)) return `${yours} is exactly that.`;
  return `${yours} was ${withUnit(Math.abs(off), data)} too ${off > 0 ? "high" : "low"}.`;
}

/** @param {View} view @param {() => void} lock @returns {{ element: HTMLElement, read: () => number | null }} */
function numberField(view, lock) {
  const input = el("input", { type: "text", inputmode: "decimal", autocomplete: "off", size: "12", id: fresh() });
  input.addEventListener("keydown", (event) => { if (event.key === "Enter") lock(); });
  view.draw(({ guess }) => {
    input.disabled = guess !== null;
    if (guess !== null) input.value = String(guess);
  });
  const label = el("label", {}, "Your guess: ", input, view.data.unit ? ` ${view.data.unit}` : "");
  return { element: label, read: () => read(input.value) };
}

/** @param {View} view @returns {{ element: HTMLElement, read: () => number | null }} */
function choiceField(view) {
  const name = fresh();
  const boxes = (view.data.choices ?? []).map((_, i) => el("input", { type: "radio", name, value: String(i) }));
  view.draw(({ guess }) => boxes.forEach((box, i) => {
    box.disabled = guess !== null;
    if (guess !== null) box.checked = guess === i;
  }));
  const labels = boxes.map((box, i) => el("label", {}, box, view.data.choices?.[i] ?? ""));
  const read = () => { const i = boxes.findIndex((box) => box.checked); return i < 0 ? null : i; };
  return { element: el("div", {}, ...labels), read };
}

/** @param {View} view */
function build(view) {
  const { data, root } = view;
  const missing = el("p", { class: "bad", role: "alert" });
  const lock = () => {
    const guess = field.read();
    missing.textContent = guess !== null ? "" : data.choices ? "Choose one first." : "Write a number first, such as 1.5.";
    if (guess === null) return;
    keep(data.key, guess);
    view.set({ guess });
    requestAnimationFrame(() => requestAnimationFrame(() => answer.focus())); // the button is gone
  };
  const field = data.choices ? choiceField(view) : numberField(view, lock);
  const press = button("Lock my guess, show the answer", lock);
  view.draw(({ guess }) => { press.hidden = guess !== null; });
  const question = el("p", {}, data.question);
  const words = ({ guess } = view.state) =>
    (guess === null ? [] : [measured(data), verdict(data, guess), data.because]).filter(Boolean).join("\n");
  const said = status(view, words);
  const answer = /** @type {HTMLElement} */ (said.querySelector(".status"));
  answer.tabIndex = -1;
  root.append(question, field.element, press, missing, said);
  if (view.state.guess === null && kept(data) !== null) view.set({ guess: kept(data) });
  let was = view.state.guess;
  view.draw(({ guess }) => {
    root.classList.toggle("open", guess === null); // there is nothing to reset
    if (guess === null && was !== null) keep(data.key, null); // reset
    was = guess;
  });
}

/** @type {import("./core/interactive.js").Spec<State, Data>} */
export const spec = { name: "guess", title: "Guess first", defaults: { guess: null }, build, linked: false };
export const mount = interactive(spec);
