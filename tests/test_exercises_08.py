"The checkers of notebook 08 refuse the known wrong answers, and their messages name the mistake."
import math
from functools import partial

import pytest

from miniai.exercises.annealing import (
    check_annealing, check_cosine_sched, check_plateau, check_restarts, check_warm_cosine)
from miniai.sched import BatchSchedCB, CosineAnnealingLR, EpochSchedCB, combine, cosine

def annealing(n_epochs, n_batches, every, batch_steps=0, epoch_steps=0, batch_cb=BatchSchedCB, epoch_cb=EpochSchedCB):
    "Right, and wrong by what is added or exchanged."
    if every == "batch": return batch_cb(partial(CosineAnnealingLR, T_max=n_epochs * n_batches + batch_steps))
    return epoch_cb(partial(CosineAnnealingLR, T_max=n_epochs + epoch_steps))

def always_batches(n_epochs, n_batches, every):
    return annealing(n_epochs, n_batches, every, epoch_steps=n_epochs * (n_batches - 1))
def always_epochs(n_epochs, n_batches, every):
    return annealing(n_epochs, n_batches, every, batch_steps=n_epochs * (1 - n_batches))
def one_epoch(n_epochs, n_batches, every):
    return annealing(n_epochs, n_batches, every, batch_steps=n_batches * (1 - n_epochs))
def only_epoch_cb(n_epochs, n_batches, every): return EpochSchedCB(partial(CosineAnnealingLR, T_max=n_epochs))
def only_batch_cb(n_epochs, n_batches, every):
    return BatchSchedCB(partial(CosineAnnealingLR, T_max=n_epochs * n_batches))

class MyCosine:
    "Right; subclasses change one thing each."
    ahead, period, shift = 0, 0, 0
    def __init__(self, optimizer, T_max):
        self.groups, self.T_max, self.steps = optimizer.param_groups, T_max, 0
        self.base_lrs = [group["lr"] for group in self.groups]
    def factor(self, t): return (1 + math.cos(math.pi * t)) / 2
    def progress(self): return (self.steps + self.shift) / (self.T_max + self.period)
    def step(self):
        self.steps += 1
        for group, lr in zip(self.groups, self.base_lrs): group["lr"] = lr * self.factor(self.progress())

class Never(MyCosine):
    def step(self): self.steps += 1
class SetsTheOptimizer(MyCosine):
    def step(self): self.lr = .5
class StepsWhenMade(MyCosine):
    def __init__(self, optimizer, T_max): super().__init__(optimizer, T_max); self.step()
class CountsLater(MyCosine): shift = -1
class Epochs(MyCosine):
    def progress(self): return self.steps // 5 * 5 / self.T_max
class Compounding(MyCosine):
    def step(self):
        self.steps += 1
        for group in self.groups: group["lr"] *= self.factor(self.progress())
class TooShort(MyCosine): period = -1
class Negative(MyCosine):
    def factor(self, t): return math.cos(math.pi * t)
class Twice(MyCosine):
    def factor(self, t): return 1 + math.cos(math.pi * t) if t else 1
class TwiceFromTheStart(MyCosine):
    def __init__(self, optimizer, T_max):
        super().__init__(optimizer, T_max)
        for group in self.groups: group["lr"] *= 2
    def factor(self, t): return 1 + math.cos(math.pi * t)
class Quarter(MyCosine):
    def factor(self, t): return math.cos(math.pi / 2 * t)
class Degrees(MyCosine):
    def factor(self, t): return (1 + math.cos(180 * t)) / 2
class Straight(MyCosine):
    def factor(self, t): return 1 - t
class UpsideDown(MyCosine):
    def __init__(self, optimizer, T_max):
        super().__init__(optimizer, T_max)
        for group in self.groups: group["lr"] = 0.
    def factor(self, t): return (1 - math.cos(math.pi * t)) / 2
class FirstForAll(MyCosine):
    def __init__(self, optimizer, T_max):
        super().__init__(optimizer, T_max)
        self.base_lrs = [self.base_lrs[0]] * len(self.base_lrs)
        for group in self.groups: group["lr"] = self.base_lrs[0]
class FirstOnly(MyCosine):
    def __init__(self, optimizer, T_max): super().__init__(optimizer, T_max); self.groups = self.groups[:1]
class SecondFromFirst(MyCosine):
    def __init__(self, optimizer, T_max): super().__init__(optimizer, T_max); self.base_lrs = [self.base_lrs[0]] * 2

def warm_cosine(n, warm_steps, total_steps, rise=None, fall=None):
    if n < warm_steps: return rise(n / warm_steps) if rise else .1 + .9 * n / warm_steps
    return fall(n) if fall else cosine(1, 0)((n - warm_steps) / (total_steps - warm_steps))
def changed(**pieces): return partial(warm_cosine, **pieces)
def product(n, warm_steps, total_steps): return min(.1 + .9 * n / warm_steps, 1) * cosine(1, 0)(n / total_steps)

def restarts(n_periods, T_mult, length=lambda i, T_mult: T_mult**i, peak=lambda i: 1.):
    lengths = [length(i, T_mult) for i in range(n_periods)]
    return combine([x / sum(lengths) for x in lengths], [cosine(peak(i), 0) for i in range(n_periods)])

