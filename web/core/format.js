// Numbers as people write them.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** An exponent above the line. @param {number} n whole */
export function superscript(n) {
  return (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map((digit) => SUPERSCRIPTS[Number(digit)]).join("");
}

/** @type {Map<number, Intl.NumberFormat>} */
const formats = new Map();

/** Intl's own, kept: making one takes longer than using it. @param {number} digits */
function format(digits) {
  const made = formats.get(digits) ?? new Intl.NumberFormat("en", { maximumSignificantDigits: digits });
  formats.set(digits, made);
  return made;
}

/** A number with so many significant digits: 0.05, 1,200, 3.1×10⁻⁷. @param {number} x @param {number} [digits] @returns {string} */
export function short(x, digits = 3) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "not a number" : x > 0 ? "∞" : "−∞";
  const rounded = Number(x.toPrecision(digits));
  const size = Math.abs(rounded);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) {
    const power = Math.floor(Math.log10(size) + 1e-12);
    return `${short(rounded / 10 ** power, digits)}×10${superscript(power)}`;
  }
  return format(digits).format(rounded).replace("-", "−");
}

/** A number as Python reads it, no longer than it need be. @param {number} x @param {number} [digits] */
export function python(x, digits = 6) { return String(Number(x.toPrecision(digits))); }

const MANTISSAS = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];

/** Round numbers from `min` to `max`, ten a decade. @param {number} min above 0 @param {number} max @returns {number[]} */
export function roundNumbers(min, max) {
  const found = [];
  for (let power = Math.floor(Math.log10(min)) - 1; power <= Math.log10(max); power++) {
    for (const m of MANTISSAS) {
      const value = Number(`${m}e${power}`);
      if (value >= min * (1 - 1e-9) && value <= max * (1 + 1e-9)) found.push(value);
    }
  }
  return found;
}

/** About `n` round numbers between two others. @param {number} low @param {number} high @param {number} [n] @returns {number[]} */
export function ticks(low, high, n = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  const found = [];
  const end = high * (1 + 1e-12) + step * 1e-9;
  for (let i = Math.ceil(low / step - 1e-9); i * step <= end; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

/** Powers of ten between two numbers, at most about `n`. @param {number} low above 0 @param {number} high @param {number} [n] */
export function powers(low, high, n = 6) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.max(1, Math.ceil((last - first + 1) / n));
  const all = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  return all.filter((k) => k % every === 0).map((k) => 10 ** k);
}
