"The Learner's contract: batches of any form, means over examples, histories with names, first errors first, and every callback in every situation."
import copy, importlib, inspect, math, pkgutil, sys, tempfile
from collections import namedtuple
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import miniai
from miniai.data import DataLoaders
from miniai.learner import (
    EVENTS, STEPS, BatchError, BatchTransformCB, Callback, CancelBatchException, CancelEpochException, CancelFitException,
    DeviceCB, HasLearnCB, Learner, MetricsCB, MixedPrecisionCB, NonFiniteLossError, ProgressCB, RecorderCB, SingleBatchCB)
from miniai.metrics import accuracy
from miniai._checkpoint import CheckpointCB
from miniai import _nested, callbacks, hooks, optim, predict, sched, speed
from miniai.lab import tricks

# -- batches


def pairs(n=4, size=8, last=None):
    rng = torch.Generator().manual_seed(n)
    sizes = [size] * (n - 1) + [last or size]
    return [(torch.randn(s, 3, generator=rng), torch.randint(2, (s,), generator=rng)) for s in sizes]

def small(): torch.manual_seed(0); return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))

def make(cbs=(), dls=None, kind=Learner, **kwargs):
    return kind(small(), dls or DataLoaders(pairs(), pairs(2)), cbs=cbs, **kwargs)

class DictLearner(Learner):
    def inputs(self, batch): return batch["x"]
    def targets(self, batch): return batch["y"]

def dicts(n=4): return [dict(x=x, y=y) for x, y in pairs(n)]

class TwoInputs(nn.Module):
    def __init__(self): super().__init__(); self.layer = nn.Linear(3, 2)
    def forward(self, a, b): return self.layer(a - b)

def test_a_lone_tensor_is_never_trained_on():
    learn = make(dls=DataLoaders([torch.randn(2, 3)], [torch.randn(2, 3)]))
    before = copy.deepcopy(learn.model.state_dict())
    with pytest.raises(BatchError, match=r"float32 \[2, 3\].*no targets"): learn.fit(1)
    assert torch.equal(before["0.weight"], learn.model[0].weight)

def test_pictures_without_labels_are_predicted():
    pictures = torch.randn(128, 3)
    learn = make(dls=DataLoaders(pairs(), list(pictures.split(50))))
    preds, targets = learn.capture_preds()
    learn.model.eval()
    assert targets is None and torch.equal(preds, torch.cat([learn.model(x) for x in pictures.split(50)]).detach())

@pytest.mark.parametrize("batch, shown", [
    (dict(x=torch.zeros(4, 3), y=torch.zeros(4)), r"\{'x': float32 \[4, 3\], 'y': float32 \[4\]\}"),
    ((torch.zeros(4, 3), torch.zeros(4), torch.zeros(4)), r"\(float32 \[4, 3\], float32 \[4\], float32 \[4\]\)"),
    ("picture", "str"), ([], r"\[\]")])
def test_what_cannot_be_understood_is_refused_with_its_shapes(batch, shown):
    with pytest.raises(BatchError, match=shown): make(dls=DataLoaders([batch], [batch])).fit(1)

def test_dict_batches_train_as_pairs_do():
    plain, dictionary = make([MetricsCB(accuracy=accuracy)]), make([MetricsCB(accuracy=accuracy), DeviceCB("cpu")],
        DataLoaders(dicts(), dicts(2)), DictLearner)
    for learn in plain, dictionary: learn.fit(2)
    assert torch.equal(plain.model[0].weight, dictionary.model[0].weight)
    drop = lambda row: {name: value for name, value in row.items() if name != "seconds"}
    assert list(map(drop, plain.cbs[0].history)) == list(map(drop, dictionary.cbs[0].history))
    assert torch.equal(plain.capture_preds()[0], dictionary.capture_preds()[0])

@pytest.mark.parametrize("keyword", [False, True])
def test_several_inputs(keyword):
    form = (lambda x: dict(a=x, b=x * 2)) if keyword else (lambda x: (x, x * 2))
    batches = [(form(x), y) for x, y in pairs()]
    torch.manual_seed(0)
    learn = Learner(TwoInputs(), DataLoaders(batches, batches), cbs=[MetricsCB(accuracy=accuracy), DeviceCB("cpu")])
    by_hand = copy.deepcopy(learn.model)
    learn.fit(1)
    for x, y in pairs():
        F.cross_entropy(by_hand(x, x * 2), y).backward()
        with torch.no_grad():
            for p in by_hand.parameters(): p -= .1 * p.grad; p.grad = None
    torch.testing.assert_close(learn.model.layer.weight, by_hand.layer.weight)
    assert learn.capture_preds()[0].shape == (32, 2)

