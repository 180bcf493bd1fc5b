"web/core/transforms.js in a browser against miniai.augment, given the same draws; and the distribution of draws.js."
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from miniai import _pairs, augment as ours
from miniai.exercises import augment as exercises
from miniai.lab.explorer import _NAMES, augmentation_code

H, W, N = 7, 9, 300
CALL = """async text => {
  const [name, calls] = JSON.parse(text), f = (await import("http://miniai.test/web/core/transforms.js"))[name];
  const revived = v => Array.isArray(v) ? v.map(revived) : v?.pixels ? {...v, pixels: Float64Array.from(v.pixels)} : v;
  return JSON.stringify(calls.map(args => f(...revived(args)))
    .map(({ pixels, target }) => ({ pixels: [...pixels], target })));
}"""
DRAWS = """async text => {
  const { augment } = await import("http://miniai.test/web/core/draws.js");
  const [images, settings] = JSON.parse(text);
  const pictures = images.map(rows => ({ pixels: Float64Array.from(rows), height: 7, width: 9 })), out = [];
  for (let seed = 0; pictures.length; seed++)
    out.push(...augment(pictures.splice(0, 250), { pct: 0.2, ...settings, seed, batch: false }, settings.fill ?? 0).images);
  return JSON.stringify(out.map(({ pixels }) => [...pixels]));
}"""

@pytest.fixture
def r(): return np.random.default_rng(0)

def batch(r, n=N): return torch.from_numpy(r.normal(size=(n, 1, H, W)))

def ints(r, low, high, *shape): return torch.from_numpy(r.integers(low, high, shape))

def picture(x, **kwargs): return dict(pixels=x.flatten().tolist(), height=x.shape[-2], width=x.shape[-1], **kwargs)

def in_browser(page, name, *columns):
    "Results of calls, the i-th with the i-th entries of `columns`: images, and targets where there are any."
    columns = [column.tolist() if isinstance(column, torch.Tensor) else column for column in columns]
    out = json.loads(page.evaluate(CALL, json.dumps([name, [*zip(*columns, strict=True)]])))
    pixels = torch.tensor([o["pixels"] for o in out], dtype=torch.float64)
    return pixels.view(-1, 1, H, W), torch.tensor([o.get("target", []) for o in out], dtype=torch.float32)

@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
@pytest.mark.parametrize("padding", [0, 1, 3, 6])
def test_crop(page, r, mode, padding):
    top, left = torch.cartesian_prod(*[torch.arange(2 * padding + 1)] * 2).T      # every window there is
    x, n = batch(r, len(top)), len(top)
    got, _ = in_browser(page, "crop", map(picture, x), top, left, [padding] * n, [.7] * n, [mode] * n)
    assert torch.equal(got, ours.crop(x, top, left, padding, .7, mode))

def test_flip(page, r):
    x, which = batch(r), ints(r, 0, 2, N).bool()
    assert torch.equal(in_browser(page, "flip", map(picture, x), which)[0], ours.flip(x, which))

@pytest.mark.parametrize("size", [1, 2, 3, 6, 7])
def test_cutout(page, r, size):
    row, column = torch.cartesian_prod(torch.arange(-2, H + 2), torch.arange(-2, W + 2)).T
    x, n = batch(r, len(row)), len(row)
    got, _ = in_browser(page, "cutout", map(picture, x), row, column, [size] * n, [.7] * n)
    assert torch.equal(got, ours.cutout(x, row, column, size, .7))

