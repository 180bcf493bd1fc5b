// What all interactives share: a place of their own in the page, a state that is kept, frames, theme, reset and link.
import { css } from "./style.js";
import { button, copy, el } from "./controls.js";
import { colours, isDark } from "./colour.js";

/**
 * @template S, D
 * @typedef {object} Spec
 * @property {string} name in links, and of its bundle
 * @property {string} title heading, and what a screen reader calls it
 * @property {S} defaults the state at first; plain JSON
 * @property {(view: View<S, D>) => void} build puts the controls and pictures into `view.root`, once
 * @property {(state: S, data: D) => S} [clean] mends a state that came from a link or from Python
 * @property {boolean} [linked] whether a link may hold the state; false: it may not
 */

/**
 * @template S, D
 * @typedef {object} View
 * @property {HTMLElement} root where to put elements
 * @property {S} state what is shown now; changed by `set` alone
 * @property {D} data what was recorded or given: pictures, measurements
 * @property {(patch: Partial<S>) => void} set change the state; a frame later all is drawn
 * @property {(draw: (state: S) => void) => void} draw call `draw` now, and in the frame after each change
 * @property {import("./colour.js").Colours} colours those of the theme
 * @property {() => boolean} still whether the reader asks for reduced motion
 */

/**
 * @typedef {object} Options
 * @property {string} [id] of this place in the page: state is kept under it, and Python finds it by it
 * @property {object} [state] what differs from the defaults
 * @property {unknown} [data] recorded values, if the interactive needs any
 * @property {string} [title] instead of the interactive's own
 */

/**
 * @template S
 * @typedef {object} Handle
 * @property {() => S} get the state
 * @property {(patch: object) => void} set change it, as from Python
 * @property {(heard: (state: S) => void) => void} subscribe called after each change
 */

/** Each place of the window by its id, and the state that it had: outputs are made anew when a reader scrolls.
 * @returns {{ handles: Map<string, Handle<object>>, states: Map<string, object> }} */
function registry() {
  const all = /** @type {{ miniaiInteractives?: ReturnType<typeof registry> }} */ (globalThis);
  return (all.miniaiInteractives ??= { handles: new Map(), states: new Map() });
}

/**
 * `state` with what of `given` fits: known names, and values of the kind that the interactive opens with.
 * @template {object} S
 * @param {S} defaults
 * @param {unknown} given
 * @param {S} [state]
 * @returns {S}
 */
export function fitting(defaults, given, state = defaults) {
  if (typeof given !== "object" || given === null) return state;
  const kind = (/** @type {unknown} */ v) => (v === null ? "null" : Array.isArray(v) ? "array" : typeof v);
  const fits = Object.entries(given).filter(([name, value]) => {
    const here = /** @type {Record<string, unknown>} */ (defaults)[name];
    if (here === undefined || (typeof value === "number" && !Number.isFinite(value))) return false;
    return kind(value) === kind(here) || here === null;
  });
  return { ...state, ...Object.fromEntries(fits) };
}

/** What the state is called in a link: the second interactive of a kind on a page is another one.
 * @param {string} name @param {HTMLElement} host */
function key(name, host) {
  const before = [...document.querySelectorAll(`.miniai-interactive[data-name="${name}"]`)].indexOf(host);
  return `miniai-${name}${before > 0 ? `-${before + 1}` : ""}`;
}

/** @param {string} key @returns {unknown} the state that the page's address holds */
function fromLink(key) {
  try {
    const held = new URLSearchParams(location.hash.slice(1)).get(key);
    return held === null ? null : JSON.parse(held);
  } catch {
    return null;
  }
}

/** The page's address with a state in it. @param {string} key @param {object} state */
function link(key, state) {
  return `${location.href.split("#")[0]}#${new URLSearchParams([[key, JSON.stringify(state)]])}`;
}

/**
 * The function that puts an interactive into an element of a page.
 * @template {object} S, D
 * @param {Spec<S, D>} spec
 * @returns {(host: HTMLElement, options?: Options) => Handle<S>}
 */
