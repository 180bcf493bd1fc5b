"""Trainings for test_accelerate_processes.py: it does them itself, without AccelerateCB, and has two processes do them
with it, which `torchrun` starts with this script, `accelerated.py FOLDER`. What they return is compared."""
import sys, traceback
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import distributed, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler, TensorDataset

from miniai.callbacks import EMACB, FreezeCB, GradientClipCB, LookaheadCB
from miniai.core import set_seed
from miniai.data import Batches, DataLoaders
from miniai.learner import (
    BatchTransformCB, Callback, CancelFitException, Learner, MetricsCB, MixedPrecisionCB, NonFiniteLossError,
    ProgressCB, RecorderCB)
from miniai.metrics import accuracy
from miniai.sched import BatchSchedCB, OneCycleLR
from miniai._checkpoint import CheckpointCB
from miniai._training import AccumulateCB, EarlyStoppingCB, LoggerCB

SHARED, RANK = [], 0                     # in two processes: the callback, and which of them this is
rng = torch.Generator().manual_seed(1)
N = 190                                  # 7 batches of 27, parts of 14 and 13, and a last one, parts of 1 and 0
X, Y = torch.randn(N, 5, generator=rng), torch.randint(3, (N,), generator=rng)
PIXELS = torch.randint(256, (N, 1, 2, 3), generator=rng, dtype=torch.uint8)
KINDS = "batches", "list", "0", "2"      # of loaders; a DataLoader by its workers

class Stop(Exception): pass

class At(Callback):
    "Calls a function at an event."
    def __init__(self, event, f): self.event, self.f = event, f
for event in "before_batch", "after_predict", "after_batch", "after_step":
    setattr(At, event, lambda self, learn, event=event: event == self.event and self.f(learn))

def small(n_in=5, *layers):
    set_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(n_in, 8), *layers, nn.ReLU(), nn.Linear(8, 3))

def loaders(kind="list", x=X, y=Y):
    if kind == "batches":
        make = partial(Batches, PIXELS, Y, device="cpu", std=.3)
        return DataLoaders(make(27, shuffle=True), make(49))
    if kind == "list": return DataLoaders([*zip(x.split(27), y.split(27))], [*zip(x.split(49), y.split(49))])
    n, data = int(kind), TensorDataset(x, y)
    return DataLoaders(DataLoader(data, 27, shuffle=True, num_workers=n, persistent_workers=n > 0),
                       DataLoader(data, 49, num_workers=n))

def learner(*cbs, dls=None, model=None, metrics=None, **kwargs):
    "With its MetricsCB as the last callback."
    model = model or small()
    set_seed(0)
    return Learner(model, dls or loaders(), cbs=[*SHARED, *cbs, metrics or MetricsCB(accuracy=accuracy)],
                   opt_func=partial(torch.optim.SGD, momentum=.9), **dict(lr=.1) | kwargs)

def found(learn):
    "Weights, buffers and history."
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in learn.cbs[-1].history]
    tensors = learn.model.state_dict().values()
    return dict(weights=torch.cat([t.detach().flatten().double() for t in tensors]), rows=rows)

def fitted(learn, n_epochs=2, **kwargs):
    learn.fit(n_epochs, **kwargs)
    return found(learn)

# -- the same in one process and in two

def trains(kind):
    "Three epochs of momentum and OneCycle, with metrics that are means over examples, and others."
    import torchmetrics
    dls, of = loaders(kind), partial(torchmetrics.F1Score, "multiclass", num_classes=3)
    counts = torchmetrics.ConfusionMatrix("multiclass", num_classes=3)
    metrics = MetricsCB(accuracy=accuracy, first=lambda preds, y: preds.argmax(1)[0].float() + len(y),
                        counts=lambda preds, y: F.one_hot(y, 3).sum(0), f1=of(average="macro"),
                        both=torchmetrics.MetricCollection(dict(counts=counts, f1=of(average=None))))
    sched = BatchSchedCB(partial(OneCycleLR, max_lr=.3, total_steps=3 * len(dls.train)))
    return fitted(learner(sched, dls=dls, model=small(6 if kind == "batches" else 5), metrics=metrics), 3)

class Ours:
    "A mean over the labels that are not 0."
    def __call__(self, preds, y): return F.cross_entropy(preds[y > 0], y[y > 0])
    def averaged_over(self, preds, y): return (y > 0).sum()

def leaves_out(loss_func):
    "Labels that a loss leaves out: all of one process's part, and some."
    y = Y.clone()
    y[:14] = y[40:45] = 0 if isinstance(loss_func, Ours) else -100
    return fitted(learner(dls=loaders("list", X[:-1], y[:-1]), loss_func=loss_func, metrics=MetricsCB(), lr=.01))

