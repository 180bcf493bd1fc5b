"Trainings with all that has state, for the tests that lose one and go on: each is made anew from its name, as a new process would."
from functools import partial

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from miniai.augment import RandomCrop, augment
from miniai.callbacks import EMACB, FreezeCB, LookaheadCB
from miniai.data import Batches, DataLoaders
from miniai.learner import BatchTransformCB, Learner, MetricsCB, MixedPrecisionCB, RecorderCB
from miniai.metrics import accuracy
from miniai.optim import SGD, AdamW, ScheduleFreeAdamW
from miniai.sched import BatchSchedCB, EpochSchedCB, OneCycleLR
from miniai.speed import AlternatingBatches, Recipe, speed_optimizer

EPOCHS, N, BS = 4, 44, 8         # six batches an epoch, the last one of four

def pictures():
    g = torch.Generator().manual_seed(0)
    return torch.randint(256, (N, 1, 6, 6), generator=g, dtype=torch.uint8), torch.randint(2, (N,), generator=g)

class Noisy(Dataset):
    "Pictures with noise that is drawn when they are read."
    def __init__(self): self.x, self.y = pictures()
    def __len__(self): return N
    def __getitem__(self, i): return self.x[i] / 255 + torch.randn(1, 6, 6) / 10, self.y[i]

class Shuffled(list):
    "Batches in memory in a new order each epoch, as a loader that knows nothing of checkpoints."
    def __iter__(self): return (self[i] for i in torch.randperm(len(self)).tolist())

def loaders(kind):
    x, y = pictures()
    valid = Batches(x, y, 16, device="cpu")
    if kind == "batches": train = Batches(x, y, BS, shuffle=True, device="cpu")
    elif kind == "alternating": train = AlternatingBatches(x, y, BS, shuffle=True, device="cpu")
    elif kind == "list": train = Shuffled(zip((x / 255).split(BS), y.split(BS)))
    elif kind.startswith("stateful"):
        from torchdata.stateful_dataloader import StatefulDataLoader
        train = StatefulDataLoader(Noisy(), BS, shuffle=True, num_workers=int(kind[-1]))
    else: train = DataLoader(Noisy(), BS, shuffle=True, num_workers=int(kind[-1]))
    return DataLoaders(train, valid)

def net():
    return nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Dropout(.2),
                         nn.Flatten(), nn.Linear(16, 2))

STEPS = EPOCHS * -(-N // BS)
one_cycle = BatchSchedCB(partial(OneCycleLR, max_lr=.05, total_steps=STEPS))

def two_phases(opt):
    schedulers = torch.optim.lr_scheduler
    return schedulers.SequentialLR(opt, [schedulers.LinearLR(opt, .1, total_iters=5), schedulers.CosineAnnealingLR(opt, STEPS)], [5])

def setting(name, model):
    "opt_func and callbacks."
    sched = BatchSchedCB(partial(OneCycleLR, max_lr=.05, total_steps=STEPS))
    return dict(
        adamw=lambda: (AdamW, [sched]),
        torch=lambda: (torch.optim.AdamW, [BatchSchedCB(two_phases)]),
        plateau=lambda: (SGD, [EpochSchedCB(partial(torch.optim.lr_scheduler.StepLR, step_size=2))]),
        muon=lambda: (lambda params, lr: speed_optimizer(model, Recipe()), [LookaheadCB(STEPS, every=4), FreezeCB([model[3].bias], 9)]),
        schedule_free=lambda: (ScheduleFreeAdamW, []),
        ema=lambda: (partial(SGD, momentum=.9), [sched, EMACB(.8)]),
        half=lambda: (partial(torch.optim.SGD, momentum=.9), [MixedPrecisionCB(torch.float16), sched]),
        bfloat=lambda: (AdamW, [MixedPrecisionCB(torch.bfloat16), sched]),
    )[name]()

def training(kind="batches", name="adamw", *cbs, seed=0):
    "A learner as it stands before its fit."
    torch.manual_seed(seed)
    model = net()
    opt_func, own = setting(name, model)
    if name == "schedule_free":
        from miniai.callbacks import ScheduleFreeCB
        own = [ScheduleFreeCB()]
    return Learner(model, loaders(kind), opt_func=opt_func, lr=.02, cbs=[
        MetricsCB(accuracy=accuracy), RecorderCB(loss=lambda learn: learn.loss), BatchTransformCB(augment(RandomCrop(1))), *own, *cbs])

def result(learn):
    "All that two trainings must have alike, as one flat dictionary."
    flat = {}
    def put(name, x):
        if isinstance(x, dict):
            for key, value in x.items():
                if key != "seconds": put(f"{name}.{key}", value)
        elif isinstance(x, (list, tuple)):
            for i, value in enumerate(x): put(f"{name}.{i}", value)
        else: flat[name] = x
    put("model", learn.model.state_dict()), put("opt", learn.opt.state_dict())
    put("totals", [learn.total_epochs, learn.total_steps]), put("random", torch.get_rng_state())
    for i, cb in enumerate(learn.cbs):
        if hasattr(type(cb), "state_dict"): put(f"{i} {type(cb).__name__}", cb.state_dict())
    return flat

def differences(a, b):
    "Names that are not the same in both results."
    same = lambda x, y: torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
    return [name for name in {**a, **b} if name not in a or name not in b or not same(a[name], b[name])]
