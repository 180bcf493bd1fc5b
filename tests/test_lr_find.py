"""The range test leaves no trace, however it ends; its readings on made-up curves; bad arguments."""
import math, os, random, socket, sys, threading
from collections import deque
from copy import deepcopy
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import miniai
from miniai import optim
from miniai._checkpoint import CheckpointCB
from miniai._lr_found import LRFound
from miniai.callbacks import GradientClipCB
from miniai.data import DataLoaders
from miniai.hooks import ActivationStats
from miniai.learner import (
    BatchTransformCB, Callback, CancelBatchException, CancelFitException, DeviceCB, HasLearnCB, Learner, MetricsCB,
    MixedPrecisionCB, NonFiniteLossError, ProgressCB, RecorderCB, SingleBatchCB)
from miniai.metrics import accuracy
from miniai.sched import BatchSchedCB, EpochSchedCB, LRFinderCB, OneCycleLR, StepLR
from miniai.speed import AlternatingBatches

PACKAGE = os.path.dirname(miniai.__file__) + os.sep
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
        if event != "after_batch": self.__class__ = type("Noise", (Noise,), {event: Noise.look})
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

class Logger(Callback):
    "Only looks on, and holds what cannot be copied."
    def __init__(self, held): self.held, self.n = held, 0
    def after_batch(self, learn): self.n += 1

UNCOPYABLE = {"file": lambda: open(os.devnull, "w"), "generator": lambda: (i for i in range(9)),
              "socket": socket.socket}

@pytest.mark.parametrize("kind", UNCOPYABLE)
def test_a_callback_that_cannot_be_copied_and_only_looks_on(kind):
    "It is left out, and what knows it too; one that knows neither takes part."
    logger, noise = Logger(UNCOPYABLE[kind]()), Noise()
    learn = make(logger, Logger([logger, noise]), noise)
    before = vars(logger).copy()
    assert leaves_all(learn, n_batches=5).losses == leaves_all(make(Noise()), n_batches=5).losses
    assert vars(logger) == before and logger.n == 0
    if hasattr(logger.held, "close"): logger.held.close()

@pytest.mark.parametrize("method", ["before_batch", "step", "after_backward"])
def test_a_callback_that_cannot_be_copied_and_has_a_part_in_the_steps(method):
    cb = type("Part", (Logger,), {method: lambda self, learn: None})(i for i in range(9))
    with pytest.raises(TypeError, match=f"Part cannot be copied .*lr_find needs its {method}"): leaves_all(make(cb))

def test_a_lock_is_shared():
    class Locked(Logger):
        def before_batch(self, learn):
            with self.held: seen.append(self)
    cb, seen = Locked(threading.Lock()), []
    leaves_all(make(cb), n_batches=5)
    assert len(seen) == 5 and cb not in seen

def test_a_callback_that_does_not_want_to_take_part(tmp_path):
    class Writer(Callback):
        in_lr_find = False
        def after_batch(self, learn): (tmp_path / "log").write_text("x")
    leaves_all(make(Writer()), n_batches=5)
    assert not (tmp_path / "log").exists()

def test_no_checkpoint_is_written(tmp_path):
    learn = make(CheckpointCB(tmp_path / "empty", every=1), CheckpointCB(tmp_path / "full", every=1))
    learn.fit(1, cbs=[])
    before = {f: f.read_bytes() for f in tmp_path.rglob("*.pt")}
    learn.cbs[0].folder = tmp_path / "new"
    leaves_all(learn, n_batches=5)
    assert len(before) == 4 and {f: f.read_bytes() for f in tmp_path.rglob("*.pt")} == before
    assert not (tmp_path / "new").exists()

def test_skipped_batches_are_no_readings():
    class Skip(Callback):
        def before_batch(self, learn):
            if learn.iter == 1: raise CancelBatchException()
    assert np.allclose(leaves_all(make(Skip()), n_batches=9, end=.1).lrs, np.logspace(-6, -1, 9))

def test_gradients_that_are_summed_up_are_one_reading():
    class InTwos(Callback):
        def before_batch(self, learn):
            learn.complete = learn.iter > 0
            if not learn.complete: rates.append(learn.opt.param_groups[0]["lr"])
    rates = []
    found = leaves_all(make(InTwos()), n_batches=8, end=.1)
    assert np.allclose(found.lrs, np.logspace(-6, -1, 8)) and rates == found.lrs[::2]

