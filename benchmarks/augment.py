"""What augmenting a batch costs: random crop, flip and random erasing over 512 images, with miniai.augment over the
whole batch, with torchvision's transforms v2 image by image, and with kornia over the whole batch, on the CPU and on a
GPU where there is one. Run from the checkout; kornia is optional (pip install kornia) and left out where it is missing:

    python benchmarks/augment.py

All three give every image draws of its own. They take turns, the first of each round changing. Times and ratios are
those of the quickest rounds, the ones that other programs disturbed least; --json has all of them. kornia cuts its
windows in two ways, both are timed. It ends with status 1 where, on the CPU, a ratio to kornia is below 1 or one to
torchvision below `--at-least`.
What torchvision takes is mostly a price an image, whatever its size; miniai's is one a number, and a colour image of
32×32 has four times as many. What is compared is not one and the same function: miniai puts 0 to 4 patches of noise
into an image, torchvision and kornia one patch of zeros or none; that is more work for miniai."""
import gc, sys, time
from functools import partial
from importlib import util

from common import begin, end, faster, in_turns, parser

import torch
from torchvision.transforms import v2

from miniai.augment import RandErase, RandomCrop, RandomFlip

if util.find_spec("kornia"): import kornia.augmentation as kornia
else: kornia = None


def options():
    p = parser(__doc__)
    p.add_argument("--repeats", type=int, default=25, help="timed rounds of each case (25)")
    p.add_argument("--images", type=int, default=512, help="of a batch (512)")
    p.add_argument("--at-least", type=float, default=20., help="the ratio to torchvision asked for (20)")
    o = p.parse_args()
    if o.quick: o.repeats, o.images = 3, 32
    return o


def ours(padding):
    transforms = RandomCrop(padding), RandomFlip(), RandErase()
    def run(x):
        for t in transforms: x = t(x)
        return x
    return run


def torchvision(size, padding):
    transform = v2.Compose([v2.RandomCrop(size, padding=padding), v2.RandomHorizontalFlip(),
                            v2.RandomErasing(p=.8, scale=(.04, .16))])
    return lambda x: torch.stack([transform(image) for image in x])


def kornia_batched(size, padding, mode):
    return kornia.AugmentationSequential(
        kornia.RandomCrop((size, size), padding=padding, cropping_mode=mode), kornia.RandomHorizontalFlip(p=.5),
        kornia.RandomErasing(p=.8, scale=(.04, .16)), data_keys=["input"])


def timed(run, x):
    wait = torch.cuda.synchronize if x.is_cuda else lambda: None
    wait()
    start = time.perf_counter()
    run(x)
    wait()
    return time.perf_counter() - start


def measure(libraries, x, repeats):
    "Library → seconds of each round, after one that does not count."
    for run in libraries.values(): assert run(x).shape == x.shape
    gc.collect()
    return in_turns({name: partial(timed, run, x) for name, run in libraries.items()}, repeats)


def main():
    o = options()
    machine = begin(o, *["kornia"] * (kornia is not None))
    torch.manual_seed(0)
    torch.empty(30 * 2**18)      # glibc then keeps what is freed, as in any training; else each batch waits for memory
    if kornia is None: print("kornia is not installed: compared with torchvision only")
    peers = ["torchvision"] + [f"kornia, {mode}" for mode in ("slice", "resample") if kornia]
    print(f"\n{'ms a batch of ' + str(o.images):36s} {'miniai':>8s}" + "".join(f" {peer:>20s}" for peer in peers))
    asked, figures, rows = dict.fromkeys(peers, 1.) | dict(torchvision=o.at_least), [], []
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        for c, size, padding, channels_last in (1, 28, 1, False), (1, 28, 1, True), (3, 32, 4, False), (3, 32, 4, True):
            x = torch.rand(o.images, c, size, size, device=device)
            if channels_last: x = x.to(memory_format=torch.channels_last)
            libraries = dict(miniai=ours(padding), torchvision=torchvision(size, padding))
            libraries |= {peer: kornia_batched(size, padding, peer.split(", ")[1]) for peer in peers[1:]}
            seconds = measure(libraries, x, o.repeats)
            best = {name: min(times) for name, times in seconds.items()}
            case = f"{device}, {c}×{size}×{size}, {'channels_last' if channels_last else 'contiguous'}"
            found = [faster(f"crop, flip, erase: {case}", best["miniai"], peer, best[peer], o.repeats,
                            at_least=asked[peer] if device == "cpu" else None) for peer in peers]
            print(f"{case:36s} {1e3 * best['miniai']:8.2f}" + "".join(
                f" {1e3 * best[row.peer]:10.2f} {row.value:8.1f}×" for row in found), flush=True)
            rows += found
            figures.append(dict(case=case, seconds=seconds))
    return end(o, machine, rows, figures)


if __name__ == "__main__": sys.exit(main())
