"Every class of miniai.sched against PyTorch's, with drawn arguments; saving, resuming, and the learner's callbacks."
import io
import math
from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as theirs

from miniai import optim, sched
from miniai.lab.proofs import _tiny_learner, same_schedule_as_torch
from miniai.learner import (
    Callback, CancelBatchException, CancelEpochException, Learner, MetricsCB, RecorderCB)

OPTIMIZERS = {"torch SGD": partial(torch.optim.SGD, momentum=.9), "torch Adam": torch.optim.Adam,
              "miniai SGD": partial(optim.SGD, momentum=.9), "miniai Adam": optim.Adam, "miniai Lion": optim.Lion}
some = settings(max_examples=40, deadline=None)

def make_opt(kind="torch SGD", lrs=(.1, .03, 2.)):
    return OPTIMIZERS[kind]([dict(params=[torch.nn.Parameter(torch.ones(2))], lr=lr) for lr in lrs])

def momentum(group): return group["betas"][0] if "betas" in group else group.get("momentum")

def numbers(opt): return [[value for group in opt.param_groups for value in (group["lr"], momentum(group))]]

def run(opt, scheduler, n_steps):
    "lr and momentum of every group at the start and after each step, [n_steps + 1, 2·groups]."
    seen = numbers(opt)
    for _ in range(n_steps):
        opt.step()
        scheduler.step()
        seen += numbers(opt)
    return torch.tensor(seen, dtype=torch.float64)

def close(a, b):
    assert a.shape == b.shape
    size = b.abs().amax(0)
    off = ((a - b).abs() > 1e-9 * size).nonzero()
    assert len(off) == 0, f"first at step {off[0][0]}, column {off[0][1]}: {a[tuple(off[0])]} and {b[tuple(off[0])]}"

def saved(state):
    "What comes back from a file that is read without running code."
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)

def side_by_side(name, kind, n_steps, pause, **arguments):
    "Ours put aside at `pause` and resumed, against PyTorch's, which is not."
    b = make_opt(kind)
    try: right = run(b, getattr(theirs, name)(b, **arguments), n_steps)
    except ZeroDivisionError: assume(False)
    a = make_opt(kind)
    first = getattr(sched, name)(a, **arguments)
    before = run(a, first, pause)
    again = make_opt(kind)
    second = getattr(sched, name)(again, **arguments)
    again.load_state_dict(saved(a.state_dict()))
    second.load_state_dict(saved(first.state_dict()))
    assert second.last_epoch == pause and second.get_last_lr() == first.get_last_lr()
    close(torch.cat([before, run(again, second, n_steps - pause)[1:]]), right)
    assert [g["lr"] for g in again.param_groups] == second.get_last_lr()

def falling(x): return .97**x
def bumpy(x): return 1 + .5 * math.sin(x)
def halved(x): return 1 / (1 + x)

iters, factors, rates = st.integers(1, 60), st.floats(.01, 1), st.floats(0, .2)
ARGUMENTS = {
    "LambdaLR": dict(lr_lambda=st.sampled_from([falling, bumpy]) | st.permutations([falling, bumpy, halved])),
    "StepLR": dict(step_size=iters, gamma=st.floats(0, 1.5)),
    "MultiStepLR": dict(milestones=st.lists(st.integers(0, 120), max_size=6), gamma=st.floats(.01, 1.5)),
    "ConstantLR": dict(factor=factors, total_iters=iters),
    "LinearLR": dict(start_factor=factors, end_factor=st.floats(0, 1), total_iters=iters),
    "ExponentialLR": dict(gamma=st.floats(.5, 1.1)),
    "PolynomialLR": dict(total_iters=iters, power=st.floats(0, 4)),
    "CosineAnnealingLR": dict(T_max=iters, eta_min=rates),
    "CosineAnnealingWarmRestarts": dict(T_0=st.integers(1, 30), T_mult=st.integers(1, 4), eta_min=rates),
    "CyclicLR": dict(base_lr=rates | st.lists(rates, min_size=3, max_size=3), max_lr=st.floats(.2, 3),
                     step_size_up=iters, step_size_down=st.none() | st.integers(0, 40), gamma=st.floats(.9, 1),
                     mode=st.sampled_from(["triangular", "triangular2", "exp_range"]), cycle_momentum=st.booleans(),
                     scale_fn=st.sampled_from([None, falling, bumpy, halved]), base_momentum=st.floats(0, .8),
                     scale_mode=st.sampled_from(["cycle", "iterations"]),
                     max_momentum=st.floats(.8, .99) | st.lists(st.floats(.8, .99), min_size=3, max_size=3))}

@pytest.mark.parametrize("name", ARGUMENTS)
def test_equal_to_torch(name):
    @some
    @given(st.fixed_dictionaries(ARGUMENTS[name]), st.sampled_from([*OPTIMIZERS]), st.integers(1, 120), st.floats(0, 1))
    def check(arguments, kind, n_steps, pause): side_by_side(name, kind, n_steps, int(pause * n_steps), **arguments)
    check()

LONG = {"LambdaLR": [dict(lr_lambda=bumpy)], "StepLR": [dict(step_size=1, gamma=.999), dict(step_size=2000)],
        "MultiStepLR": [dict(milestones=[700, 1, 1, 1000])], "ConstantLR": [dict(), dict(factor=1., total_iters=1)],
        "LinearLR": [dict(), dict(start_factor=1e-3, end_factor=.5, total_iters=999)],
        "ExponentialLR": [dict(gamma=.99), dict(gamma=1.)], "PolynomialLR": [dict(), dict(total_iters=1000, power=.5)],
        "CosineAnnealingLR": [dict(T_max=1), dict(T_max=333, eta_min=.5), dict(T_max=2000)],
        "CosineAnnealingWarmRestarts": [dict(T_0=1, T_mult=1), dict(T_0=1, T_mult=2),
                                        dict(T_0=7, T_mult=3, eta_min=.01)],
        "CyclicLR": [dict(base_lr=.001, max_lr=.1), dict(base_lr=[.1, .2, .3], max_lr=[1., 2., 3.], step_size_up=1),
                     dict(base_lr=.1, max_lr=.1, step_size_up=3, step_size_down=5, mode="exp_range", gamma=.99)]}

@pytest.mark.parametrize("name", LONG)
def test_equal_to_torch_for_1000_steps(name, capsys):
    for arguments in LONG[name]: same_schedule_as_torch(getattr(sched, name), getattr(theirs, name), **arguments)
    assert capsys.readouterr().out.count("over 1000 steps") == len(LONG[name])

