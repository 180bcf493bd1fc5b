"""The range test leaves no trace, however it ends; its readings on made-up curves; bad arguments."""
import math, random
from copy import deepcopy
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from miniai import optim
from miniai._lr_found import LRFound
from miniai.callbacks import GradientClipCB
from miniai.data import DataLoaders
from miniai.hooks import ActivationStats
from miniai.learner import (
    BatchTransformCB, Callback, CancelBatchException, CancelFitException, DeviceCB, HasLearnCB, Learner, MetricsCB,
    MixedPrecisionCB, NonFiniteLossError, ProgressCB, RecorderCB, SingleBatchCB)
from miniai.metrics import accuracy
from miniai.sched import BatchSchedCB, EpochSchedCB, LRFinderCB, OneCycleLR, StepLR

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
OPTIMIZERS = {"torch SGD": torch.optim.SGD, "momentum": partial(torch.optim.SGD, momentum=.9),
              "torch Adam": torch.optim.Adam, "miniai SGD": partial(optim.SGD, momentum=.9), "miniai Adam": optim.Adam,
              "Schedule-Free": optim.ScheduleFreeAdamW}

class Net(nn.Module):
    "A convolution, batch norm, dropout, and a buffer of four dimensions, which channels_last moves in memory."
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.drop, self.out = nn.Dropout(.2), nn.Linear(4, 3)
        self.register_buffer("mean", torch.zeros(1, 4, 2, 2))
    def forward(self, x):
        x = self.norm(self.conv(x))
        if self.training: self.mean.add_(x.detach().float()[:1, :, :2, :2])
        return self.out(self.drop(torch.relu(x - .01 * self.mean.mean()).mean((2, 3))))

def jitter(batch):
    "Draws from all three generators."
    x, y = batch
    return x + .1 * torch.randn_like(x) + .1 * random.random() + .1 * np.random.rand(), y

def loaders(own=True):
    "24 pictures in batches of 8; with `own`, the order is drawn from the loader's generator."
    g = torch.Generator().manual_seed(1)
    data = TensorDataset(torch.randn(24, 1, 6, 6, generator=g), torch.randint(3, (24,), generator=g))
    train = DataLoader(data, 8, shuffle=True, generator=torch.Generator().manual_seed(2) if own else None)
    return DataLoaders(train, DataLoader(data, 8))

def seed_all(seed=0):
    random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)

def make(*cbs, own=True, **kwargs):
    seed_all()
    model = Net()
    model.drop.eval()            # a mode of its own
    return Learner(model, loaders(own), cbs=cbs, **{"lr": .05, **kwargs})

def values(x):
    "Something that == compares: tensors as dtype, strides and bytes, anything with attributes as these."
    if isinstance(x, torch.Generator): return x.get_state().tolist()
    if isinstance(x, torch.Tensor): return str(x.dtype), str(x.device), x.stride(), x.detach().cpu().tolist()
    if isinstance(x, (list, tuple)): return [values(v) for v in x]
    if isinstance(x, dict): return {k: values(v) for k, v in x.items()}
    if isinstance(x, Callback): return type(x).__name__, values(vars(x))
    return x if isinstance(x, (int, float, str, bytes, type(None))) else id(x)

def snapshot(learn):
    "What the test may not change: values, and which objects hold them."
    model = learn.model
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return dict(
        tensors=[(n, id(t), t.data_ptr(), values(t), t.requires_grad, id(t.grad), values(t.grad)) for n, t in tensors],
        modes=[(n, m.training) for n, m in model.named_modules()],
        hooks=[[*m._forward_hooks] for m in model.modules()],
        learner={n: id(v) for n, v in vars(learn).items()}, cbs=[id(cb) for cb in learn.cbs], said=values(learn.cbs),
        opt=values(learn.opt.state_dict()) if learn.opt else None,
        random=(random.getstate(), np.random.get_state()[1].tolist(), np.random.get_state()[2:],
                values(torch.get_rng_state())),
        own=values(learn.dls.train.generator), sampler=values(getattr(learn.dls.train.sampler, "generator", None)),
        grad=torch.is_grad_enabled(), autocast=torch.is_autocast_enabled("cpu"))