def test_outputs_beside_the_scores():
    class Auxiliary(nn.Module):
        def __init__(self): super().__init__(); self.layer = nn.Linear(3, 2)
        def forward(self, x): return dict(scores=self.layer(x), norm=(x.norm(dim=1), x))
    loss = lambda preds, y: F.cross_entropy(preds["scores"], y) + 0 * preds["norm"][0].mean()
    learn = Learner(Auxiliary(), DataLoaders(pairs(), pairs(2)), loss,
                    cbs=[MetricsCB(accuracy=lambda preds, y: accuracy(preds["scores"], y)), MixedPrecisionCB()])
    learn.fit(1)
    preds, y = learn.capture_preds()
    assert preds["scores"].shape == (16, 2) and preds["norm"][1].shape == (16, 3) and preds["norm"][0].dtype == torch.float32
    assert learn.cbs[0].history[0]["valid_accuracy"] == pytest.approx(accuracy(preds["scores"], y).item())

def test_a_batch_of_any_nesting_moves_to_the_device():
    Pair = namedtuple("Pair", "x y")
    moved = _nested.to_device(Pair([torch.zeros(1), {"a": (torch.zeros(2), "text")}], None), torch.device("meta"))
    assert type(moved) is Pair and moved.x[1]["a"][0].is_meta and moved.x[1]["a"][1] == "text" and moved.y is None

def test_a_loss_that_is_no_number_is_refused():
    learn = make(loss_func=partial(F.cross_entropy, reduction="none"))
    with pytest.raises(ValueError, match=r"loss_func gave float32 \[8\]"): learn.fit(1)

# -- means

def test_the_mean_is_over_examples_whatever_the_targets():
    batches = [(torch.zeros(n, 3), (torch.full((n,), v), torch.zeros(n))) for n, v in ((90, 0.), (10, 5.))]
    learn = Learner(nn.Linear(3, 1), DataLoaders(batches, batches), lambda preds, ys: ys[0].mean() + 0 * preds.sum(),
                    cbs=[MetricsCB(y=lambda preds, ys: ys[0].mean())])
    learn.fit(1)
    row = learn.cbs[0].history[0]
    assert row["train_loss"] == row["valid_loss"] == row["train_y"] == pytest.approx(.5)

class Ours:
    def __call__(self, preds, y): return F.cross_entropy(preds, y, ignore_index=1)
    def averaged_over(self, preds, y): return (y != 1).sum()

@pytest.mark.parametrize("loss", [F.cross_entropy, nn.CrossEntropyLoss(ignore_index=1), partial(F.cross_entropy, ignore_index=1),
    nn.CrossEntropyLoss(weight=torch.tensor([.2, .8])), partial(F.cross_entropy, ignore_index=1, weight=torch.tensor([.2, .8])),
    partial(partial(F.cross_entropy, ignore_index=0), ignore_index=1), nn.CrossEntropyLoss(label_smoothing=.1), Ours(),
    nn.MSELoss()])
def test_a_loss_counts_by_what_it_is_a_mean_of(loss):
    x, y = torch.randn(100, 3), (torch.arange(100) > 70).long()
    y[:7] = 1 if loss is not F.cross_entropy else -100
    target = F.one_hot(y, 2).float() if isinstance(loss, nn.MSELoss) else y
    split = list(zip(x.split([60, 40]), target.split([60, 40])))
    learn = Learner(nn.Linear(3, 2), DataLoaders(split, split), loss, cbs=[MetricsCB()])
    learn.fit(1, train=False)
    with torch.no_grad(): whole = loss(learn.model(x), target).item()
    assert learn.cbs[0].history[0]["valid_loss"] == pytest.approx(whole, rel=1e-6)

def test_a_loss_that_sums_is_shown_as_a_mean():
    learn = make([MetricsCB()], DataLoaders(pairs(3, last=2), pairs(3, last=2)), loss_func=nn.CrossEntropyLoss(reduction="sum"))
    learn.fit(1, train=False)
    x, y = map(torch.cat, zip(*learn.dls.valid))
    with torch.no_grad(): mean = F.cross_entropy(learn.model(x), y).item()
    assert learn.cbs[0].history[0]["valid_loss"] == pytest.approx(mean, rel=1e-6)

