"The checkers of notebook 09 refuse the known wrong answers, and their messages name the mistake."
import math

import numpy as np
import pytest

from miniai._lr_found import LRFound
from miniai.exercises.one_cycle import check_one_cycle, check_read_plot, check_set_momentum

class MyOneCycle:
    "Right; subclasses change one thing each."
    start, final, low, high, shift, share = 25, 1e4, .85, .95, 1, .3
    def __init__(self, optimizer, max_lr, total_steps):
        self.groups, self.max_lr, self.total, self.x = optimizer.param_groups, max_lr, total_steps, 0
        self.set()
    def part(self, t): return (1 - math.cos(math.pi * t)) / 2
    def momentum_part(self, t): return self.part(t)
    def where(self):
        "Whether it goes up, and how far it is on this way."
        up = self.share * self.total - self.shift
        return (True, self.x / up) if self.x <= up else (False, (self.x - up) / (self.total - self.shift - up))
    def set(self):
        rises, t = self.where()
        low, end = self.max_lr / self.start, self.max_lr / self.start / self.final
        a, b, c, d = (low, self.max_lr, self.high, self.low) if rises else (self.max_lr, end, self.low, self.high)
        for group in self.groups: self.write(group, a + (b - a) * self.part(t), c + (d - c) * self.momentum_part(t))
    def write(self, group, lr, momentum):
        group["lr"] = lr
        if "betas" in group: group["betas"] = momentum, group["betas"][1]
        else: group["momentum"] = momentum
    def step(self): self.x += 1; self.set()

class Unset(MyOneCycle):
    "The first batch keeps the optimizer's rate."
    def set(self):
        if self.x: super().set()
class StepsWhenMade(MyOneCycle):
    def __init__(self, *args): super().__init__(*args); self.step()
class Never(MyOneCycle):
    def step(self): pass
class Epochs(MyOneCycle):
    "Counts epochs of ten batches."
    def step(self):
        self.batches = getattr(self, "batches", 0) + 1
        if self.batches % 10 == 0: self.x = self.batches; self.set()
class WholeTotal(MyOneCycle): shift = 0
class OneOver(MyOneCycle):
    "Refuses the last call, which a learner makes."
    def step(self):
        if self.x == self.total - 1: raise ValueError("over")
        super().step()
class RunsOut(MyOneCycle):
    "Looks something up for each step, and has nothing for the last call."
    def step(self):
        [*range(self.total - 1)][self.x]
        super().step()
class Half(MyOneCycle): share = .5
class EndsAtTheStart(MyOneCycle): final = 1
class EndsFromThePeak(MyOneCycle): final = 400
class Straight(MyOneCycle):
    def part(self, t): return t
class StartsTooHigh(MyOneCycle): start = 10
class Momentless(MyOneCycle):
    def write(self, group, lr, momentum): group["lr"] = lr
class OnlySGD(MyOneCycle):
    def write(self, group, lr, momentum): group["lr"], group["momentum"] = lr, momentum
class OnlyBetas(MyOneCycle):
    def write(self, group, lr, momentum): group["lr"], group["betas"] = lr, (momentum, .99)
class WrongWay(MyOneCycle): low, high = .95, .85
class StraightMomentum(MyOneCycle):
    def momentum_part(self, t): return t
class OtherMomentum(MyOneCycle): low, high = .8, .9
class FirstGroup(MyOneCycle):
    def __init__(self, *args): super().__init__(*args); self.groups = self.groups[:1]
class FirstGroupMomentum(MyOneCycle):
    "The rate in all groups, momentum in the first."
    def set(self): self.first = True; super().set()
    def write(self, group, lr, momentum):
        if self.first: super().write(group, lr, momentum)
        group["lr"], self.first = lr, False
class BothBetas(MyOneCycle):
    def write(self, group, lr, momentum):
        super().write(group, lr, momentum)
        if "betas" in group: group["betas"] = momentum, momentum
class NewBeta(MyOneCycle):
    def write(self, group, lr, momentum):
        super().write(group, lr, momentum)
        if "betas" in group: group["betas"] = momentum, .999
class OneBeta(MyOneCycle):
    def write(self, group, lr, momentum):
        super().write(group, lr, momentum)
        if "betas" in group: group["betas"] = momentum,
class BareBeta(MyOneCycle):
    def write(self, group, lr, momentum):
        super().write(group, lr, momentum)
        if "betas" in group: group["betas"] = momentum

def least(lrs, losses): return lrs[int(np.argmin(losses))]
def read_plot(lrs, losses): return LRFound(lrs, losses).tenth
def by_hand(lrs, losses):
    means = [sum(losses[max(0, i - 4):i + 5]) / len(losses[max(0, i - 4):i + 5]) for i in range(len(losses))]
    return lrs[means.index(min(means))] / 10
def wide(lrs, losses): return LRFound(lrs, losses, window=15).tenth
def the_minimum(lrs, losses): return LRFound(lrs, losses).tenth * 10
def the_largest(lrs, losses): return lrs[-1]
def a_tenth_of_the_largest(lrs, losses): return lrs[-1] / 10
def noisy(lrs, losses): return least(lrs, losses) / 10
def noisy_minimum(lrs, losses): return least(lrs, losses)
def trailing(lrs, losses, beta=.98):
    average, corrected = 0., []
    for i, loss in enumerate(losses):
        average = beta * average + (1 - beta) * loss
        corrected.append(average / (1 - beta ** (i + 1)))
    return least(lrs, corrected) / 10
