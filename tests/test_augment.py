"What miniai.augment promises of its transforms, on any batch."
import json, math
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torchvision.transforms import v2

from miniai._pairs import _beta
from miniai.augment import (
    CutMix, Cutout, Mixup, RandCopy, RandErase, RandomCrop, RandomCropFlip, RandomFlip, augment, copy_patches, crop,
    cutmix, cutout, erase, flip, windows)
from miniai.data import DataLoaders
from miniai.layers import plain_cnn
from miniai.learner import BatchTransformCB, Callback, DeviceCB, Learner

def labels(x): return torch.arange(len(x), device=x.device) % 10
def mixed(x, **kwargs): return Mixup(**kwargs)((x, labels(x)))[0]
def pasted(x, **kwargs): return CutMix(**kwargs)((x, labels(x)))[0]

PAIRS = dict(mixup=Mixup, cutmix=CutMix)
TRANSFORMS = dict(crop=RandomCrop(2), edge=RandomCrop(2, padding_mode="edge"), crop_flip=RandomCropFlip(2),
                  flip=RandomFlip(), cutout=Cutout(3), cutout_some=Cutout(3, p=.5), erase=RandErase(), copy=RandCopy(),
                  mixup=mixed, cutmix=pasted)
ALONE = [name for name in TRANSFORMS if name not in PAIRS]
OFF = dict(crop=RandomCrop(2, p=0), no_padding=RandomCrop(0), flip=RandomFlip(0), cutout=Cutout(3, p=0),
           erase=RandErase(p=0), no_patches=RandErase(max_num=0), copy=RandCopy(p=0), no_copies=RandCopy(max_num=0),
           mixup=lambda x: mixed(x, alpha=0), cutmix=lambda x: pasted(x, alpha=0), no_boxes=lambda x: pasted(x, p=0))
each = pytest.mark.parametrize("name", TRANSFORMS)
devices = pytest.mark.parametrize("device", ["cpu"] + ["cuda"] * torch.cuda.is_available())

def pictures(n=6, c=1, h=9, w=7, dtype=torch.float32, last=False, seed=0, device="cpu"):
    "Random images, no two pixels alike (in float32)."
    x = torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(seed)).to(device, dtype)
    return x.to(memory_format=torch.channels_last) if last else x

def numbered(n, c, h, w): return torch.arange(float(n * c * h * w)).view(n, c, h, w)

def uniform(counts, p=1e-4):
    "Whether counts may come from equally likely cells: chi-square, by Wilson and Hilferty's approximation."
    counts = np.asarray(counts, float).ravel()
    chi2, k = ((counts - counts.mean())**2 / counts.mean()).sum(), len(counts) - 1
    z = ((chi2 / k)**(1 / 3) - (1 - 2 / (9 * k))) / math.sqrt(2 / (9 * k))
    return .5 * math.erfc(z / math.sqrt(2)) > p

# -- what every transform keeps

@each
@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 5), c=st.sampled_from([1, 2, 3]), h=st.integers(5, 12), w=st.integers(5, 12),
       dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16]), last=st.booleans(),
       seed=st.integers(0, 99))
def test_kept(name, n, c, h, w, dtype, last, seed):
    x = pictures(n, c, h, w, dtype, last, seed)
    before = x.clone()
    torch.manual_seed(seed)
    out = TRANSFORMS[name](x)
    assert (out.shape, out.dtype, out.device, out.stride()) == (x.shape, x.dtype, x.device, x.stride())
    assert torch.equal(x, before) and out.isfinite().all()
    assert out.untyped_storage().data_ptr() != x.untyped_storage().data_ptr(), "the caller's memory"
    torch.manual_seed(seed)
    assert torch.equal(out, TRANSFORMS[name](x)), "the seed decides"

@devices
@each
def test_device(name, device):
    x = pictures(64, 3, 28, 28, device=device)
    torch.manual_seed(1)
    out = TRANSFORMS[name](x)
    assert out.device == x.device and not torch.equal(out, x)

@pytest.mark.parametrize("name", OFF)
@pytest.mark.parametrize("last", [False, True])
def test_off_is_the_identity(name, last):
    x = pictures(8, 3, last=last)
    assert torch.equal(OFF[name](x), x)

@each
@pytest.mark.parametrize("view", [lambda x: x[::2, :, 1:10, ::2], lambda x: x.mT, lambda x: x.flip(2).mT[::2, :, :1],
                                  lambda x: x[:1, :, :, 3:].expand(4, -1, -1, -1), lambda x: x.transpose(0, 1)])
