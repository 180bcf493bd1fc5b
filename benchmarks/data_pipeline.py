"""One shuffled, normalised epoch of Fashion-MNIST's training images: miniai's in-memory batches beside torchvision's
FashionMNIST with ToTensor and Normalize through a DataLoader. Run from the checkout:

    python benchmarks/data_pipeline.py

Both pipelines are first shown to give the same images and labels; then they take turns, and medians are compared. It
ends with status 1 where miniai is not at least `--at-least` times as fast as the DataLoader with worker processes."""
import sys, tempfile, time
from functools import partial
from pathlib import Path
from statistics import median

from common import begin, end, faster, in_turns, parser

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import CIFAR10, FashionMNIST
from torchvision.transforms import Compose, Normalize, ToTensor

from miniai._files import FILES, write_idx
from miniai.data import ImageData, cifar10, fashion_mnist


def options():
    p = parser(__doc__)
    p.add_argument("--bs", type=int, default=512, help="images a batch (512)")
    p.add_argument("--workers", type=int, default=2, help="worker processes of torchvision's loader (2)")
    p.add_argument("--repeats", type=int, default=5, help="epochs of each pipeline, after one to warm up (5)")
    p.add_argument("--at-least", type=float, help="the ratio that must be reached (60; with --cifar 30)")
    p.add_argument("--cifar", action="store_true", help="CIFAR-10 instead, in whatever form it is found")
    o = p.parse_args()
    if o.at_least is None: o.at_least = 30 if o.cifar else 60   # CIFAR's images hold four times the numbers
    if o.quick: o.repeats = 1
    return o


def torchvision_dataset(data: ImageData, folder: Path):
    "Torchvision's own class over the same images: it reads Fashion-MNIST from files, and is handed CIFAR-10."
    transform = Compose([ToTensor(), Normalize(data.mean, data.std)])
    if data.name.startswith("fashion"):
        raw = folder / "FashionMNIST/raw"
        raw.mkdir(parents=True)
        for role, name in FILES.items():
            numbers = getattr(data, role)
            write_idx(raw / name, numbers[:, 0] if role.endswith("x") else numbers.byte())
        return FashionMNIST(folder, train=True, transform=transform)
    dataset = CIFAR10.__new__(CIFAR10)
    dataset.data, dataset.targets = data.train_x.movedim(1, -1).numpy(), data.train_y.tolist()
    dataset.transform, dataset.target_transform = transform, None
    return dataset


def check_same(data: ImageData, dataset, bs: int):
    "Same images, same order, same labels; each value within 1e-6, while neighbouring bytes are 0.01 apart."
    ours = data.dls(bs, device="cpu").train
    ours.shuffle, worst, n = False, 0., 0
    for (x, y), (x2, y2) in zip(ours, DataLoader(dataset, bs), strict=True):
        assert x.shape == x2.shape and x.dtype == x2.dtype and torch.equal(y, y2), "the labels differ"
        worst, n = max(worst, (x - x2).abs().max().item()), n + len(y)
    assert n == len(data.train_y) and worst <= 1e-6, f"{n} images, values differ by up to {worst:.2g}"
    print(f"same content: {n:,} images, labels equal, values equal to {worst:.1g}")


def one_epoch(loader) -> float:
    "Seconds for one pass over all batches."
    start = time.perf_counter()
    for x, y in loader: pass
    return time.perf_counter() - start


def main():
    o = options()
    machine = begin(o, "pillow")
    data = cifar10() if o.cifar else fashion_mnist()
    print(f"{data}; batches of {o.bs}, on the CPU")
    with tempfile.TemporaryDirectory() as folder:
        dataset = torchvision_dataset(data, Path(folder))
        check_same(data, dataset, o.bs)
        workers = f"torchvision, {o.workers} workers"
        loaders = {"miniai": data.dls(o.bs, device="cpu").train,
                   "torchvision, 0 workers": DataLoader(dataset, o.bs, True),
                   workers: DataLoader(dataset, o.bs, True, num_workers=o.workers, persistent_workers=o.workers > 0)}
        for loader in loaders.values(): one_epoch(loader)
        times = in_turns({name: partial(one_epoch, loader) for name, loader in loaders.items()}, o.repeats)
    print(f"\n{'pipeline':24s} {'s an epoch':>10s} {'least':>8s} {'most':>8s} {'µs an image':>12s} "
          f"{'miniai is faster by':>20s}")
    rows, fast = [], median(times["miniai"])
    for name, t in times.items():
        each = median(t) / len(data.train_y) * 1e6
        print(f"{name:24s} {median(t):10.4f} {min(t):8.4f} {max(t):8.4f} {each:12.2f} {median(t) / fast:19.1f}×")
        if name != "miniai":
            rows.append(faster(f"an epoch of {len(data.train_y):,} images {'×'.join(map(str, data.train_x.shape[1:]))}",
                               fast, name, median(t), o.repeats, at_least=o.at_least if name == workers else None))
    return end(o, machine, rows, dict(data=repr(data), bs=o.bs, seconds=times))


if __name__ == "__main__": sys.exit(main())
