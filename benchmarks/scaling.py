"""How the cost of training grows: with the images of the set, 1 to 64 times Fashion-MNIST's; with the batch, 32 to 4096
images; with the network, 0.08M to 20M parameters. Run from the checkout:

    python benchmarks/scaling.py

It trains as the fast path does (in-memory batches, bf16, channels_last, AdamW); each point has a process of its own.
Time is never that of whole epochs: it is the median over rounds of a fixed number of images, drawn from the whole set,
after a round that does not count; the order of an epoch is drawn once, and its time is divided by all the images.
Memory is the peak above what the process held before it had any data: of the process on the CPU, of torch's allocator
on a GPU. Where a line is not flat, a fit of a + b·n tells what is constant and what one more image costs. It ends with
status 1 where, with 64 times the images, one costs more than `--at-most` times as much: in time, beside 1 times the
images; in memory, beside its bytes."""
import multiprocessing, resource, sys, time
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace

from common import Row, begin, end, memory_bytes, number, parser, takes

import numpy as np
import torch

from miniai.core import default_device, set_seed
from miniai.cost import flops, count_parameters
from miniai.data import Batches, fashion_mnist
from miniai.layers import resnet
from miniai.learner import DeviceCB, Learner, MixedPrecisionCB

# What grows → its key in a point, its name, what memory is divided by, and the choices (sets, images a batch, width)
AXES = dict(images=("images", "images of the set", "image of the set", [(n, 512, 8) for n in (1, 2, 4, 8, 16, 32, 64)]),
            batch=("bs", "images a batch", "image of the batch", [(1, 2**i, 8) for i in range(5, 13)]),
            parameters=("parameters", "parameters", "parameter", [(1, 512, width) for width in (2, 4, 8, 16, 32)]))
QUICK = dict(images=[(1, 32, 2), (4, 32, 2)], batch=[(1, 16, 2), (1, 32, 2)], parameters=[(1, 32, 2), (1, 32, 4)])


def options():
    p = parser(__doc__)
    p.add_argument("--images", type=int, default=4096, help="of a timed round, in whole batches (4096)")
    p.add_argument("--rounds", type=int, default=5, help="timed, after one that is not (5)")
    p.add_argument("--only", nargs="*", default=list(AXES), choices=list(AXES), help="just these")
    p.add_argument("--at-most", type=float, default=1.2, help="how much more an image of the largest set costs (1.2)")
    p.add_argument("--figure", type=Path, nargs="?", const=Path(__file__).with_suffix(".png"),
                   help="also draw the lines, to this file (scaling.png beside the script)")
    o = p.parse_args()
    if o.quick: o.images, o.rounds = 64, 1
    return o


def peak(device):
    "The most bytes held so far, by torch on a GPU, else by this process."
    if device.type == "cuda": return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def seconds(f, device):
    "How long a call takes."
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    f()
    wait()
    return time.perf_counter() - start


class Few:
    "A fixed number of batches out of an order that is drawn once."
    def __init__(self, batches, n):
        self.batches, self.n, self.order = batches, n, torch.randperm(len(batches.y)).to(batches.device)
    def __len__(self): return self.n
    def __iter__(self):
        for i in range(self.n): yield self.batches.batch(self.order[i * self.batches.bs:(i + 1) * self.batches.bs])