def test_the_comparison_can_fail():
    class Lower(sched.StepLR):
        def lr_at(self, x, i): return super().lr_at(x, i) * (1 - 1e-9 * (x >= 700) * (i == 2))
    class Forgetful(sched.StepLR):
        def load_state_dict(self, state_dict): pass
    class Dull(sched.CyclicLR):
        def momentum_at(self, x, i): return super().momentum_at(x, i) + 1e-6 * (x > 900)
    for wrong, name, arguments, where in (
            (Lower, "StepLR", dict(step_size=30, gamma=.99), "step 700, group 2: lr"),
            (Forgetful, "StepLR", dict(step_size=30, gamma=.99), "step 510, group 0: lr"),
            (Dull, "CyclicLR", dict(base_lr=.1, max_lr=.2, step_size_up=9), "step 901, group 0: momentum")):
        with pytest.raises(AssertionError, match=where):
            same_schedule_as_torch(wrong, getattr(theirs, name), **arguments)

@settings(max_examples=120, deadline=None)
@given(kind=st.sampled_from([*OPTIMIZERS][:4]), total_steps=st.integers(1, 100),
       pct_start=st.sampled_from([0., 1., .5, .01]) | st.floats(0, 1), three_phase=st.booleans(),
       anneal_strategy=st.sampled_from(["cos", "linear"]), cycle_momentum=st.booleans(),
       max_lr=rates | st.lists(rates, min_size=3, max_size=3), base_momentum=st.floats(0, .85),
       max_momentum=st.floats(.85, .99), div_factor=st.floats(1, 100), pause=st.floats(0, 1),
       final_div_factor=st.floats(1, 1e5))
def test_one_cycle(kind, total_steps, pause, **arguments):
    side_by_side("OneCycleLR", kind, total_steps, int(pause * total_steps), total_steps=total_steps, **arguments)

def test_one_cycle_ends():
    for module in (theirs, sched):
        opt = make_opt()
        scheduler = module.OneCycleLR(opt, max_lr=.1, epochs=3, steps_per_epoch=4)
        run(opt, scheduler, 12)
        with pytest.raises(ValueError): scheduler.step()

def test_one_cycle_has_no_division_by_zero():
    "A piece of length 0: PyTorch's raises ZeroDivisionError, ours gives the piece's end."
    for total_steps, three_phase in ((10, False), (10, True), (2, True)):
        arguments = dict(max_lr=.1, total_steps=total_steps, pct_start=1 / total_steps, three_phase=three_phase)
        opt = make_opt()
        with pytest.raises(ZeroDivisionError): theirs.OneCycleLR(opt, **arguments)
        seen = run(opt := make_opt(), sched.OneCycleLR(opt, **arguments), total_steps)
        assert seen.isfinite().all() and seen[0, 0] == .1

@pytest.mark.parametrize("arguments, says", [
    (dict(), "total_steps is None"), (dict(epochs=3), "total_steps is None"), (dict(total_steps=0), "total_steps is 0"),
    (dict(total_steps=-3), "total_steps is -3"), (dict(total_steps=2.5), "total_steps is 2.5"),
    (dict(total_steps=9, pct_start=-.1), "pct_start is -0.1"), (dict(total_steps=9, pct_start=2), "pct_start is 2"),
    (dict(total_steps=9, anneal_strategy="cosine"), "anneal_strategy is 'cosine'")])
def test_one_cycle_refuses(arguments, says):
    with pytest.raises(ValueError, match=says): sched.OneCycleLR(make_opt(), max_lr=.1, **arguments)

# jumps, tensors, resuming by hand

@some
@given(st.lists(st.floats(0, 100), min_size=1, max_size=8), st.integers(1, 30), st.integers(1, 3))
def test_jumps_between_steps(epochs, T_0, T_mult):
    a, b = make_opt(), make_opt()
    mine, its = (module.CosineAnnealingWarmRestarts(o, T_0, T_mult) for module, o in ((sched, a), (theirs, b)))
    for epoch in epochs:
        period = T_0
        while epoch >= period: epoch, period = epoch - period, period * T_mult
        assume(epoch > 1e-6 and period - epoch > 1e-6)  # at a restart PyTorch's logarithm rounds either way
    for epoch in epochs:
        mine.step(epoch), its.step(epoch)
        for g, h in zip(a.param_groups, b.param_groups): assert math.isclose(g["lr"], h["lr"], abs_tol=1e-9)

def test_jump_back_and_negative():
    opt = make_opt()
    scheduler = sched.CosineAnnealingLR(opt, T_max=10)
    run(opt, scheduler, 7)
    scheduler.step(2)
    assert scheduler.last_epoch == 2 and math.isclose(opt.param_groups[0]["lr"], .05 * (1 + math.cos(.2 * math.pi)))
    scheduler.step()
    assert scheduler.last_epoch == 3
    with pytest.raises(ValueError, match="epoch is -1"): scheduler.step(-1)
    assert scheduler.last_epoch == 3

@pytest.mark.parametrize("name", ["CosineAnnealingLR", "CyclicLR", "StepLR"])
def test_rate_in_a_tensor_is_changed_in_place(name):
    arguments = dict(CosineAnnealingLR=dict(T_max=9), CyclicLR=dict(base_lr=.01, max_lr=.1, step_size_up=4),
                     StepLR=dict(step_size=2))[name]
    def rates(module):
        lr = torch.tensor(.1)
        opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=lr, momentum=.9)
        tensor = opt.param_groups[0]["lr"]
        scheduler, seen = getattr(module, name)(opt, **arguments), []
        for _ in range(9):
            opt.step(), scheduler.step()
            seen.append(opt.param_groups[0]["lr"].item())
        assert opt.param_groups[0]["lr"] is tensor
        return torch.tensor(seen)
    assert torch.allclose(rates(sched), rates(theirs), atol=1e-7)

@pytest.mark.parametrize("name", ["CosineAnnealingLR", "PolynomialLR", "ExponentialLR", "StepLR"])
def test_last_epoch_starts_later(name):
    arguments = dict(CosineAnnealingLR=dict(T_max=50), PolynomialLR=dict(total_iters=50), ExponentialLR=dict(gamma=.9),
                     StepLR=dict(step_size=4))[name]
    opt = make_opt()
    right = run(opt, getattr(sched, name)(opt, **arguments), 40)
    again = make_opt()
    with pytest.raises(KeyError, match="initial_lr"): getattr(sched, name)(again, **arguments, last_epoch=9)
    for group in again.param_groups: group["initial_lr"] = group["lr"]
    close(run(again, getattr(sched, name)(again, **arguments, last_epoch=9), 30), right[10:])