class Penalty(Callback):
    def after_loss(self, learn): learn.loss = learn.loss + .01 * sum(p.square().sum() for p in learn.model.parameters())

def with_callback(make):
    "In one fit, and then without it."
    learn = learner(dls=loaders("0"))
    learn.fit(2, cbs=[make(learn)])
    return fitted(learn, 1) | dict(steps=learn.total_steps)

def averages():
    ema = EMACB(.9)
    return fitted(learner(ema)) | dict(average=ema.average[1].weight.clone())

def finds_a_rate():
    learn = learner(dls=loaders("batches"), model=small(6))
    test = learn.lr_find(1e-3, 1., 40)
    tests = dict(lrs=torch.tensor(test.lrs), losses=torch.tensor(test.losses), suggested=[test.steepest, test.tenth])
    return tests | found(learn)

def predicts():
    "After the fit, in one process alone."
    learn = learner()
    return fitted(learn) | dict(preds=learn.capture_preds()[0] if RANK == 0 else None)

def records():
    losses = RecorderCB(loss=lambda learn: learn.loss)
    return fitted(learner(losses)) | dict(losses=torch.tensor(losses["loss"]))

def a_batch_with_batchnorm():
    learn = learner(dls=DataLoaders(loaders().train[:1], []), model=small(5, nn.BatchNorm1d(8)))
    learn.fit(1, valid=False)
    return dict(mean=learn.model[2].running_mean.clone())

def regression():
    "A loss that is a mean over the examples, whatever they are."
    dls = loaders(y=X[:, :3] * X[:, 2:])
    metrics = MetricsCB(error=lambda preds, y: (preds - y).abs().mean())
    return fitted(learner(dls=dls, loss_func=F.mse_loss, metrics=metrics))

def many_rows(): return fitted(learner(BatchTransformCB(lambda batch: tuple(torch.cat([t, t]) for t in batch))))

SAME = {
    **{f"trains, {kind}": partial(trains, kind) for kind in KINDS},
    "leaves labels out": partial(leaves_out, F.cross_entropy),
    "weighs classes": partial(leaves_out, nn.CrossEntropyLoss(weight=torch.tensor([.2, 1., 3.]))),
    "sums": partial(leaves_out, nn.CrossEntropyLoss(reduction="sum")),
    "says what it averages": partial(leaves_out, Ours()),
    "penalty": partial(with_callback, lambda learn: Penalty()),
    "clip": partial(with_callback, lambda learn: GradientClipCB(.1)),
    "lookahead": partial(with_callback, lambda learn: LookaheadCB(16, every=3)),
    "freeze": partial(with_callback, lambda learn: FreezeCB([*learn.model[1].parameters()], 5)),
    "accumulate": partial(with_callback, lambda learn: AccumulateCB(3)),
    "early stopping": partial(with_callback, lambda learn: EarlyStoppingCB("train_loss", 1, min_delta=1.)),
    "average": averages, "lr_find": finds_a_rate, "capture_preds": predicts, "recorder": records,
    "batchnorm": a_batch_with_batchnorm, "regression": regression, "two rows an example": many_rows}

# -- of a training that stops in the middle of an epoch

def noisy(folder, *cbs):
    "With draws of each process's own, by a data set, a transform and a layer."
    class Noise(TensorDataset):
        def __getitem__(self, i): return self.tensors[0][i] + .1 * torch.randn(5), self.tensors[1][i]
    dls = DataLoaders(DataLoader(Noise(X[:-1], Y[:-1]), 27, shuffle=True), loaders().valid)
    add = BatchTransformCB(lambda batch: (batch[0] + .1 * torch.randn_like(batch[0]), batch[1]))
    model = small(5, nn.BatchNorm1d(8), nn.Dropout(.2))
    return learner(add, CheckpointCB(folder, every=2), *cbs, dls=dls, model=model, lr=.01)

def plain(folder, *cbs): return learner(CheckpointCB(folder, every=2), *cbs, dls=loaders("0"), lr=.01)

def stops(make, folder):
    def stop(learn):
        if learn.total_steps == 11: raise Stop
    try: make(folder, At("after_step", stop)).fit(2)
    except Stop: pass

def goes_on(make, folder): return fitted(make(folder, At("after_step", lambda learn: None)), resume=True)

# -- of two processes

def everyone(x):
    "What each process has."
    each = [None, None]
    distributed.all_gather_object(each, x)
    return each

class Noted(Dataset):
    "Numbers of examples, and what was drawn for them."
    def __len__(self): return 22
    def __getitem__(self, i): return torch.tensor([float(i)]), torch.rand(())

class Mean(Learner):
    def get_loss(self): self.loss = self.preds.mean()