def two_orders(lrs, losses): return LRFound(lrs, losses).tenth / 10
def the_position(lrs, losses): return int(np.argmin(LRFound(lrs, losses).smooth))
def the_loss(lrs, losses): return min(LRFound(lrs, losses).smooth)
def the_first(lrs, losses): return lrs[0]

def set_momentum(optimizer, value):
    for group in optimizer.param_groups:
        if "betas" in group: group["betas"] = value, *group["betas"][1:]
        else: group["momentum"] = value
def by_type(optimizer, value):
    name = "betas" if type(optimizer).__name__ == "Adam" else "momentum"
    for group in optimizer.param_groups: group[name] = (value, group[name][1]) if name == "betas" else value
def nothing(optimizer, value): pass
def new_key(optimizer, value):
    for group in optimizer.param_groups: group["momentum"] = value
def betas_everywhere(optimizer, value):
    for group in optimizer.param_groups: group["betas"] = value, .99
def another_name(optimizer, value):
    for group in optimizer.param_groups: group["beta1"] = value
def first_group(optimizer, value):
    group = optimizer.param_groups[0]
    if "betas" in group: group["betas"] = value, group["betas"][1]
    else: group["momentum"] = value
def defaults(optimizer, value): optimizer.defaults["momentum"] = value
def attribute(optimizer, value): optimizer.momentum = value
def changed(betas):
    def f(optimizer, value):
        set_momentum(optimizer, value)
        for group in optimizer.param_groups:
            if "betas" in group: group["betas"] = betas(value)
    return f
def second(optimizer, value):
    for group in optimizer.param_groups:
        if "betas" in group: group["betas"] = group["betas"][0], value
        else: group["momentum"] = value

@pytest.mark.parametrize("check, right", [(check_one_cycle, MyOneCycle), (check_set_momentum, set_momentum),
                         (check_set_momentum, by_type), *((check_read_plot, f) for f in (read_plot, by_hand, wide))])
def test_right_answers_pass(check, right, capsys):
    check(right)
    assert capsys.readouterr().out.count("✓") == 1

WRONG = [
    (check_one_cycle, Unset, "not max_lr/25: set it in __init__ too"),
    (check_one_cycle, StepsWhenMade, "make no step there"),
    (check_one_cycle, StartsTooHigh, "the first batch has the rate 0.01, not max_lr/25"),
    (check_one_cycle, Never, "hardly changes: set it in step()"), (check_one_cycle, Epochs, "not once an epoch"),
    (check_one_cycle, OneOver, "the last call must be allowed"),
    (check_one_cycle, RunsOut, "the last call must be allowed"),
    (check_one_cycle, WholeTotal, "the peak is at batch 15"), (check_one_cycle, Half, "the peak is at batch 24"),
    (check_one_cycle, EndsAtTheStart, "the last rate 0.004: they should be 14 and 4e-07"),
    (check_one_cycle, EndsFromThePeak, "the last rate 1e-05"),
    (check_one_cycle, Straight, "are no cosines"),
    (check_one_cycle, Momentless, "momentum stays"), (check_one_cycle, OnlySGD, "in Adam as the first of betas"),
    (check_one_cycle, OnlyBetas, "momentum stays: it must fall"), (check_one_cycle, WrongWay, "rises with the rate"),
    (check_one_cycle, StraightMomentum, "does not follow a cosine .95 → .85 → .95"),
    (check_one_cycle, OtherMomentum, "does not follow a cosine .95 → .85 → .95"),
    (check_one_cycle, FirstGroup, "only the first parameter group"),
    (check_one_cycle, FirstGroupMomentum, "only the first parameter group"),
    (check_one_cycle, BothBetas, "the second beta"), (check_one_cycle, NewBeta, "the second beta"),
    (check_one_cycle, OneBeta, "must stay a pair, for Adam"), (check_one_cycle, BareBeta, "must stay a pair, for Adam"),
    (check_read_plot, the_minimum, "go one order below"), (check_read_plot, the_largest, "is past the minimum"),
    (check_read_plot, a_tenth_of_the_largest, "is past the minimum"),
    (check_read_plot, noisy, "a single lucky batch"), (check_read_plot, noisy_minimum, "a single lucky batch"),
    (check_read_plot, trailing, "look back only"), (check_read_plot, two_orders, "one order below the minimum is"),
    (check_read_plot, the_position, "is past the minimum"), (check_read_plot, the_loss, "is past the minimum"),
    (check_read_plot, the_first, "single lucky batch"),
    (check_set_momentum, nothing, "SGD's first group still has 0.9"),
    (check_set_momentum, new_key, "Adam has a new entry"),
    (check_set_momentum, betas_everywhere, "SGD has a new entry"),
    (check_set_momentum, another_name, "SGD has a new entry"),
    (check_set_momentum, first_group, "only the first group of SGD"),
    (check_set_momentum, defaults, "SGD's first group still"),
    (check_set_momentum, attribute, "SGD's first group still"),
    (check_set_momentum, changed(lambda v: (v,)), "betas is a pair"),
    (check_set_momentum, changed(lambda v: v), "betas is a pair"),
    (check_set_momentum, changed(lambda v: (v, .999)), "the second beta is lost"),
    (check_set_momentum, changed(lambda v: (v, v)), "the second beta is lost"),
    (check_set_momentum, second, "Adam's first group still has 0.9")]

@pytest.mark.parametrize("check, wrong, says", WRONG)
def test_wrong_answers_are_refused(check, wrong, says):
    with pytest.raises(AssertionError) as e: check(wrong)
    assert says in str(e.value)
