"The checkers of notebook 12 refuse the known wrong answers, and their messages name the mistake."
import pytest
import torch
import torch.nn.functional as F

from miniai.exercises.augment import check_my_copy, check_my_cutmix, check_my_erase

def place(x, size, least=0, less=0): return [int(torch.randint(least, n - size + 1 - less, ())) for n in x.shape[2:]]

def erase(x, size, noise=lambda x, size: torch.randn(x.shape[1], size, size) * x.std() + x.mean(), clamp=True, **where):
    out = x.clone()
    for im in out:
        i, j = place(x, size, **where)
        patch = noise(x, size)
        im[:, i:i + size, j:j + size] = patch.clamp(x.min(), x.max()) if clamp else patch
    return out

def erase_one_place(x, size):
    out, (i, j) = x.clone(), place(x, size)
    noise = torch.randn(len(x), x.shape[1], size, size) * x.std() + x.mean()
    out[:, :, i:i + size, j:j + size] = noise.clamp(x.min(), x.max())
    return out

def erase_same_noise(x, size):
    noise = torch.randn(x.shape[1], size, size) * x.std() + x.mean()
    return erase(x, size, lambda x, size: noise)

def erase_diagonal(x, size):
    out = x.clone()
    for im in out:
        i = place(x, size)[0]
        im[:, :size, i:i + size] = (torch.randn(x.shape[1], size, size) * x.std() + x.mean()).clamp(x.min(), x.max())
    return out

def erase_both_alike(x, size):
    out = x.clone()
    for im in out:
        i = place(x, size)[0]
        noise = torch.randn(x.shape[1], size, size) * x.std() + x.mean()
        im[:, i:i + size, i:i + size] = noise.clamp(x.min(), x.max())
    return out

def erase_of_each(x, size):
    out = x.clone()
    for im in out:
        i, j = place(x, size)
        im[:, i:i + size, j:j + size] = torch.randn(x.shape[1], size, size) * im.std() + im.mean()
    return out

def one_channel(f):
    return lambda x, size: torch.cat([f(x, size)[:, :1], x[:, 1:]], 1)

def uniform(x, size): return (torch.rand(x.shape[1], size, size) - .5) * 12**.5 * x.std() + x.mean()

ERASE = [(one_channel(erase), "left a channel"), (erase_both_alike, "hang together"),
         (erase_of_each, "follows each image"),
         (lambda x, size: erase(x, size, uniform), "not uniform"),
         (lambda x, size: x.copy_(erase(x, size)), "changed the caller's tensor"),
         (lambda x, size: x.clone(), "changed nothing"), (lambda x, size: erase(x, size)[:, :1], "shape and dtype"),
         (erase_one_place, "one patch for the whole batch"), (erase_diagonal, "the first row is always the same"),
         (lambda x, size: erase(x, size + 1), "size²"),
         (lambda x, size: erase(x, size, least=1), "no patch begins"),
         (lambda x, size: erase(x, size, less=1), "no patch ends"), (erase_same_noise, "the same noise"),
         (lambda x, size: erase(x, size, lambda x, size: torch.zeros(x.shape[1], size, size)), "one value, not noise"),
         (lambda x, size: erase(x, size, lambda x, size: torch.randn(x.shape[1], size, size)),
          "the noise has the mean"),
         (lambda x, size: erase(x, size, lambda x, size: torch.randn(x.shape[1], size, size) + x.mean()),
          "the standard deviation"),
         (lambda x, size: erase(x, size, clamp=False), "clamp it")]

def copy(x, size, **where):
    out = x.clone()
    for im, old in zip(out, x):
        (i, j), (k, m) = place(x, size, **where), place(x, size)
        im[:, i:i + size, j:j + size] = old[:, k:k + size, m:m + size]
    return out

def copy_one_draw(x, size):
    (i, j), (k, m), out = (1, 2), (5, 4), x.clone()
    out[:, :, i:i + size, j:j + size] = x[:, :, k:k + size, m:m + size]
    return out

def copy_from_others(x, size):
    out = x.clone()
    for im, other in zip(out, x.flip(0)):
        (i, j), (k, m) = place(x, size), place(x, size)
        im[:, i:i + size, j:j + size] = other[:, k:k + size, m:m + size]
    return out

def swap(x, size):
    out = copy(x, size)
    for im in out:
        (i, j), (k, m) = place(x, size), place(x, size)
        im[:, i:i + size, j:j + size], im[:, k:k + size, m:m + size] = (
            im[:, k:k + size, m:m + size].clone(), im[:, i:i + size, j:j + size].clone())
    return out

def mirrored(x, size):
    out = x.clone()
    for im, old in zip(out, x):
        (i, j), (k, m) = place(x, size), place(x, size)
        im[:, i:i + size, j:j + size] = old[:, k:k + size, m:m + size].flip(-1)
    return out

