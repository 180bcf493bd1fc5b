"""What augmenting a batch costs: random crop, flip and random erasing over 512 images, with miniai.augment over the
whole batch, with torchvision's transforms v2 image by image, and with kornia over the whole batch, on the CPU and on a
GPU where there is one. Run from the checkout; kornia is optional (pip install kornia) and left out where it is missing:

    python benchmarks/augment.py --threads 1

All give every image draws of its own. They take turns, the first of each round changing. Times are medians, ratios the
medians of the rounds' ratios; --json has all of them. With one thread, times on the CPU are the processor's: what other
programs take is not counted. kornia cuts its windows in two ways, both are timed. It ends with status 1 where, on the
CPU, a ratio to kornia is below 1 or one to torchvision below `--at-least`.
miniai's random erasing is not the others': it puts 0 to 4 patches of noise into an image, with the batch's mean,
deviation and range, where torchvision and kornia put one patch of zeros or none. So a second comparison gives miniai
that work: one square of zeros, `Cutout`. And the parts are timed alone, beside a copy of the batch, `x.clone()`, which
reads and writes every number once: no transform of the whole batch is quicker."""
import gc, sys, time
from functools import partial
from importlib import util

from common import begin, end, faster, in_turns, paired, parser

import torch
from torchvision.transforms import v2

from miniai.augment import Cutout, RandErase, RandomCrop, RandomCropFlip, RandomFlip, crop

if util.find_spec("kornia"): import kornia.augmentation as kornia
else: kornia = None

AREA = .04, .16                  # of an image, that erasing takes: a side of .32 or so
NOISE, ZEROS = "crop, flip, erase", "crop, flip, a square of zeros"


def options():
    p = parser(__doc__)
    p.add_argument("--repeats", type=int, default=25, help="timed rounds of each case (25)")
    p.add_argument("--images", type=int, default=512, help="of a batch (512)")
    p.add_argument("--at-least", type=float, default=20., help="the ratio to torchvision asked for (20)")
    o = p.parse_args()
    if o.quick: o.repeats, o.images = 3, 32
    return o


def chain(*transforms):
    def run(x):
        for t in transforms: x = t(x)
        return x
    return run


def ours(size, padding):
    crop = RandomCropFlip(padding)
    return {NOISE: chain(crop, RandErase()), ZEROS: chain(crop, Cutout(round(.32 * size), p=.8))}


def moments(x):
    "What random erasing must know of the batch."
    x = x.contiguous()
    mean = x.mean((0, 2, 3), keepdim=True)
    return mean, (x - mean).square_().mean((0, 2, 3)), x.amin((0, 2, 3)), x.amax((0, 2, 3))


def parts(x, padding):
    "What the chain is made of, and what it is to be measured by."
    erase, whole = RandErase(), (255 * x).to(torch.uint8)
    shifts, flipped = torch.randint(2 * padding + 1, (2, len(x))), torch.rand(len(x)) < .5
    noise = erase.max_num, *x.shape[:2], *erase.sizes(x)
    return {"a copy of the batch": torch.clone, "crop": RandomCrop(padding), "flip": RandomFlip(),
            "crop that mirrors": RandomCropFlip(padding),
            "the same in uint8, then normalised": lambda x: crop(
                whole, *shifts, padding, flipped=flipped).float().sub_(120.).div_(60.),
            "random erasing": erase, "its statistics": moments, "its random numbers": lambda x: torch.randn(noise),
            "the whole chain": ours(x.shape[3], padding)[NOISE]}


def torchvision(size, padding):
    transform = v2.Compose([v2.RandomCrop(size, padding=padding), v2.RandomHorizontalFlip(),
                            v2.RandomErasing(p=.8, scale=AREA)])
    return lambda x: torch.stack([transform(image) for image in x])


def kornia_batched(size, padding, mode):
    return kornia.AugmentationSequential(
        kornia.RandomCrop((size, size), padding=padding, cropping_mode=mode), kornia.RandomHorizontalFlip(p=.5),
        kornia.RandomErasing(p=.8, scale=AREA), data_keys=["input"])


def timed(run, x):
    wait = torch.cuda.synchronize if x.is_cuda else lambda: None
    clock = time.thread_time if torch.get_num_threads() == 1 and not x.is_cuda else time.perf_counter
    wait()
    start = clock()
    run(x)
    wait()
    return clock() - start