def test_other_strides(name, view):
    x = view(pictures(6, 3, 12, 12))
    before = x.clone()
    if name in ("crop", "crop_flip", "cutout", "cutout_some") and x.shape[2] < 3: return
    torch.manual_seed(0); out = TRANSFORMS[name](x)
    assert torch.equal(x, before)
    torch.manual_seed(0); assert torch.equal(out, TRANSFORMS[name](x.contiguous()))

@each
def test_images_are_drawn_for_one_by_one(name):
    "The same image 200 times over: each gets draws of its own."
    x = pictures(1, 1, 12, 12).expand(200, -1, -1, -1)
    if name in PAIRS: x = numbered(200, 1, 1, 1).expand(-1, -1, 12, 12)
    torch.manual_seed(0)
    out = TRANSFORMS[name](x)
    assert len({tuple(im.flatten().tolist()) for im in out}) >= (2 if name == "flip" else 20)

@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("n", [1, 300])
def test_images_do_not_touch_each_other(name, n):
    "Change one image: no other comes out different. Noise takes the batch's statistics, so erasing is tested by place."
    x = pictures(n + 1, 2, 9, 8)
    y = x.clone()
    y[0] = y[0].flip(-2)
    torch.manual_seed(0); a = TRANSFORMS[name](x)
    torch.manual_seed(0); b = TRANSFORMS[name](y)
    assert torch.allclose(a[1:], b[1:], atol=1e-6)

GRADIENTS = {name: (t, pictures(3, 2, 6, 5, torch.float64)) for name, t in TRANSFORMS.items() if name != "erase"} | {
    "squares at the edge, in some images": (Cutout(4, p=.5), pictures(8, 1, 5, 5, torch.float64)),
    "patches that overlap each other and their sources": (RandCopy(.6), pictures(4, 2, 6, 5, torch.float64))}

@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients(name):
    "In float64, against finite differences."
    t, x = GRADIENTS[name]
    def f(x):
        torch.manual_seed(3)
        return t(x)
    assert torch.autograd.gradcheck(f, x.clone().requires_grad_())

def test_gradient_of_erasing():
    "What was erased has gradient 0, what was kept 1: the noise's statistics are no way through."
    x = pictures(8, 2, 12, 12).requires_grad_()
    torch.manual_seed(3)
    out = RandErase(.3)(x)
    out.sum().backward()
    assert torch.equal(x.grad, (out == x).to(x.dtype)) and 0 < x.grad.mean() < 1

@pytest.mark.parametrize("name", ALONE)
def test_constant_images(name):
    "A standard deviation of 0 is no division by 0, and a far-off mean no root of something negative."
    x = torch.full((4, 3, 9, 9), 1000.)
    out = TRANSFORMS[name](x)
    assert out.isfinite().all() and (name in ("crop", "crop_flip", "cutout", "cutout_some") or torch.equal(out, x))

# -- where pixels may come from

def test_crop_pixels():
    x = numbered(500, 1, 5, 6) + 1
    torch.manual_seed(0)
    out, counts = RandomCrop(2, fill=-1.)(x), torch.zeros(5, 5)
    padded = F.pad(x, [2] * 4, value=-1.)
    for im, source in zip(out, padded):
        at = [(i, j) for i in range(5) for j in range(5) if torch.equal(im, source[:, i:i + 5, j:j + 6])]
        assert len(at) == 1
        counts[at[0]] += 1
    assert uniform(counts)

def test_places_of_two_images_are_independent():
    "Not only is each place as likely: so is each pair of places."
    torch.manual_seed(0)
    places = torch.stack([torch.stack(RandErase(.5, max_num=1).places(torch.zeros(2, 1, 4, 4)))[:, 0]
                          for _ in range(4000)])                                # 2×2 pixels: 3 rows, 3 columns
    number = places[:, 0] * 3 + places[:, 1]
    assert uniform(torch.bincount(number[:, 0] * 9 + number[:, 1], minlength=81))

@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kwargs", [{}, dict(fill=.5, p=.6), dict(padding_mode="edge"), dict(padding_mode="reflect", p=.3)])
@pytest.mark.parametrize("c", [1, 3])
def test_crop_that_mirrors_is_crop_then_flip(c, kwargs, dtype, last):
    "From the same draws, and as many of them."
    x = pictures(40, c, 10, 8, dtype, last)
    torch.manual_seed(1); one = RandomCropFlip(3, flip=.4, **kwargs)(x), torch.rand(1)
    torch.manual_seed(1); two = RandomFlip(.4)(RandomCrop(3, **kwargs)(x)), torch.rand(1)
    assert torch.equal(one[0], two[0]) and one[1] == two[1] and one[0].stride() == x.stride()
    torch.manual_seed(1); cropped, which = RandomCrop(3, **kwargs)(x), torch.rand(40) < .4
    assert torch.equal(one[0], flip(cropped, which)) and 5 < which.sum() < 35

