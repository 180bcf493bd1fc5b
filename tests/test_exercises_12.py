"The checkers of notebook 12 refuse the known wrong answers, and their messages name the mistake."
import pytest
import torch
import torch.nn.functional as F

from miniai.augment import check_my_copy, check_my_erase, check_smooth_labels

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

ERASE = [(lambda x, size: x.copy_(erase(x, size)), "changed the caller's tensor"),
         (lambda x, size: x.clone(), "changed nothing"), (lambda x, size: erase(x, size)[:, :1], "shape and dtype"),
         (erase_one_place, "one patch for the whole batch"), (erase_diagonal, "the first row is always the same"),
         (lambda x, size: erase(x, size + 1), "size × size"),
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

COPY = [(lambda x, size: x.copy_(copy(x, size)), "changed the caller's tensor"), (lambda x, size: x, "changed nothing"),
        (copy_one_draw, "at one place: draw for each"), (copy_from_others, "another image"), (swap, "copy, don't swap"),
        (mirrored, "changed their order"), (lambda x, size: copy(x, size, least=1), "no patch begins"),
        (lambda x, size: copy(x, size, less=1), "no patch ends"), (from_the_corner, "a few places only"),
        (lambda x, size: copy(x, size + 1), "more than size × size")]

SMOOTH = [(lambda y, n, s: F.one_hot(y, n), "floating point"), (lambda y, n, s: F.one_hot(y, n).float(), "nothing"),
          (lambda y, n, s: F.one_hot(y, n) * (1 - s), "add up to 0.80"),
          (lambda y, n, s: F.one_hot(y, n) * (1 - s) + (1 - F.one_hot(y, n)) * s / (n - 1), "the other classes only"),
          (lambda y, n, s: y, "must return a tensor")]

@pytest.mark.parametrize("wrong, message", ERASE)
def test_wrong_erasing(wrong, message):
    with pytest.raises(AssertionError, match=message): check_my_erase(wrong)

@pytest.mark.parametrize("wrong, message", COPY)
def test_wrong_copies(wrong, message):
    with pytest.raises(AssertionError, match=message): check_my_copy(wrong)

@pytest.mark.parametrize("wrong, message", SMOOTH)
def test_wrong_smoothing(wrong, message):
    with pytest.raises(AssertionError, match=message): check_smooth_labels(wrong)

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
    check_smooth_labels(lambda y, n, s: F.one_hot(y, n) * (1 - s) + s / n)
    assert capsys.readouterr().out.count("✓") == 4 and torch.equal(before, torch.get_rng_state())