def same(before, after):
    for name in before: assert before[name] == after[name], name

def leaves_all(learn, raises=None, **arguments):
    "Run the test; whatever it returns or raises, nothing has changed."
    before, found = snapshot(learn), None
    if raises is None: found = learn.lr_find(**arguments)
    else:
        with pytest.raises(raises): learn.lr_find(**arguments)
    same(before, snapshot(learn))
    return found

class Noise(Callback):
    "Raises `error` at the batch and the event given; counts what it sees, and keeps lists and a generator."
    def __init__(self, event="after_batch", at=None, error=None, order=0):
        self.at, self.error, self.order, self.seen, self.event = at, error, order, [], event
        self.generator = torch.Generator().manual_seed(5)
        if event != "after_batch": setattr(self, event, self.look)
    def look(self, learn):
        if self.error and len(self.seen) == self.at: raise self.error
    def after_batch(self, learn):
        self.seen.append(torch.rand(1, generator=self.generator).item() + random.random() + np.random.rand())
        if self.event == "after_batch": self.look(learn)

class Move(Callback):
    "Replaces the model's tensors, as a move to another device does, in a type that the CPU has too."
    order = -50
    def before_fit(self, learn): learn.model.double()
    def before_batch(self, learn): learn.batch = learn.batch[0].double(), learn.batch[1]

CALLBACKS = {
    "none": lambda: [], "metrics": lambda: [MetricsCB(accuracy=accuracy)],
    "recorder": lambda: [RecorderCB(loss=lambda learn: learn.loss)],
    "device": lambda: [DeviceCB()], "channels_last": lambda: [DeviceCB(channels_last=True)],
    "bfloat16": lambda: [DeviceCB(channels_last=True), MixedPrecisionCB()],
    "transform": lambda: [BatchTransformCB(jitter)], "clip": lambda: [GradientClipCB(.1)],
    "learn": lambda: [HasLearnCB()],
    "progress": lambda: [MetricsCB(), ProgressCB()], "own random numbers": lambda: [Noise()], "moved": lambda: [Move()],
    "batch schedule": lambda: [BatchSchedCB(partial(OneCycleLR, max_lr=.1, total_steps=60))],
    "epoch schedule": lambda: [EpochSchedCB(partial(StepLR, step_size=1))],
    "all": lambda: [DeviceCB(channels_last=True), MixedPrecisionCB(), MetricsCB(accuracy=accuracy),
                    BatchTransformCB(jitter), Noise(), RecorderCB(lr=lambda learn: learn.opt.param_groups[0]["lr"]),
                    BatchSchedCB(partial(OneCycleLR, max_lr=.1, total_steps=60))]}

@pytest.fixture(params=[False, True], ids=["fresh", "fitted before"])
def fitted(request): return request.param

@pytest.mark.parametrize("kind", CALLBACKS)
def test_leaves_everything(kind, fitted):
    learn = make(*CALLBACKS[kind](), opt_func=OPTIMIZERS["momentum"])
    if fitted: learn.fit(1)
    found = leaves_all(learn, n_batches=10, end=1.)
    assert len(found.lrs) == len(found.losses) == 10

@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_rates_rise_by_the_same_factor(opt, fitted):
    learn = make(opt_func=OPTIMIZERS[opt], own=False)
    if fitted: learn.fit(1)
    found = leaves_all(learn, start=1e-4, end=1e-1, n_batches=31, stop=1e9)
    assert np.allclose(found.lrs, np.logspace(-4, -1, 31)) and all(type(lr) is float for lr in found.lrs)

