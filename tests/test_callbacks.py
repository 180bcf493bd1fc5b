"Callbacks in a second fit, with a second model, beside each other, after an interrupt, and in a fit that goes on elsewhere."
import copy, sys
from functools import partial
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.utils._python_dispatch import TorchDispatchMode

from miniai.callbacks import EMACB, FreezeCB, GradientClipCB, LookaheadCB, ScheduleFreeCB
from miniai.core import set_seed
from miniai.hooks import ActivationStats
from miniai.learner import Callback, Learner, MetricsCB
from miniai.optim import ScheduleFreeAdamW
from miniai.sched import lr_find  # noqa: F401, gives Learner its method
from miniai.speed import Optimizers

def make(*cbs, n=4, opt_func=SGD, seed=0):
    "A learner with `n` batches an epoch; `cbs` are callbacks, or functions of the model."
    set_seed(seed)
    batches = [(torch.randn(8, 3), torch.randint(2, (8,))) for _ in range(n)]
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    cbs = [cb if isinstance(cb, Callback) else cb(model) for cb in cbs]
    return Learner(model, SimpleNamespace(train=batches, valid=batches[:2]), opt_func=opt_func, cbs=cbs)

def state(model): return [t.clone() for t in model.state_dict().values()]
def equal(a, b): return len(a) == len(b) and all(map(torch.equal, a, b))

EACH = dict(ema=lambda m: EMACB(.9), lookahead=lambda m: LookaheadCB(8, 2), clip=lambda m: GradientClipCB(.1),
            freeze=lambda m: FreezeCB(m[0].parameters(), 2), stats=lambda m: ActivationStats(),
            free=lambda m: ScheduleFreeCB())

@pytest.mark.parametrize("name", EACH)
def test_fits_of_every_kind_one_after_the_other(name):
    learn = make(EACH[name], MetricsCB(), opt_func=ScheduleFreeAdamW if name == "free" else SGD)
    before = state(learn.model)
    learn.fit(1, train=False)
    assert equal(before, state(learn.model))
    learn.fit(1)
    learn.lr_find(n_batches=3)
    learn.fit(1)
    learn.fit(1, train=False)
    other = copy.deepcopy(learn)
    for each in learn, other: torch.manual_seed(0), each.fit(1)
    assert equal(state(learn.model), state(other.model)) and not equal(before, state(learn.model))
    assert len(learn.cbs[1].history) == len(other.cbs[1].history) == 5
    assert all(p.requires_grad for p in learn.model.parameters())

# -- an average

def test_a_new_model_gets_a_new_average():
    ema, first, second = EMACB(.5), make(), make(seed=1)
    first.fit(1, cbs=[ema])
    second.fit(1, cbs=[ema])
    alone = EMACB(.5)
    make(alone, seed=1).fit(1)
    assert ema.steps == 4 and equal(state(ema.average), state(alone.average))
    second.model[3] = nn.Linear(4, 2)
    second.fit(1, cbs=[ema])
    assert ema.steps == 4 and equal(state(ema.average)[:2], state(ema.average[0]))

def test_two_averages_of_one_fit_cannot_both_be_validated():
    with pytest.raises(ValueError, match=r"EMACB\(0.9\) and EMACB\(0.99\).*validate=False"): make(EMACB(.9), EMACB()).fit()
    learn = make(EMACB(.9), EMACB(.5, validate=False))
    learn.fit(1)
    slow, fast = (cb.average for cb in learn.cbs)
    assert not equal(state(slow), state(fast))

def test_an_average_has_neither_our_hooks_nor_the_learner():
    class Data(list):
        def __deepcopy__(self, memo): raise AssertionError("the data was copied")
    learn = make(ActivationStats(), EMACB())
    learn.dls.train = Data(learn.dls.train)
    learn.fit(2)
    assert not any(m._forward_hooks for model in (learn.model, learn.cbs[1].average) for m in model.modules())

