"Callbacks of long trainings: accumulated gradients, early stopping, logs; rates by layer; models that leave."
import copy, csv, json, math, os, signal
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from miniai._checkpoint import CheckpointCB
from miniai._training import AccumulateCB, EarlyStoppingCB, LoggerCB
from miniai.callbacks import EMACB, GradientClipCB, LookaheadCB
from miniai.data import DataLoaders
from miniai.layers import resnet
from miniai.learner import (
    Callback, CancelBatchException, CancelEpochException, CancelFitException, Learner, MetricsCB, MixedPrecisionCB,
    SingleBatchCB)
from miniai.sched import BatchSchedCB, ExponentialLR, OneCycleLR
from miniai.speed import speed_net

def pairs(sizes, dtype=torch.float64, leave_out=False):
    rng = torch.Generator().manual_seed(1)
    batches = [(torch.randn(n, 3, generator=rng).to(dtype), torch.randint(3, (n,), generator=rng)) for n in sizes]
    if leave_out:
        for i, (_, y) in enumerate(batches): y[1:1 + i % 3] = -100
    return batches

def grouped(batches, n): return [tuple(map(torch.cat, zip(*batches[i:i + n]))) for i in range(0, len(batches), n)]

def make(train, cbs=(), valid=None, dtype=torch.float64, **kwargs):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).to(dtype)
    return Learner(model, DataLoaders(train, train[:2] if valid is None else valid), cbs=cbs, **kwargs)

def weights(learn): return torch.cat([t.detach().flatten() for t in learn.model.state_dict().values()])

class At(Callback):
    "Does something at an event, where `when(learn)` is true."
    def __init__(self, do, when=lambda learn: True): self.do, self.when = do, when
def at(event, do, when=lambda learn: True, order=0):
    def come(self, learn):
        if self.when(learn): self.do(learn)
    return type("AtEvent", (At,), {event: come, "order": order})(do, when)

def throw(error):
    def do(learn): raise error
    return do

# -- accumulation

SIZES = [8, 8, 8, 5, 8, 8, 3]            # groups of 3, the last of one batch
LOSSES = dict(mean=F.cross_entropy, sum=nn.CrossEntropyLoss(reduction="sum"),
              weighted=nn.CrossEntropyLoss(weight=torch.tensor([.2, .5, 1.], dtype=torch.float64)))

@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("leave_out", [False, True])
@pytest.mark.parametrize("opt_func", [torch.optim.SGD, torch.optim.AdamW])
def test_groups_train_as_large_batches_do(loss, leave_out, opt_func):
    small, kwargs = pairs(SIZES, leave_out=leave_out), dict(loss_func=LOSSES[loss], lr=.05, opt_func=opt_func)
    large, parts = make(grouped(small, 3), **kwargs), make(small, [AccumulateCB(3)], **kwargs)
    for learn in large, parts: learn.fit(2); learn.fit(1)
    torch.testing.assert_close(weights(parts), weights(large), rtol=0, atol=1e-6)
    assert parts.total_steps == large.total_steps == 9

def test_others_see_the_gradient_of_the_large_batch_and_steps_alone():
    seen = {}
    def run(name, train, *cbs):
        rows = seen[name] = dict(norm=[], n=[], lr=[])
        norm = lambda learn: nn.utils.get_total_norm([p.grad for p in learn.model.parameters()])
        ema = EMACB(.5)
        make(train, [*cbs, ema, LookaheadCB(3, every=2), BatchSchedCB(partial(ExponentialLR, gamma=.5)), GradientClipCB(.05),
                     at("after_backward", lambda learn: rows["norm"].append(norm(learn))),
                     at("after_step", lambda learn: rows["n"].append(learn.total_steps)),
                     at("after_step", lambda learn: rows["lr"].append(learn.opt.param_groups[0]["lr"]))]).fit(1)
        return nn.utils.parameters_to_vector(ema.average.parameters())
    small = pairs(SIZES)
    torch.testing.assert_close(run("large", grouped(small, 3)), run("parts", small, AccumulateCB(3)))
    assert seen["parts"]["n"] == [1, 2, 3] and seen["parts"]["lr"] == seen["large"]["lr"] == [.1, .05, .025]
    torch.testing.assert_close(seen["parts"]["norm"], seen["large"]["norm"])
    assert seen["parts"]["norm"][0] == pytest.approx(.05, rel=1e-4)