export function interactive(spec) {
  return (host, options = {}) => {
    const data = /** @type {D} */ (options.data);
    /** The state that comes of `from` by what is given; `from` itself where nothing good does.
     * @param {S} from @param {unknown} given */
    const mended = (from, given) => {
      const wanted = fitting(spec.defaults, given, from);
      try {
        return spec.clean?.(wanted, data) ?? wanted;
      } catch {
        return from;
      }
    };
    const { handles, states } = registry();
    const first = mended(spec.defaults, options.state);
    const kept = (options.id && states.get(options.id)) ?? (spec.linked === false ? null : fromLink(key(spec.name, host)));
    /** @type {((state: S) => void)[]} */
    const draws = [];
    /** @type {((state: S) => void)[]} */
    const heard = [];
    let state = mended(first, kept);
    let asked = false;
    const redraw = () => {
      asked = false;
      const shadow = /** @type {ShadowRoot} */ (host.shadowRoot), held = shadow.activeElement;
      for (const draw of draws) draw(state);
      if (held && !usable(held) && shadow.activeElement === held) keepFocus(root, held);
    };
    const later = () => {
      if (!asked) requestAnimationFrame(redraw);
      asked = true;
    };
    /** @param {Partial<S>} patch */
    const set = (patch) => {
      state = { ...state, ...patch };
      if (options.id) states.set(options.id, state);
      for (const hear of heard) hear(state);
      later();
    };
    const root = place(host, options.title ?? spec.title);
    /** @type {View<S, D>} */
    const view = {
      root,
      data,
      set,
      get state() { return state; },
      draw(draw) {
        draws.push(draw);
        draw(state);
      },
      colours: colours(isDark(host)),
      still: () => matchMedia("(prefers-reduced-motion: reduce)").matches,
    };
    onTheme(host, root, (dark) => {
      view.colours = colours(dark);
      later();
    });
    try {
      spec.build(view);
    } catch (error) {
      root.replaceWith(el("slot")); // the still, and whatever else stood there
      throw error;
    }
    const linked = spec.linked !== false && /^(https?|file):/.test(location.protocol);
    root.append(footer(() => set(first), linked ? () => link(key(spec.name, host), state) : null));
    const handle = {
      get: () => state,
      set: (/** @type {object} */ patch) => set(mended(state, patch)),
      subscribe: (/** @type {(state: S) => void} */ hear) => void heard.push(hear),
    };
    if (options.id) {
      handles.set(options.id, /** @type {Handle<object>} */ (/** @type {unknown} */ (handle)));
      dispatchEvent(new CustomEvent("miniai-interactive", { detail: options.id }));
    }
    return handle;
  };
}

/** A section with a style of its own, in the place of whatever stood there. @param {HTMLElement} host @param {string} title */
function place(host, title) {
  const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const root = el("section", { "aria-label": title }, el("h3", {}, title));
  host.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves the keys to us
  root.addEventListener("keydown", (event) => { // and pages that have shortcuts
    const writing = event.target instanceof HTMLInputElement && event.target.type === "text";
    if (writing || /^(Arrow|Page|Home$|End$| $)/.test(event.key)) event.stopPropagation();
  });
  shadow.replaceChildren(el("style", {}, css), root);
  return root;
}

/** Whether a reader can use a control now. @param {Element} node */
const usable = (node) => !node.matches(":disabled") && node.getClientRects().length > 0;

/** Where a control that had the focus can't be used any more, the next one gets it.
 * @param {HTMLElement} root @param {Element} held */
function keepFocus(root, held) {
  const others = [...root.querySelectorAll("button, input, select")].filter(usable);
  const after = others.find((node) => held.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING);
  const next = after ?? others.at(-1);
  if (next instanceof HTMLElement) next.focus();
}

/** What each section does when the page may look different. @type {WeakMap<HTMLElement, () => void>} */
const looks = new WeakMap();
/** Sections, until they are gone. @type {Set<WeakRef<HTMLElement>>} */
const sections = new Set();

/** Look again, all of them: the page's attributes, the reader's setting, a transition's end or the zoom changed. */
function lookAgain() {
  for (const held of sections) {
    const section = held.deref();
    if (section) looks.get(section)?.();
    else sections.delete(held);
  }
}

/**
 * Sets the theme, and says when it or the size of a pixel changes.
 * @param {HTMLElement} host
 * @param {HTMLElement} root
 * @param {(dark: boolean) => void} changed
 */
function onTheme(host, root, changed) {
  let pixel = 0;
  const look = () => {
    const dark = isDark(host);
    if (root.dataset.theme === (dark ? "dark" : "light") && pixel === devicePixelRatio) return;
    root.dataset.theme = dark ? "dark" : "light";
    pixel = devicePixelRatio;
    changed(dark);
  };
  looks.set(root, look);
  if (!sections.size) watchPage();
  sections.add(new WeakRef(root));
  look();
}

let watched = false;
function watchPage() {
  if (watched) return;
  watched = true;
  const watch = new MutationObserver(lookAgain);
  for (const node of [document.documentElement, document.body]) if (node) watch.observe(node, { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", lookAgain);
  document.addEventListener("transitionend", (event) => { if (event.target === document.body) lookAgain(); });
  addEventListener("resize", lookAgain);
}

/** @param {() => void} reset @param {(() => string) | null} address */
function footer(reset, address) {
  const foot = el("footer", {}, button("Reset", reset, "back to how it opened"));
  if (address) {
    const share = button("Copy link", () => void copy(address(), share), "a link that opens this page as it is now");
    foot.append(share);
  }
  return foot;
}