def test_no_step_at_all_ends_it():
    class Never(Callback):
        def before_batch(self, learn): learn.complete, learn.cbs = False, learn.cbs + [1]
    with pytest.raises(ValueError, match="ended after 0 batches"): leaves_all(make(Never()), n_batches=10**6)

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

class Centers(nn.Module):
    "A loss that learns, counts its calls, and keeps a running mean."
    def __init__(self):
        super().__init__()
        self.scale, self.calls, self.seen = nn.Parameter(torch.ones(3)), 0, []
        self.register_buffer("mean", torch.zeros(3))
    def forward(self, preds, y):
        self.calls += 1
        self.seen.append(preds.mean().item())
        with torch.no_grad(): self.mean.lerp_(preds.float().mean(0), .1)
        return nn.functional.cross_entropy(preds * self.scale + self.mean, y)

HIDDEN = Centers()
def by_name(preds, y):
    by_name.calls += 1
    return HIDDEN(preds, y)
by_name.calls = 0

class Loss:
    def __init__(self, module): self.module = module
    def __call__(self, preds, y): return self.module(preds, y)
    def loss(self, preds, y): return self(preds, y)

def closure(module): return lambda preds, y: module(preds, y)
def given(preds, y, module): return module(preds, y)

ALL_LOSSES = {"module": HIDDEN, "partial": partial(given, module=HIDDEN), "object": Loss(HIDDEN),
              "closure": closure(HIDDEN), "method": Loss(HIDDEN).loss, "global": by_name}

@pytest.mark.parametrize("kind", ALL_LOSSES)
def test_a_loss_with_a_state(kind):
    opt_func = lambda params, lr: torch.optim.SGD([*params, *HIDDEN.parameters()], lr)
    learn = make(loss_func=ALL_LOSSES[kind], opt_func=opt_func)
    state = lambda: (values(dict(HIDDEN.state_dict())), HIDDEN.calls, [*HIDDEN.seen], id(HIDDEN.scale), by_name.calls)
    before = state()
    leaves_all(learn, n_batches=6, end=1.)
    assert state() == before
    learn.fit(1)
    assert state() != before

class Own:
    "A loader with a state of every kind: in it, in what it wraps, and in what that holds."
    def __init__(self, dl):
        self.dl, self.epoch, self.order, self.seen, self.turned = dl, 0, [0, 1, 2], {}, torch.zeros(3)
    def __len__(self): return len(self.dl)
    def __iter__(self):
        self.epoch += 1
        random.shuffle(self.order)
        self.seen[self.epoch] = self.order[0]
        self.turned += 1
        for x, y in self.dl: yield x + self.epoch + self.order[0] + self.dl.dataset.noise.normal(), y

class Counting(TensorDataset):
    def __init__(self, *tensors):
        super().__init__(*tensors)
        self.noise, self.read, self.drawn = np.random.default_rng(1), np.zeros(3), deque(maxlen=2)
    def __getitem__(self, i):
        self.read[i % 3] += 1
        self.drawn.append(i)
        self.last = i
        return super().__getitem__(i)

def test_loaders_with_a_state():
    learn = make()
    data = Counting(*learn.dls.train.dataset.tensors)
    own = Own(DataLoader(data, 8, sampler=RandomSampler(data, generator=torch.Generator().manual_seed(3))))
    learn.dls = DataLoaders(own, learn.dls.valid)
    def state():
        read = dict(noise=str(data.noise.bit_generator.state), drawn=[*data.drawn], read=data.read.tolist())
        return values([vars(own) | dict(dl=0), vars(data) | dict(tensors=0) | read, own.dl.sampler.generator])
    for _ in range(2):
        before, first = state(), learn.lr_find(n_batches=7)
        assert state() == before and learn.lr_find(n_batches=7) == first
        learn.fit(1)
        assert state() != before

def test_pictures_that_alternate():
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randint(256, (24, 1, 6, 6), generator=rng, dtype=torch.uint8), torch.randint(3, (24,), generator=rng)
    learn = make()
    learn.dls = DataLoaders(AlternatingBatches(x, y, 8, device="cpu"), learn.dls.valid)
    before = learn.dls.train.mirrored
    learn.lr_find(n_batches=3, end=1e-3)
    assert learn.dls.train.mirrored is before

class Learned(Learner):
    "A step of its own, with a module and a list of its own."
    def get_loss(self):
        self.preds = self.preds * self.temperature.weight.mean()
        self.told.append(1)
        super().get_loss()