@pytest.mark.parametrize("dtype, close", [(torch.bfloat16, 2e-2), (torch.float16, 2e-3)])
def test_in_mixed_precision(dtype, close):
    small = pairs(SIZES, torch.float32)
    large, parts = make(grouped(small, 3), dtype=torch.float32), make(small, [AccumulateCB(3)], dtype=torch.float32)
    for learn in large, parts: learn.fit(1, cbs=[MixedPrecisionCB(dtype)])
    torch.testing.assert_close(weights(parts), weights(large), rtol=0, atol=close)
    assert parts.total_steps == large.total_steps == 3

def test_a_group_that_the_scaler_skips_leaves_nothing():
    infinite, small = torch.tensor(math.inf), pairs([8] * 6, torch.float32)
    spoil = at("after_loss", lambda learn: learn.loss.register_hook(lambda g: g * infinite),
               lambda learn: learn.training and learn.iter == 1)
    learn = make(small, [AccumulateCB(3), spoil], dtype=torch.float32)
    alone = make(small[3:], [AccumulateCB(3)], dtype=torch.float32)
    for each in learn, alone: each.fit(1, cbs=[MixedPrecisionCB(torch.float16)])
    assert learn.total_steps == 1
    torch.testing.assert_close(weights(learn), weights(alone), rtol=0, atol=2e-4)

@pytest.mark.parametrize("event, cancelled, left", [
    ("before_batch", [1], [0, 2, 3, 4, 5]), ("after_predict", [1], [0, 2, 3, 4, 5]), ("after_loss", [1, 2], [0, 3, 4, 5]),
    ("after_batch", [1], [2, 3, 4, 5]), ("after_backward", [2], [3, 4, 5])])
@pytest.mark.parametrize("order", [-60, 0, 90])
def test_a_cancelled_batch(event, cancelled, left, order):
    "Before its backward it is left out, after it the group is."
    small = pairs([8, 5, 8, 8, 3, 8])
    cancel = at(event, throw(CancelBatchException()), lambda learn: learn.training and learn.iter in cancelled, order)
    learn, plain = make(small, [AccumulateCB(3), cancel]), make(grouped([small[i] for i in left], 3))
    learn.fit(1); plain.fit(1)
    torch.testing.assert_close(weights(learn), weights(plain))

@pytest.mark.parametrize("error", [CancelEpochException, CancelFitException, ZeroDivisionError])
def test_a_group_ends_with_its_epoch(error):
    small = pairs([8] * 6)
    cut = at("after_batch", throw(error()), lambda learn: learn.training and (learn.total_epochs, learn.iter) == (1, 3))
    learn, plain = make(small, [AccumulateCB(3), cut]), make(grouped(small, 3))
    try: learn.fit(1)
    except ZeroDivisionError: pass
    learn.fit(1)
    plain.fit(1, cbs=[at("after_batch", throw(CancelFitException()), lambda learn: learn.training)])
    plain.fit(1)
    torch.testing.assert_close(weights(learn), weights(plain))

def test_a_last_batch_that_is_left_out_drops_its_group():
    small = pairs([8, 8, 8, 8, 3])
    short = at("before_batch", throw(CancelBatchException()), lambda learn: learn.training and len(learn.batch[0]) < 8)
    learn, plain = make(small, [AccumulateCB(3), short]), make(grouped(small[:3], 3))
    learn.fit(2); plain.fit(2)
    torch.testing.assert_close(weights(learn), weights(plain))

