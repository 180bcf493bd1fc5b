// Pictures: canvases in device pixels, axes, lines, and points that can be dragged by mouse, finger and keyboard.
import { el } from "./controls.js";
import { powers, short, superscript, ticks } from "./format.js";

/**
 * @template S, D
 * @typedef {import("./interactive.js").View<S, D>} View
 */

/**
 * @typedef {object} Picture
 * @property {HTMLElement} element the stage: a canvas, and handles upon it
 * @property {() => [number, number]} size width and height, in CSS pixels
 */

/**
 * A canvas as wide as its place. It is drawn after each change, and when its size changes.
 * @template S, D
 * @param {View<S, D>} view
 * @param {object} o
 * @param {number | ((width: number) => number)} o.height CSS pixels, or how they follow from the width
 * @param {(state: S) => string} o.label the picture in words
 * @param {(ctx: CanvasRenderingContext2D, width: number, height: number, state: S) => void} o.paint on a clean canvas
 * @returns {Picture}
 */
export function picture(view, o) {
  const canvas = el("canvas", { role: "img" });
  const element = el("div", { class: "stage" }, canvas);
  const size = () => {
    const width = element.clientWidth;
    return /** @type {[number, number]} */ ([width, typeof o.height === "number" ? o.height : Math.round(o.height(width))]);
  };
  const paint = () => {
    const [width, height] = size();
    if (!width) return;
    const ratio = devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) {
      [canvas.width, canvas.height] = [w, h];
      canvas.style.aspectRatio = `${width} / ${height}`;
    }
    const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    ctx.font = "12px system-ui, sans-serif";
    o.paint(ctx, width, height, view.state);
    canvas.setAttribute("aria-label", o.label(view.state));
    element.dispatchEvent(new Event("painted"));
  };
  view.draw(paint);
  new ResizeObserver(() => requestAnimationFrame(paint)).observe(element);
  return { element, size };
}

/**
 * @typedef {object} Axes
 * @property {(x: number) => number} x data → CSS pixels
 * @property {(y: number) => number} y
 * @property {(px: number) => number} fromX CSS pixels → data
 * @property {(py: number) => number} fromY
 * @property {[number, number, number, number]} box left, top, right, bottom, in CSS pixels
 */

/**
 * @typedef {object} AxesOptions
 * @property {[number, number]} xlim
 * @property {[number, number]} ylim
 * @property {boolean} [xlog]
 * @property {boolean} [ylog]
 * @property {[number, number, number, number]} box left, top, right, bottom, in CSS pixels
 * @property {string} [xlabel]
 * @property {string} [ylabel]
 */

/** The maps between data and pixels. @param {AxesOptions} o @returns {Axes} */
export function axes(o) {
  const [left, top, right, bottom] = o.box;
  /** @param {[number, number]} lim @param {boolean | undefined} log @param {number} from @param {number} to */
  const way = (lim, log, from, to) => {
    const [a, b] = log ? lim.map(Math.log10) : lim;
    return {
      there: (/** @type {number} */ v) => from + (((log ? Math.log10(v) : v) - a) / (b - a)) * (to - from),
      back: (/** @type {number} */ p) => {
        const v = a + ((p - from) / (to - from)) * (b - a);
        return log ? 10 ** v : v;
      },
    };
  };
  const [x, y] = [way(o.xlim, o.xlog, left, right), way(o.ylim, o.ylog, bottom, top)];
  return { x: x.there, y: y.there, fromX: x.back, fromY: y.back, box: o.box };
}

const tick = (/** @type {number} */ value, /** @type {boolean | undefined} */ log) => {
  const power = Math.round(Math.log10(value));
  return log && (power < -3 || power > 4) ? `10${superscript(power)}` : short(value);
};

/**
 * Frame, grid, numbers and names.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Axes} at
 * @param {AxesOptions} o
 * @param {import("./colour.js").Colours} colours
 */
