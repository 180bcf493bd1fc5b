import assert from "node:assert/strict";
import { test } from "node:test";
import { measured, read, verdict } from "../guess.js";

const data = { question: "How many?", key: "k", unit: "points", answer: 0.73, interval: /** @type {[number, number]} */ ([0.5, 0.95]) };

test("the answer comes with its interval", () => {
  assert.equal(measured(data), "The answer: 0.73 points, 95 % interval 0.5 to 0.95 points.");
  assert.equal(measured({ ...data, interval: undefined, unit: "%" }), "The answer: 0.73 %.");
});

test("a guess is told how far off it was, or that nobody can tell it from the answer", () => {
  assert.equal(verdict(data, 2), "Your guess, 2 points, was 1.27 points too high.");
  assert.equal(verdict(data, -0.5), "Your guess, −0.5 points, was 1.23 points too low.");
  assert.equal(verdict(data, 0.95), "Your guess, 0.95 points, lies within the interval.");
  assert.match(verdict({ ...data, interval: [0.2032, 1.1968] }, 1.2), /within/); // as it is printed
  assert.equal(verdict({ ...data, interval: undefined, unit: "" }, 0.73), "Your guess, 0.73, is exactly that.");
});

test("numbers are read as people write them", () => {
  const written = ["1.5", "1,5", " −2 ", "1 500", "1,500", "1,500.25", "1.500,5", "0,125", "50 %", "3e-4", ".5", "7."];
  assert.deepEqual(written.map(read), [1.5, 1.5, -2, 1500, 1500, 1500.25, 1500.5, 0.125, 50, 3e-4, 0.5, 7]);
  for (const none of ["", "abc", "1.2.3", "1.2,3", "5 points", "1e999", "-"]) assert.equal(read(none), null, none);
});

test("of choices, several may hold", () => {
  const choice = { question: "Which?", key: "k", choices: ["one", "two", "three"], right: [0, 2] };
  assert.equal(measured(choice), "The answer: one; three.");
  assert.equal(verdict(choice, 2), "Your guess was right.");
  assert.equal(verdict(choice, 1), "You said: two.");
});