def test_flip_share():
    x = numbered(4000, 1, 2, 3)
    torch.manual_seed(0)
    out = RandomFlip(.3)(x)
    flipped = (out == x.flip(-1)).all((1, 2, 3))
    assert ((out == x).all((1, 2, 3)) | flipped).all() and abs(flipped.float().mean() - .3) < .03

def test_cutout_places():
    x = torch.ones(6000, 2, 6, 8)
    torch.manual_seed(0)
    gone = Cutout(3, fill=7.)(x) == 7
    assert torch.equal(gone[:, 0], gone[:, 1])
    rows, columns = gone[:, 0].any(2), gone[:, 0].any(1)
    assert torch.equal(gone[:, 0], rows[:, :, None] & columns[:, None]), "a rectangle"
    assert {2, 3} == {*rows.sum(1).tolist()}, "3, or 2 at an edge"
    centre = lambda b: torch.where(b[:, 0] & (b.sum(1) == 2), 0, torch.where(b.sum(1) == 2, b.shape[1] - 1,
                                                                              b.int().argmax(1) + 1))
    assert uniform(torch.bincount(centre(rows) * 8 + centre(columns), minlength=48))

def test_erase_places_and_number():
    x = torch.randn(5000, 1, 8, 7, generator=torch.Generator().manual_seed(1))
    t = RandErase(.3, max_num=1)                          # 2×2 pixels
    torch.manual_seed(0)
    gone = (t(x) != x)[:, 0]
    some = gone.any((1, 2))
    assert abs(some.float().mean() - .5) < .03
    rows, columns = gone[some].any(2), gone[some].any(1)
    assert torch.equal(gone[some], rows[:, :, None] & columns[:, None]) and (rows.sum(1) == 2).all()
    assert uniform(torch.bincount(rows.int().argmax(1) * 6 + columns.int().argmax(1), minlength=42))

def test_erase_number_of_patches():
    torch.manual_seed(0)
    assert uniform(torch.bincount(RandErase(max_num=4).wanted(torch.zeros(5000, 1, 1, 1)).sum(0), minlength=5))

def test_erase_noise():
    "Mean and deviation of the batch, channel by channel; never outside its range."
    x = torch.randn(4000, 2, 10, 10, generator=torch.Generator().manual_seed(0))
    x = x * torch.tensor([1., 20]).view(1, 2, 1, 1) + torch.tensor([-3., 50]).view(1, 2, 1, 1)
    torch.manual_seed(0)
    out = RandErase()(x)
    noise = [out[:, i][out[:, i] != x[:, i]] for i in (0, 1)]
    for values, of in zip(noise, x.unbind(1)):
        assert abs(values.mean() - of.mean()) < .05 * of.std() and abs(values.std() / of.std() - 1) < .05
        assert of.min() <= values.min() and values.max() <= of.max()
    flat = torch.rand(500, 1, 10, 10).round()
    assert RandErase()(flat).aminmax() == flat.aminmax()