export function frame(ctx, at, o, colours) {
  const [left, top, right, bottom] = o.box;
  const xs = o.xlog ? powers(...o.xlim) : ticks(...o.xlim, Math.max(2, (right - left) / 70));
  const ys = o.ylog ? powers(...o.ylim, Math.max(2, (bottom - top) / 28))
    : ticks(...o.ylim, Math.max(2, (bottom - top) / 40));
  ctx.lineWidth = 1;
  ctx.setLineDash([]);
  ctx.strokeStyle = colours.grid;
  ctx.beginPath();
  for (const v of xs) { ctx.moveTo(at.x(v), top); ctx.lineTo(at.x(v), bottom); }
  for (const v of ys) { ctx.moveTo(left, at.y(v)); ctx.lineTo(right, at.y(v)); }
  ctx.rect(left, top, right - left, bottom - top);
  ctx.stroke();
  ctx.fillStyle = colours.soft;
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  for (const v of xs) ctx.fillText(tick(v, o.xlog), at.x(v), bottom + 4);
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  for (const v of ys) ctx.fillText(tick(v, o.ylog), left - 5, at.y(v));
  ctx.fillStyle = colours.ink;
  ctx.textAlign = "center";
  if (o.xlabel) { ctx.textBaseline = "bottom"; ctx.fillText(o.xlabel, (left + right) / 2, bottom + 35); }
  if (!o.ylabel) return;
  ctx.save();
  const widest = Math.max(...ys.map((v) => ctx.measureText(tick(v, o.ylog)).width));
  ctx.translate(Math.max(8, left - Math.max(42, widest + 13)), (top + bottom) / 2);
  ctx.rotate(-Math.PI / 2);
  ctx.textBaseline = "middle";
  ctx.fillText(o.ylabel, 0, 0);
  ctx.restore();
}

/**
 * Draw inside a box only.
 * @param {CanvasRenderingContext2D} ctx
 * @param {[number, number, number, number]} box
 * @param {() => void} draw
 */
export function clipped(ctx, [left, top, right, bottom], draw) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, bottom - top);
  ctx.clip();
  draw();
  ctx.restore();
}

/**
 * A line through points; it breaks where a number is not finite.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Axes} at
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys
 * @param {{ colour: string, dash?: number[], width?: number }} style
 */
export function line(ctx, at, xs, ys, style) {
  ctx.strokeStyle = style.colour;
  ctx.lineWidth = style.width ?? 2;
  ctx.setLineDash(style.dash ?? []);
  ctx.lineJoin = "round";
  ctx.beginPath();
  let on = false;
  for (let i = 0; i < xs.length; i++) {
    const [x, y] = [at.x(xs[i]), at.y(ys[i])];
    if (!Number.isFinite(x) || !Number.isFinite(y)) on = false;
    else if (on) ctx.lineTo(x, y);
    else { ctx.moveTo(x, y); on = true; }
  }
  ctx.stroke();
  ctx.setLineDash([]);
}

/** A point. @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} radius
 * @param {string} colour @param {boolean} [filled] */
export function dot(ctx, x, y, radius, colour, filled = true) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.lineWidth = 2;
  ctx.fillStyle = ctx.strokeStyle = colour;
  if (filled) ctx.fill();
  else ctx.stroke();
}

/** An arrow from one pixel to another.
 * @param {CanvasRenderingContext2D} ctx @param {[number, number]} from @param {[number, number]} to
 * @param {string} colour @param {number} [width] of the shaft */
export function arrow(ctx, [x, y], [toX, toY], colour, width = 2.5) {
  const length = Math.hypot(toX - x, toY - y);
  if (!(length > 0.5)) return;
  const [ux, uy] = [(toX - x) / length, (toY - y) / length];
  const head = Math.min(9, length);
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = width;
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(toX - ux * head * 0.8, toY - uy * head * 0.8);
  ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(toX, toY);
  ctx.lineTo(toX - ux * head - uy * head * 0.5, toY - uy * head + ux * head * 0.5);
  ctx.lineTo(toX - ux * head + uy * head * 0.5, toY - uy * head - ux * head * 0.5);
  ctx.fill();
}