@pytest.mark.parametrize("height, width", [(1, 1), (2, 3), (7, 9)])
def test_erase_and_copy(page, r, height, width):
    "Also over the edge, where the last value of a pixel stays."
    x, k = batch(r), 4
    places = lambda: torch.stack([ints(r, -2, H + 2 - height // 2, k, N), ints(r, -2, W + 2 - width // 2, k, N)], 1)
    to, source, wanted = places(), places(), ints(r, 0, 2, k, N).bool()
    noise = torch.from_numpy(r.normal(size=(k, N, 1, height, width)))
    patches = [[picture(p) for p in per_image] for per_image in noise.transpose(0, 1)]
    got, _ = in_browser(page, "erase", map(picture, x), to[:, 0].T, to[:, 1].T, wanted.T, patches)
    assert torch.equal(got, ours.erase(x, to[:, 0], to[:, 1], wanted, noise))
    pairs = to.permute(2, 0, 1), source.permute(2, 0, 1)
    got, _ = in_browser(page, "copyPatches", map(picture, x), *pairs, [height] * N, [width] * N)
    assert torch.equal(got, ours.copy_patches(x, to, source, height, width))

def with_targets(x, y): return [picture(im, target=t) for im, t in zip(x, F.one_hot(y, 5).tolist())]

@pytest.mark.parametrize("alpha", [.05, .4, 1, 50, 0])
def test_mixup(page, r, alpha):
    x, y = batch(r), ints(r, 0, 5, N)
    torch.manual_seed(0)
    want, target = ours.Mixup(alpha, 5)((x, y))
    torch.manual_seed(0)                                       # the same draws again
    other = torch.randperm(N)
    weight = _pairs._beta(alpha, x.device).sample((N,)).double() if alpha else torch.ones(N)
    got, shares = in_browser(page, "mixup", with_targets(x, y), with_targets(x[other], y[other]), weight)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    torch.testing.assert_close(shares, target, rtol=0, atol=1e-6)     # the class's are float32

@pytest.mark.parametrize("size", [0, 1, 4, 7])
def test_cutmix(page, r, size):
    "The solution of the exercise; over the edge, its images."
    x, y, other = batch(r), ints(r, 0, 5, N), torch.from_numpy(r.permutation(N))
    top, left = ints(r, 0, H + 1, N), ints(r, 0, W + 1, N)
    both, sizes = [with_targets(x, y), with_targets(x[other], y[other])], [size] * N
    got, shares = in_browser(page, "cutmix", *both, top, left, sizes, sizes)
    want, target = exercises.my_cutmix(x, y, other, top, left, size, 5)
    inside = (top <= H - size) & (left <= W - size)
    assert torch.equal(got, want) and inside.any()
    torch.testing.assert_close(shares[inside], target[inside], rtol=0, atol=1e-6)

def moments(x, out):
    "Per image: each pixel's change and its square, their sums, how many changed and its square, [n, 2·h·w + 4]."
    change = (out - x).flatten(1)
    sums = torch.stack([change, change**2, change != 0], 2).sum(1)
    return torch.cat([change, change**2, sums, sums[:, 2:]**2], 1)

@pytest.mark.parametrize("settings", [
    dict(padding=2, fill=.3), dict(flip=.3), dict(cutout=4), dict(erase=3, pct=.35), dict(copy=3, pct=.35),
    dict(padding=1, flip=.5, cutout=3, erase=2, copy=2), dict(mixup=.4), dict(mixup=3.)], ids=str)
def test_draws_have_the_distribution_of_the_classes(page, r, settings):
    "Means of 4,000 images within five standard errors."
    n = 4000
    x = 2 + batch(r, 1) + torch.from_numpy(r.normal(size=(n, 1, 1, 1)))          # one pattern, each its own brightness
    got = json.loads(page.evaluate(DRAWS, json.dumps([x.flatten(1).tolist(), settings])))
    a = moments(x, torch.tensor(got, dtype=torch.float64).view_as(x))
    torch.manual_seed(0)
    if alpha := settings.get("mixup"): want = ours.Mixup(alpha, 1)((x, torch.zeros(n, dtype=torch.int64)))[0]
    else: want = eval(augmentation_code(**dict(padding=0, flip=0) | settings), dict(_NAMES))((x,))[0]
    b = moments(x, want)
    error = ((a.var(0) + b.var(0)) / n).sqrt()
    assert ((a.mean(0) - b.mean(0)).abs() <= 5 * error + 1e-12).all()