def test_lr_find_with_groups():
    learn = make(pairs([8] * 6), [AccumulateCB(3)])
    found = learn.lr_find(1e-4, 1e-2, n_batches=7)
    assert len(found.lrs) == 7 and found.lrs[-1] == pytest.approx(1e-2) and learn.cbs[0].n == 0 and learn.total_steps == 0

def test_checkpoints_are_written_between_groups(tmp_path):
    small = pairs([8] * 7)
    whole = make(small, [AccumulateCB(3)])
    lost = make(small, [AccumulateCB(3), CheckpointCB(tmp_path, minutes=1e-9, keep=99)])
    whole.fit(3)
    cut = at("after_batch", throw(ZeroDivisionError()), lambda learn: learn.training and (learn.epoch, learn.iter) == (1, 4))
    with pytest.raises(ZeroDivisionError): lost.fit(3, cbs=[cut])
    assert [int(file.stem[5:]) for file in sorted(tmp_path.glob("step_*"))] == [1, 2, 3, 4]
    again = make(small, [AccumulateCB(3)])
    again.fit(3, resume=tmp_path)
    assert torch.equal(weights(again), weights(whole))

def test_it_takes_a_whole_number():
    with pytest.raises(ValueError, match="n_batches is 0"): AccumulateCB(0)

# -- early stopping

class Plan(Callback):
    "The model's weights become the number of the epoch; validation gives the planned values."
    order = -1
    def __init__(self, values): self.values = values
    def after_batch(self, learn):
        if learn.training:
            with torch.no_grad():
                for p in learn.model.parameters(): p.fill_(learn.total_epochs - 1)
                learn.model.seen.fill_(learn.total_epochs - 1)
        else: learn.loss = torch.tensor(self.values[learn.total_epochs - 1])

def planned(values, *cbs, **kwargs):
    learn = make(pairs([8]), [Plan(values), MetricsCB(), *cbs], **kwargs)
    learn.model.register_buffer("seen", torch.zeros(1))
    return learn

def epoch_of(model): return {t.flatten()[0].item() for t in (*model.parameters(), *model.buffers())}

@pytest.mark.parametrize("values, kwargs, ran, best", [
    ([3., 2., 4., 4., 1.], dict(patience=2), 4, 1),                       # stops
    ([3., 2., 4., 1., 5.], dict(patience=2), 5, 3),                       # ends by its epochs
    ([3., 2., 4., 4., 4.], dict(patience=2, keep_best=False), 4, 3),
    ([3., 2.95, 2.9, 2.5, 2.45], dict(patience=2, min_delta=.2), 3, 0),
    ([1., 2., 1., 1., 1.], dict(patience=2, mode="max"), 4, 1)])
def test_it_stops_and_the_best_comes_back(values, kwargs, ran, best):
    stop = EarlyStoppingCB(**kwargs)
    learn = planned(values, stop)
    learn.fit(5)
    assert learn.total_epochs == ran == len(learn.cbs[1].history) and epoch_of(learn.model) == {best}
    if stop.keep_best: assert (stop.best, stop.best_epoch) == (pytest.approx(values[best]), best)

def test_each_fit_begins_anew():
    stop = EarlyStoppingCB(patience=2)
    learn = planned([1., 2., 2., 9., 8., 9., 9., 0.], stop)
    learn.fit(9); learn.fit(9)
    assert learn.total_epochs == 7 and stop.best_epoch == 4 and epoch_of(learn.model) == {4}
    learn.fit(1, train=False)
    assert stop.best_epoch == 4 and epoch_of(learn.model) == {4}