def plateau(losses, lr, factor, patience, extra=0, previous=False, keep=False, again=False, after=False):
    best, bad, result = math.inf, 0, []
    for loss in losses:
        if after: result.append(lr)
        if loss < best: best, bad = loss, bad if keep else 0
        else: bad += 1
        if previous: best = loss
        if bad > patience + extra: lr, bad = lr * factor, bad if again else 0
        if not after: result.append(lr)
    return result

def test_right_answers_pass(capsys):
    check_annealing(annealing), check_cosine_sched(MyCosine), check_warm_cosine(warm_cosine), check_restarts(restarts)
    check_plateau(plateau)
    assert capsys.readouterr().out.count("✓") == 5

WRONG = [
    (check_annealing, always_epochs, "T_max counts batches"), (check_annealing, always_batches, "T_max counts epochs"),
    (check_annealing, one_epoch, "T_max is the batches of one epoch"),
    (check_annealing, only_epoch_cb, "take BatchSchedCB"),
    (check_annealing, only_batch_cb, "take EpochSchedCB"),
    (check_annealing, partial(annealing, batch_steps=-1), "one step too early"),
    (check_annealing, partial(annealing, batch_steps=1), "one step too late"),
    (check_annealing, partial(annealing, epoch_steps=-1), "one epoch too early"),
    (check_annealing, partial(annealing, epoch_steps=1), "one step too late"),
    (check_annealing, partial(annealing, epoch_cb=BatchSchedCB), "yours steps at every batch"),
    (check_annealing, partial(annealing, batch_steps=9), "should end at 0, yours at"),
    (check_cosine_sched, Never, "the rate never changes"),
    (check_cosine_sched, SetsTheOptimizer, "the rate never changes"),
    (check_cosine_sched, StepsWhenMade, "one step ahead"), (check_cosine_sched, CountsLater, "one step behind"),
    (check_cosine_sched, Epochs, "the same for a whole epoch"), (check_cosine_sched, Compounding, "compounding"),
    (check_cosine_sched, TooShort, "T_max − 1 steps"), (check_cosine_sched, Negative, "goes below 0"),
    (check_cosine_sched, TwiceFromTheStart, "begins at twice the rate"),
    (check_cosine_sched, Twice, "the rates should begin"),
    (check_cosine_sched, Quarter, "a quarter of a cosine"), (check_cosine_sched, Degrees, "the rates should begin"),
    (check_cosine_sched, Straight, "a straight line"), (check_cosine_sched, UpsideDown, "upside down"),
    (check_cosine_sched, FirstForAll, "every group gets the first group's rate"),
    (check_cosine_sched, FirstOnly, "only the first group's rate changes"),
    (check_cosine_sched, SecondFromFirst, "the second group's rates are off"),
    (check_warm_cosine, changed(rise=lambda t: .1), "constant warm-up, with its spike"),
    (check_warm_cosine, changed(rise=lambda t: 0.), "jumps from 0.00 to 1.00"),
    (check_warm_cosine, changed(fall=lambda n: cosine(1, 0)(n / 100)), "count from there"),
    (check_warm_cosine, product, "product of both"),
    (check_warm_cosine, changed(fall=lambda n: cosine(1, 0)((n - 20) / 100)), "does not end at 0"),
    (check_warm_cosine, changed(rise=lambda t: t), "trained with a rate of 0"),
    (check_warm_cosine, changed(rise=lambda t: .1 + .9 * (t + .05)), "one step ahead"),
    (check_warm_cosine, changed(fall=lambda n: 1 - (n - 20) / 80), "at step 10 of 100 it is 0.55"),
    (check_restarts, partial(restarts, length=lambda i, T_mult: 1), "equally long"),
    (check_restarts, partial(restarts, length=lambda i, T_mult: i + 1), "multiply, 1 2 4"),
    (check_restarts, partial(restarts, length=lambda i, T_mult: T_mult**(2 - i)), "longest period comes first"),
    (check_restarts, partial(restarts, length=lambda i, T_mult: T_mult**(2 * i)), "powers are 0, 1, 2"),
    (check_restarts, partial(restarts, peak=lambda i: .5**i), "each peak is lower"),
    (check_restarts, lambda n_periods, T_mult: combine([.1, .2, .4], [cosine(1, 0)] * 3), "combine says: fractions"),
    (check_restarts, lambda n_periods, T_mult: restarts(3, 2), "5 equal periods"),
    (check_restarts, lambda n_periods, T_mult: cosine(1, 0), "half-way the factor is"),
    (check_plateau, partial(plateau, extra=-1), "more than `patience` losses"),
    (check_plateau, partial(plateau, extra=1), "first loss beyond"),
    (check_plateau, partial(plateau, previous=True), "best loss so far"),
    (check_plateau, partial(plateau, keep=True), "begins the count anew"),
    (check_plateau, partial(plateau, again=True), "at every further loss"),
    (check_plateau, partial(plateau, after=True), "the rates should be"),
    (check_plateau, lambda losses, **arguments: plateau(losses[:-1], **arguments), "give as many rates")]

@pytest.mark.parametrize("check, wrong, says", WRONG)
def test_wrong_answers_are_refused(check, wrong, says):
    with pytest.raises(AssertionError) as e: check(wrong)
    assert says in str(e.value)