def test_metrics_give_floats_vectors_and_dicts():
    torchmetrics = pytest.importorskip("torchmetrics")
    acc = partial(torchmetrics.Accuracy, "multiclass", num_classes=2)
    metrics = MetricsCB(number=lambda p, y: .25, share=lambda p, y: dict(zero=(y == 0).float().mean(), one=1.), each=acc(average=None),
                        both=torchmetrics.MetricCollection(dict(micro=acc(average="micro"), macro=acc(average="macro"))),
                        mean=lambda p, y: p.mean(0), plain=accuracy)
    learn = make([metrics], DataLoaders(pairs(4, last=3), pairs(3, last=1)))
    learn.fit(1)
    x, y = map(torch.cat, zip(*learn.dls.valid))
    with torch.no_grad(): p = learn.model.eval()(x)
    row, right = metrics.history[0], p.argmax(1) == y
    expected = dict(number=.25, share_zero=(y == 0).float().mean(), share_one=1., each_0=right[y == 0].float().mean(),
                    each_1=right[y == 1].float().mean(), both_micro=right.float().mean(), plain=right.float().mean(),
                    mean_0=p[:, 0].mean(), mean_1=p[:, 1].mean())
    for name, value in expected.items(): assert row[f"valid_{name}"] == pytest.approx(float(value), abs=1e-6), name
    assert row["valid_both_macro"] == pytest.approx((row["valid_each_0"] + row["valid_each_1"]) / 2)

def test_a_metric_cannot_take_the_name_of_the_loss():
    with pytest.raises(ValueError, match="loss"): MetricsCB(loss=accuracy)

# -- history

class At(Callback):
    "Raises `error` once, at an event, where `when(learn)` is true."
    def __init__(self, event, error, when=lambda learn: True, order=0):
        self.event, self.error, self.when, self.order = event, error, when, order
    def come(self, event, learn):
        if event == self.event and self.error and self.when(learn):
            error, self.error = self.error, None
            raise error
for event in EVENTS: setattr(At, event, lambda self, learn, event=event: self.come(event, learn))

def names(table): return table[0]

def test_rows_align_by_name():
    metrics = MetricsCB()
    learn = make([metrics])
    learn.fit(1, train=False); learn.fit(1); learn.fit(1, valid=False)
    table = metrics.table()
    assert table[0] == ["epoch", "train_loss", "valid_loss", "seconds"]
    assert [row[0] for row in table[1:]] == ["0", "1", "2"]
    assert [[bool(cell) for cell in row[1:3]] for row in table[1:]] == [[False, True], [True, True], [True, False]]
    assert table[1][2] == f"{metrics.history[0]['valid_loss']:.4f}"

def test_skipping_validation_keeps_the_training_loss():
    class EverySecond(Callback):
        def before_epoch(self, learn):
            if learn.phase == "valid" and learn.epoch % 2: raise CancelEpochException()
    metrics = MetricsCB()
    make([EverySecond(), metrics]).fit(4)
    assert [("train_loss" in row, "valid_loss" in row) for row in metrics.history] == [(True, True), (True, False)] * 2

def shown(learn, *args, capsys, **kwargs):
    learn.fit(*args, **kwargs)
    return [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]

def test_a_cancelled_epoch_shows_no_other_row(capsys):
    learn = make([MetricsCB(), ProgressCB(), At("after_batch", CancelEpochException(), lambda learn: learn.epoch == 1)])
    lines = shown(learn, 3, capsys=capsys)
    assert [line.split()[:3:2] for line in lines] == [["epoch", "train_loss"], ["epoch", "valid_loss"], ["epoch", "train_loss"]]
    lines = shown(learn, 2, valid=False, capsys=capsys, cbs=[At("after_batch", CancelEpochException(), lambda learn: learn.epoch == 1)])
    assert len(lines) == 1 and lines[0].startswith("epoch 3")

def test_a_cancel_in_the_very_first_batch(capsys):
    learn = make([MetricsCB(), ProgressCB(), SingleBatchCB()])
    assert shown(learn, 3, capsys=capsys) == []
    assert learn.cbs[0].table() == [["epoch"]]