@pytest.mark.parametrize("error, stays", [(KeyboardInterrupt, 2), (ZeroDivisionError, 2), (CancelFitException, 0)])
def test_after_an_error_the_weights_stay(error, stays):
    cut = at("after_batch", throw(error()), lambda learn: learn.training and learn.epoch == 2)
    learn = planned([1., 2., 3.], EarlyStoppingCB(), cut)
    try: raise LookupError               # a fit within a handler
    except LookupError:
        try: learn.fit(3)
        except (KeyboardInterrupt, ZeroDivisionError): pass
    assert epoch_of(learn.model) == {stays}

def test_the_best_average_comes_back_too():
    ema = EMACB(0.)
    mark = at("after_step", lambda learn: [p.data.fill_(learn.epoch) for p in learn.model.parameters()])
    learn = planned([3., 1., 2., 2.], EarlyStoppingCB(patience=2), ema, mark)
    learn.fit(9)
    assert {p.flatten()[0].item() for p in ema.average.parameters()} == {1} == epoch_of(learn.model)

def test_the_last_epoch_is_recorded_logged_and_saved(tmp_path):
    rows = []
    log = LoggerCB(lambda step, row: rows.append(row["epoch"]))
    planned([1., 2., 2.], EarlyStoppingCB(patience=2), CheckpointCB(tmp_path), log).fit(9)
    assert rows == [0, 1, 2] and (tmp_path / "step_00000003.pt").exists()

def test_a_training_that_stops_is_resumed(tmp_path):
    values = [3., 1., 2., 2., 2., 0.]
    lost = planned(values, EarlyStoppingCB(), CheckpointCB(tmp_path))
    cut = at("before_batch", throw(ZeroDivisionError()), lambda learn: learn.total_epochs == 4)
    with pytest.raises(ZeroDivisionError): lost.fit(9, cbs=[cut])
    again = planned(values, EarlyStoppingCB(), CheckpointCB(tmp_path))
    again.fit(9, resume=True)
    assert again.total_epochs == 5 and epoch_of(again.model) == {1} and again.cbs[2].best_epoch == 1
    over = planned(values, EarlyStoppingCB(), CheckpointCB(tmp_path))
    over.fit(9, resume=True)             # it had stopped
    assert over.total_epochs == 5 and epoch_of(over.model) == {1}

@pytest.mark.parametrize("name, fit, told", [
    ("valid_acuracy", {}, "'valid_acuracy'.*valid_loss"), ("valid_loss", dict(valid=False), "no such phase, only train")])
def test_a_name_that_is_nowhere(name, fit, told):
    with pytest.raises(ValueError, match=told): planned([1.] * 3, EarlyStoppingCB(name)).fit(3, **fit)
    with pytest.raises(ValueError, match="no MetricsCB"): make(pairs([8]), [EarlyStoppingCB(name)]).fit(1)

def test_epochs_without_validation_do_not_count():
    odd = at("before_epoch", throw(CancelEpochException()), lambda learn: not learn.training and learn.epoch % 2)
    learn = planned([1., 9., 2., 9., 2., 9.], EarlyStoppingCB(patience=2), odd)
    learn.fit(9)
    assert learn.total_epochs == 5

@pytest.mark.parametrize("kwargs, name", [
    (dict(patience=0), "patience"), (dict(mode="least"), "mode"), (dict(min_delta=-1), "min_delta")])
def test_bad_arguments(kwargs, name):
    with pytest.raises(ValueError, match=f"{name} is"): EarlyStoppingCB(**kwargs)

# -- logs

def table(file):
    if file.suffix == ".jsonl": return [json.loads(line) for line in file.read_text().splitlines()]
    with file.open(newline="") as f:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(f)]

files = pytest.mark.parametrize("kind", ["csv", "jsonl"])