def test_state_holds_no_function():
    opt = make_opt()
    made = [sched.LambdaLR(opt, falling), sched.CyclicLR(opt, .1, .2, scale_fn=falling),
            sched.ScheduleLR(opt, 10, lr=sched.linear(1, 0), momentum=sched.linear(.9, .8))]
    for scheduler in made:
        state = saved(scheduler.state_dict())
        assert "optimizer" not in state and not any(map(callable, state.values()))

def test_schedule_lr():
    shape = sched.combine([.25, .75], [sched.linear(.1, 1), sched.cosine(1, 0)])
    def begin():
        opt = make_opt("torch Adam")
        return sched.ScheduleLR(opt, 40, lr=shape, momentum=sched.linear(.95, .85)), opt
    first, opt = begin()
    seen = run(opt, first, 60)
    t = [min(k / 40, 1) for k in range(61)]
    for i, lr in enumerate((.1, .03, 2.)):
        assert torch.allclose(seen[:, 2 * i], torch.tensor([lr * shape(x) for x in t], dtype=torch.float64))
        assert torch.allclose(seen[:, 2 * i + 1], torch.tensor([.95 - .1 * x for x in t], dtype=torch.float64))
    half, opt = begin()
    before = run(opt, half, 20)
    second, again = begin()
    again.load_state_dict(opt.state_dict()), second.load_state_dict(half.state_dict())
    close(torch.cat([before, run(again, second, 40)[1:]]), seen)

def test_schedule_lr_leaves_what_it_is_not_given():
    seen = run(opt := make_opt("torch Adam"), sched.ScheduleLR(opt, 10), 15)
    assert (seen == seen[0]).all() and seen[0, 0] == .1 and seen[0, 1] == .9

# the functions

@some
@given(st.floats(.01, 2), st.floats(.01, 2), st.floats(.1, 4))
def test_ends_of_the_functions(start, end, power):
    for f in (sched.linear(start, end), sched.cosine(start, end), sched.exponential(start, end),
              sched.polynomial(start, end, power), sched.one_minus_sqrt(start, end)):
        assert math.isclose(f(0), start) and math.isclose(f(1), end)
        values = torch.tensor([f(k / 20) for k in range(21)])
        assert (values.diff() * (end - start) >= -1e-6).all()

def test_middles_of_the_functions():
    assert sched.linear(1, 0)(.25) == .75 and math.isclose(sched.cosine(1, 0)(.25), .5 + math.sqrt(2) / 4)
    assert math.isclose(sched.exponential(1, .01)(.5), .1) and sched.polynomial(1, 0, 3)(.5) == .125
    assert sched.one_minus_sqrt(1, 0)(.25) == .5
    steps = sched.step(2., .1, [.8, .4])
    assert [steps(t) for t in (0, .39, .4, .79)] == [2, 2, .2, .2] and math.isclose(steps(.8), .02)

@some
@given(st.lists(st.floats(.01, 1), min_size=1, max_size=5), st.floats(0, 1))
def test_combine(shares, t):
    fractions = [share / sum(shares) for share in shares]
    schedule = sched.combine(fractions, [sched.linear(i, i + 1) for i in range(len(shares))])
    expected, left = 0, t
    for fraction in fractions:
        expected += min(max(left / fraction, 0), 1)
        left -= fraction
    assert math.isclose(schedule(t), expected, abs_tol=1e-6)

def test_combine_ends_at_1():
    "0.7 + 0.2 + 0.1 is a little less than 1; the last piece ends at 1 all the same, and a root of what is left is 0."
    assert sched.combine([.7, .2, .1], [sched.linear(0, 1), sched.linear(1, 1), sched.polynomial(1, 0, .5)])(1.) == 0

def test_combine_jumps_and_empty_pieces():
    jump = sched.combine([.5, .5], [lambda t: 1., lambda t: 2.])
    assert jump(.5) == 1 and jump(.5 + 1e-9) == 2
    empty = sched.combine([0, 1, 0], [sched.linear(5, 6), sched.linear(1, 0), sched.linear(7, 8)])
    assert empty(.5) == .5 and empty(1) == 0

def test_warm_up_restarts_and_one_cycle_of_pieces():
    linear, cosine = sched.linear, sched.cosine
    warm = sched.combine([.1, .9], [linear(.1, 1), cosine(1, 0)])
    assert warm(0) == .1 and warm(.1) == 1 and math.isclose(warm(.55), .5) and abs(warm(1)) < 1e-12
    restarts = sched.combine([1 / 7, 2 / 7, 4 / 7], [cosine(1, 0)] * 3)
    assert all(restarts(end + 1e-9) > .999 for end in (0, 1 / 7, 3 / 7)) and restarts(6.999 / 7) < 1e-6
    rate, momentum = sched.one_cycle()
    assert [round(rate(t), 6) for t in (0, .45, .9, 1)] == [.1, 1., .1, .001]
    assert [round(momentum(t), 6) for t in (0, .45, .9, 1)] == [.95, .85, .95, .95]

@pytest.mark.parametrize("name, arguments", [
    ("StepLR", dict(step_size=25)), ("ExponentialLR", dict(gamma=.97)),
    ("CosineAnnealingLR", dict(T_max=30, eta_min=.01)), ("LinearLR", dict(total_iters=90)), ("LambdaLR", dict(lr_lambda=falling)),
    ("CosineAnnealingWarmRestarts", dict(T_0=50)), ("CyclicLR", dict(base_lr=.1, max_lr=.2, step_size_up=30))])
def test_a_rate_changed_by_hand_carries_on_where_torchs_does(name, arguments):
    def meddled(module):
        scheduler = getattr(module, name)(opt := make_opt(), **arguments)
        run(opt, scheduler, 20)
        for group in opt.param_groups: group["lr"] *= 2
        return run(opt, scheduler, 60)
    close(meddled(sched), meddled(theirs))

# several schedulers of one optimizer

CHAINED = {name: ARGUMENTS[name] for name in ("StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR",
                                              "PolynomialLR", "CosineAnnealingLR", "LambdaLR")}
one = st.sampled_from([*CHAINED]).flatmap(lambda name: st.tuples(st.just(name), st.fixed_dictionaries(CHAINED[name])))

