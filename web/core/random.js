// Draws that a seed repeats, in every browser.

/**
 * Mulberry32, by Tommy Ettinger (2017, public domain): a period of 2³², 32 bits a draw.
 * @param {number} seed a whole number; those that differ by 2³² are the same
 * @returns {() => number} uniform draws, at least 0 and below 1
 */
export function random(seed) {
  if (!Number.isInteger(seed)) throw new TypeError(`seed is ${seed}: it must be a whole number`);
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Box and Muller (1958): two normal draws out of two uniform ones.
 * @param {() => number} uniform draws at least 0 and below 1
 * @returns {() => number} draws of mean 0 and standard deviation 1
 */
export function normal(uniform) {
  /** @type {number | null} */
  let kept = null;
  return () => {
    if (kept !== null) {
      const draw = kept;
      kept = null;
      return draw;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())), angle = 2 * Math.PI * uniform();
    kept = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

/**
 * @param {() => number} uniform draws at least 0 and below 1
 * @param {number} n how many there are to choose from, a whole number above 0
 * @returns {number} a whole number, at least 0 and below n
 */
export function integer(uniform, n) {
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`n is ${n}: it must be a whole number above 0`);
  return Math.floor(uniform() * n);
}