@files
def test_epochs_and_steps_are_logged(tmp_path, kind):
    file, rates = tmp_path / "logs" / f"log.{kind}", []
    see = at("after_step", lambda learn: rates.append((learn.opt.param_groups[0]["lr"], learn.loss.item())))
    learn = make(pairs([8] * 4), [MetricsCB(), LoggerCB(file, every=2), BatchSchedCB(partial(ExponentialLR, gamma=.5)), see])
    learn.fit(1, valid=False); learn.fit(2)
    rows = table(file)
    assert [(row["step"], row.get("epoch")) for row in rows] == [
        (2, None), (4, None), (4, 0), (6, None), (8, None), (8, 1), (10, None), (12, None), (12, 2)]
    steps, epochs = [r for r in rows if "epoch" not in r], [r for r in rows if "epoch" in r]
    assert [(r["lr"], r["loss"]) for r in steps] == [pytest.approx(rates[i]) for i in (1, 3, 5, 7, 9, 11)]
    assert "valid_loss" not in epochs[0] and [{k: v for k, v in r.items() if k != "step"} for r in epochs] == learn.cbs[0].history

@files
def test_a_log_is_resumed_without_a_step_twice(tmp_path, kind):
    file, small = tmp_path / f"log.{kind}", pairs([8] * 4)
    cut = at("after_batch", throw(ZeroDivisionError()), lambda learn: learn.total_steps == 8, order=90)
    def train(name):
        log = LoggerCB(tmp_path / f"{name}.{kind}", every=1)
        return make(small, [MetricsCB(), log, CheckpointCB(tmp_path / name, every=3)])
    def no_seconds(name): return [{k: v for k, v in r.items() if k != "seconds"} for r in table(tmp_path / f"{name}.{kind}")]
    whole, lost, again = train("whole"), train("log"), train("log")
    whole.fit(3)
    with pytest.raises(ZeroDivisionError): lost.fit(3, cbs=[cut])
    assert table(file)[-1]["step"] == 8
    with file.open("a") as f: f.write('{"step": 9, "lo' if kind == "jsonl" else "9,,.")   # killed while it wrote
    again.fit(3, resume=True)            # from step 6
    assert no_seconds("log") == no_seconds("whole")

def test_an_epoch_whose_checkpoint_is_missing_is_not_logged_twice(tmp_path):
    "It was validated and logged, and resumes before its validation."
    file, small = tmp_path / "log.csv", pairs([8] * 4)
    train = lambda: make(small, [MetricsCB(), LoggerCB(file), CheckpointCB(tmp_path)])
    cut = at("after_epoch", throw(ZeroDivisionError()), lambda learn: not learn.training, order=90)
    with pytest.raises(ZeroDivisionError): train().fit(2, cbs=[cut])
    assert [row["epoch"] for row in table(file)] == [0]
    train().fit(2, resume=True)
    assert [row["epoch"] for row in table(file)] == [0, 1] and "valid_loss" in table(file)[0]

@files
def test_the_log_of_another_training_is_refused(tmp_path, kind):
    file = tmp_path / f"log.{kind}"
    train = lambda: make(pairs([8]), [MetricsCB(), LoggerCB(file)])
    train().fit(1)
    before = file.read_bytes()
    with pytest.raises(ValueError, match="step 1 of another training"): train().fit(1)
    assert file.read_bytes() == before

@files
@pytest.mark.parametrize("content", ["a,b\n1,2\n", "hello\n", '["step", 1]\n'])
def test_a_file_of_something_else_stays(tmp_path, kind, content):
    file = tmp_path / f"log.{kind}"
    file.write_text(content)
    with pytest.raises(ValueError, match="line 1, is no row"): make(pairs([8]), [MetricsCB(), LoggerCB(file)]).fit(1)
    assert file.read_text() == content

def test_columns_that_come_later(tmp_path):
    file = tmp_path / "log.csv"
    log = LoggerCB(file)
    make(pairs([8]), [MetricsCB(), log]).fit(1, valid=False)
    log.log.begin(1, 1, True); log.log.add(2, {"a, b": 1.5}); log.log.add(3, dict(epoch=1))
    assert file.read_text().splitlines()[0] == 'step,epoch,train_loss,seconds,"a, b"'
    assert table(file)[1:] == [{"step": 2, "a, b": 1.5}, {"step": 3, "epoch": 1}]

