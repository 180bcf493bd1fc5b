import assert from "node:assert/strict";
import test from "node:test";

import { axes } from "../core/canvas.js";
import { contour, sample } from "../core/field.js";

test("the contour of x² + y² at 4 is the circle of radius 2", () => {
  const at = axes({ xlim: [-3, 3], ylim: [-3, 3], box: [10, 20, 310, 320] });
  const field = sample(at, 5, (x, y) => x * x + y * y), pieces = contour(field, 4);
  let length = 0;
  for (const [x0, y0, x1, y1] of pieces) {
    const [x, y] = [at.fromX(field.x(x0)), at.fromY(field.y(y0))];
    assert.ok(Math.abs(Math.hypot(x, y) - 2) < 2e-3);
    length += Math.hypot(at.fromX(field.x(x1)) - x, at.fromY(field.y(y1)) - y);
  }
  assert.ok(Math.abs(length - 4 * Math.PI) < 0.02);
  assert.deepEqual(contour(field, 100), []);
});