def test_copies_come_from_the_same_image():
    x = numbered(400, 1, 10, 10)
    torch.manual_seed(0)
    out = RandCopy()(x)
    assert torch.equal((out // 100).long().flatten(1).amin(1), torch.arange(400)), "its own pixels only"
    assert torch.equal((out // 100).long().flatten(1).amax(1), torch.arange(400))

def test_copy_places():
    x = numbered(8000, 1, 6, 6)
    torch.manual_seed(0)
    t, pairs = RandCopy(.34, max_num=1), torch.zeros(25, 25)      # 2×2 pixels: 25 places
    for im, source in zip(t(x), x):
        changed = (im != source)[0].nonzero()
        if not len(changed): continue
        rows, columns = (changed[:, k].unique() for k in (0, 1))
        assert len(rows) == len(columns) == 2
        first = int(im[0, rows[0], columns[0]]) % 36
        assert torch.equal(im[0, rows][:, columns] % 36, first + torch.tensor([[0., 1], [6, 7]]))
        pairs[rows[0] * 5 + columns[0], first // 6 * 5 + first % 6] += 1
    assert uniform(pairs[~torch.eye(25, dtype=bool)]) and pairs.diag().sum() == 0

@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.sampled_from([.1, .4, 1., 5.]), st.integers(0, 99))
def test_mixup_blends_targets_alike(n, alpha, seed):
    x, y = numbered(n, 1, 2, 2), torch.arange(n)
    torch.manual_seed(seed)
    out, target = Mixup(alpha, n_classes=n)((x, y))
    assert torch.allclose(out, torch.einsum("ij,jchw->ichw", target, x), atol=1e-4)
    assert torch.allclose(target.sum(1), torch.ones(n)) and ((target > 0).sum(1) <= 2).all()

def test_mixup_weights():
    torch.manual_seed(0)
    weights = Mixup(1., 2000)((torch.zeros(2000, 1, 1, 1), torch.arange(2000)))[1].diag()
    assert uniform(torch.histc(weights[weights < 1], 10, 0, 1))

@pytest.mark.parametrize("alpha", [.05, .3, 2., np.float32(.75), np.int64(3), 1e6])
def test_mixup_draws_as_beta_does_from_a_distribution_made_once(alpha, monkeypatch):
    made, Beta, (x, y) = [], torch.distributions.Beta, (numbered(6, 1, 2, 2), torch.arange(6))
    monkeypatch.setattr(torch.distributions, "Beta", lambda *args, **kwargs: made.append(args) or Beta(*args, **kwargs))
    mixup = Mixup(alpha)
    for n in (6, 6, 4):
        torch.manual_seed(n); _, target = mixup((x[:n], y[:n]))
        torch.manual_seed(n); other, a = torch.randperm(n), torch.full((n,), float(alpha))
        assert torch.equal(target, torch.lerp(F.one_hot(other, 10).float(), F.one_hot(y[:n], 10).float(), Beta(a, a).sample()[:, None]))
    assert len(made) == 1

def shares_of_pixels(out, x, y, n_classes=10):
    "By counting: image i of x is i everywhere; the share of each class among the pixels of each image."
    classes = F.one_hot(y[out[:, 0].long()], n_classes).double()
    return classes.mean((1, 2)).float()

@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("c, h, w, alpha, p", [(1, 9, 7, 1., 1), (3, 32, 32, .05, 1), (3, 6, 20, 5., .5), (2, 1, 1, 1., 1)])
def test_cutmix_shares_are_those_of_the_pixels(c, h, w, alpha, p, last):
    x = numbered(200, 1, 1, 1).expand(-1, c, h, w).contiguous(
        memory_format=torch.channels_last if last else torch.contiguous_format)
    y, before = labels(x), x.clone()
    torch.manual_seed(2); out, target = CutMix(alpha, p=p)((x, y))
    assert torch.equal(x, before) and out.stride() == x.stride() and torch.equal(out[:, :1].expand_as(out), out)
    assert torch.allclose(target, shares_of_pixels(out, x, y), atol=1e-6)
    torch.manual_seed(2); again = CutMix(alpha, p=p)((x, y))
    assert torch.equal(out, again[0]) and torch.equal(target, again[1])

def test_cutmix_boxes():
    "One box an image, from one partner, anywhere; where the edge cuts nothing off, 1 − λ of the pixels."
    x = numbered(3000, 1, 1, 1).expand(-1, 1, 12, 8)
    torch.manual_seed(0)
    out, _ = CutMix()((x, torch.zeros(3000, dtype=torch.int64)))
    changed = (out != x)[:, 0]
    rows, columns = changed.any(2), changed.any(1)
    assert torch.equal(changed, rows[:, :, None] & columns[:, None]), "a rectangle"
    assert all(len(im.unique()) <= 2 for im in out), "itself and one other"
    torch.manual_seed(0)
    top, left, height, width = CutMix().boxes(x)
    assert ((top >= 0) & (left >= 0) & (top + height <= 12) & (left + width <= 8)).all()
    torch.manual_seed(0)
    side = (1 - _beta(1., x.device).sample([3000])).sqrt()
    inside = (top > 0) & (left > 0) & (top + height < 12) & (left + width < 8)
    assert inside.sum() > 300
    assert torch.equal(height[inside], (side * 12).long()[inside]) and torch.equal(width[inside], (side * 8).long()[inside])
    single = torch.ones(20_000, 1, 5, 4)
    torch.manual_seed(1)
    t = CutMix(1e6)                                       # λ is one half: boxes of 3×2 about the centre
    top, left, height, width = t.boxes(single)
    centre = torch.where(top > 0, top + 1, height - 2) * 4 + torch.where(left > 0, left + 1, width - 1)
    assert uniform(torch.bincount(centre, minlength=20))

def test_cutmix_draws_for_every_image():
    x = torch.zeros(300, 1, 16, 16)
    torch.manual_seed(0)
    assert len({*zip(*(v.tolist() for v in CutMix().boxes(x)))}) > 200
    torch.manual_seed(0)
    _, _, height, width = CutMix(p=.3).boxes(torch.zeros(4000, 1, 64, 64))
    assert abs((height * width > 0).float().mean() - .3) < .03
    torch.manual_seed(0)
    sizes = CutMix(.05).boxes(x)[2]
    assert (sizes == 0).sum() > 80 and (sizes > 7).sum() > 80, "a small alpha: hardly anything, or much"

@pytest.mark.parametrize("make, kept", [(lambda p: RandomCrop(2, p=p), 1 / 25), (lambda p: Cutout(2, p=p), 0),
                                        (lambda p: RandErase(p=p), 1 / 5), (RandomFlip, 0)])
def test_p_is_a_share_of_the_images(make, kept):
    x = pictures(4000, 1, 8, 8)
    torch.manual_seed(0)
    same = (make(.3)(x) == x).all((1, 2, 3)).float().mean()
    assert abs(same - (.7 + .3 * kept)) < .03

# -- the same as torchvision's, given the same draws

formats = pytest.mark.parametrize("last", [False, True])

@formats
@pytest.mark.parametrize("c", [1, 3])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_crop_is_torchvisions(mode, c, last):
    x, top, left = pictures(9, c, 10, 8, last=last), torch.arange(9) % 7, torch.arange(9) * 2 % 7
    padded = v2.functional.pad(x, 3, fill=.5 if mode == "constant" else 0, padding_mode=mode)
    theirs = [v2.functional.crop(p, int(i), int(j), 10, 8) for p, i, j in zip(padded, top, left)]
    assert torch.equal(crop(x, top, left, 3, .5, mode), torch.stack(theirs))

@formats
def test_flip_is_torchvisions(last):
    x, which = pictures(5, 3, last=last), torch.tensor([True, False, True, True, False])
    theirs = [v2.functional.horizontal_flip(im) if w else im for im, w in zip(x, which)]
    assert torch.equal(flip(x, which), torch.stack(theirs))

@formats
@pytest.mark.parametrize("size", [1, 3, 4])
def test_cutout_is_torchvisions_erase(size, last):
    x, row, column = pictures(5, 3, last=last), torch.tensor([0, 8, 4, 5, 1]), torch.tensor([0, 6, 3, 6, 1])
    theirs = []
    for im, i, j in zip(x, row.tolist(), column.tolist()):
        i0, j0 = i - size // 2, j - size // 2
        box = max(i0, 0), max(j0, 0), min(i0 + size, 9) - max(i0, 0), min(j0 + size, 7) - max(j0, 0)
        theirs.append(v2.functional.erase(im, *box, torch.tensor(2.)))
    assert torch.equal(cutout(x, row, column, size, 2.), torch.stack(theirs))
    which = torch.tensor([True, False, True, False, False])
    some = torch.where(which.view(-1, 1, 1, 1), torch.stack(theirs), x)
    assert torch.equal(cutout(x, row, column, size, 2., which), some)

@formats
def test_erase_is_torchvisions(last):
    x, top = pictures(4, 3, last=last), torch.tensor([[0, 6, 3, 1], [1, 1, 1, 1]])
    left = torch.tensor([[0, 3, 2, 1], [0, 1, 2, 3]])
    wanted, noise = torch.tensor([[True, True, False, True], [True, False, False, True]]), torch.randn(2, 4, 3, 3, 4)
    theirs = x.clone()
    for k in range(2):
        for i in range(4):
            if wanted[k, i]:
                theirs[i] = v2.functional.erase(theirs[i], int(top[k, i]), int(left[k, i]), 3, 4, noise[k, i])
    assert torch.equal(erase(x, top, left, wanted, noise), theirs)

@formats
@pytest.mark.parametrize("c", [1, 3])
def test_cutmix_by_hand(c, last):
    x, other = pictures(4, c, last=last), pictures(4, c, last=last, seed=1)
    boxes = torch.tensor([[0, 0, 9, 7], [2, 3, 4, 2], [5, 1, 0, 3], [8, 6, 1, 1]])
    want = x.clone()
    for im, source, (i, j, h, w) in zip(want, other, boxes.tolist()): im[:, i:i + h, j:j + w] = source[:, i:i + h, j:j + w]
    assert torch.equal(cutmix(x, other, *boxes.T), want)

@formats
def test_copy_by_hand(last):
    x = pictures(2, 3, last=last)
    out = copy_patches(x, torch.tensor([[[0, 5], [0, 2]]]), torch.tensor([[[4, 1], [3, 0]]]), 3, 4)
    assert torch.equal(out[0, :, :3, :4], x[0, :, 4:7, 3:]) and torch.equal(out[1, :, 5:8, 2:6], x[1, :, 1:4, :4])
    assert (out != x).sum() == 2 * 3 * 12

def test_copies_follow_one_another():
    "The second patch comes from where the first one went."
    x, to, source = pictures(1), torch.tensor([[[0], [0]], [[4], [4]]]), torch.tensor([[[2], [2]], [[0], [0]]])
    assert torch.equal(copy_patches(x, to, source, 2, 2)[0, 0, 4:6, 4:6], x[0, 0, 2:4, 2:4])

def test_windows_are_a_view():
    x = pictures()
    assert windows(x, 3, 4).shape == (6, 1, 7, 4, 3, 4) and windows(x, 3, 4).data_ptr() == x.data_ptr()
    assert torch.equal(windows(x, 3, 4)[2, :, 5, 1], x[2, :, 5:8, 1:5])

# -- refused

BAD = [(lambda: RandomCrop(-1), "padding is -1"), (lambda: RandomCrop(1.5), "padding is 1.5"),
       (lambda: RandomCrop(1, padding_mode="wrap"), "padding_mode is 'wrap'"), (lambda: RandomCrop(p=1.1), "p is 1.1"),
       (lambda: RandomFlip(-.1), "p is -0.1"), (lambda: RandomFlip(math.nan), "p is nan"),
       (lambda: RandomFlip("half"), "p is 'half'"), (lambda: Cutout(0), "size is 0"),
       (lambda: Cutout(10)(pictures()), "size is 10: the images have 9×7"), (lambda: RandErase(0), "pct is 0"),
       (lambda: RandErase(1.2), "pct is 1.2"), (lambda: RandErase(max_num=-1), "max_num is -1"),
       (lambda: RandCopy(p=2), "p is 2"), (lambda: Mixup(-1), "alpha is -1"),
       (lambda: Mixup(1e-3), "alpha is 0.001: it must be at least 0.05"), (lambda: Mixup(math.inf), "alpha is inf"),
       (lambda: Mixup("0.4"), "alpha is '0.4'"), (lambda: RandomCrop(1, padding_mode=["edge"]), r"padding_mode is \['edge'\]"),
       (lambda: Mixup(n_classes=0), "n_classes is 0"), (lambda: RandomCropFlip(flip=1.5), "flip is 1.5"),
       (lambda: CutMix(-1), "alpha is -1"), (lambda: CutMix(1e-3), "alpha is 0.001: it must be at least 0.05"),
       (lambda: CutMix("1"), "alpha is '1'"), (lambda: CutMix(n_classes=0), "n_classes is 0"),
       (lambda: CutMix(p=1.1), "p is 1.1"), (lambda: CutMix(n_classes=3)((pictures(), torch.arange(6))), "3 classes are 0 to 2"),
       (lambda: CutMix()((pictures(), torch.zeros(5, dtype=torch.int64))), r"y is torch.int64 \[5\]"),
       (lambda: CutMix()((pictures(), torch.zeros(6))), "y is torch.float32"),
       (lambda: RandomCrop(7, padding_mode="reflect")(pictures()), "padding is 7"),
       (lambda: RandomCropFlip(7, padding_mode="reflect")(pictures()), "padding is 7"),
       (lambda: Mixup()((pictures(), torch.zeros(5, dtype=torch.int64))), r"y is torch.int64 \[5\]"),
       (lambda: Mixup()((pictures(), torch.zeros(6))), "y is torch.float32")]

@pytest.mark.parametrize("wrong, message", BAD)
def test_refused(wrong, message):
    with pytest.raises(ValueError, match=message): wrong()

@each
def test_only_batches_of_floats(name):
    t = TRANSFORMS[name]
    if name in PAIRS: t = lambda x: PAIRS[name]()((x, torch.zeros(4, dtype=torch.int64)))
    with pytest.raises(ValueError, match="x is torch.uint8"): t(torch.zeros(4, 1, 9, 9, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"x is \[4, 9, 9\]"): t(torch.zeros(4, 9, 9))
    with pytest.raises(ValueError, match="x is ndarray"): t(np.zeros((4, 1, 9, 9)))

# -- in a learner

class Seen(Callback):
    order = 90
    def __init__(self): self.batches = dict(train=[], valid=[])
    def after_predict(self, learn): self.batches[learn.phase].append(learn.batch)

def learner(*cbs, n=32):
    x, y = pictures(n, 1, 28, 28), torch.arange(n) % 10
    return Learner(plain_cnn(), DataLoaders([(x, y)] * 2, [(x, y)]), lr=.01, cbs=cbs), x, y

def test_training_only():
    seen = Seen()
    learn, x, y = learner(BatchTransformCB(augment(RandomCrop(4), RandomFlip(), RandErase())), seen)
    learn.fit(1)
    first, second = (b[0] for b in seen.batches["train"])
    assert not torch.equal(first, x) and not torch.equal(first, second)
    assert torch.equal(seen.batches["valid"][0][0], x) and all(b[1] is y for b in seen.batches["train"])

@pytest.mark.parametrize("name", PAIRS)
def test_pairs_train(name):
    "With shares in training, and with class numbers in validation."
    seen = Seen()
    learn, x, y = learner(BatchTransformCB(PAIRS[name]()), seen)
    learn.fit(1)
    assert all(p.isfinite().all() for p in learn.model.parameters())
    assert {b[1].shape for b in seen.batches["train"]} == {(32, 10)} and seen.batches["valid"][0][1] is y

def test_augment_in_order():
    assert augment(lambda x: x + 1, lambda x: 2 * x)((torch.ones(1), "y")) == (torch.tensor([4.]), "y")

def test_show_image_batch_changes_nothing():
    import matplotlib.pyplot as plt
    learn, x, y = learner(DeviceCB(), BatchTransformCB(augment(RandomFlip())))
    before = [p.clone() for p in learn.model.parameters()], torch.get_rng_state()
    fig = learn.show_image_batch(n=7)
    assert len([ax for ax in fig.axes if ax.images]) == 7 and not torch.equal(learn.batch[0].cpu(), x)
    assert torch.equal(torch.get_rng_state(), before[1])
    assert all(map(torch.equal, before[0], learn.model.parameters()))
    learn.show_image_batch(phase="valid")
    assert torch.equal(learn.batch[0].cpu(), x)
    learn.show_image_batch(4, cbs=[BatchTransformCB(Mixup())])
    assert learn.batch[1].shape == (32, 10)
    with pytest.raises(ValueError, match="phase is 'test'"): learn.show_image_batch(phase="test")
    plt.close("all")

def test_show_image_batch_takes_batches_of_any_form():
    class Named(Learner):
        def inputs(self, batch): return dict(x=batch["image"])
        def targets(self, batch): return batch["label"]
    x, y = pictures(5, 1, 28, 28), torch.tensor([2, 0, 1, 1, 0], dtype=torch.uint8)
    titles = lambda batch, kind=Learner: [ax.get_title() for ax in kind(
        plain_cnn(), DataLoaders([batch], [batch], list("abc"))).show_image_batch(3).axes]
    assert titles((x, y)) == titles(dict(image=x, label=y), Named) == titles(((torch.ones(5, 2), x), y)) == ["c", "a", "b"]
    for batch in (x, (x, (y, y)), (x, torch.rand(5)), (x, torch.zeros(5, 4, dtype=torch.int64)), (x, dict(a=y))):
        assert titles(batch) == [""] * 3
    with pytest.raises(ValueError, match="no images"): titles((torch.ones(5, 2), y))
    with pytest.raises(ValueError, match="3 classes are 0 to 2"): titles((x, y + 1))

def test_settings_are_shown():
    "A recorded run holds its transforms as they show themselves."
    assert repr(RandomCrop(2, p=.5)) == "RandomCrop(padding=2, fill=0.0, padding_mode='constant', p=0.5)"
    assert repr(RandomCrop(np.int64(2), p=np.float64(.5))) == repr(RandomCrop(2, p=.5)) and repr(RandomFlip(1)) == "RandomFlip(p=1)"
    assert repr(RandErase()) == "RandErase(pct=0.2, max_num=4, p=1.0)" and repr(Mixup()) == "Mixup(alpha=0.4, n_classes=10)"
    assert repr(CutMix()) == "CutMix(alpha=1.0, n_classes=10, p=1.0)"
    assert repr(RandomCropFlip(4)) == "RandomCropFlip(padding=4, fill=0.0, padding_mode='constant', p=1.0, flip=0.5)"

@pytest.mark.parametrize("titles", [[r"$\frac$", "$5$ off", "a_b $"], None])
def test_class_names_are_no_formulas(titles):
    "`$\\frac$` would stop matplotlib's text."
    import matplotlib.pyplot as plt
    from miniai.vis import show_images
    learn, x, y = learner(DeviceCB())
    learn.dls.classes = [r"$\frac$"] * 10
    for fig in (learn.show_image_batch(3), show_images(x[:3], titles), learn.show_image_batch(3, cbs=[BatchTransformCB(Mixup())])):
        fig.canvas.draw()
    assert learn.show_image_batch(1).axes[0].get_title() == r"$\frac$"
    plt.close("all")

# -- the explorer

LABELS = {"padding": "crop: padding, pixels", "flip": "flip: share of the images", "cutout": "cutout: side, pixels",
          "erase": "erase: most patches", "copy": "copy: most patches", "pct": "patch: share of the side",
          "seed": "seed of the draws"}

def test_explorer_redraws_and_shows_its_code():
    import ipywidgets as widgets
    from miniai.lab.explorer import augmentation_code, augmentation_explorer
    top, code = augmentation_explorer(pictures(16, 1, 28, 28)).children
    controls, image = {c.description: c for c in top.children[0].children}, top.children[1].children[0]
    assert [*controls] == [*LABELS.values()]
    for name, value in dict(padding=3, flip=0., cutout=5, erase=2, copy=1, pct=.4, seed=7).items():
        before = image.value
        controls[LABELS[name]].value = value
        assert image.value != before and bytes(image.value).startswith(b"\x89PNG"), name
    assert code.value == augmentation_code(3, 0, 5, 2, 1, .4) and "RandomFlip" not in code.value
    for control in controls.values():
        if isinstance(control, widgets.IntSlider): control.value = control.max
    assert augmentation_code(0, 0) == "augment()"
    assert augmentation_code(2, 0, fill=-.81) == "augment(RandomCrop(2, fill=-0.81))"

@pytest.mark.parametrize("h, w, shown", [(28, 28, (360, 360)), (5, 7, (360, 280)), (200, 100, (204, 404))])
def test_explorer_pixels_are_squares_of_one_size(h, w, shown):
    from PIL import Image
    from miniai.lab.explorer import augmentation_explorer
    x = torch.rand(16, 1, h, w, generator=torch.Generator().manual_seed(0))
    top, _ = augmentation_explorer(x).children
    sliders, image = top.children[0].children, top.children[1].children[0]
    sliders[0].value, sliders[1].value = 0, 0.
    png = np.asarray(Image.open(BytesIO(image.value)).convert("L"))
    width, height = shown
    assert (image.layout.width, image.layout.height) == (f"{width}px", f"{height}px")
    assert png.shape == (2 * height, 2 * width)
    scale = 2 * width // (4 * (w + 2))
    small = png[::scale, ::scale]
    assert np.array_equal(small.repeat(scale, 0).repeat(scale, 1), png)
    assert np.abs(small[1:h + 1, 1:w + 1] - 255 * x[0, 0].numpy()).max() < 2 and small[0, 0] in (127, 128)

def test_explorer_pictures():
    from miniai.data import ImageData, fashion_mnist
    from miniai.lab.explorer import explorer_pictures
    got, data = explorer_pictures(), fashion_mnist()           # the sample, in this tier
    x = torch.frombuffer(bytearray(b64decode(got["pictures"])), dtype=torch.uint8).view(16, 1, 28, 28)
    at = [(data.train_x == image).flatten(1).all(1).nonzero()[0].item() for image in x]
    assert got["labels"] == [data.classes[i] for i in data.train_y[at]] and {*got["labels"]} == {*data.classes}
    assert (got["mean"], got["std"]) == (data.mean[0], data.std[0]) and got == explorer_pictures(data)
    assert len(json.dumps(got)) < 20_000
    colour, y = x.repeat(1, 3, 1, 1), data.train_y[:16]
    with pytest.raises(ValueError, match=r"data has images \[3, 28, 28\]"):
        explorer_pictures(ImageData(colour, y, colour, y, data.classes, "colour"))

@pytest.mark.parametrize("c", [1, 3])
def test_explorer_draws_the_images_in_rows(c):
    from miniai.lab.explorer import draw_augmented
    x = torch.arange(16.).view(16, 1, 1, 1).expand(-1, c, 5, 6) / 16
    ax, = draw_augmented("augment()", x).axes
    pixels = np.asarray(ax.images[0].get_array()).reshape(4 * 7, 4 * 8, -1)
    assert np.allclose(pixels[3::7, 3::8, 0].ravel(), np.arange(16) / 16) and (pixels[::7] == .5).all()
