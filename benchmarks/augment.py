"""What augmenting a batch costs: random crop, flip and random erasing over 512 images, with miniai.augment over the
whole batch, with torchvision's transforms v2 image by image, and with kornia over the whole batch, on the CPU and on a
GPU where there is one. Run from the checkout; kornia is optional (pip install kornia) and left out where it is missing:

    python benchmarks/augment.py

All three give every image draws of its own. They take turns, the first of each round changing. Times and ratios are
those of the quickest rounds, the ones that other programs disturbed least; --json has all of them. It ends with status
1 where, on the CPU, a ratio to kornia is below 1 or, for the series' grey images, one to torchvision below `--at-least`.
What torchvision takes is mostly a price an image, whatever its size; miniai's is one a number, and a colour image of
32×32 has four times as many. What is compared is not one and the same function: miniai puts 0 to 4 patches of noise
into an image, torchvision and kornia one patch of zeros or none; that is more work for miniai."""
import argparse, gc, json, os, platform, sys, time
from pathlib import Path

import torch
from torchvision.transforms import v2

from miniai.augment import RandErase, RandomCrop, RandomFlip

try: import kornia.augmentation as kornia
except ImportError: kornia = None


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--repeats", type=int, default=25, help="timed rounds of each case (25)")
    parser.add_argument("--images", type=int, default=512, help="of a batch (512)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (2)")
    parser.add_argument("--at-least", type=float, default=20., help="the ratio to torchvision asked for (20)")
    parser.add_argument("--quick", action="store_true", help="few images and rounds, to see that all works")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    o = parser.parse_args()
    if o.quick: o.repeats, o.images = 3, 32
    return o


def ours(size, padding):
    transforms = RandomCrop(padding), RandomFlip(), RandErase()
    def run(x):
        for t in transforms: x = t(x)
        return x
    return run


def torchvision(size, padding):
    transform = v2.Compose([v2.RandomCrop(size, padding=padding), v2.RandomHorizontalFlip(),
                            v2.RandomErasing(p=.8, scale=(.04, .16))])
    return lambda x: torch.stack([transform(image) for image in x])


def kornia_batched(size, padding):
    transform = kornia.AugmentationSequential(
        kornia.RandomCrop((size, size), padding=padding, cropping_mode="slice"), kornia.RandomHorizontalFlip(p=.5),
        kornia.RandomErasing(p=.8, scale=(.04, .16)), data_keys=["input"])
    return transform


def timed(run, x):
    wait = torch.cuda.synchronize if x.is_cuda else lambda: None
    wait()
    start = time.perf_counter()
    run(x)
    wait()
    return time.perf_counter() - start


def measure(libraries, x, repeats):
    "Library → seconds of each round, after one that does not count."
    seconds = {name: [] for name in libraries}
    for run in libraries.values(): assert run(x).shape == x.shape
    gc.collect()
    for i in range(repeats):
        for name in sorted(libraries, reverse=i % 2): seconds[name].append(timed(libraries[name], x))
    return seconds


def main():
    o = options()
    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    torch.empty(30 * 2**18)      # glibc then keeps what is freed, as in any training; else each batch waits for memory
    cpu = next((l.split(":")[1].strip() for l in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in l),
               "") if Path("/proc/cpuinfo").exists() else platform.processor()
    devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()
    machine = dict(cpu=cpu or platform.machine(), cores=os.cpu_count(), threads=torch.get_num_threads(),
                   gpu=torch.cuda.get_device_name() if len(devices) > 1 else "none", system=platform.system(),
                   python=platform.python_version(), torch=torch.__version__)
    print(", ".join(f"{k} {v}" for k, v in machine.items()))
    if kornia is None: print("kornia is not installed: compared with torchvision only")
    print(f"\n{'ms a batch of ' + str(o.images):36s} {'miniai':>8s} {'torchvision':>20s} {'kornia':>20s}")
    figures, missed = [], []
    for device in devices:
        for c, size, padding, channels_last in (1, 28, 1, False), (1, 28, 1, True), (3, 32, 4, False), (3, 32, 4, True):
            x = torch.rand(o.images, c, size, size, device=device)
            if channels_last: x = x.to(memory_format=torch.channels_last)
            libraries = dict(miniai=ours(size, padding), torchvision=torchvision(size, padding))
            if kornia: libraries["kornia"] = kornia_batched(size, padding)
            seconds = measure(libraries, x, o.repeats)
            ratio = {name: min(seconds[name]) / min(seconds["miniai"]) for name in seconds}
            case = f"{device}, {c}×{size}×{size}, {'channels_last' if channels_last else 'contiguous'}"
            print(f"{case:36s} {1e3 * min(seconds['miniai']):8.2f}" + "".join(
                f" {1e3 * min(seconds[name]):10.2f} {ratio[name]:8.1f}×" for name in seconds if name != "miniai"))
            figures.append(dict(case=case, ratio=ratio, seconds=seconds))
            if device == "cpu":
                asked = dict(kornia=1., **(dict(torchvision=o.at_least) if c == 1 else {}))
                missed += [f"{case}: {ratio[name]:.1f}× of {name}, {least:g}× is asked for"
                           for name, least in asked.items() if ratio.get(name, least) < least]
    print("\n" + ("\n".join(missed) or f"CPU: grey at least {o.at_least:g}× of torchvision, all at least 1× of kornia"))
    if o.json: o.json.write_text(json.dumps(dict(machine=machine, figures=figures), indent=1) + "\n")
    return bool(missed)


if __name__ == "__main__": sys.exit(main())