def test_two_learners_share_a_history_without_losing_rows():
    metrics = MetricsCB()
    for _ in range(2): make([metrics]).fit(1)
    assert len(metrics.history) == 2

def test_epochs_count_on_over_fits():
    learn = make([MetricsCB()])
    learn.fit(2); learn.lr_find(n_batches=8); learn.fit(1)
    assert [row["epoch"] for row in learn.cbs[0].history] == [0, 1, 2] and (learn.total_epochs, learn.total_steps) == (3, 12)

def test_the_growing_table_shows_the_last_rows():
    from miniai import _recording
    progress, metrics, calls = ProgressCB(), MetricsCB(), []
    progress.metrics, progress.first, progress.shown = metrics, 0, 0
    progress.page = type("Page", (), dict(show=lambda self, table, left_out: calls.append((len(table) - 1, left_out))))()
    for epoch in range(250):
        metrics.history.append(dict(epoch=epoch))
        progress.show()
    assert calls[-1] == (_recording._ROWS, 150) and calls[0] == (1, 0) and len(calls) == 250

# -- errors, cleanups

@pytest.mark.parametrize("order", [-500, 500])
def test_the_first_error_comes_first(order):
    learn = make([MetricsCB(), ProgressCB()])
    class Broken(Callback):
        def before_fit(self, learn): raise KeyError("mine")
        def cleanup_fit(self, learn): raise RuntimeError("second")
    Broken.order = order
    with pytest.raises(KeyError, match="mine") as caught: learn.fit(1, cbs=[Broken()])
    assert any("second" in note for note in caught.value.__notes__)
    learn.fit(1)

def test_a_device_that_is_not_there_says_so():
    if torch.cuda.is_available(): pytest.skip("it is there")
    with pytest.raises((AssertionError, RuntimeError)) as caught: make([MetricsCB(), ProgressCB(), DeviceCB("cuda")]).fit(1)
    assert caught.value.__notes__[0].startswith("in DeviceCB.before_fit")

def test_an_error_in_a_cleanup_is_raised_where_it_is_the_first():
    class Broken(Callback):
        def cleanup_epoch(self, learn): raise RuntimeError("mine")
    with pytest.raises(RuntimeError, match="mine"): make([Broken()]).fit(1)
    with pytest.raises(RuntimeError, match="mine"): make([Broken(), At("after_batch", CancelFitException())]).fit(1)

@pytest.mark.parametrize("name, near", [("after_bach", "after_batch"), ("befor_fit", "before_fit"), ("before_training", ""),
                                        ("after_losses", "after_loss")])
def test_a_misspelt_event_is_refused(name, near):
    cb = type("Mine", (Callback,), {name: lambda self, learn: None})()
    with pytest.raises(TypeError, match=f"Mine.{name} is no event.*{near}"): make([cb]).fit(1)

def test_attributes_are_not_steps():
    class Counts(Callback):
        def __init__(self): self.step = self.predict = self.backward = 0
        def after_step(self, learn): self.step += 1
    cb = Counts()
    learn = make([cb])
    learn.fit(1); learn.fit(1)
    assert cb.step == 8

# -- the optimizer

def test_the_optimizer_is_made_once_a_fit_behind_the_model():
    made = []
    def opt_func(params, lr): made.append(list(params)); return torch.optim.SGD(made[-1], lr)
    class NewHead(Callback):
        def before_fit(self, learn): learn.model[3] = nn.Linear(4, 2)
    learn = make([DeviceCB("cpu"), NewHead(), sched.BatchSchedCB(partial(sched.StepLR, step_size=1))], opt_func=opt_func)
    learn.fit(1)
    assert len(made) == 1 and any(p is learn.model[3].weight for p in made[0])
    learn.fit(1, train=False)
    assert len(made) == 1

def test_an_optimizer_can_be_handed_on():
    opt_func = partial(torch.optim.AdamW, weight_decay=.1)
    whole, parts = make(opt_func=opt_func, lr=.01), make(opt_func=opt_func, lr=.01)
    whole.fit(4, valid=False)
    parts.fit(2, valid=False); parts.fit(2, valid=False, opt=parts.opt)
    assert all(torch.equal(a, b) for a, b in zip(whole.model.state_dict().values(), parts.model.state_dict().values()))
    parts.fit(1, opt=parts.opt, lr=.5)
    assert parts.opt.param_groups[0]["lr"] == .5