def test_what_a_learner_of_ones_own_holds():
    learn = make()
    own = Learned(learn.model, learn.dls)
    own.temperature, own.told = nn.Linear(2, 2), []
    own.opt_func = lambda params, lr: torch.optim.SGD([*params, *own.temperature.parameters()], lr)
    before = values(dict(own.temperature.state_dict()))
    leaves_all(own, n_batches=5, end=1.)
    assert values(dict(own.temperature.state_dict())) == before and own.told == []

def test_what_a_layer_counts_and_what_is_put_into_a_model():
    learn = make()
    learn.model.conv.steps = []
    class Wraps(Callback):
        def before_fit(self, learn):
            learn.model.out = nn.Sequential(learn.model.out, nn.Linear(3, 3))
            learn.model.conv.register_forward_hook(lambda layer, *args: layer.steps.append(1))
    learn.cbs = [Wraps()]
    leaves_all(learn, n_batches=5)
    assert learn.model.conv.steps == [] and not learn.model.conv._forward_hooks and type(learn.model.out) is nn.Linear

@pytest.mark.parametrize("opt_func", [OPTIMIZERS["momentum"], partial(torch.optim.Adam, foreach=False)])
def test_a_rate_in_a_tensor(opt_func):
    "That groups and learner share: it is multiplied once a step, and not the learner's."
    def two_groups(params, lr):
        first, *rest = params
        return opt_func([dict(params=[first]), dict(params=rest)], lr=lr)
    learn = make(lr=torch.tensor(.05), opt_func=two_groups)
    found, right = leaves_all(learn, n_batches=9, end=.1), make(opt_func=two_groups).lr_find(n_batches=9, end=.1)
    assert np.allclose(found.lrs, right.lrs) and np.allclose(found.losses, right.losses, rtol=1e-4)
    assert learn.lr == torch.tensor(.05)

# an interrupt at any line

def interrupted_at(n, f):
    "Run `f` and raise KeyboardInterrupt at the n-th line of the package. Returns the lines that ran."
    lines = []
    def trace(frame, event, arg):
        if not frame.f_code.co_filename.startswith(PACKAGE): return None
        if event == "line":
            lines.append((frame.f_code.co_filename, frame.f_lineno))
            if len(lines) == n: raise KeyboardInterrupt()
        return trace
    before = sys.gettrace()
    sys.settrace(trace)
    try: f()
    except KeyboardInterrupt: assert n
    finally: sys.settrace(before)
    return lines

@pytest.mark.parametrize("fitted", [False, True], ids=["fresh", "fitted before"])
def test_interrupted_at_any_line(fitted):
    "Each line of the package that runs, at one of the times that it runs; and each of the last, which put back."
    learn = make(DeviceCB("cpu", channels_last=True), MixedPrecisionCB(), MetricsCB(accuracy=accuracy),
                 BatchTransformCB(jitter), HasLearnCB(), GradientClipCB(1.), loss_func=Centers())
    if fitted: learn.fit(1)
    test = partial(learn.lr_find, n_batches=2, end=1e-4)
    lines = interrupted_at(0, test)
    times = [*enumerate(lines, 1)]
    random.Random(fitted).shuffle(times)
    chosen = {n for line, n in {line: n for n, line in times}.items()} | {*range(len(lines) - 100, len(lines) + 1)}
    before, loss = snapshot(learn), values(vars(learn.loss_func))
    for n in sorted(chosen)[fitted::2]:
        interrupted_at(n, test)
        same(before, snapshot(learn))
        assert values(vars(learn.loss_func)) == loss

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

def test_finder_beside_validation():
    "Only steps are readings; a fit that only validates has none."
    finder, learn = LRFinderCB(1e-4, 1e-2, 5, 4.), make()
    learn.fit(1, cbs=[finder], train=False)
    assert finder.lrs == []
    learn.fit(10, cbs=[finder])
    assert np.allclose(finder.lrs, np.logspace(-4, -2, 5))

def test_the_fall_after_an_explosion_is_not_the_steepest():
    lrs = np.logspace(-4, 1, 60).tolist()
    losses = [2.3] * 20 + [2.3 - .05 * i for i in range(20)] + [1.4 + 8 * (i < 8) for i in range(20)]
    found = LRFound(lrs, losses)
    assert lrs[20] <= found.steepest <= lrs[40]