def test_the_average_follows_a_model_that_moved_and_copies_whole_numbers():
    learn, ema = make(), EMACB(.9)
    learn.model.register_parameter("index", nn.Parameter(torch.tensor([1, 2]), requires_grad=False))
    learn.fit(1, cbs=[ema])
    learn.model.double()
    learn.dls = SimpleNamespace(train=[(x.double(), y) for x, y in learn.dls.train], valid=[])
    learn.model.index.data += 1
    learn.fit(1, valid=False, cbs=[ema])
    assert ema.steps == 8 and ema.average[0].weight.dtype == torch.float64
    assert ema.average.index.tolist() == [2, 3] and ema.average[1].num_batches_tracked == 8

def test_a_compiled_model_has_the_same_average_and_its_state_is_the_plain_models():
    plain, learn, other = (make(EMACB(.9)) for _ in range(3))
    learn.model = torch.compile(learn.model, backend="eager")
    plain.fit(2), learn.fit(2)
    other.cbs[0].load_state_dict(learn.cbs[0].state_dict())
    other.fit(1, train=False)
    averages = [state(each.cbs[0].average) for each in (plain, learn, other)]
    assert equal(*averages[:2]) and equal(*averages[1:])

def test_a_step_of_the_average_is_a_few_operations():
    class Count(TorchDispatchMode):
        def __torch_dispatch__(self, f, types, args=(), kwargs=None): seen.append(f); return f(*args, **(kwargs or {}))
    seen, ema, learn = [], EMACB(), make()
    learn.model = nn.Sequential(*[nn.Linear(3, 3) for _ in range(20)], learn.model)
    learn.fit(1, cbs=[ema])
    with Count(): ema.after_step(learn)
    assert len(seen) == 2

def test_the_model_is_back_before_later_callbacks_end_the_epoch():
    class Look(Callback):
        order = 90
        def after_batch(self, learn): seen.append(learn.model is model)
        def after_epoch(self, learn): seen.append(learn.model is model)
    seen = []
    learn = make(EMACB(), Look())
    model = learn.model
    learn.fit(1)
    assert seen == [True] * 5 + [False] * 2 + [True]

# -- interrupts

def interrupted(f, at):
    "Call `f`, with an interrupt before its line number `at`, counted as they run. Whether the interrupt came."
    n = count(1)
    def trace(frame, event, arg):
        if not frame.f_code.co_filename.endswith(("callbacks.py", "hooks.py", "_hooking.py")): return None
        if event == "line" and next(n) == at: raise KeyboardInterrupt
        return trace
    old = sys.gettrace()
    sys.settrace(trace)
    try: f()
    except KeyboardInterrupt: return True
    finally: sys.settrace(old)
    return False

@pytest.mark.parametrize("name", EACH)
def test_an_interrupt_anywhere_leaves_model_flags_and_hooks(name):
    "In any line of any method of the callback that a fit calls, also in its cleanups."
    for at in count(1):
        learn = make(EACH[name], n=3, opt_func=ScheduleFreeAdamW if name == "free" else SGD)
        model = learn.model
        model[0].bias.requires_grad_(False)
        came = interrupted(partial(learn.fit, 1), at)
        assert learn.model is model and not any(m._forward_hooks for m in model.modules())
        assert [p.requires_grad for p in model.parameters()] == [True, False] + [True] * 4
        assert name != "free" or learn.opt is None or not any(g["training"] for g in learn.opt.param_groups) or not learn.opt.state
        if not came: return

# -- what stops, and comes back as it was

def test_freezing_gives_back_what_its_user_froze():
    learn = make()
    weight, bias = learn.model[3].parameters()
    weight.requires_grad_(False)
    freeze = FreezeCB((p for p in learn.model[3].parameters()), 2)
    for _ in range(2):
        kept, moved = weight.clone(), bias.clone()
        learn.fit(1, valid=False, cbs=[freeze])
        assert not weight.requires_grad and bias.requires_grad and freeze.n_done == 4
        assert torch.equal(weight, kept) and not torch.equal(bias, moved)