@settings(max_examples=100, deadline=None)
@given(st.tuples(one, one), st.sampled_from([(sched, sched), (sched, theirs), (theirs, sched)]), st.integers(1, 100))
def test_chained_as_torchs(pair, modules, n_steps):
    "In a ChainedScheduler, or stepped one after the other, both of ours, or one of ours and one of PyTorch's."
    # a rate that gamma brings to 0, by itself or by underflow, has no multiple
    assume(all(arguments.get("gamma", 1) ** n_steps > 1e-280 for _, arguments in pair))

    def chained(modules):
        opt = make_opt()
        return opt, theirs.ChainedScheduler([getattr(module, name)(opt, **arguments)
                                             for module, (name, arguments) in zip(modules, pair)])
    try: right = run(*chained((theirs, theirs)), n_steps)
    except ZeroDivisionError: assume(False)
    mine = run(*chained(modules), n_steps)
    normal = right.abs() > 1e-280    # where a product is so small that it loses digits
    assert torch.allclose(mine[normal], right[normal], rtol=1e-9, atol=1e-13)

SEQUENCES = [
    [("LinearLR", dict(start_factor=.1, total_iters=5)), ("CosineAnnealingLR", dict(T_max=20, eta_min=.001))],
    [("ConstantLR", dict(factor=.5, total_iters=50)), ("ExponentialLR", dict(gamma=.9)), ("StepLR", dict(step_size=3))],
    [("StepLR", dict(step_size=3)), ("CyclicLR", dict(base_lr=.01, max_lr=.3, step_size_up=4))],
    [("PolynomialLR", dict(total_iters=4)), ("LambdaLR", dict(lr_lambda=bumpy)),
     ("CosineAnnealingWarmRestarts", dict(T_0=5))],
    [("ExponentialLR", dict(gamma=.9)), ("OneCycleLR", dict(max_lr=.7, total_steps=40))]]

def sequence(module, opt, parts):
    milestones = [7, 16][:len(parts) - 1]
    return theirs.SequentialLR(opt, [getattr(module, name)(opt, **arguments) for name, arguments in parts], milestones)

@pytest.mark.parametrize("parts", SEQUENCES)
def test_in_a_sequence_as_torchs(parts):
    a, b = make_opt(), make_opt()
    close(run(a, sequence(sched, a, parts), 40), run(b, sequence(theirs, b, parts), 40))