@pytest.mark.parametrize("kind", CALLBACKS)
def test_the_fit_after_it_is_the_same(kind, fitted):
    def trained(test):
        learn = make(*CALLBACKS[kind](), opt_func=OPTIMIZERS["momentum"])
        if fitted: learn.fit(1)
        if test: learn.lr_find(n_batches=10)
        learn.fit(2)
        for cb in learn.cbs:     # what differs from run to run
            for row in getattr(cb, "history", []): row.pop("seconds")
        told = [(getattr(cb, "history", None), values(getattr(cb, "records", None)), getattr(cb, "seen", None))
                for cb in learn.cbs]
        return values(learn.model.state_dict()), told, torch.rand(1).item(), random.random(), np.random.rand()
    assert trained(False) == trained(True)

def test_it_is_the_same_test_again():
    learn = make(*CALLBACKS["all"]())
    first, second = learn.lr_find(n_batches=12), learn.lr_find(n_batches=12)
    assert first == second

def test_the_callbacks_take_part():
    "Clipped, transformed or with a frozen layer, the losses are others; who holds a layer holds the real one."
    class Freeze(Callback):
        def __init__(self, layer): self.layer = layer
        def before_batch(self, learn):
            for p in self.layer.parameters(): p.requires_grad_(False)
    def losses(*cbs): return leaves_all(make(*cbs), start=.01, end=1., n_batches=12, stop=1e9).losses
    plain = losses()
    assert losses(GradientClipCB(.01)) != plain and losses(BatchTransformCB(jitter)) != plain
    learn = make()
    learn.cbs = [Freeze(learn.model.out)]
    assert leaves_all(learn, start=.01, end=1., n_batches=12, stop=1e9).losses != plain

def test_hooks_see_the_test_and_forget_it():
    learn = make()
    learn.cbs = [ActivationStats([learn.model.conv])]
    learn.fit(1)
    means = learn.cbs[0].means
    leaves_all(learn, n_batches=5)
    assert torch.equal(learn.cbs[0].means, means)

def test_one_callback_that_knows_another():
    "The copies know each other, as the originals do."
    class Follower(Callback):
        order = 1
        def __init__(self, leader): self.leader, self.read = leader, []
        def after_batch(self, learn):
            assert len(self.leader.seen) == len(self.read) + 1
            self.read.append(1)
    noise = Noise()
    leaves_all(make(noise, Follower(noise)), n_batches=5)
    assert noise.seen == []

# however it ends

@pytest.mark.parametrize("end, stop", [(1e30, 4.), (1e30, 1e30), (1e4, 2.)])
def test_the_loss_explodes(end, stop, fitted):
    learn = make(*CALLBACKS["all"](), opt_func=OPTIMIZERS["momentum"])
    if fitted: learn.fit(1)
    found = leaves_all(learn, end=end, stop=stop, n_batches=60)
    assert 2 <= len(found.lrs) < 60 and all(map(math.isfinite, found.losses))
    assert found.lrs[0] <= found.tenth < found.lrs[-1] and found.lrs[0] <= found.steepest <= found.lrs[-1]

@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_loss_that_only_the_finder_reads(bad, monkeypatch):
    "On an accelerator nobody else looks before the epoch's end: inf and nan end the test and are not kept."
    class Spoil(Callback):
        def __init__(self): self.n = 0
        def after_loss(self, learn):
            self.n += 1
            if self.n == 8: learn.loss = learn.loss * bad
    monkeypatch.setattr(Learner, "_check_finite", lambda self, epoch_ended=False: None)
    found = leaves_all(make(Spoil()), end=1e-3, n_batches=30)
    assert len(found.lrs) == 7 and all(map(math.isfinite, [*found.losses, found.steepest, found.tenth]))

EVENTS = ["before_fit", "before_epoch", "before_batch", "after_predict", "after_loss", "after_backward", "after_step",
          "after_batch", "cleanup_batch", "after_epoch", "cleanup_fit"]

