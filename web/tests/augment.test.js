import assert from "node:assert/strict";
import { test } from "node:test";
import { augment } from "../core/draws.js";
import { caption, changed, clean, drawn, pythonCode, read, spec, words } from "../augment.js";

const OFF = { ...spec.defaults, padding: 0, flip: 0, erase: 0 };
const bytes = Uint8Array.from({ length: 16 * 784 }, (_, i) => (i * 31) % 256);
const labels = Array.from({ length: 16 }, (_, i) => ["Bag", "Shirt", "Sneaker"][i % 3]);
const DATA = { pictures: Buffer.from(bytes).toString("base64"), labels, mean: 0.25, std: 0.5 };
const given = /** @type {NonNullable<ReturnType<typeof read>>} */ (read(DATA));
const make = (/** @type {object} */ patch) => augment(given.images, { ...OFF, ...patch }, given.fill);
const seeds = Array.from({ length: 200 }, (_, seed) => seed);

test("pictures are normalised, and black is the fill", () => {
  assert.deepEqual([...given.images[0].pixels.slice(0, 2)], [-0.5, (31 / 255 - 0.25) / 0.5]);
  assert.deepEqual([given.fill, given.images[4].target], [-0.5, [0, 1, 0]]);
  assert.deepEqual([read(undefined), read({ pictures: "AAAA", labels: [] })], [null, null]);
});

test("a state from elsewhere is mended", () => {
  const odd = { ...OFF, padding: 99, cutout: 2.6, flip: -1, pct: 0, mixup: 0.01, cutmix: 99, seed: -5, selected: 16 };
  const mended = { ...OFF, padding: 8, cutout: 3, flip: 0, pct: 0.05, mixup: 0.05, cutmix: 10, seed: 0, selected: 15 };
  assert.deepEqual(clean(odd), mended);
  assert.deepEqual(clean(spec.defaults), spec.defaults);
});

test("with all strengths 0 the pictures stay", () => {
  const made = make({});
  assert.equal(changed(made.images, given.images), 0);
  assert.deepEqual(made.draws[3], {});
});

test("a slider leaves alone what the other transforms drew", () => {
  const a = make({ padding: 1, flip: 0.5, erase: 4, mixup: 1 });
  const b = make({ padding: 8, flip: 0.9, cutout: 5, erase: 4, mixup: 1 });
  a.draws.forEach((draw, i) => {
    assert.deepEqual([draw.erased, draw.mixed], [b.draws[i].erased, b.draws[i].mixed]);
    assert.ok(!draw.flipped || b.draws[i].flipped);
  });
});

test("one draw for the batch, or one for each picture", () => {
  const all = { padding: 8, flip: 0.5, cutout: 8, erase: 4, copy: 4 };
  const texts = (/** @type {boolean} */ batch) => make({ ...all, batch }).draws.map((draw) => JSON.stringify(draw));
  const [same, own] = [new Set(texts(true)), new Set(texts(false))];
  assert.deepEqual([same.size, own.size], [1, 16]);
  assert.notDeepEqual(make({ ...all, seed: 1 }).draws, make({ ...all, seed: 2 }).draws);
});

test("draws are spread as the library's are", () => {
  const draws = seeds.flatMap((seed) => make({ padding: 1, flip: 0.3, erase: 2, cutmix: 1, seed }).draws);
  /** @param {(draw: typeof draws[0]) => boolean | undefined} f @param {number} p */
  const often = (f, p) => {
    const share = draws.filter(f).length / draws.length;
    assert.ok(Math.abs(share - p) < 4 * Math.sqrt((p * (1 - p)) / draws.length), `${share} of ${f}`);
  };
  often(({ flipped }) => flipped, 0.3);
  for (const by of [-1, 0, 1]) for (const k of [0, 1]) often(({ moved }) => moved?.[k] === by, 1 / 3);
  for (const n of [0, 1, 2]) often(({ erased }) => erased?.length === n, 1 / 3);
  often(({ pasted }) => pasted?.other === 3, 1 / 16);
  assert.equal(new Set(draws.slice(0, 16).map(({ pasted }) => pasted?.other)).size, 16);
});

test("noise in patches has the mean and the range of the batch, and less than its deviation", () => {
  const { images, draws } = make({ erase: 4, pct: 0.5 });
  /** @type {number[]} */
  const noise = [];
  images.forEach(({ pixels }, i) => pixels.forEach((v, at) => {
    const [row, column] = [Math.floor(at / 28), at % 28];
    const within = (/** @type {number} */ k, /** @type {number} */ from) => k >= from && k < from + 14;
    if (draws[i].erased?.some(([top, left]) => within(row, top) && within(column, left))) noise.push(v);
    else assert.equal(v, given.images[i].pixels[at]);
  }));
  const mean = noise.reduce((sum, v) => sum + v, 0) / noise.length;
  const std = Math.sqrt(noise.reduce((sum, v) => sum + (v - mean) ** 2, 0) / noise.length);
  assert.ok(noise.length > 3000 && Math.min(...noise) === -0.5 && Math.max(...noise) === 1.5);
  const batch = 2 / Math.sqrt(12); // of bytes that are all as likely, from -0.5 to 1.5
  assert.ok(Math.abs(mean - 0.5) < 0.05 && std < batch && std > 0.7 * batch, `${mean} ${std}`);
});