def test_what_cannot_be_frozen_is_refused():
    learn, other = make(), make()
    with pytest.raises(ValueError, match=r"params\[0\], of shape \[4, 3\], is none"):
        learn.fit(1, cbs=[FreezeCB(other.model.parameters(), 2)])
    with pytest.raises(TypeError, match="params is one tensor"): FreezeCB(learn.model[0].weight, 2)
    with pytest.raises(TypeError, match="params holds a tuple"): FreezeCB(learn.model.named_parameters(), 2)

# -- slow weights

def test_lookahead_takes_numpy_numbers_and_more_steps_than_it_was_told():
    def weights(*args):
        learn = make(LookaheadCB(*args))
        learn.fit(3)
        return state(learn.model)
    assert equal(weights(np.int64(12), np.int32(3), np.float32(.5)), weights(12, 3, .5))
    assert all(t.isfinite().all() and t.abs().max() < 30 for t in weights(2, 1, .95))

# -- clipping

@pytest.mark.parametrize("max_norm", [0, -1., float("nan"), float("inf"), None])
def test_a_norm_to_clip_to_is_a_number_above_0(max_norm):
    with pytest.raises(ValueError, match="max_norm is"): GradientClipCB(max_norm)

# -- schedule-free

class Switches(SGD):
    "As the optimizers of the package schedulefree: no argument."
    def __init__(self, *args, **kwargs): super().__init__(*args, **kwargs); self.calls = []
    def train(self): self.calls.append("train")
    def eval(self): self.calls.append("eval")

def test_schedule_free_needs_methods_and_no_more():
    learn = make(ScheduleFreeCB(), opt_func=Switches)
    learn.fit(2)
    assert learn.opt.calls == ["train", "eval"] * 2 + ["eval"]
    with pytest.raises(TypeError, match="opt is SGD: ScheduleFreeCB needs"): make(ScheduleFreeCB()).fit()

def test_schedule_free_beside_another_optimizer():
    learn = make(ScheduleFreeCB())
    learn.opt_func = lambda params, lr: Optimizers(ScheduleFreeAdamW(learn.model[0].parameters(), lr=lr),
                                                   SGD(learn.model[3].parameters(), lr=lr))
    learn.fit(1)
    assert not learn.opt.members[0].param_groups[0]["training"]
    w = learn.model[0].weight
    y = w.detach().lerp(learn.opt.members[0].state[w]["z"], .1)
    learn.opt.members[0].train()
    torch.testing.assert_close(w.detach(), y)

# -- going on elsewhere

@pytest.mark.parametrize("name", ["ema", "lookahead", "freeze"])
def test_a_fit_goes_on_in_another_process_as_if_it_had_not_stopped(name, tmp_path):
    cb = dict(EACH, freeze=lambda m: FreezeCB(m[0].parameters(), 6))[name]
    once, first, second = (make(cb) for _ in range(3))
    once.fit(2)
    first.fit(1)
    torch.save(dict(model=first.model.state_dict(), cb=first.cbs[0].state_dict()), tmp_path / "saved")
    saved = torch.load(tmp_path / "saved", weights_only=True)
    second.model.load_state_dict(saved["model"])
    second.cbs[0].load_state_dict(saved["cb"])
    assert str(second.cbs[0].state_dict()) == str(saved["cb"])
    second.fit(1, train=False)
    second.fit(1)
    assert equal(state(once.model), state(second.model))
    if name == "ema": assert equal(state(once.cbs[0].average), state(second.cbs[0].average))
    assert str(once.cbs[0].state_dict()) == str(second.cbs[0].state_dict())

def test_slow_weights_of_another_model_are_refused():
    learn, cb = make(), LookaheadCB(4)
    cb.load_state_dict(dict(n_done=2, slow=[torch.zeros(2)]))
    with pytest.raises(ValueError, match="another model"): learn.fit(1, cbs=[cb])

# -- lazy layers

@pytest.mark.parametrize("cb", [EMACB(), LookaheadCB(4)])
def test_weights_without_a_shape_are_said(cb):
    learn = SimpleNamespace(model=nn.Sequential(nn.LazyLinear(4)), active=[cb], phases=["train"])
    with pytest.raises(ValueError, match="0.weight has no shape yet: send a batch"): cb.before_fit(learn)