def from_the_corner(x, size):
    out = x.clone()
    for im, old in zip(out, x):
        i, j = place(x, size)
        im[:, i:i + size, j:j + size] = old[:, :size, :size]
    return out

def copy_both_alike(x, size):
    out = x.clone()
    for im, old in zip(out, x):
        i, (k, m) = place(x, size)[0], place(x, size)
        im[:, i:i + size, i:i + size] = old[:, k:k + size, m:m + size]
    return out

COPY = [(one_channel(copy), "left a channel"), (copy_both_alike, "hang together"),
        (lambda x, size: copy(x, size - 1), "fewer than size × size"),
        (lambda x, size: x.copy_(copy(x, size)), "changed the caller's tensor"), (lambda x, size: x, "changed nothing"),
        (copy_one_draw, "at one place: draw for each"), (copy_from_others, "another image"), (swap, "copy, don't swap"),
        (mirrored, "changed their order"), (lambda x, size: copy(x, size, least=1), "no patch begins"),
        (lambda x, size: copy(x, size, less=1), "no patch ends"), (from_the_corner, "a few places only"),
        (lambda x, size: copy(x, size + 1), "more than size × size")]

def cutmix(x, y, other, top, left, size, n, share=None, source=None, out=None):
    out, source = (x.clone() if out is None else out), x if source is None else source
    for im, k, i, j in zip(out, other, top, left): im[:, i:i + size, j:j + size] = source[k, :, i:i + size, j:j + size]
    share = size**2 / x[0, 0].numel() if share is None else share
    return out, (1 - share) * F.one_hot(y, n) + share * F.one_hot(y[other], n)

def cutmix_again(x, y, *args):
    out = x.clone()
    return cutmix(x, y, *args, source=out, out=out)

def cutmix_corner(x, y, other, top, left, size, n):
    out, targets = cutmix(x, y, other, top, left, size, n)
    for im, k, i, j in zip(out, other, top, left): im[:, i:i + size, j:j + size] = x[k, :, :size, :size]
    return out, targets

CUTMIX = [(lambda x, *args: cutmix(x, *args, out=x, source=x.clone()), "changed the caller's tensor"),
          (lambda *args: cutmix(*args)[0], "give two things"),
          (lambda x, y, *args: (cutmix(x, y, *args)[0], y), r"shares \[n, n_classes\]"),
          (lambda x, *args: (x.clone(), cutmix(x, *args)[1]), "nothing was put in"),
          (lambda x, y, other, top, left, *args: cutmix(x, y, other, left, top, *args), "top is the row"),
          (cutmix_again, "has one already"), (cutmix_corner, "another place"),
          (lambda x, *args: (cutmix(x, *args)[0][:, :1], cutmix(x, *args)[1]), "keep their shape"),
          (lambda x, y, other, *args: (cutmix(x, y, torch.arange(6), *args, out=x[other])[0],
                                       cutmix(x, y, other, *args)[1]), "a square of this one"),
          (lambda *args: cutmix(*args, share=0.), "those of one image"),
          (lambda *args: cutmix(*args, share=56 / 72), "exchanged"),
          (lambda *args: cutmix(*args, share=.5), "the height"),
          (lambda *args: cutmix(*args, share=4 / 9), "the width"),
          (lambda *args: (cutmix(*args)[0], cutmix(*args)[1] * .9), "add up to 0.90"),
          (lambda *args: cutmix(*args, share=.3), "the other image's class")]

@pytest.mark.parametrize("wrong, message", ERASE)
def test_wrong_erasing(wrong, message):
    with pytest.raises(AssertionError, match=message): check_my_erase(wrong)

@pytest.mark.parametrize("wrong, message", COPY)
def test_wrong_copies(wrong, message):
    with pytest.raises(AssertionError, match=message): check_my_copy(wrong)

@pytest.mark.parametrize("wrong, message", CUTMIX)
def test_wrong_cutmix(wrong, message):
    with pytest.raises(AssertionError, match=message): check_my_cutmix(wrong)

def vectorised(x, size):
    "Right, without a loop."
    from miniai.augment import RandErase, erase
    t = RandErase(size / x.shape[2], max_num=1)
    noise = (torch.randn(1, *x.shape[:2], size, size) * x.std() + x.mean()).clamp(x.min(), x.max())
    return erase(x, *t.places(x), torch.ones(1, len(x), dtype=torch.bool), noise)

@pytest.mark.parametrize("seed", range(5))
def test_right_answers(seed, capsys):
    "Whatever the seed was; and the generator stays where it was."
    torch.manual_seed(seed)
    before = torch.get_rng_state()
    check_my_erase(erase); check_my_erase(vectorised); check_my_copy(copy)
    check_my_cutmix(cutmix)
    assert capsys.readouterr().out.count("✓") == 4 and torch.equal(before, torch.get_rng_state())
