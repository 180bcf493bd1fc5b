"""A whole training run of the lesson's recipe, from the files on disk to the accuracy of the last epoch, in two ways
with the same network, the same first weights and the same schedule. Run from the checkout:

    python benchmarks/recipe.py

The lesson's way: float32, torchvision's FashionMNIST through a DataLoader with worker processes, the loss and the
accuracy read after every batch. The fast path: miniai's in-memory batches, bf16, channels_last, a fused optimizer step,
nothing read before the end of an epoch. Both are AdamW under 1cycle, and both validate on the test set after each
epoch. The default, 5 epochs of the ResNet of 4.9M parameters, takes about 18 minutes on 2 CPU cores; `--epochs`,
`--images` and `--model` make it shorter. It ends with status 1 where the fast path is not `--at-least` times as fast,
or its accuracy, the mean over the seeds, is more than `--points` points below the other's. One seed's accuracy is
uncertain by about 0.25 points, and one pair cannot tell smaller differences; `--seeds 42 43 44` trains three."""
import copy, sys, tempfile, time
from functools import partial
from pathlib import Path
from statistics import mean

from common import Row, begin, end, faster, paired, parser

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision.datasets import FashionMNIST

from data_pipeline import torchvision_dataset
from miniai.core import default_device, set_seed
from miniai.cost import count_parameters
from miniai.data import ImageData, fashion_mnist
from miniai.hooks import init_weights
from miniai.layers import plain_cnn, resnet
from miniai.learner import DeviceCB, Learner, MetricsCB, MixedPrecisionCB
from miniai.metrics import accuracy
from miniai.sched import BatchSchedCB, OneCycleLR

MODELS = dict(course=partial(resnet, (16, 32, 64, 128, 256, 512)), plain=plain_cnn,
              narrow=partial(resnet, (8, 16, 32, 64, 128), kernel_size=3))


def options():
    p = parser(__doc__)
    p.add_argument("--epochs", type=int, default=5, help="epochs of each run (5)")
    p.add_argument("--images", type=int, help="train on the first so many (all)")
    p.add_argument("--model", choices=MODELS, default="course",
                   help="course: 4.9M parameters (the default); narrow: 0.3M; plain: 0.03M")
    p.add_argument("--bs", type=int, default=512, help="images a batch (512)")
    p.add_argument("--lr", type=float, default=1e-2, help="the peak of 1cycle (0.01)")
    p.add_argument("--workers", type=int, default=2, help="worker processes of the lesson's loader (2)")
    p.add_argument("--seeds", type=int, nargs="+", default=[42], help="a run of each way for each (42)")
    p.add_argument("--at-least", type=float, default=2.2, help="the ratio asked for (2.2)")
    p.add_argument("--points", type=float, default=.5, help="what the accuracy may lack, in points (0.5)")
    o = p.parse_args()
    if o.quick: o.epochs, o.images, o.model = 1, 2000, "plain"
    return o


def read(images=None) -> ImageData:
    "Fashion-MNIST from its files, or the first so many training images and all test images."
    data = fashion_mnist()
    return ImageData(data.train_x[:images], data.train_y[:images], data.valid_x, data.valid_y, data.classes, data.name)


def lesson(model, folder, transform, device, o):
    "Train as such code does. Returns the accuracy of the last epoch."
    loader = partial(DataLoader, batch_size=o.bs, num_workers=o.workers)
    train, valid = (FashionMNIST(folder, train=train, transform=transform) for train in (True, False))
    train, valid = loader(train, shuffle=True), loader(valid)
    model.to(device)
    opt = torch.optim.AdamW(model.parameters(), o.lr)
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, o.lr, total_steps=o.epochs * len(train))
    for epoch in range(o.epochs):
        for batches, training in (train, True), (valid, False):
            model.train(training)
            total_loss, correct, n = 0., 0, 0
            with torch.set_grad_enabled(training):
                for x, y in batches:
                    x, y = x.to(device), y.to(device)
                    preds = model(x)
                    loss = F.cross_entropy(preds, y)
                    if training:
                        loss.backward()
                        opt.step()
                        opt.zero_grad()
                        sched.step()
                    total_loss += loss.item() * len(y)
                    correct += (preds.argmax(1) == y).sum().item()
                    n += len(y)
    return correct / n


def fast(model, device, o):
    "Train with all that miniai has for speed. Returns the accuracy of the last epoch."
    dls = read(o.images).dls(o.bs, device=device, channels_last=True)
    metrics = MetricsCB(accuracy=accuracy)
    one_cycle = partial(OneCycleLR, max_lr=o.lr, total_steps=o.epochs * len(dls.train))
    Learner(model, dls, opt_func=partial(torch.optim.AdamW, fused=True), lr=o.lr, cbs=[
        DeviceCB(device, channels_last=True), MixedPrecisionCB(), metrics, BatchSchedCB(one_cycle)]).fit(o.epochs)
    return metrics.history[-1]["valid_accuracy"]


def timed(way, model, seed):
    "Seconds and accuracy of a run from a copy of `model`."
    model = copy.deepcopy(model)
    set_seed(seed)
    start = time.perf_counter()
    acc = way(model)
    return time.perf_counter() - start, acc


def main():
    o = options()
    machine = begin(o)
    device, data = default_device(), read(o.images)
    runs = dict(fast=[], lesson=[])
    with tempfile.TemporaryDirectory() as folder:
        transform = torchvision_dataset(data, Path(folder)).transform
        ways = dict(fast=partial(fast, device=device, o=o),
                    lesson=partial(lesson, folder=folder, transform=transform, device=device, o=o))
        print(f"{data}; {o.epochs} epochs, batches of {o.bs}, on {device}")
        for i, seed in enumerate(o.seeds):
            set_seed(seed)
            model = MODELS[o.model]().apply(init_weights)
            if i == 0:
                print(f"{count_parameters(model):,} parameters\n\n{'way':8s} {'seed':>5s} {'seconds':>9s} {'accuracy':>9s}")
            for way in sorted(ways, reverse=i % 2):
                runs[way].append(timed(ways[way], model, seed))
                seconds, acc = runs[way][-1]
                print(f"{way:8s} {seed:5d} {seconds:9.1f} {100 * acc:8.2f}%", flush=True)
    seconds, scores = ({way: [run[i] for run in runs[way]] for way in runs} for i in (0, 1))
    ours, theirs = (100 * mean(scores[way]) for way in ("fast", "lesson"))
    what = f"{o.epochs} epochs of {len(data.train_y):,} images, {o.model} network, {device.type}"
    peer, n = "the lesson's way", len(o.seeds)
    rows = [faster(what, mean(seconds["fast"]), peer, mean(seconds["lesson"]), n,
                   paired(seconds["lesson"], seconds["fast"])[0], o.at_least),
            Row(f"its accuracy on the test set, seed{'s' * (n > 1)} {' '.join(map(str, o.seeds))}",
                f"{ours:.2f} %", peer, f"{theirs:.2f} %", ours - theirs, " points", n, -o.points)]
    return end(o, machine, rows, dict(seeds=o.seeds, model=o.model, runs=runs))


if __name__ == "__main__": sys.exit(main())