def test_an_optimizer_of_another_model_is_refused():
    other = small()
    with pytest.raises(ValueError, match="none of the model's parameters"):
        make(opt_func=lambda params, lr: torch.optim.SGD(other.parameters(), lr)).fit(1)

@pytest.mark.parametrize("lr", [math.inf, math.nan, -1.])
def test_rates_that_are_none(lr):
    with pytest.raises(ValueError, match="lr is"): make(lr=lr)
    with pytest.raises(ValueError, match="lr is"): make().fit(1, lr=lr)

# -- numbers that are not numbers

def poison(cb_event, change, when=lambda learn: learn.training and learn.iter == len(learn.dl) - 1):
    class Poison(Callback): order = 90
    setattr(Poison, cb_event, lambda self, learn: change(learn) if when(learn) else None)
    return Poison()

def test_nan_in_the_last_gradient_is_found():
    spoil = poison("after_backward", lambda learn: learn.model[0].weight.grad.fill_(math.nan))
    with pytest.raises(NonFiniteLossError, match="0.weight of the model"): make([spoil]).fit(1, valid=False)

def test_nan_in_a_buffer_is_found():
    spoil = poison("after_batch", lambda learn: learn.model[1].running_var.fill_(math.inf))
    with pytest.raises(NonFiniteLossError, match="1.running_var"): make([spoil]).fit(1, valid=False)

def test_a_buffer_that_was_infinite_before_may_stay_so():
    learn = make()
    learn.model.register_buffer("mask", torch.full((2,), -math.inf))
    learn.fit(1)

def test_nan_in_validation_is_raised():
    learn = make(dls=DataLoaders(pairs(), [(torch.full((8, 3), math.nan), torch.zeros(8).long())]))
    with pytest.raises(NonFiniteLossError, match=r"batch 0 \(valid\)"): learn.fit(1)

class Elsewhere(torch.Tensor):
    "A loss that says it is on an accelerator."
    device = property(lambda self: torch.device("cuda"))

@pytest.mark.parametrize("error", [None, CancelEpochException, CancelFitException])
@pytest.mark.parametrize("phase", ["train", "valid"])
def test_on_an_accelerator_it_is_found_where_the_epoch_ends_however_it_ends(phase, error):
    def loss(preds, y): return (F.cross_entropy(preds, y) * (math.nan if learn.iter == 1 and learn.phase == phase else 1)).as_subclass(Elsewhere)
    learn = make(loss_func=loss)
    cbs = [At("after_batch", error(), lambda learn: learn.phase == phase and learn.iter == 1)] if error else []
    with pytest.raises(NonFiniteLossError, match=rf"the loss is nan in epoch 0, batch 1 \({phase}\)"): learn.fit(1, cbs=cbs)

def test_a_step_that_the_scaler_skips_counts_for_nobody():
    seen, infinite = [], torch.tensor(math.inf)
    class Count(Callback):
        def after_step(self, learn): seen.append(learn.iter)
    class Overflow(Callback):
        def after_loss(self, learn):
            if learn.training and learn.iter == 1: learn.loss.register_hook(lambda g: g * infinite)
    rates = sched.schedule_recorder()
    learn = make([MixedPrecisionCB(torch.float16), Count(), Overflow(), rates,
                  sched.BatchSchedCB(partial(sched.ExponentialLR, gamma=.5))])
    learn.fit(1, valid=False)
    assert seen == [0, 2, 3] and learn.total_steps == 3
    assert rates["lr"] == pytest.approx([.1, .05, .05, .025])

def test_transforms_are_outside_of_autocast():
    seen = []
    def look(batch): seen.append(torch.is_autocast_enabled("cpu")); return batch
    class After(Callback):
        def after_predict(self, learn): seen.append(torch.is_autocast_enabled("cpu")); assert learn.preds.dtype == torch.bfloat16
    make([MixedPrecisionCB(), BatchTransformCB(look, on_valid=True), After()]).fit(1)
    assert seen and not any(seen)

# -- every callback, in every situation

def _opt_in(learn): return [p for group in learn.opt.param_groups for p in group["params"]]

