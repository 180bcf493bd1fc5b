"What miniai.lab.statistics promises: intervals that hold as often as they say, Holm's step-down, what n seeds can tell."
import itertools, math

import numpy as np
import pytest
import torch
from scipy import stats

from miniai.lab.statistics import detectable, holm, paired, seeds_needed, unpaired

SLEEP = [1.2, 2.4, 1.3, 1.3, 0., 1., 1.8, .8, 4.6, 1.4]              # Student (1908): hours, drug 2 − drug 1

def test_students_own_example():
    found = paired(SLEEP)
    assert (found.mean, found.n, found.level) == (pytest.approx(1.58), 10, .95)
    assert found.p == pytest.approx(.00283, abs=5e-6)                # R: t.test(extra ~ group, sleep, paired)
    assert (found.low, found.high) == pytest.approx((.7001142, 2.4598858), abs=1e-6)     # R: t.test(d)
    assert found.clear and paired([-d for d in SLEEP]).clear

@pytest.mark.parametrize("level", [.8, .95, .99])
def test_interval_and_p_are_scipys(level):
    d = [.3, -.1, .25, .4, .05]
    found, right = paired(d, level), stats.ttest_1samp(d, 0)
    interval = right.confidence_interval(level)
    assert (found.low, found.high, found.p) == pytest.approx((interval.low, interval.high, right.pvalue))

@pytest.mark.parametrize("shift", [-.5, -.2, 0., .1, .2, .21, .5])
def test_clear_is_the_same_as_p_below_the_level(shift):
    found = paired([shift + d for d in (-.2, -.1, .05, .1, .15)])
    assert found.clear == (found.p < .05) == (not found.low <= 0 <= found.high)

@pytest.mark.parametrize("n", [2, 3, 8])
def test_the_interval_holds_the_true_mean_as_often_as_it_says(n):
    draws = np.random.default_rng(0).normal(.3, 1, (4000, n))
    held = np.mean([(found := paired(d)).low <= .3 <= found.high for d in draws])
    assert abs(held - .95) < 4 * math.sqrt(.95 * .05 / 4000)

def test_a_single_pair_and_equal_differences():
    one = paired([.2])
    assert (one.mean, one.low, one.high, one.p, one.n, one.clear) == (.2, -math.inf, math.inf, 1, 1, False)
    none = paired([0., 0., 0.])
    assert (none.mean, none.low, none.high, none.p, none.clear) == (0, 0, 0, 1, False)
    always = paired([.5, .5])
    assert (always.low, always.high, always.p, always.clear) == (.5, .5, 0, True)

@pytest.mark.parametrize("kind", [tuple, np.array, torch.tensor, lambda d: iter(d)])
def test_differences_of_any_kind(kind): assert paired(kind(SLEEP)).p == pytest.approx(.00283, abs=5e-6)

@pytest.mark.parametrize("d, level, says", [
    ([], .95, "differences is empty"), ([1., math.nan], .95, "not finite"), ([math.inf], .95, "not finite"),
    ([1., 2.], 0, "level is 0"), ([1., 2.], 1, "level is 1"), ([1.], 95, "level is 95"),
    ([1., 2.], [1., 1.], "one list, the differences"), (torch.ones(2), torch.ones(2), "one list, the differences")])
def test_wrong_arguments_of_paired(d, level, says):
    with pytest.raises(ValueError, match=says): paired(d, level)

FIRST, SECOND = [.7, -1.6, -.2, -1.2, -.1, 3.4, 3.7, .8, 0., 2.], [1.9, .8, 1.1, .1, -.1, 4.4, 5.5, 1.6, 4.6, 3.4]

def test_welch_on_students_data_as_two_groups():
    found = unpaired(SECOND, FIRST)                                  # R: t.test(extra ~ group, data = sleep)
    assert (found.mean, found.n, found.p) == (pytest.approx(1.58), 10, pytest.approx(.07939, abs=5e-6))
    assert (found.low, found.high) == pytest.approx((-.2054832, 3.3654832), abs=1e-6) and not found.clear

@pytest.mark.parametrize("level", [.8, .95])
def test_groups_of_other_sizes_and_spreads_are_scipys(level):
    a, b = [1., 2., 4., 3.5], [.1, .2, .15]
    found, right = unpaired(a, b, level), stats.ttest_ind(a, b, equal_var=False)
    interval = right.confidence_interval(level)
    assert (found.low, found.high, found.p, found.n) == pytest.approx((interval.low, interval.high, right.pvalue, 3))
    assert found.p != pytest.approx(stats.ttest_ind(a, b).pvalue, rel=.05)          # not Student's, of equal spreads