@pytest.mark.parametrize("module", [sched, theirs], ids=["ours", "theirs"])
def test_two_callbacks_multiply(module):
    recorder = sched.schedule_recorder()
    cbs = [sched.BatchSchedCB(partial(module.LinearLR, start_factor=.1, total_iters=4)), recorder,
           sched.EpochSchedCB(partial(sched.ExponentialLR, gamma=.5))]
    _tiny_learner(n_batches=5, lr=.2, cbs=cbs).fit(3)
    expected = [.2 * min(1, .1 + .9 * k / 4) * .5**(k // 5) for k in range(15)]
    assert np.allclose(recorder["lr"], expected)

@pytest.mark.parametrize("make, says", [
    (lambda: sched.exponential(1, 0), "exponential goes from 1 to 0"),
    (lambda: sched.polynomial(1, 0, -1), "power is -1"),
    (lambda: sched.combine([.5], [sched.linear(0, 1)] * 2), "1 fractions for 2 schedules"),
    (lambda: sched.combine([], []), "0 fractions for 0 schedules"),
    (lambda: sched.combine([.5, .6], [sched.linear(0, 1)] * 2), "not to 1.1"),
    (lambda: sched.combine([1.5, -.5], [sched.linear(0, 1)] * 2), "must be ≥ 0"),
    (lambda: sched.combine([math.nan, 1], [sched.linear(0, 1)] * 2), "must be ≥ 0")])
def test_functions_refuse(make, says):
    with pytest.raises(ValueError, match=says): make()

BAD = [("LambdaLR", dict(lr_lambda=[falling]), "lr_lambda has 1 values"),
       ("LambdaLR", dict(lr_lambda=3), "lr_lambda is 3"),
       *(("StepLR", dict(step_size=v), f"step_size is {v}") for v in (0, -1, None, math.nan, math.inf)),
       ("StepLR", dict(step_size=3, gamma=-1), "gamma is -1"),
       ("MultiStepLR", dict(milestones=[3, -1]), r"milestones\[1\] is -1"),
       ("MultiStepLR", dict(milestones=[3], gamma=math.nan), "gamma is nan"),
       *(("ConstantLR", dict(total_iters=v), f"total_iters is {v}") for v in (0, -5)),
       ("ConstantLR", dict(factor=-.1), "factor is -0.1"),
       *(("LinearLR", dict(total_iters=v), f"total_iters is {v}") for v in (0, -5)),
       ("LinearLR", dict(start_factor=-1), "start_factor is -1"), ("LinearLR", dict(end_factor=-1), "end_factor is -1"),
       ("ExponentialLR", dict(gamma=-.5), "gamma is -0.5"),
       *(("PolynomialLR", dict(total_iters=v), f"total_iters is {v}") for v in (0, -5)),
       ("PolynomialLR", dict(power=-1), "power is -1"),
       *(("CosineAnnealingLR", dict(T_max=v), f"T_max is {v}") for v in (0, -100)),
       ("CosineAnnealingLR", dict(T_max=9, eta_min=-1), "eta_min is -1"),
       *(("CosineAnnealingWarmRestarts", dict(T_0=v), f"T_0 is {v}") for v in (0, -1, 2.5)),
       *(("CosineAnnealingWarmRestarts", dict(T_0=5, T_mult=v), f"T_mult is {v}") for v in (0, 1.5)),
       ("CosineAnnealingWarmRestarts", dict(T_0=5, eta_min=None), "eta_min is None"),
       *(("CyclicLR", dict(base_lr=.1, max_lr=1, step_size_up=v), f"step_size_up is {v}") for v in (0, -3)),
       ("CyclicLR", dict(base_lr=.1, max_lr=1, step_size_down=-3), "step_size_down is -3"),
       ("CyclicLR", dict(base_lr=.1, max_lr=1, mode="sine"), "mode is 'sine'.*triangular2"),
       ("CyclicLR", dict(base_lr=.1, max_lr=1, scale_mode="epoch"), "scale_mode is 'epoch'"),
       ("CyclicLR", dict(base_lr=[.1, .2], max_lr=1), "base_lr has 2 values"),
       ("CyclicLR", dict(base_lr=.1, max_lr=1, max_momentum=[.9]), "max_momentum has 1 values"),
       *(("ScheduleLR", dict(total_steps=v), f"total_steps is {v}") for v in (0, -1)),
       ("ScheduleLR", dict(total_steps=9, lr=.1), "lr is 0.1"),
       ("ScheduleLR", dict(total_steps=9, momentum=.1), "momentum is 0.1")]

@pytest.mark.parametrize("name, arguments, says", BAD)
def test_refuses(name, arguments, says):
    opt = make_opt()
    before = deepcopy(opt.state_dict())
    with pytest.raises((ValueError, TypeError), match=says): getattr(sched, name)(opt, **arguments)
    assert opt.state_dict() == before, "a refused scheduler changed the optimizer"

def test_momentum_that_is_not_there():
    opt = torch.optim.Adagrad([torch.nn.Parameter(torch.ones(1))])
    for make in (lambda: sched.CyclicLR(opt, .1, .2), lambda: sched.ScheduleLR(opt, 9, momentum=sched.linear(.9, .8))):
        with pytest.raises(ValueError, match="Adagrad has neither momentum nor betas"): make()
    sched.CyclicLR(opt, .1, .2, cycle_momentum=False)

# in the learner

WITH_BATCHES = {"StepLR": dict(step_size=3), "MultiStepLR": dict(milestones=[2, 7]), "ExponentialLR": dict(gamma=.8),
                "PolynomialLR": dict(total_iters=9), "LinearLR": dict(), "ConstantLR": dict(),
                "LambdaLR": dict(lr_lambda=falling),
                "CosineAnnealingLR": dict(T_max=10), "CosineAnnealingWarmRestarts": dict(T_0=3, T_mult=2),
                "CyclicLR": dict(base_lr=.01, max_lr=.3, step_size_up=3), "OneCycleLR": dict(max_lr=.3, total_steps=20)}

@pytest.mark.parametrize("opt_func", [OPTIMIZERS["torch SGD"], OPTIMIZERS["miniai Adam"]])
@pytest.mark.parametrize("name", WITH_BATCHES)
def test_callbacks_do_not_care_whose(name, opt_func):
    def fitted(module, cb):
        recorder = sched.schedule_recorder()
        cbs = [recorder, cb(partial(getattr(module, name), **WITH_BATCHES[name]))]
        learn = _tiny_learner(n_batches=5, lr=.2, opt_func=opt_func, cbs=cbs)
        learn.fit(3)
        return learn, recorder, cbs[1].sched.last_epoch
    for cb, steps in ((sched.BatchSchedCB, 15), (sched.EpochSchedCB, 3)):
        (mine, ours, n), (its, right, m) = fitted(sched, cb), fitted(theirs, cb)
        assert n == m == steps and len(ours["lr"]) == 15
        for quantity in ("lr", "momentum"):
            assert torch.allclose(torch.tensor(ours[quantity]), torch.tensor(right[quantity]))
        assert torch.allclose(mine.model.weight, its.model.weight, atol=1e-6)

@pytest.mark.parametrize("cb, batches_a_step", [(sched.BatchSchedCB, 1), (sched.EpochSchedCB, 5)])
def test_recorded_rates(cb, batches_a_step):
    recorder = sched.schedule_recorder(loss=lambda learn: learn.loss)
    learn = _tiny_learner(n_batches=5, lr=.2, cbs=[cb(partial(sched.CosineAnnealingLR, T_max=15)), recorder])
    learn.fit(3)
    assert recorder["lr"] == [sched.cosine(.2, 0)(k // batches_a_step / 15) for k in range(15)]
    assert recorder["momentum"] == [0] * 15 and len(recorder["loss"]) == 15

def test_recorder_reads_beta1_and_no_momentum():
    def momentum_of(opt_func):
        recorder = sched.schedule_recorder()
        _tiny_learner(n_batches=2, lr=.01, opt_func=opt_func, cbs=[recorder]).fit(1)
        return recorder["momentum"]
    assert momentum_of(partial(torch.optim.Adam, betas=(.7, .99))) == [.7] * 2
    assert momentum_of(torch.optim.Adagrad) == [0.] * 2
    assert momentum_of(partial(torch.optim.SGD, momentum=.6)) == [.6] * 2

def nested(module, opt):
    chained = theirs.ChainedScheduler([module.ConstantLR(opt, .5, 4), module.ExponentialLR(opt, .95)])
    return theirs.SequentialLR(opt, [chained, module.CosineAnnealingLR(opt, 20)], [9])

COMPOUND = {
    "SequentialLR": lambda module, opt: sequence(module, opt, SEQUENCES[0]),
    "momentum in a sequence": lambda module, opt: sequence(module, opt, SEQUENCES[2]),
    "ChainedScheduler": lambda module, opt: theirs.ChainedScheduler([module.LinearLR(opt), module.StepLR(opt, 3)]),
    "one in the other": nested, "LambdaLR": lambda module, opt: module.LambdaLR(opt, [bumpy]),
    "CosineAnnealingLR": lambda module, opt: module.CosineAnnealingLR(opt, 17),
    "OneCycleLR": lambda module, opt: module.OneCycleLR(opt, .7, 31)}

@pytest.mark.parametrize("module", [sched, theirs], ids=["ours", "theirs"])
@pytest.mark.parametrize("kind", COMPOUND)
@pytest.mark.parametrize("cb, n_batches", [(sched.BatchSchedCB, 5), (sched.EpochSchedCB, 1)])
@pytest.mark.parametrize("new_process", [False, True])
def test_resumed_is_as_if_never_stopped(module, kind, cb, n_batches, new_process):
    "Whatever is inside of what: in the next fit, or from a file in another process before it has made a scheduler."
    def learner():
        recorder, scheduled = sched.schedule_recorder(), cb(partial(COMPOUND[kind], module), resume=not new_process)
        return recorder, scheduled, _tiny_learner(n_batches=n_batches, lr=.2, cbs=[recorder, scheduled],
                                                  opt_func=OPTIMIZERS["torch SGD"])
    epochs = 25 // n_batches
    right, _, learn = learner()
    learn.fit(epochs, valid=False)
    recorder, scheduled, learn = learner()
    learn.fit(epochs // 2, valid=False)
    first, state = recorder.records, scheduled.state_dict()
    if new_process:
        recorder, scheduled, learn = learner()
        scheduled.load_state_dict(saved(state))
        assert scheduled.state_dict() == state
    learn.fit(epochs - epochs // 2, valid=False)
    for quantity in ("lr", "momentum"):
        seen = first[quantity] + recorder[quantity] if new_process else recorder[quantity]
        assert seen == right[quantity]

def test_loaded_within_a_fit():
    class Load(Callback):
        order = 70
        def before_fit(self, learn): learn.cbs[0].load_state_dict(state)
    make = lambda: _tiny_learner(n_batches=3, lr=.8, cbs=[sched.BatchSchedCB(partial(sched.ExponentialLR, gamma=.5))])
    learn = make()
    learn.fit(2)
    state, other = learn.cbs[0].state_dict(), make()
    other.fit(1, cbs=[Load()])
    assert other.opt.param_groups[0]["lr"] == .8 * .5**9
    other.fit(1)                     # once
    assert other.opt.param_groups[0]["lr"] == .8 * .5**3

def test_a_state_of_other_groups():
    state = dict(sched={}, groups=[dict(lr=.1)] * 2, count=1, stepped=False)
    learn = _tiny_learner(cbs=[sched.BatchSchedCB(partial(sched.StepLR, step_size=1))])
    learn.cbs[0].load_state_dict(state)
    with pytest.raises(ValueError, match="state is of 2 parameter groups: the optimizer has 1"): learn.fit(1)

@pytest.mark.parametrize("module", [sched, theirs], ids=["ours", "theirs"])
def test_an_optimizer_handed_on(module):
    "A new schedule begins where the old one began, or at the rate that is given; a resumed one goes on."
    recorder, cb = sched.schedule_recorder(), sched.BatchSchedCB(partial(module.CosineAnnealingLR, T_max=5))
    second = sched.EpochSchedCB(partial(sched.StepLR, step_size=9))
    learn = _tiny_learner(n_batches=5, lr=.2, cbs=[recorder, cb, second])
    falls = np.array([sched.cosine(1, 0)(k / 5) for k in range(5)])
    learn.fit(1)
    learn.fit(1, opt=learn.opt)
    learn.fit(1, opt=learn.opt, lr=.5)
    assert np.allclose(recorder["lr"], np.concatenate([.2 * falls, .2 * falls, .5 * falls]))

# what other schedulers need

class Loss(Callback):
    "The validation loss of each epoch is what the list says."
    order = -50
    def __init__(self, values): self.values = values
    def after_loss(self, learn):
        if not learn.training: learn.loss = learn.loss * 0 + self.values[learn.total_epochs - 1]

LOSSES = [3., 2., 2.5, 2.5, 1., 1.5, 2., 3., 4., .5, .6, .7]

@pytest.mark.parametrize("metric, seen", [("valid_loss", LOSSES), ("valid_level", [10 * v for v in LOSSES])])
def test_plateau(metric, seen):
    plateau = partial(theirs.ReduceLROnPlateau, factor=.5, patience=1)
    opt = make_opt(lrs=(.8,))
    scheduler, right = plateau(opt), []
    for value in seen: right.append(opt.param_groups[0]["lr"]), scheduler.step(value)
    assert len(set(right)) == 4
    def learner(**kwargs):
        recorder, cb = sched.schedule_recorder(), sched.EpochSchedCB(plateau, metric=metric, **kwargs)
        metrics = MetricsCB(level=lambda preds, y: learn.loss.detach() * 10)
        learn = _tiny_learner(n_batches=2, lr=.8, cbs=[recorder, cb, MetricsCB(), metrics, Loss(LOSSES)])
        return recorder, cb, learn
    recorder, cb, learn = learner(resume=True)
    learn.fit(5), learn.fit(2)
    state = saved(cb.state_dict())
    again, cb, learn = learner()
    cb.load_state_dict(state)
    learn.total_epochs = 7
    learn.fit(5)
    assert (recorder["lr"] + again["lr"])[::2] == right

def test_an_epoch_without_validation_has_no_metric():
    class NoSecond(Callback):
        def before_epoch(self, learn):
            if learn.phase == "valid" and learn.epoch == 1: raise CancelEpochException()
        def before_batch(self, learn):
            if learn.phase == "valid" and learn.epoch == 2: raise CancelBatchException()
    cb = sched.EpochSchedCB(theirs.ReduceLROnPlateau, metric="valid_loss")
    learn = _tiny_learner(cbs=[cb, MetricsCB(), NoSecond()])
    learn.fit(4), learn.fit(1, train=False)
    assert cb.sched.last_epoch == 2
    learn.cbs = [cb]
    learn.fit(1, train=False)

class Asks:
    def __init__(self, opt): pass
    def step(self, temperature): pass

@pytest.mark.parametrize("cbs, says", [
    (lambda: [sched.BatchSchedCB(theirs.ReduceLROnPlateau)], "ReduceLROnPlateau needs a metric .* EpochSchedCB"),
    (lambda: [sched.EpochSchedCB(theirs.ReduceLROnPlateau)], r"EpochSchedCB\(sched_func, metric='valid_loss'\)"),
    (lambda: [sched.EpochSchedCB(theirs.ReduceLROnPlateau, metric="valid_loss")], "'valid_loss', and no MetricsCB"),
    (lambda: [sched.EpochSchedCB(theirs.ReduceLROnPlateau, metric="loss"), MetricsCB()],
     "metric is 'loss': the MetricsCB has epoch, train_loss, valid_loss"),
    (lambda: [sched.EpochSchedCB(partial(sched.StepLR, step_size=1), metric="valid_loss"), MetricsCB()],
     "StepLR.step takes none"),
    (lambda: [sched.BatchSchedCB(Asks)], "Asks.step needs temperature")])
def test_what_cannot_be_stepped_is_refused(cbs, says):
    learn = _tiny_learner(cbs=cbs())
    with pytest.raises(ValueError, match=says): learn.fit(1)

def test_resume_needs_a_state():
    class Own:
        def __init__(self, opt): self.opt = opt
        def step(self): self.opt.param_groups[0]["lr"] *= .5
    learn = _tiny_learner(n_batches=3, lr=.8, cbs=[sched.BatchSchedCB(Own)])
    learn.fit(1)
    assert learn.opt.param_groups[0]["lr"] == .1
    learn.cbs[0].resume = True
    with pytest.raises(TypeError, match="Own has no state_dict and load_state_dict"): learn.fit(1)

@pytest.mark.parametrize("per_batch", [True, False])
def test_timm(per_batch):
    "Counts of its own: step(epoch), step_update(num_updates)."
    make = partial(pytest.importorskip("timm.scheduler").CosineLRScheduler, t_initial=20, warmup_t=3,
                   warmup_lr_init=.01, t_in_epochs=not per_batch)
    opt = make_opt(lrs=(.2,))
    scheduler, right = make(opt), []
    for k in range(12):
        right.append(opt.param_groups[0]["lr"])
        (scheduler.step_update if per_batch else scheduler.step)(k + 1)
    recorder, kind = sched.schedule_recorder(), sched.BatchSchedCB if per_batch else sched.EpochSchedCB
    learn = _tiny_learner(n_batches=4 if per_batch else 1, lr=.2, cbs=[recorder, kind(make, resume=True)])
    learn.fit(2 if per_batch else 8), learn.fit(1 if per_batch else 4)
    assert recorder["lr"] == right
    learn.cbs = [sched.EpochSchedCB(make) if per_batch else sched.BatchSchedCB(make)]
    with pytest.raises(ValueError, match=f"t_in_epochs={not per_batch}: step it with {kind.__name__}"): learn.fit(1)

# steps that are none

class SkipSteps(Learner):
    "Of each four steps the scaler skips one."
    def step(self):
        if self.iter % 4 == 1: self.stepped = False
        else: super().step()

class InTwos(Callback):
    def before_batch(self, learn): learn.complete = learn.iter % 2 == 1

@pytest.mark.parametrize("kind, cbs, steps", [(SkipSteps, [], [1, 1, 2, 3]), (Learner, [InTwos()], [0, 1, 1, 2])])
def test_the_schedule_waits_for_the_optimizer(kind, cbs, steps):
    cb = sched.BatchSchedCB(partial(sched.StepLR, step_size=1, gamma=.5))
    plain = _tiny_learner(n_batches=4)
    learn = kind(plain.model, plain.dls, lr=.8, cbs=[cb, *cbs])
    seen = RecorderCB(n=lambda learn: learn.cbs[0].sched.last_epoch)
    seen.order = 70
    learn.fit(1, cbs=[seen])
    assert seen["n"] == steps and cb.sched.last_epoch == learn.total_steps

def test_an_epoch_without_a_step_does_not_count():
    class Later(Callback):
        def before_batch(self, learn): learn.complete = learn.epoch % 2 == 1
    cb = sched.EpochSchedCB(partial(sched.StepLR, step_size=1))
    _tiny_learner(cbs=[cb, Later()]).fit(4)
    assert cb.sched.last_epoch == 2

# numbers and sequences of any kind

def once(values): return (v for v in values)

@pytest.mark.parametrize("kind", [tuple, once, np.array, torch.tensor])
@pytest.mark.parametrize("name, arguments, plain", [
    ("MultiStepLR", ["milestones"], dict(milestones=[9, 2, 2], gamma=.5)),
    ("CyclicLR", ["base_lr", "max_lr", "base_momentum", "max_momentum"],
     dict(base_lr=[.1, .2, .3], max_lr=[1., 2., 3.], base_momentum=[.5, .6, .7], max_momentum=[.8, .9, .95],
          step_size_up=4)),
    ("OneCycleLR", ["max_lr", "base_momentum"], dict(max_lr=[.1, .2, .3], base_momentum=[.5, .6, .7], total_steps=20))])
def test_sequences_of_any_kind(kind, name, arguments, plain):
    a, b = make_opt(), make_opt()
    given = {k: kind(v) if k in arguments else v for k, v in plain.items()}
    seen = run(a, scheduler := getattr(sched, name)(a, **given), 15)
    assert torch.allclose(seen, run(b, getattr(sched, name)(b, **plain), 15), rtol=1e-6)
    assert {type(g["lr"]) for g in a.param_groups} == {float}
    saved(scheduler.state_dict()), saved(a.state_dict())

def test_functions_take_sequences_of_any_kind():
    linear = sched.linear
    for kind in (tuple, once, np.array):
        schedule = sched.combine(kind([.25, .75]), once([linear(0, 1), linear(1, 0)]))
        assert [schedule(t) for t in (0, .25, 1, .25)] == [0, 1, 0, 1]
        steps = sched.step(1., .5, kind([3, 1]))
        assert [steps(t) for t in (0, 1, 3, 0)] == [1, .5, .25, 1]
    opt = make_opt()
    scheduler = sched.LambdaLR(opt, once([falling, bumpy, halved]))
    scheduler.step(2)
    assert scheduler.get_last_lr() == [.1 * falling(2), .03 * bumpy(2), 2. * halved(2)]

NUMBERS = {"StepLR": dict(step_size=3, gamma=.5), "MultiStepLR": dict(milestones=[2, 5], gamma=.5),
           "ExponentialLR": dict(gamma=.75), "PolynomialLR": dict(total_iters=7, power=2.),
           "ConstantLR": dict(factor=.25, total_iters=4),
           "LinearLR": dict(start_factor=.25, end_factor=.5, total_iters=4),
           "CosineAnnealingLR": dict(T_max=6, eta_min=.125),
           "CosineAnnealingWarmRestarts": dict(T_0=2, T_mult=2, eta_min=.125),
           "CyclicLR": dict(base_lr=.125, max_lr=1., step_size_up=3, step_size_down=2, gamma=.5, mode="exp_range",
                            base_momentum=.5, max_momentum=.75),
           "OneCycleLR": dict(max_lr=.5, epochs=4, steps_per_epoch=5, pct_start=.5, base_momentum=.5, max_momentum=.75,
                              div_factor=8., final_div_factor=16.),
           "ScheduleLR": dict(total_steps=7, lr=sched.linear(1, 0))}

@pytest.mark.parametrize("as_number", [
    lambda v: np.int64(v) if isinstance(v, int) else np.float32(v), np.array], ids=["scalar", "zero-dimensional"])
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_numpy(name, as_number):
    "Equal to Python's in every digit, and nothing of NumPy's gets into a state that is saved."
    def convert(v):
        if isinstance(v, list): return [*map(convert, v)]
        return as_number(v) if isinstance(v, (int, float)) else v
    a, b = make_opt(), make_opt()
    first = getattr(sched, name)(a, **{k: convert(v) for k, v in NUMBERS[name].items()})
    seen = run(a, first, 6)
    first.step(as_number(8)), first.step()
    second = getattr(sched, name)(b, **NUMBERS[name])
    assert torch.equal(seen, run(b, second, 6))
    second.step(8), second.step()
    assert numbers(a) == numbers(b) and first.last_epoch == 9
    saved(first.state_dict()), saved(a.state_dict())

# rates in tensors

def two_groups(params, lr):
    first, *rest = params
    return torch.optim.SGD([dict(params=[first]), dict(params=rest)], lr=lr)

@pytest.mark.parametrize("module", [sched, theirs], ids=["ours", "theirs"])
def test_a_rate_in_a_tensor_that_groups_share(module):
    lr, recorder = torch.tensor(.8), RecorderCB(first=lambda learn: learn.opt.param_groups[0]["lr"],
                                                second=lambda learn: learn.opt.param_groups[1]["lr"])
    cb = sched.BatchSchedCB(partial(module.LambdaLR, lr_lambda=[falling, halved]))
    learn = _tiny_learner(n_batches=4, lr=lr, cbs=[recorder, cb], opt_func=two_groups)
    for _ in range(2): learn.fit(1)
    assert np.allclose(recorder["first"], [.8 * falling(k) for k in range(4)] * 2)
    assert np.allclose(recorder["second"], [.8 * halved(k) for k in range(4)] * 2)
    assert all(isinstance(g["lr"], torch.Tensor) for g in learn.opt.param_groups) and lr == .8 and learn.lr is lr

def test_a_shared_tensor_without_a_learner():
    opt = two_groups([torch.nn.Parameter(torch.ones(1)) for _ in range(2)], torch.tensor(.8, dtype=torch.float64))
    chained = theirs.ChainedScheduler([sched.MultiStepLR(opt, [2], .5), sched.ExponentialLR(opt, .5)])
    for _ in range(3): opt.step(), chained.step()
    assert [g["lr"].item() for g in opt.param_groups] == [.8 * .5**4] * 2

class Stop(Callback):
    order = 99
    def __init__(self, n_batches): self.left = n_batches
    def after_batch(self, learn):
        self.left -= learn.training
        if self.left == 0: raise KeyboardInterrupt()

CYCLES = {"CyclicLR": dict(base_lr=.1, max_lr=1., step_size_up=4, base_momentum=.5, max_momentum=.9),
          "OneCycleLR": dict(max_lr=.7, total_steps=30),
          "OneCycleLR in three phases": dict(max_lr=.7, total_steps=31, three_phase=True, anneal_strategy="linear")}

@pytest.mark.parametrize("module", [sched, theirs], ids=["ours", "theirs"])
@pytest.mark.parametrize("name", CYCLES)
@settings(max_examples=20, deadline=None)
@given(stop=st.integers(1, 14), resume=st.booleans(), kind=st.sampled_from(["torch SGD", "miniai Adam"]))
def test_interrupted_and_fit_on(name, module, stop, resume, kind):
    cycle = partial(getattr(module, name.split()[0]), **CYCLES[name])
    recorder = sched.schedule_recorder()
    cbs = [recorder, sched.BatchSchedCB(cycle, resume=resume)]
    learn = _tiny_learner(n_batches=5, lr=.2, opt_func=OPTIMIZERS[kind], cbs=cbs)
    with pytest.raises(KeyboardInterrupt): learn.fit(3, cbs=[Stop(stop)])
    learn.fit(2)
    opt = make_opt(kind)
    right = run(opt, cycle(opt), 29).T[:2].tolist()
    for name, values in zip(("lr", "momentum"), right):
        expected = values[:stop] + (values[stop:stop + 10] if resume else values[:10])
        assert torch.allclose(torch.tensor(recorder[name]), torch.tensor(expected))

@pytest.mark.parametrize("stop", [1, 7, 14])
def test_one_cycle_resumed_ends_where_it_should(stop):
    "15 steps in two fits: the last batch has the last rate, and one batch more is refused."
    recorder, cycle = sched.schedule_recorder(), partial(sched.OneCycleLR, max_lr=.7, total_steps=15)
    learn = _tiny_learner(n_batches=5, cbs=[recorder, sched.BatchSchedCB(cycle, resume=True)])
    with pytest.raises(KeyboardInterrupt): learn.fit(3, cbs=[Stop(stop)])
    with pytest.raises(ValueError, match="beyond total_steps, 15"): learn.fit(3)
    assert len(recorder["lr"]) == 16 and math.isclose(recorder["lr"][14], .7 / 25 / 1e4)
    opt = make_opt()
    right = run(opt, theirs.OneCycleLR(opt, max_lr=.7, total_steps=15), 14).T[:2].tolist()
    for name, values in zip(("lr", "momentum"), right): assert np.allclose(recorder[name][:15], values)

def test_epoch_schedule_resumed():
    "An epoch that was cut short does not count."
    recorder = sched.schedule_recorder()
    cb = sched.EpochSchedCB(partial(sched.StepLR, step_size=1, gamma=.5), resume=True)
    learn = _tiny_learner(n_batches=5, lr=.8, cbs=[recorder, cb])
    with pytest.raises(KeyboardInterrupt): learn.fit(3, cbs=[Stop(7)])
    learn.fit(2)
    assert recorder["lr"] == [.8] * 5 + [.4] * 2 + [.4] * 5 + [.2] * 5

def test_validation_and_cancelled_batches_do_not_count():
    class CancelSecond(Callback):
        def before_batch(self, learn):
            if learn.iter == 1: raise CancelBatchException()
    cb = sched.BatchSchedCB(partial(sched.StepLR, step_size=1))
    learn = _tiny_learner(n_batches=5, cbs=[cb])
    learn.fit(1, train=False)
    assert cb.sched is None
    learn.fit(2, cbs=[CancelSecond()])
    assert cb.sched.last_epoch == 8
    old = cb.sched
    learn.fit(1, train=False)
    assert cb.sched is old

def test_each_fit_makes_its_own_scheduler():
    cb = sched.BatchSchedCB(partial(sched.ExponentialLR, gamma=.5))
    learn = _tiny_learner(n_batches=3, lr=.8, cbs=[cb])
    for lr in (.8, .2):
        learn.fit(1, lr=lr)
        assert cb.sched.base_lrs == [lr] and cb.sched.optimizer is learn.opt
        assert learn.opt.param_groups[0]["lr"] == lr / 8

@pytest.mark.parametrize("cb", [sched.BatchSchedCB, sched.EpochSchedCB])
def test_scheduler_instead_of_function(cb):
    scheduler = sched.StepLR(make_opt(), 3)
    with pytest.raises(TypeError, match="sched_func is a StepLR: it must be a function"): cb(scheduler)

def test_recorder_comes_before_the_scheduler(): assert RecorderCB.order < sched.BatchSchedCB.order