@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupted_and_broken(event, error, fitted):
    late = 3 if event in ("after_epoch", "cleanup_fit") else 0 if event in ("before_fit", "before_epoch") else 4
    learn = make(*CALLBACKS["all"](), opt_func=OPTIMIZERS["momentum"])
    if fitted: learn.fit(1)
    n_batches = 3 if event == "cleanup_fit" else 20
    learn.cbs.append(Noise(event, at=late, error=error("on purpose"), order=70))
    if event in ("after_batch", "cleanup_fit"): learn.cbs[-1].order = 50
    leaves_all(learn, raises=error, n_batches=n_batches)
    learn.cbs.pop()
    leaves_all(learn, n_batches=5)
    learn.fit(1)

def test_the_model_raises():
    learn = make()
    learn.model.out = nn.Linear(5, 3)
    leaves_all(learn, raises=RuntimeError)

def test_a_callback_that_cannot_be_copied(tmp_path):
    class Writer(Callback):
        def __init__(self): self.file = open(tmp_path / "log", "w")
    leaves_all(make(Writer()), raises=TypeError)

def test_skipped_batches_are_no_readings():
    class Skip(Callback):
        def before_batch(self, learn):
            if learn.iter == 1: raise CancelBatchException()
    assert len(leaves_all(make(Skip()), n_batches=9, end=.1).lrs) == 6

@pytest.mark.parametrize("cb", [SingleBatchCB(), Noise("before_fit", 0, CancelFitException()),
                                Noise("before_batch", 1, CancelFitException())])
def test_ended_by_a_callback_before_there_is_anything_to_read(cb):
    with pytest.raises(ValueError, match="the test ended after [01] batches, .* does a callback end the fit"):
        make(cb).lr_find()

@pytest.mark.parametrize("loss", [lambda p, y: p.sum() * math.nan, lambda p, y: p.square().mean() * 0 - 1])
def test_losses_that_make_no_test(loss):
    leaves_all(make(loss_func=loss), raises=ValueError)

# what else could be touched

def test_gradients_are_kept_and_not_used():
    "Gradients from before are neither part of the first step nor changed."
    plain = make().lr_find(n_batches=6)
    learn = make()
    for p in learn.model.parameters(): p.grad = torch.full_like(p, 100.)
    assert leaves_all(learn, n_batches=6).losses == plain.losses

def test_a_sampler_with_a_generator_of_its_own():
    learn = make()
    data = learn.dls.train.dataset
    sampler = RandomSampler(data, generator=torch.Generator().manual_seed(3))
    learn.dls = DataLoaders(DataLoader(data, 8, sampler=sampler), learn.dls.valid)
    leaves_all(learn, n_batches=7)

def test_frozen_layers_and_replaced_attributes():
    learn = make()
    learn.model.conv.requires_grad_(False)
    learn.predict = lambda: setattr(learn, "preds", learn.model(learn.batch[0]) * 2)
    leaves_all(learn, n_batches=5)
    class Thaw(Callback):
        def before_fit(self, learn): learn.model.requires_grad_(True)
    learn.cbs = [Thaw()]
    leaves_all(learn, n_batches=5)

@pytest.mark.parametrize("lr", [0., .3])
def test_the_learners_own_rate_does_not_matter(lr):
    found = make(lr=lr).lr_find(start=1e-3, end=1e-1, n_batches=9)
    assert found.losses == make().lr_find(start=1e-3, end=1e-1, n_batches=9).losses

def test_groups_keep_their_ratio():
    def two_rates(params, lr):
        first, *rest = params
        return torch.optim.SGD([dict(params=[first], lr=lr), dict(params=rest, lr=lr / 10)])
    class Ratio(Callback):
        order = 59
        def after_batch(self, learn):
            a, b = (group["lr"] for group in learn.opt.param_groups)
            assert math.isclose(a, 10 * b)
    assert np.allclose(make(Ratio(), opt_func=two_rates).lr_find(1e-3, 1e-1, 5).lrs, np.logspace(-3, -1, 5))

def test_fewer_batches_than_an_epoch():
    assert len(make().lr_find(n_batches=2, end=1e-5).lrs) == 2