def measure(contestants, x, repeats):
    "Name → seconds of each round, after one that does not count."
    for run in contestants.values(): run(x)
    gc.collect()
    return in_turns({name: partial(timed, run, x) for name, run in contestants.items()}, repeats)


def images(o, c, size, channels_last, device="cpu"):
    x = torch.rand(o.images, c, size, size, device=device)
    return x.to(memory_format=torch.channels_last) if channels_last else x


def compared(o, device, case, peers):
    "The rows of one case, and its seconds."
    c, size, padding, channels_last = case
    x = images(o, c, size, channels_last, device)
    contestants = ours(size, padding) | dict(torchvision=torchvision(size, padding))
    contestants |= {peer: kornia_batched(size, padding, peer.split(", ")[1]) for peer in peers[1:]}
    seconds = measure(contestants, x, o.repeats)
    cost = {name: paired(times, [1.] * o.repeats)[0] for name, times in seconds.items()}
    asked = dict.fromkeys(peers, 1.) | dict(torchvision=o.at_least) if device == "cpu" else {}
    name = f"{device}, {c}×{size}×{size}, {'channels_last' if channels_last else 'contiguous'}"
    if torch.get_num_threads() == 1: name += ", one thread"
    rows = [faster(f"{what}: {name}", cost[what], peer, cost[peer], o.repeats, paired(seconds[peer], seconds[what])[0],
                   at_least=asked.get(peer) if what == NOISE else None) for what in (NOISE, ZEROS) for peer in peers]
    return rows, dict(case=name, seconds=seconds)


def table_of_parts(o):
    "What the chain is bound by: each part in copies of the batch, on the CPU. A section for the table."
    found = []
    for channels_last in False, True:
        x = images(o, 3, 32, channels_last)
        seconds = measure(parts(x, 4) | dict(torchvision=torchvision(32, 4)), x, o.repeats)
        copy = seconds["a copy of the batch"]
        found.append({name: paired(times, copy)[0] for name, times in seconds.items()})
    whole, least = ([f[name] for f in found] for name in ("the whole chain", "crop that mirrors"))
    least = [a + sum(f[name] for name in ("its statistics", "its random numbers", "a copy of the batch"))
             for a, f in zip(least, found)]
    allowed = [f["torchvision"] / o.at_least for f in found]
    both = lambda values: " and ".join(f"{v:.0f}" for v in values)
    shown = lambda name: " and ".join(f"{f[name]:.1f}" for f in found)
    note = (f"In times of `x.clone()`, which reads and writes every number once, contiguous and channels_last. To be "
            f"{o.at_least:g} times as fast as torchvision, the chain would have to take {both(allowed)} copies; it takes "
            f"{both(whole)}. One lookup for crop and flip, the batch's statistics, the random numbers and the copy that "
            f"erasing writes into take {both(least)} alone. We think that a lookup is so much dearer than a copy because "
            "it moves numbers one by one, and from a padded batch that outgrows the core's own cache. On bytes, normalised "
            f"at the end, crop and flip would take {shown('the same in uint8, then normalised')} in place of "
            f"{shown('crop that mirrors')}. What could be left out is the noise of those patches that are not put in, half "
            "of all: a GPU would have to be waited for to know them.")
    print("", *(f"{name:36s}" + "".join(f"{f[name]:8.1f}" for f in found) for name in found[0]), "", note, sep="\n")
    rows = [["part", "contiguous", "channels_last"]] + [[n, *(f"{f[n]:.1f}" for f in found)] for n in found[0]]
    return {f"Augmenting {o.images} images 3×32×32, in copies of the batch": [rows, note]}


def main():
    o = options()
    machine = begin(o, *["kornia"] * (kornia is not None))
    torch.manual_seed(0)
    torch.empty(30 * 2**18)      # glibc then keeps what is freed, as in any training; else each batch waits for memory
    if kornia is None: print("kornia is not installed: compared with torchvision only")
    peers = ["torchvision"] + [f"kornia, {mode}" for mode in ("slice", "resample") if kornia]
    rows, figures = [], []
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        for case in (1, 28, 1, False), (1, 28, 1, True), (3, 32, 4, False), (3, 32, 4, True):
            found, seconds = compared(o, device, case, peers)
            for r in found: print(f"{r.what:76s} {r.ours:>8s}  {r.peer:17s} {r.theirs:>8s}  {r.result}", flush=True)
            rows += found
            figures.append(seconds)
    return end(o, machine, rows, figures, table_of_parts(o))


if __name__ == "__main__": sys.exit(main())