def sees(kind):
    "Batch by batch, which examples each process has, what was drawn for them, and what is drawn for the batch."
    set_seed(RANK)                       # the order is that of process 0
    ids, seen = torch.arange(22), []
    if kind == "list": train = [(part[:, None].float(), part) for part in ids.split(7)]
    elif kind == "batches":
        train = Batches(ids.view(-1, 1, 1, 1).byte(), ids, 7, shuffle=True, device="cpu", std=1 / 255)
    else: train = DataLoader(Noted(), 7, shuffle=True, num_workers=int(kind))
    def note(learn):
        x, drawn = learn.batch
        extra = SHARED[0].n == 1 and RANK == 1
        numbers = [] if extra else x.flatten().round().int().tolist()
        seen.append((learn.epoch, numbers, drawn.tolist(), torch.rand(()).item()))
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 1))
    Mean(model, DataLoaders(train, train), lr=1e-6, cbs=[*SHARED, At("before_batch", note)]).fit(3, valid=False)
    return dict(seen=everyone(seen), weights=everyone(model[1].weight.item()), alike=everyone(torch.rand(()).item()))

def begins_with_other_weights():
    "The main process's are taken; the model is prepared once, and nobody but the forward pass sees how."
    learn, models = learner(), set()
    with torch.no_grad(): learn.model[1].weight += RANK
    for event in "before_batch", "after_predict", "after_batch":
        learn.cbs.insert(1, At(event, lambda learn: models.add(id(learn.model))))
    learn.fit(1)
    wrapped = SHARED[0].wrapped
    learn.fit(1)
    own = models == {id(learn.model)} and SHARED[0].wrapped is wrapped
    return dict(weights=everyone(found(learn)["weights"]), own=own)

def is_not_finite():
    "In the part of one process."
    x = X.clone()
    x[4 * 27 - 1] = torch.nan
    try: learner(dls=loaders(x=x)).fit(1)
    except NonFiniteLossError as e: error = str(e)
    return everyone(error)

def agrees():
    "One process wants to stop."
    learn = learner()
    def stop(learn):
        if learn.agree(RANK == 1 and learn.iter == 2): raise CancelFitException()
    learn.fit(1, cbs=[At("after_batch", stop)])
    return everyone(learn.total_steps)

def has_batchnorm():
    "Buffers and rows are the same in both."
    dls, model = loaders("0", X[:-1], Y[:-1]), small(5, nn.BatchNorm1d(8))
    return everyone(fitted(learner(EMACB(.5), dls=dls, model=model)))

def shows(): learner(ProgressCB()).fit(2)

def saves(folder):
    "Names without a wrapper's, and one log: only the main process writes."
    learn = learner(CheckpointCB(folder), LoggerCB(folder / "log.csv"))
    learn.fit(2)
    writers, lines = everyone(learn.cbs[1].written is not None), (folder / "log.csv").read_text().splitlines()
    return dict(writers=writers, names=[*torch.load(next(folder.glob("*.pt")))["model"]], lines=len(lines))

def half_precision():
    "Metrics gather numbers of 16 bits."
    return everyone(fitted(learner(MixedPrecisionCB())))

def refuses():
    "Loaders and models that are divided or prepared already, and batches that cannot be divided."
    data = TensorDataset(X, Y)
    sampler = DistributedSampler(data)
    odd = [(X[:8], Y[:7])]
    wrong = [dict(dls=DataLoaders(DataLoader(data, 8, sampler=sampler), [])), dict(dls=DataLoaders(odd, odd)),
             dict(dls=DataLoaders([["a", "b"]], [])), dict(model=nn.parallel.DistributedDataParallel(small()))]
    errors = []
    for kwargs in wrong:
        try: learner(**kwargs).fit(1, valid=False)
        except ValueError as e: errors.append(str(e))
    return errors

def main(folder):
    global RANK
    from accelerate import InitProcessGroupKwargs
    from miniai._accelerate import AccelerateCB
    SHARED.append(AccelerateCB(kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(seconds=60))]))
    RANK = SHARED[0].rank
    own = SAME | {f"sees, {kind}": partial(sees, kind) for kind in KINDS}
    own |= {f.__name__: f for f in (begins_with_other_weights, is_not_finite, agrees, has_batchnorm, shows,
                                    half_precision, refuses)}
    own |= {"saves": partial(saves, folder / "saves"), "whole": lambda: fitted(noisy(folder / "whole")),
            "stops": lambda: [stops(noisy, folder / "noisy"), stops(plain, folder / "two")],
            "goes on": lambda: goes_on(noisy, folder / "noisy"),
            "goes on with one's": lambda: goes_on(plain, folder / "one")}
    results = {}
    for name, f in own.items():
        distributed.barrier()
        try: results[name] = f()
        except Exception: results[name] = traceback.format_exc()
    torch.save(results, folder / f"{RANK}.pt")

if __name__ == "__main__": main(Path(sys.argv[1]))