FACTORIES = dict(
    Callback=lambda learn: Callback(),
    SingleBatchCB=lambda learn: SingleBatchCB(),
    HasLearnCB=lambda learn: HasLearnCB(),
    BatchTransformCB=lambda learn: BatchTransformCB(lambda batch: batch),
    DeviceCB=lambda learn: DeviceCB("cpu", channels_last=True),
    MixedPrecisionCB=lambda learn: MixedPrecisionCB(),
    MetricsCB=lambda learn: MetricsCB(accuracy=accuracy),
    ProgressCB=lambda learn: ProgressCB(plot=True),
    RecorderCB=lambda learn: RecorderCB(loss=lambda learn: learn.loss),
    GradientClipCB=lambda learn: callbacks.GradientClipCB(.1),
    ScheduleFreeCB=lambda learn: callbacks.ScheduleFreeCB(),
    EMACB=lambda learn: callbacks.EMACB(.5),
    LookaheadCB=lambda learn: callbacks.LookaheadCB(8, every=2),
    FreezeCB=lambda learn: callbacks.FreezeCB([learn.model[0].bias], 2),
    BatchSchedCB=lambda learn: sched.BatchSchedCB(partial(sched.CosineAnnealingLR, T_max=16)),
    EpochSchedCB=lambda learn: sched.EpochSchedCB(partial(torch.optim.lr_scheduler.ExponentialLR, gamma=.9), resume=True),
    LRFinderCB=lambda learn: sched.LRFinderCB(1e-4, 1e-2, 100, 100.),
    ActivationStats=lambda learn: hooks.ActivationStats(),
    SpellingCB=lambda learn: hooks.SpellingCB(),
    AccelerateCB=lambda learn: callbacks.AccelerateCB(cpu=True),
    CheckpointCB=lambda learn: CheckpointCB(tempfile.mkdtemp(), every=3),
    AccumulateCB=lambda learn: callbacks.AccumulateCB(2),
    EarlyStoppingCB=lambda learn: callbacks.EarlyStoppingCB(patience=9),
    LoggerCB=lambda learn: callbacks.LoggerCB(Path(tempfile.mkdtemp()) / "log.csv", every=2),
    MixingCB=lambda learn: tricks.MixingCB(lambda batch: batch),
    _SharesCB=lambda learn: tricks._SharesCB(),
    _EndCB=lambda learn: speed._EndCB(6),
    _CaptureCB=lambda learn: predict._CaptureCB([lambda x: x], ()))

def all_callbacks():
    found = {}
    for module in pkgutil.walk_packages(miniai.__path__, "miniai."):
        if ".exercises" in module.name: continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(value) and issubclass(value, Callback) and value.__module__.startswith("miniai"): found[name] = value
    return found

def test_the_matrix_has_every_callback():
    """`ResumeCB` is for a file (test_checkpoint), `_SizesCB` for pictures (test_speed); here are vectors. The tricks are for
    one fit of a `speed_net` (test_tricks)."""
    tried = {"DeeperCB", "PoolLaterCB", "StochasticDepthCB", "SelfDistillationCB"}
    assert set(FACTORIES) == set(all_callbacks()) - {"ResumeCB", "_SizesCB"} - tried

def with_callback(name, kind=Learner, dls=None, **kwargs):
    if name == "ScheduleFreeCB": kwargs["opt_func"] = optim.ScheduleFreeAdamW
    learn = make(kind=kind, dls=dls, lr=.05, **kwargs)
    learn.cbs = [FACTORIES[name](learn), *([] if name == "MetricsCB" else [MetricsCB()])]
    return learn

def state(learn):
    "What a fit must leave as it was, whatever happens in it."
    hooked = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in learn.model.modules())
    return (id(learn.model), hooked, [p.requires_grad for p in learn.model.parameters()], sorted(set(STEPS) & set(learn.__dict__)),
            type(learn.autocast), learn.scaler, torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"),
            [p.grad is None for p in learn.model.parameters()], len(learn.cbs))

def weights(learn): return torch.cat([t.flatten().double() for t in learn.model.state_dict().values()])

each = pytest.mark.parametrize("name", FACTORIES)
SKIP_TRAINING = "_CaptureCB",    # it leaves each batch before its loss

@each
def test_two_fits(name):
    learn = with_callback(name)
    before, start = state(learn), weights(learn)
    for _ in range(2): learn.fit(2)
    assert state(learn) == before
    if name not in SKIP_TRAINING: assert not torch.equal(weights(learn), start)

@each
def test_validate_only(name):
    learn = with_callback(name)
    before, start = state(learn), weights(learn)
    learn.fit(1, train=False)
    assert state(learn) == before and torch.equal(weights(learn), start)
    learn.fit(1); start = weights(learn)
    learn.fit(2, train=False)
    assert state(learn) == before and torch.equal(weights(learn), start)

