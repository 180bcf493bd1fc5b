"""How much faster two processes train together than one, on the CPU: `plain_cnn` on random images of Fashion-MNIST's
shape, in one process with 1 thread, in one with as many threads as there are processes, and in that many processes with
1 thread each, by AccelerateCB and torchrun. Run from the checkout:

    python benchmarks/processes.py

Batch, steps and examples are the same in all three. They take turns; each turn is a process of its own, and its time is
that of one epoch, after one to warm up: making the processes does not count. It ends with status 1 where the processes
are not `--at-least` times as fast as one with 1 thread."""
import os, subprocess, sys, time
from functools import partial
from pathlib import Path
from statistics import median

from common import begin, end, faster, in_turns, parser

import torch

from miniai._accelerate import AccelerateCB
from miniai.core import set_seed
from miniai.data import Batches, DataLoaders
from miniai.layers import plain_cnn
from miniai.learner import Callback, Learner, MetricsCB
from miniai.metrics import accuracy


def options():
    p = parser(__doc__)
    p.add_argument("--processes", type=int, default=2, help="that train together (2)")
    p.add_argument("--images", type=int, default=60_000, help="of an epoch (60000)")
    p.add_argument("--bs", type=int, default=512, help="images a batch, of all processes together (512)")
    p.add_argument("--repeats", type=int, default=5, help="turns of each (5)")
    p.add_argument("--at-least", type=float, help="the ratio to one process with 1 thread that must be reached")
    p.add_argument("--turn", action="store_true", help="be one of the processes: the script starts itself so")
    o = p.parse_args()
    if o.quick: o.images, o.bs, o.repeats = 512, 64, 1
    return o


class Clock(Callback):
    "Seconds of each epoch, between its first batch and the end of its last."
    order = -200
    def __init__(self): self.seconds = []
    def before_epoch(self, learn): self.start = time.perf_counter()
    def after_epoch(self, learn): self.seconds.append(time.perf_counter() - self.start)


def turn(o):
    "Train two epochs; the main process prints the seconds of the second."
    accelerate, clock = AccelerateCB(cpu=True), Clock()
    set_seed(0)
    x, y = torch.randint(256, (o.images, 1, 28, 28), dtype=torch.uint8), torch.randint(10, (o.images,))
    batches = Batches(x, y, o.bs, shuffle=True, device="cpu", mean=.3, std=.3)
    learn = Learner(plain_cnn(), DataLoaders(batches, batches), cbs=[accelerate, clock, MetricsCB(accuracy=accuracy)])
    learn.fit(2, valid=False)
    if learn.main: print(f"seconds {clock.seconds[-1]}", flush=True)


def seconds(o, n_processes, n_threads):
    "Of one turn."
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(n_processes)] * (n_processes > 1)
    given = ["--turn", "--images", str(o.images), "--bs", str(o.bs)]
    run = subprocess.run([sys.executable, *torchrun, str(Path(__file__)), *given], stdout=subprocess.PIPE, text=True,
                         check=True, env=os.environ | dict(OMP_NUM_THREADS=str(n_threads)))
    return next(float(line.split()[1]) for line in run.stdout.splitlines() if line.startswith("seconds "))


def main():
    o = options()
    if o.turn: return turn(o)
    machine, n = begin(o, "accelerate"), o.processes
    together, one, threads = f"{n} processes, 1 thread each", "1 process, 1 thread", f"1 process, {n} threads"
    ways = {one: (1, 1), threads: (1, n), together: (n, 1)}
    times = in_turns({name: partial(seconds, o, *way) for name, way in ways.items()}, o.repeats)
    print(f"\n{'':28s} {'images/s':>10s} {'least':>10s} {'most':>10s}")
    for name, t in times.items():
        print(f"{name:28s} {o.images / median(t):10,.0f} {o.images / max(t):10,.0f} {o.images / min(t):10,.0f}")
    what = f"an epoch of {o.images:,} images in {together}"
    rows = [faster(what, median(times[together]), peer, median(times[peer]), o.repeats, at_least=least)
            for peer, least in ((one, o.at_least), (threads, None))]
    return end(o, machine, rows, dict(bs=o.bs, images=o.images, seconds=times))


if __name__ == "__main__": sys.exit(main())