def test_welch_of_a_single_run_and_of_equal_ones():
    one = unpaired([.2], [.1, .3])
    assert (one.mean, one.low, one.high, one.p, one.n, one.clear) == (0, -math.inf, math.inf, 1, 1, False)
    always = unpaired([.5, .5], [.25, .25])
    assert (always.low, always.high, always.p, always.clear) == (.25, .25, 0, True)
    assert unpaired([1., 1.], [1., 1.]).p == 1
    assert unpaired(torch.tensor(SECOND), np.array(FIRST)).p == pytest.approx(.07939, abs=5e-6)

@pytest.mark.parametrize("a, b, level, says", [
    ([], [1.], .95, "a is empty"), ([1.], [], .95, "b is empty"), ([1., math.nan], [1.], .95, "not finite"),
    ([1., 2.], [1., 2.], 95, "level is 95")])
def test_wrong_arguments_of_unpaired(a, b, level, says):
    with pytest.raises(ValueError, match=says): unpaired(a, b, level)

def step_down(p, alpha):
    "Holm's procedure as it is written: the smallest first, against α/m, α/(m−1) …, until one fails."
    rejected = [False] * len(p)
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[i] > alpha / (len(p) - rank): break
        rejected[i] = True
    return rejected

@pytest.mark.parametrize("alpha", [.01, .05, .2])
def test_holm_rejects_as_the_procedure_does(alpha):
    rng = np.random.default_rng(1)
    for _ in range(300):
        p = (rng.random(rng.integers(1, 7)) ** 3).tolist()
        assert [a <= alpha for a in holm(p)] == step_down(p, alpha)

def test_holm_by_hand():
    assert holm([.01, .04, .03]) == pytest.approx([.03, .06, .06])   # 3·.01; 2·.03; at least what came before
    assert holm([.01, .02, .03, .04]) == pytest.approx([.04, .06, .06, .06])
    assert holm([.9, .8]) == [1, 1] and holm([]) == [] and holm([.04]) == [.04]
    for p in itertools.permutations([.01, .04, .03]): assert dict(zip(p, holm(p))) == pytest.approx({.01: .03, .04: .06, .03: .06})

@pytest.mark.parametrize("p", [[-.1], [1.1], [math.nan], [.5, 2]])
def test_holm_takes_probabilities(p):
    with pytest.raises(ValueError, match="p_values"): holm(p)

@pytest.mark.parametrize("n", [3, 5, 12])
def test_a_detectable_difference_is_found_as_often_as_asked(n):
    d = detectable(n, .2, power=.7)
    draws = np.random.default_rng(2).normal(d, .2, (4000, n))
    assert abs(np.mean([paired(x).clear for x in draws]) - .7) < 4 * math.sqrt(.7 * .3 / 4000) + .005

def test_more_seeds_show_less_and_the_spread_is_the_unit():
    by_n = [detectable(n, 1.) for n in (2, 3, 5, 8, 16, 64)]
    assert by_n == sorted(by_n, reverse=True) and detectable(5, 3.) == pytest.approx(3 * detectable(5, 1.))
    assert detectable(5, 1., power=.9) > detectable(5, 1.) and detectable(5, 1., level=.99) > detectable(5, 1.)

@pytest.mark.parametrize("difference, spread, power", [(.2, .2, .8), (.2, .4, .8), (.3, .2, .95), (10., .1, .8), (.1, .4, .9)])
def test_seeds_needed_is_the_fewest(difference, spread, power):
    n = seeds_needed(difference, spread, power)
    assert detectable(n, spread, power) <= difference and (n == 2 or detectable(n - 1, spread, power) > difference)

def test_too_many_seeds_are_none(): assert seeds_needed(.001, 1., most=50) is None

@pytest.mark.parametrize("f, args, says", [
    (detectable, (1, .2), "n is 1"), (detectable, (3, 0.), "spread is 0"), (detectable, (3, .2, 1.), "power is 1"),
    (detectable, (3, .2, .8, 95), "level is 95"), (seeds_needed, (0., .2), "difference is 0"),
    (seeds_needed, (.2, -1.), "spread is -1"), (seeds_needed, (.2, .2, 0.), "power is 0"), (detectable, (2.5, .2), "n is 2.5")])
def test_wrong_arguments_are_named(f, args, says):
    with pytest.raises(ValueError, match=says): f(*args)
