// Newton–Schulz, as miniai.optim.orthogonalize in float64: matrices are arrays, row after row.

/** @typedef {readonly number[]} Vector */

/** a [n, k] times b [k, m]. @type {(a: Vector, b: Vector, k: number) => number[]} */
function product(a, b, k) {
  const n = a.length / k, m = b.length / k, c = [];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += a[i * k + l] * b[l * m + j];
      c.push(sum);
    }
  }
  return c;
}

/** x [rows, columns] turned over. @type {(x: Vector, rows: number, columns: number) => number[]} */
function transpose(x, rows, columns) {
  const turned = [];
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i < rows; i++) turned.push(x[i * columns + j]);
  }
  return turned;
}

/**
 * A matrix with all its singular values brought near 1, from 0.7 to 1.2 or so: Newton–Schulz, Jordan et al. (2024).
 * @param {Vector} g the matrix, row after row
 * @param {number} columns
 * @param {number} [steps] iterations
 * @param {[number, number, number]} [coefficients] of the quintic
 * @param {number} [eps] least norm to divide by
 * @returns {number[]} a matrix of the same shape
 */
export function orthogonalize(g, columns, steps = 5, coefficients = [3.4445, -4.775, 2.0315], eps = 1e-7) {
  const [a, b, c] = coefficients, rows = g.length / columns, tall = rows > columns;
  const [n, m] = tall ? [columns, rows] : [rows, columns];
  const norm = Math.max(Math.sqrt(g.reduce((sum, value) => sum + value * value, 0)), eps);
  let x = (tall ? transpose(g, rows, columns) : g).map((value) => value / norm);
  for (let k = 0; k < steps; k++) {
    const gram = product(x, transpose(x, n, m), m), square = product(gram, gram, n);
    const bent = product(gram.map((value, i) => b * value + c * square[i]), x, n);
    x = x.map((value, i) => a * value + bent[i]);
  }
  return tall ? transpose(x, n, m) : x;
}