/** Where a point of the window lies in a picture, in its own pixels, also where the page is shown smaller.
 * @param {Picture} on @param {number} clientX @param {number} clientY @returns {[number, number]} */
export function where(on, clientX, clientY) {
  const box = on.element.getBoundingClientRect(), scale = on.element.clientWidth / box.width || 1;
  return [(clientX - box.left) * scale, (clientY - box.top) * scale];
}

/**
 * A point upon a picture to drag; arrow keys move it too, faster with Shift; Home and End to the sides.
 * @template S, D
 * @param {View<S, D>} view
 * @param {Picture} on
 * @param {object} o
 * @param {string} o.label
 * @param {(state: S) => [number, number]} o.at where it is, in CSS pixels
 * @param {(state: S) => string} o.say its value in words
 * @param {(px: number, py: number) => void} o.drag moved there, in CSS pixels
 * @param {(right: number, up: number) => void} o.nudge moved so many steps by the arrow keys
 */
export function handle(view, on, o) {
  const node = el("button", { type: "button", class: "handle", role: "slider",
    "aria-label": `${o.label}; arrow keys move it`,
    title: o.label });
  let grabbed = [0, 0];
  const to = (/** @type {PointerEvent} */ event) =>
    o.drag(...where(on, event.clientX - grabbed[0], event.clientY - grabbed[1]));
  node.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const box = node.getBoundingClientRect();
    grabbed = [event.clientX - (box.left + box.right) / 2, event.clientY - (box.top + box.bottom) / 2];
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => { if (node.hasPointerCapture(event.pointerId)) to(event); });
  node.addEventListener("keydown", (event) => {
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1], PageUp: [0, 10],
      PageDown: [0, -10], Home: [-1000, 0], End: [1000, 0] }[event.key];
    if (!way || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const by = event.shiftKey ? 10 : 1;
    o.nudge(way[0] * by, way[1] * by);
  });
  const move = () => {
    const [x, y] = o.at(view.state);
    const [width, height] = on.size();
    const inside = (/** @type {number} */ v, /** @type {number} */ end) => Math.min(Math.max(v, 0), end);
    const [left, top] = [inside(x, width) / (width || 1), inside(y, height) / (height || 1)].map((share) => 100 * share);
    Object.assign(node.style, { left: `${left}%`, top: `${top}%` }); // so that print scales it with the picture
    node.setAttribute("aria-valuenow", String(Math.round(left)));
    node.setAttribute("aria-valuetext", o.say(view.state));
  };
  on.element.addEventListener("painted", move);
  view.draw(move);
  on.element.append(node);
  return node;
}

/** A piece of a line. @param {string} colour @param {number[]} dash */
function swatch(colour, dash) {
  const make = (/** @type {string} */ tag, /** @type {Record<string, string>} */ attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const svg = make("svg", { viewBox: "0 0 30 10", "aria-hidden": "true" });
  svg.append(make("path", { d: "M0 5H30", stroke: colour, "stroke-width": "3", "stroke-dasharray": dash.join(" ") }));
  return svg;
}

/**
 * What each line is; the entries follow the state.
 * @template S, D
 * @param {View<S, D>} view
 * @param {(state: S) => { label: string, colour: string, dash?: number[] }[]} entries
 */
export function legend(view, entries) {
  const list = el("ul", { class: "legend" });
  let was = "";
  view.draw((state) => {
    const now = entries(state);
    if (JSON.stringify(now) === was) return;
    was = JSON.stringify(now);
    list.replaceChildren(...now.map(({ label, colour, dash = [] }) => {
      const item = el("li", {}, swatch(colour, dash));
      item.append(label);
      return item;
    }));
  });
  return list;
}