def point(n_sets, bs, width, o):
    "One measurement: seconds and bytes of training, and seconds of the data alone."
    torch.set_num_threads(o.threads)
    set_seed(0)
    device = default_device()
    before = peak(device)
    data = fashion_mnist()
    x, y = (t.repeat(n_sets, *[1] * (t.ndim - 1)) if n_sets > 1 else t for t in (data.train_x, data.train_y))
    few = Few(Batches(x, y, bs, device=device, mean=data.mean, std=data.std, channels_last=True),
              min(-(-o.images // bs), len(y) // bs))
    model = resnet([width * 2**i for i in range(6)])
    learn = Learner(model, SimpleNamespace(train=few), opt_func=torch.optim.AdamW, lr=1e-3,
                    cbs=[DeviceCB(device, channels_last=True), MixedPrecisionCB()])
    def each(f): return median([seconds(f, device) for _ in range(o.rounds + 1)][1:]) / (bs * len(few))
    shuffle = seconds(lambda: torch.randperm(len(y)), device) / len(y)
    training = shuffle + each(partial(learn.fit, 1, valid=False))
    most, operations = peak(device) - before, flops(model, data.train_x[:1].float().to(device))
    return dict(images=len(y), bs=bs, parameters=count_parameters(model), flops=operations, seconds=training,
                data_seconds=shuffle + each(lambda: [None for _ in few]), bytes=most)


def _send(pipe, f, args): pipe.send(f(*args))


def alone(f, *args):
    "What `f(*args)` returns in a process of its own: its peak of memory is nobody else's. None where it was killed."
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_send, args=(sender, f, args))
    process.start()
    sender.close()
    try: return receiver.recv()
    except EOFError: return None
    finally: process.join()


def fits(n_sets):
    "Whether so many sets, and what making them takes, find room on this machine."
    return memory_bytes() == 0 or n_sets * 60_000 * 800 + 2**30 < .7 * memory_bytes()


def line(n, cost):
    "The fit cost = a + b·n, each point counting by its share: what is constant, and what one more costs."
    n, cost = np.array(n, dtype=float), np.array(cost)
    return np.linalg.lstsq(np.stack([1 / cost, n / cost], 1), np.ones(len(n)), rcond=None)[0]


def table(axis, points):
    "Header and rows, printed and returned."
    key, name, each, _ = AXES[axis]
    head = [name, "µs an image", "of it data", "peak MB", f"bytes per {each}", "MFLOP an image", "GFLOP/s of a step"]
    rows = [[f"{p[key]:,}", f"{1e6 * p['seconds']:.1f}", f"{1e6 * p['data_seconds']:.2f}", f"{p['bytes'] / 1e6:.0f}",
             f"{p['bytes'] / p[key]:,.0f}", f"{p['flops'] / 1e6:.1f}", f"{3 * p['flops'] / p['seconds'] / 1e9:.1f}"]
            for p in points]
    print()
    for row in [head, *rows]: print("  ".join(f"{cell:>{len(column)}s}" for cell, column in zip(row, head)))
    return [head, *rows]


def explained(axis, points):
    "Flat, or why not: the fits say what is constant."
    key, name, *_ = AXES[axis]
    n, times, memory = ([p[k] for p in points] for k in (key, "seconds", "bytes"))
    first, last = points[0], points[-1]
    growth = {k: number(last[k] / first[k]) for k in ("seconds", "data_seconds", "flops")}
    start = f"{name}, {n[0]:,} to {n[-1]:,}: {growth['seconds']}× the time an image"
    a, b = line(n, memory)
    if axis == "images":
        return (f"{start}, {growth['data_seconds']}× for its data alone. Memory: {a / 1e6:.0f} MB for network, batch "
                f"and libraries, and {b:.0f} bytes an image (784 are pixels, 8 its label, 8 its place in the order).")
    if axis == "batch":
        fixed, more = line(n, [t * bs for t, bs in zip(times, n)])
        return (f"{start}. A step takes {1e3 * fixed:.1f} ms whatever its batch and {1e6 * more:.1f} µs an image: a "
                f"small batch shares the former among few. Memory: {a / 1e6:.0f} MB for images of the set, network and "
                f"libraries, and {b / 1e3:.0f} kB an image, what the backward pass needs of it.")
    speed = last["flops"] / last["seconds"] * first["seconds"] / first["flops"]
    return (f"{start}, for {growth['flops']}× the operations: {number(speed)}× as many a second. Weight, gradient and "
            f"two moments are 16 bytes a parameter, {16 * n[0] / 1e6:.0f} to {16 * n[-1] / 1e6:.0f} MB of the peak's "
            f"{memory[0] / 1e6:.0f} to {memory[-1] / 1e6:.0f}; what else grows is activations, with the width.")


def rows_of(axis, points, o):
    "What goes into the table: the last point beside the first, and for the images a bound."
    (key, name, *_), first, last = AXES[axis], points[0], points[-1]
    rows = [takes(f"training with {last[key]:,} {name}, an image", last["seconds"], f"{first[key]:,} {name}",
                  first["seconds"], o.rounds, at_most=o.at_most if axis == "images" else None)]
    if axis == "images":
        grown, stored = last["bytes"] - first["bytes"], 800 * (last["images"] - first["images"])
        rows.append(Row(f"memory that {last[key] - first[key]:,} more images take", f"{grown / 1e6:.0f} MB",
                        "their bytes", f"{stored / 1e6:.0f} MB", grown / stored, "× the memory", 1, at_most=o.at_most))
    return rows


def draw(found, file):
    "Time an image, and memory, over what grows: a column each."
    from matplotlib.figure import Figure
    fig = Figure(figsize=(3.2 * len(found), 4.6), dpi=100, layout="constrained")
    for (axis, points), (top, bottom) in zip(found.items(), fig.subplots(2, len(found), squeeze=False).T):
        key, name, each, _ = AXES[axis]
        n = [p[key] for p in points]
        top.plot(n, [1e6 * p["seconds"] for p in points], "o-", color="0.1")
        bottom.plot(n, [p["bytes"] / p[key] for p in points], "s--", color="0.4")
        top.set(xscale="log", yscale="log", ylabel="training, µs an image")
        bottom.set(xscale="log", yscale="log", xlabel=name, ylabel=f"peak memory,\nbytes per {each}")
    fig.savefig(file)


def main():
    o = options()
    machine = begin(o)
    found, sections, rows = {}, {}, []
    for axis in o.only:
        choices = (QUICK if o.quick else {axis: AXES[axis][-1]})[axis]
        if left_out := [n for n, *_ in choices if not fits(n)]: print(f"no room here for {left_out} times the images")
        points = [alone(point, *choice, o) for choice in choices if fits(choice[0])]
        if None in points: sys.exit(f"killed, for want of memory perhaps: {choices[points.index(None)]}")
        found[axis], note = points, explained(axis, points)
        sections[f"How cost grows: {AXES[axis][1]}"] = [table(axis, points), note]
        print(note, flush=True)
        rows += rows_of(axis, points, o)
    if o.figure: draw(found, o.figure)
    return end(o, machine, rows, found, sections)


# A server that has loaded torch, and nothing else, forks each process: a fork begins with no peak but its own.
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
CONTEXT = multiprocessing.get_context(METHOD)

if __name__ == "__main__":
    if METHOD == "forkserver":
        CONTEXT.set_forkserver_preload(["torch", "miniai.cost", "miniai.data", "miniai.learner", "miniai.resnet"])
    sys.exit(main())
