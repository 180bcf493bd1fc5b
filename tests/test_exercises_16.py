"The checkers of notebook 16 refuse the known wrong answers, and their messages name the mistake."
import math
from statistics import NormalDist

import pytest
import torch

from miniai.exercises.challenge import check_near_leaks, check_seeds_needed, check_standard_errors

# -- right answers, in other words

def errors(p, n, sd, k): return [(p / n - p**2 / n) ** .5, sd * k**-.5]

def near(train, test, tolerance, both=True, kind=int, pixels=torch.all, order=sorted, within=lambda d, t: d.abs() <= t):
    test = torch.cat([test, test.flip(3)]) if both else test
    train, test = (x.flatten(1).to(torch.int64 if kind is int else kind) for x in (train, test))
    return order(i for i, image in enumerate(train) if pixels(within(test - image, tolerance), 1).any())

def any_pixel(close, axis): return close.any(axis)

def seeds(difference, sd, alpha=.05, power=.8, factor=2, sides=2, beta=True, exponent=2, whole=math.ceil):
    z = NormalDist().inv_cdf
    return whole(factor * ((z(1 - alpha / sides) + (z(power) if beta else 0)) * sd / difference) ** exponent)

def changed(f, **change): return lambda *args, **kwargs: f(*args, **kwargs, **change)

@pytest.mark.parametrize("check, answer", [(check_standard_errors, errors), (check_near_leaks, near),
                                           (check_near_leaks, lambda *args: torch.tensor(near(*args))),
                                           (check_seeds_needed, seeds),
                                           (check_seeds_needed, lambda *args, **kw: float(seeds(*args, **kw)))])
def test_right_answers_pass(check, answer, capsys):
    state = torch.get_rng_state()
    check(answer)
    assert "✓" in capsys.readouterr().out and torch.equal(state, torch.get_rng_state())

@pytest.mark.parametrize("wrong, says", [
    (lambda p, n, sd, k: (p * (1 - p) / n, sd / k**.5), "the images: that is the variance"),
    (lambda p, n, sd, k: ((p * (1 - p)) ** .5, sd / k**.5), "that is for one image"),
    (lambda p, n, sd, k: ((p * (1 - p)) ** .5 / n, sd / k**.5), "divide by N inside the root"),
    (lambda p, n, sd, k: ((p * (1 - p) / n / k) ** .5, sd / k**.5), "all seeds see the same images"),
    (lambda p, n, sd, k: ((p / n) ** .5, sd / k**.5), "the factor 1 − p is missing"),
    (lambda p, n, sd, k: (((1 - p) / n) ** .5, sd / k**.5), "the factor p is missing"),
    (lambda p, n, sd, k: (100 * (p * (1 - p) / n) ** .5, sd / k**.5), "the images: give fractions"),
    (lambda p, n, sd, k: ((p * (1 - p) / (n - 1)) ** .5, sd / k**.5), "the images: it is 0.00265"),
    (lambda p, n, sd, k: errors(p, n, sd, k)[::-1], "the images' comes first"),
    (lambda p, n, sd, k: (errors(p, n, sd, k)[0], sd), "that is the spread of one run"),
    (lambda p, n, sd, k: (errors(p, n, sd, k)[0], sd / k), "divide by the root of the number of seeds"),
    (lambda p, n, sd, k: (errors(p, n, sd, k)[0], sd**2 / k), "the seeds: that is the variance"),
    (lambda p, n, sd, k: (errors(p, n, sd, k)[0], sd / n**.5), "seeds are counted, not images"),
    (lambda p, n, sd, k: (errors(p, n, sd, k)[0], 100 * sd / k**.5), "the seeds: give fractions"),
    (lambda p, n, sd, k: (errors(p, n, sd, k)[0], sd / (k - 1) ** .5), "the seeds: it is"),
    (lambda p, n, sd, k: errors(p, n, sd, k)[0], "give two numbers"),
    (lambda p, n, sd, k: None, "give two numbers"), (lambda p, n, sd, k: "ab", "give two numbers")])
def test_wrong_standard_errors(wrong, says):
    with pytest.raises(AssertionError) as e: check_standard_errors(wrong)
    assert says in str(e.value)

def in_place(train, test, tolerance):
    right = near(train, test, tolerance)
    train.sub_(1)
    return right

def mean_near(train, test, tolerance):
    test = torch.cat([test, test.flip(3)]).float()
    return [i for i, x in enumerate(train.float()) if (x - test).abs().mean((1, 2, 3)).min() <= tolerance]

def of_test(train, test, tolerance): return near(test, train, tolerance)

@pytest.mark.parametrize("wrong, says", [
    (lambda a, b, t: near(a, b, t, kind=torch.uint8, within=lambda d, t: torch.minimum(d, -d) <= t), "255 − 0 is −1 among them"),
    (lambda a, b, t: [i for i, x in enumerate(a) if (x - torch.cat([b, b.flip(3)])).amax((1, 2, 3)).min() <= t], "0 − 255 is 1 among them"),
    (changed(near, within=lambda d, t: -d <= t), "take the absolute value"),
    (changed(near, both=False), "mirrored test images are missing"),
    (lambda a, b, t: near(a, b, 0), "exact copies only"),
    (changed(near, pixels=any_pixel), "enough for one pixel"),
    (changed(near, within=lambda d, t: d.abs() < t), "exactly the tolerance is near"),
    (mean_near, "that is the mean over the pixels"), (of_test, "those are the test images' numbers"),
    (lambda *args: near(*args)[::-1], "ascending"), (lambda *args: near(*args) * 2, "each number once"),
    (lambda *args: None, "give a list of numbers"), (lambda *args: 3, "give a list of numbers"),
    (lambda a, b, t: near(a[:, :1], b[:, :1], t), "the first channel only"),
    (lambda a, b, t: near(a, b, 6), "with another tolerance"), (lambda *args: [], "the leaks are"), (in_place, "the images themselves were changed")])
def test_wrong_near_leaks(wrong, says):
    with pytest.raises(AssertionError) as e: check_near_leaks(wrong)
    assert says in str(e.value)

@pytest.mark.parametrize("change, says", [
    (dict(factor=1), "the factor 2 is missing"), (dict(factor=4), "a factor of 4"), (dict(sides=1), "two-sided"),
    (dict(beta=False), "power is missing"), (dict(exponent=1), "the square is missing"),
    (dict(whole=math.floor), "round up, not down"), (dict(whole=round), "not to the nearest"),
    (dict(whole=float), "a number of seeds is whole"), (dict(whole=lambda v: math.ceil(v) + 1), "is 9, yours gives 10")])
def test_wrong_seeds_needed(change, says):
    with pytest.raises(AssertionError) as e: check_seeds_needed(changed(seeds, **change))
    assert says in str(e.value)

def test_other_defaults_are_seen():
    with pytest.raises(AssertionError, match="power .8 if nothing"):
        check_seeds_needed(lambda d, s, alpha=.01, power=.8: seeds(d, s, alpha, power))