def test_json_has_no_nan(tmp_path):
    log = LoggerCB(tmp_path / "log.jsonl").log
    log.begin(0, 0, False); log.add(1, dict(a=math.nan, b=math.inf, c=1.))
    assert json.loads((tmp_path / "log.jsonl").read_text(), parse_constant=pytest.fail) == dict(step=1, a=None, b=None, c=1.)

@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is full")
def test_a_full_disk_warns(tmp_path):
    file = tmp_path / "log.jsonl"
    os.symlink("/dev/full", file)
    learn = make(pairs([8]), [MetricsCB(), LoggerCB(file)])
    learn.cbs[1].log.begin = lambda *args: None
    with pytest.warns(UserWarning, match="step . is not in the log.*No space left"): learn.fit(2)
    assert learn.total_steps == 2

@files
def test_a_disk_that_fills_leaves_whole_rows(tmp_path, kind, monkeypatch):
    resource = pytest.importorskip("resource")
    file = tmp_path / f"log.{kind}"
    learn = make(pairs([8]), [MetricsCB(), LoggerCB(file)])
    learn.fit(1)
    size, limits = file.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 9, limits[1]))     # bytes: part of a row
    try:
        with pytest.warns(UserWarning, match="step 2 is not in the log"): learn.fit(1)
    finally: resource.setrlimit(resource.RLIMIT_FSIZE, limits); signal.signal(signal.SIGXFSZ, old)
    learn.fit(1)
    assert [row["step"] for row in table(file)] == [1, 3]

def test_a_function_logs_and_its_network_may_fail():
    seen = []
    def add(step, numbers):
        seen.append((step, sorted(numbers)))
        if step == 2: raise ConnectionError("gone")
    two_groups = lambda params, lr: torch.optim.SGD([dict(params=params), dict(params=[torch.zeros(1)], lr=.5)], lr=lr)
    learn = make(pairs([8, 8]), [LoggerCB(add, every=1)], opt_func=two_groups)
    with pytest.warns(UserWarning, match="gone"): learn.fit(2)
    assert seen == [(step, ["loss", "lr_0", "lr_1"]) for step in (1, 2, 3, 4)]

def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    def train():
        log = LoggerCB.tensorboard(tmp_path / "board", every=1)
        return make(pairs([8] * 4), [MetricsCB(), log, CheckpointCB(tmp_path / "saved", every=3)])
    cut = at("after_batch", throw(ZeroDivisionError()), lambda learn: learn.total_steps == 8, order=90)
    with pytest.raises(ZeroDivisionError): train().fit(3, cbs=[cut])
    again = train()
    again.fit(3, resume=True)
    copy.deepcopy(again)
    board = EventAccumulator(str(tmp_path / "board"))
    board.Reload()
    assert [e.step for e in board.Scalars("loss")] == list(range(1, 13))
    assert [e.value for e in board.Scalars("valid_loss")] == pytest.approx([row["valid_loss"] for row in again.cbs[0].history])

def test_the_range_test_and_other_processes_are_not_logged(tmp_path):
    learn = make(pairs([8] * 4), [MetricsCB(), LoggerCB(tmp_path / "log.csv", every=1), EarlyStoppingCB()])
    learn.lr_find(1e-4, 1e-2, n_batches=8)
    learn.main = False
    learn.fit(1)
    assert not any(tmp_path.iterdir())

def test_an_epoch_without_validation_is_logged(tmp_path):
    odd = at("before_epoch", throw(CancelEpochException()), lambda learn: not learn.training)
    make(pairs([8]), [MetricsCB(), odd, LoggerCB(tmp_path / "log.csv")]).fit(2)
    assert [row["step"] for row in table(tmp_path / "log.csv")] == [1, 2]