@needs_cuda
@pytest.mark.parametrize("dtype", [None, torch.float16])
def test_on_cuda(dtype):
    learn = make(DeviceCB(channels_last=True), MixedPrecisionCB(dtype), MetricsCB(accuracy=accuracy))
    state = torch.cuda.get_rng_state()
    for _ in range(2):           # from the CPU, then on the device
        leaves_all(learn, n_batches=10)
        leaves_all(learn, end=1e30, stop=1e30, n_batches=60)
        assert torch.equal(torch.cuda.get_rng_state(), state)
        learn.fit(1)
        state = torch.cuda.get_rng_state()

# readings

def curve(window=7, noise=0.):
    lrs = np.logspace(-5, 1, 241)
    losses = 2.3 - 2 / (1 + (.01 / lrs) ** 2) + 4 * (lrs / 1.) ** 2
    return LRFound(lrs.tolist(), (losses + np.random.default_rng(0).normal(0, noise, 241)).tolist(), window)

@pytest.mark.parametrize("noise", [0., .02])
def test_suggestions_of_a_made_up_curve(noise):
    found = curve(noise=noise)
    least = found.lrs[int(np.argmin(curve().losses))]
    assert .8 < found.steepest / .01 < 1.25 and .66 < found.tenth / (least / 10) < 1.5
    assert np.allclose(curve(window=1).smooth, curve().losses)

def test_the_average_is_centred_and_shorter_at_the_ends():
    found = LRFound([.1, .2, .4, .8, 1.6], [0., 3., 6., 3., 0.], window=3)
    assert np.allclose(found.smooth, [1.5, 3, 4, 3, 1.5])

def test_one_lucky_batch_is_not_followed():
    found = curve()
    found.losses[30] -= 2.2
    assert found.tenth == curve().tenth

def test_plot():
    plt.close("all")
    ax = curve(noise=.02).plot()
    assert ax.get_xscale() == "log" and ax.get_xlabel() == "learning rate" and ax.get_ylabel() == "training loss"
    lines = {line.get_label().split(":")[0]: line for line in ax.lines}
    found = curve(noise=.02)
    for name in ("steepest", "tenth"): assert lines[name].get_xdata()[0] == getattr(found, name)
    assert len(lines["smoothed"].get_xdata()) == 241
    assert found.plot(ax) is ax and not plt.get_fignums()
    plt.close("all")

# bad arguments

@pytest.mark.parametrize("arguments, says", [
    (dict(start=0), "start is 0 and end 10.0"), (dict(start=-1.), "start is -1.0"), (dict(end=1e-6), "0 < start < end"),
    (dict(start=1., end=.1), "start is 1.0 and end 0.1"), (dict(start=math.nan), "start is nan"),
    (dict(end=math.inf), "end inf: .* finite"), (dict(n_batches=1), "n_batches is 1: it must be a whole number, at least 2"),
    (dict(n_batches=0), "n_batches is 0"), (dict(n_batches=2.5), "n_batches is 2.5"),
    (dict(stop=1), "stop is 1: .* above 1"),
    (dict(stop=math.nan), "stop is nan"), (dict(stop=-4.), "stop is -4.0")])
def test_refuses(arguments, says):
    learn = make()
    before = snapshot(learn)
    with pytest.raises(ValueError, match=says): learn.lr_find(**arguments)
    same(before, snapshot(learn))

def test_no_batches():
    learn = make()
    learn.dls = DataLoaders([], [])
    with pytest.raises(ValueError, match="dls.train is empty"): learn.lr_find()

def test_finder_alone():
    "The callback in a fit of one's own: it trains for good, and ends the fit."
    finder, learn = LRFinderCB(1e-4, 1e-2, 5, 4.), make(lr=.5)
    before = deepcopy(learn.model.state_dict())
    learn.fit(10, cbs=[finder], valid=False)
    assert np.allclose(finder.lrs, np.logspace(-4, -2, 5)) and len(finder.losses) == 5
    assert values(learn.model.state_dict()) != values(before)