@each
@pytest.mark.parametrize("order", [-500, 500])
@pytest.mark.parametrize("event", [e for e in EVENTS if not e.startswith("cleanup")])
@pytest.mark.parametrize("error", [CancelBatchException, CancelEpochException, CancelFitException])
def test_cancelled(name, error, event, order):
    learn = with_callback(name)
    before = state(learn)
    try: learn.fit(2, cbs=[At(event, error(), lambda learn: learn.iter == 1 or event.endswith(("fit", "epoch")), order)])
    except error: pass              # beyond its own scope: a batch cannot be left where there is none
    assert state(learn) == before
    learn.fit(1)
    assert state(learn) == before

@each
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_mixed_precision(name, dtype):
    if name == "MixedPrecisionCB": pytest.skip("twice is an error")
    learn = with_callback(name)
    before = state(learn)
    for _ in range(2): learn.fit(1, cbs=[MixedPrecisionCB(dtype)])
    assert state(learn) == before

trains = pytest.mark.parametrize("name", [name for name in FACTORIES if name not in SKIP_TRAINING])

@trains
def test_lr_find_leaves_no_trace(name):
    learn = with_callback(name)
    learn.fit(1)
    before, start, attributes = state(learn), weights(learn), set(vars(learn))
    kept = {key: copy.copy(value) for key, value in vars(learn.cbs[0]).items()}
    if name == "SingleBatchCB":
        with pytest.raises(ValueError, match="the test ended after"): learn.lr_find(n_batches=6)
    else: assert len(learn.lr_find(n_batches=6, stop=1e9).lrs) >= (4 if name == "_EndCB" else 6)
    assert state(learn) == before and torch.equal(weights(learn), start) and set(vars(learn)) == attributes
    assert kept.keys() == vars(learn.cbs[0]).keys()
    learn.fit(1)

@trains
def test_dict_batches(name):
    plain, learn = with_callback(name), with_callback(name, DictLearner, DataLoaders(dicts(), dicts(2)))
    for each in plain, learn: each.fit(2)
    assert torch.equal(weights(plain), weights(learn))

@trains
def test_a_deepcopy_trains_alike_and_alone(name):
    learn = with_callback(name)
    learn.fit(1)
    other, start = copy.deepcopy(learn), weights(learn)
    assert not {id(p) for p in learn.model.parameters()} & {id(p) for p in other.model.parameters()}
    if name == "FreezeCB": other.cbs[0].params = [other.model[0].bias]
    if name == "CheckpointCB": other.cbs[0].folder = Path(tempfile.mkdtemp())   # one folder, one training
    other.fit(2)
    assert torch.equal(weights(learn), start)
    learn.fit(2)
    assert torch.equal(weights(learn), weights(other))

@each
@pytest.mark.parametrize("order", [-500, 500])
def test_an_error_in_another_before_fit(name, order):
    learn = with_callback(name)
    before = state(learn)
    with pytest.raises(ZeroDivisionError): learn.fit(1, cbs=[At("before_fit", ZeroDivisionError(), order=order)])
    assert state(learn) == before
    learn.fit(1)
    assert state(learn) == before

def interrupted_at(n, f):
    "Run `f`, raising KeyboardInterrupt at the n-th line that the package executes; whether there were as many lines."
    count, folder = 0, miniai.__path__[0]
    def trace(frame, event, arg):
        nonlocal count
        if not frame.f_code.co_filename.startswith(folder): return None
        if event == "line":
            count += 1
            if count == n: raise KeyboardInterrupt
        return trace
    sys.settrace(trace)
    try: f()
    except KeyboardInterrupt: pass
    finally: sys.settrace(None)
    return count >= n

@each
def test_an_interrupt_at_any_line_leaves_nothing(name):
    tiny = DataLoaders(pairs(2), pairs(1))
    learn = with_callback(name, dls=tiny)
    learn.fit(1)                    # whatever is imported late is imported now
    n, stride = 1, 7                # every seventh line, begun at another one for each callback
    n += sorted(FACTORIES).index(name) % stride
    while True:
        learn = with_callback(name, dls=tiny)
        before = state(learn)
        if not interrupted_at(n, lambda: learn.fit(1)): break
        assert state(learn) == before, f"interrupted at line {n}"
        n += stride
