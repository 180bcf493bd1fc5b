// Colours for both themes. Those of lines differ in lightness too, so that they can be told apart in grey.

/** @typedef {{ ink: string, soft: string, grid: string, paper: string, accent: string, second: string, third: string,
 *   good: string, bad: string, dark: boolean }} Colours */

const LIGHT = { ink: "#1c1c1c", soft: "#595959", grid: "#dcdcdc", paper: "#ffffff", accent: "#0060a8", second: "#c24a00",
  third: "#00805c", good: "#00704f", bad: "#b3261e" };
const DARK = { ink: "#ececec", soft: "#b4b4b4", grid: "#454545", paper: "#1b1b1d", accent: "#63b3f5", second: "#ffa05c",
  third: "#4fd1a5", good: "#5fd6ad", bad: "#ff8a80" };

/** @param {boolean} dark @returns {Colours} */
export function colours(dark) { return { ...(dark ? DARK : LIGHT), dark }; }

/** The optimizers' colours, light theme and dark, and their dashes: those of the printed figures.
 * @type {Record<string, { light: string, dark: string, dash: number[] }>} */
export const STYLES = {
  SGD: { light: "#111111", dark: "#f2f2f2", dash: [] },
  momentum: { light: "#0072b2", dark: "#4ba9e4", dash: [7, 3] },
  "momentum (average)": { light: "#3d5a80", dark: "#98c1d9", dash: [3, 3] },
  Nesterov: { light: "#2b8fc4", dark: "#8fd0f5", dash: [8, 3, 2, 3] },
  Adagrad: { light: "#b87300", dark: "#f2b134", dash: [] },
  Adadelta: { light: "#8a6508", dark: "#d9b44a", dash: [2, 3] },
  RMSprop: { light: "#00805c", dark: "#3ecf9f", dash: [12, 4] },
  Adam: { light: "#c24a00", dark: "#ff8f4d", dash: [] },
  AdamW: { light: "#7a2e00", dark: "#e8a07a", dash: [8, 3, 2, 3] },
  NAdam: { light: "#b3623a", dark: "#f5b895", dash: [6, 2, 1, 2, 1, 2] },
  Lion: { light: "#a8558a", dark: "#e5a0cb", dash: [7, 3] },
  Muon: { light: "#5e2a84", dark: "#a878dc", dash: [] },
};

/** @param {string} name @param {boolean} dark @returns {{ colour: string, dash: number[] }} */
export function styleOf(name, dark) {
  const style = STYLES[name] ?? { light: "#333333", dark: "#dddddd", dash: [4, 3] };
  return { colour: dark ? style.dark : style.light, dash: style.dash };
}

// Cividis (Nuñez, Anderton and Renslow, 2018), every eighth colour: even in lightness, the same to the colour-blind.
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];

const channels = (/** @type {string} */ hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/** A colour of the scale, dark to bright. @param {number} t 0 … 1 @returns {[number, number, number]} red, green, blue, 0 … 255 */
export function scale(t) {
  const at = Math.min(Math.max(t, 0), 1) * (CIVIDIS.length - 1);
  const low = channels(CIVIDIS[Math.floor(at)]);
  const high = channels(CIVIDIS[Math.ceil(at)]);
  const [r, g, b] = low.map((v, i) => Math.round(v + (high[i] - v) * (at % 1)));
  return [r, g, b];
}

/** Brightness of a CSS colour, 0 … 1, or null if it is see-through. @param {string} colour as `getComputedStyle` writes it */
export function brightness(colour) {
  const [r, g, b, alpha = 1] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  if (b === undefined || alpha < 0.5) return null;
  return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}

/** Whether the page around an element is dark: what it says of itself, else the colour behind the element.
 * @param {HTMLElement} host */
export function isDark(host) {
  const html = document.documentElement;
  const says = [html, document.body].flatMap((node) => [node?.getAttribute("theme"), node?.getAttribute("data-theme"),
    node?.getAttribute("data-bs-theme"), node?.dataset.jpThemeLight === "false" ? "dark" : null]);
  if (says.includes("dark") || document.body?.matches(".vscode-dark, .quarto-dark, .vscode-high-contrast")) return true;
  for (let node = /** @type {HTMLElement | null} */ (host); node; node = node.parentElement) {
    const light = brightness(getComputedStyle(node).backgroundColor);
    if (light !== null) return light < 0.5;
  }
  return getComputedStyle(html).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches;
}