@pytest.mark.parametrize("make_it, told", [
    (lambda: LoggerCB("log.txt"), r"'log.txt': a log is a .csv or .jsonl"), (lambda: LoggerCB("log.csv", every=0), "every is 0"),
    (lambda: make(pairs([8]), [LoggerCB("log.csv")]).fit(1), "MetricsCB")])
def test_bad_arguments_of_a_log(make_it, told):
    with pytest.raises(ValueError, match=told): make_it()

# -- rates by layer

class LayerwiseLearner(Learner):
    "As in the recipe of the notebook."
    def make_opt(self):
        groups = [dict(params=layer.parameters(), lr=self.fit_lr * .5**depth)
                  for depth, layer in enumerate(reversed(self.model))]
        self.opt = self.opt_func(groups, lr=self.fit_lr)

def layerwise(cbs=(), **kwargs):
    learn = make(pairs([8] * 4), cbs, **kwargs)
    return LayerwiseLearner(learn.model, learn.dls, cbs=cbs, **kwargs)

@pytest.mark.parametrize("again", [lambda learn: learn, copy.deepcopy])
def test_each_layer_learns_at_its_rate(again):
    learn = again(layerwise(lr=.4))
    (x, y), by_hand = learn.dls.train[0], copy.deepcopy(learn.model)
    F.cross_entropy(by_hand(x), y).backward()
    learn.fit(1, cbs=[SingleBatchCB()])
    for layer, lr in ((0, .1), (2, .4)):
        torch.testing.assert_close(learn.model[layer].weight, by_hand[layer].weight - lr * by_hand[layer].weight.grad)

def test_schedules_and_the_range_test_keep_rates_by_layer():
    rates = []
    record = at("after_step", lambda learn: rates.append([group["lr"] for group in learn.opt.param_groups]))
    one_cycle = BatchSchedCB(partial(OneCycleLR, max_lr=[.4, .2, .1], total_steps=8))
    learn = layerwise([record, one_cycle], opt_func=torch.optim.AdamW)
    learn.fit(2)
    assert len(rates) == 8 and max(rates)[0] == pytest.approx(.4, rel=.2)
    for a, b, c in rates: assert (b, c) == pytest.approx((a / 2, a / 4))
    learn.cbs = [record]
    rates.clear()
    found = learn.lr_find(1e-4, 1e-1, n_batches=4)
    assert found.lrs == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1]) and len(learn.cbs) == 1

# -- models that leave the package

@pytest.mark.parametrize("name, channels_last", [("resnet", False), ("resnet", True), ("speed_net", True)])
def test_an_exported_model_predicts_alike(name, channels_last, tmp_path):
    torch.manual_seed(0)
    x = torch.randn(5, 3, 16, 16)
    model = resnet((8, 16, 16), in_channels=3) if name == "resnet" else speed_net(x, (8, 16, 16))
    with torch.no_grad(): model(x)       # batchnorm learns something
    if channels_last: model, x = (t.to(memory_format=torch.channels_last) for t in (model, x))
    with torch.no_grad(): expected = model.eval()(x)
    program = torch.export.export(model, (x[:2],), dynamic_shapes=[{0: torch.export.Dim("n")}])
    torch.export.save(program, tmp_path / "model.pt2")
    again = torch.export.load(tmp_path / "model.pt2").module()
    pytest.importorskip("onnxscript")
    torch.onnx.export(model, (x[:2],), tmp_path / "model.onnx", dynamo=True, dynamic_shapes=[{0: "n"}], input_names=["x"],
                      output_names=["scores"], external_data=False, verbose=False)
    session = pytest.importorskip("onnxruntime").InferenceSession(tmp_path / "model.onnx")
    for n in 1, 5:
        torch.testing.assert_close(again(x[:n]), expected[:n], rtol=1e-5, atol=1e-5)
        found = session.run(["scores"], {"x": x[:n].contiguous().numpy()})[0]
        torch.testing.assert_close(torch.from_numpy(found), expected[:n], rtol=1e-5, atol=1e-5)