test("labels have the shares of a blend", () => {
  assert.equal(caption([0, 1, 0], given.classes), "Shirt");
  assert.equal(caption([0.3, 0, 0.7], given.classes), "70\u00a0% Sneaker, 30\u00a0% Bag");
  assert.equal(caption([0.002, 0.998, 0], given.classes), "Shirt");
  const { images, draws } = make({ cutmix: 1 });
  images.forEach(({ target }, i) => {
    const { other, rows, columns } = /** @type {NonNullable<typeof draws[0]["pasted"]>} */ (draws[i].pasted);
    const area = labels[other] === labels[i] ? 0 : (rows * columns) / 784;
    assert.ok(Math.abs((target?.[given.classes.indexOf(labels[i])] ?? 0) - (1 - area)) < 1e-12);
  });
});

test("draws in words", () => {
  const at = /** @type {[number, number]} */ ([0, 0]);
  const most = { erase: 3, copy: 1 };
  assert.equal(drawn({ moved: [0, 1], flipped: true, erased: [at, at] }, labels, 0, most),
    "moved 1 right, flipped, 2 of up to 3 patches erased");
  assert.equal(drawn({ moved: [-1, 0] }, labels, 0, most), "moved 1 up");
  const copied = [{ from: at, to: at }];
  assert.equal(drawn({ moved: [-2, -1], flipped: false, cutout: [0, 27], copied }, labels, 0, most),
    "moved 1 left and 2 up, not flipped, a square cut out about row 1, column 28, 1 of up to 1 patch copied");
  const [mixed, pasted] = [{ other: 1, share: 0.3 }, { other: 1, rows: 9, columns: 12 }];
  assert.equal(drawn({ moved: [0, 0], erased: [], mixed, pasted }, labels, 0, most),
    "not moved, 0 of up to 3 patches erased, 30\u00a0% of picture 2 (Shirt) mixed in, "
    + "9×12 pixels of picture 2 (Shirt) pasted in");
  assert.equal(drawn({ mixed, pasted }, labels, 1, most),
    "mixup drew the picture itself: unchanged, CutMix drew the picture itself: unchanged");
  assert.equal(drawn({ mixed: { other: 1, share: 0.997 } }, labels, 0, most), "replaced by picture 2 (Shirt)");
  assert.equal(drawn({}, labels, 0, most), "all transforms are off");
});

test("the words follow the pictures", () => {
  const state = { ...OFF, cutout: 28, selected: 2 };
  const made = make(state);
  made.draws[2] = { cutout: [4, 5] };
  made.images[2] = { ...made.images[2], pixels: given.images[2].pixels.map((v, at) => (at < 392 ? 9 : v)) };
  const share = Math.round(100 * changed(made.images, given.images));
  assert.equal(words(state, given, made), `${share}\u00a0% of all pixels differ from the originals.\n`
    + "Picture 3, Sneaker: a square cut out about row 5, column 6; 50\u00a0% of its pixels differ.");
  const originals = words({ ...state, originals: true }, given, made);
  assert.ok(originals.startsWith(`These are the originals. Augmented, ${share}\u00a0% of all pixels would differ.\n`));
});

test("the code has what is on, in the order of the chain", () => {
  assert.equal(pythonCode(spec.defaults, -0.81018), "cbs = [BatchTransformCB(augment("
    + "RandomCrop(2, fill=-0.8102), RandomFlip(0.5), RandErase(0.2, max_num=3)))]\n"
    + "# fill: black. 0 is the mean of normalised pixels, a grey");
  assert.equal(pythonCode({ ...OFF, mixup: 0.4, batch: true }, 0), "cbs = [BatchTransformCB(Mixup(0.4))]\n"
    + "# miniai draws anew for each picture, unlike here");
  const cutmix = "from torchvision.transforms import v2\ncutmix = v2.CutMix(num_classes=10, alpha=0.5)\n"
    + "cbs = [BatchTransformCB(lambda batch: cutmix(*batch))]\n# torchvision's CutMix draws once a batch";
  assert.equal(pythonCode({ ...OFF, cutmix: 0.5 }, 0), `${cutmix}, unlike here; yours is exercise 3`);
  assert.match(pythonCode({ ...OFF, cutmix: 1 }, 0), /alpha=1\.0\)/);
  assert.equal(pythonCode({ ...OFF, cutmix: 0.5, batch: true }, 0), `${cutmix}; yours is exercise 3`);
  assert.equal(pythonCode(OFF, 0), "cbs = []");
});
