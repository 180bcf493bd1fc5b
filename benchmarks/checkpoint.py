"""What checkpoints cost a training: the steps in between, and the writing. Run from the checkout:

    python benchmarks/checkpoint.py

A ResNet of 4.9 million parameters, AdamW with a schedule, random pictures. First the same steps with a CheckpointCB that
is not due, and without one, in turns; a ratio is the median over repeats. Then checkpoints are written, with all that they
wait for (the disk has it). One at each minute makes of 60 seconds 60 and what a checkpoint takes. It ends with status 1 where
a ratio is above `--at-most`."""
import sys, tempfile, time
from functools import partial
from pathlib import Path
from statistics import median

from common import begin, end, in_turns, paired, parser, shown, takes

import torch

from miniai.callbacks import CheckpointCB
from miniai.data import DataLoaders
from miniai.layers import plain_cnn, resnet
from miniai.learner import Learner, MetricsCB
from miniai.optim import AdamW
from miniai.sched import BatchSchedCB, CosineAnnealingLR


def options():
    p = parser(__doc__)
    p.add_argument("--repeats", type=int, default=9, help="timed runs of each, and checkpoints (9)")
    p.add_argument("--steps", type=int, default=6, help="training steps a run (6)")
    p.add_argument("--at-most", type=float, default=1.01, help="the ratio asked for (1.01)")
    o = p.parse_args()
    if o.quick: o.repeats, o.steps = 3, 2
    return o


def learner(o, *cbs):
    torch.manual_seed(0)
    batches = [(torch.randn(128, 1, 28, 28), torch.randint(10, (128,))) for _ in range(o.steps)]
    model = plain_cnn() if o.quick else resnet((32, 64, 128, 256, 512))
    schedule = BatchSchedCB(partial(CosineAnnealingLR, T_max=1000))
    return Learner(model, DataLoaders(batches, batches[:1]), opt_func=AdamW, lr=1e-4, cbs=[MetricsCB(), schedule, *cbs])


def epoch(learn):
    "A function that trains the batches once, and gives the seconds from the first to the last."
    def run():
        begin = time.perf_counter()
        learn.fit(1, valid=False)
        return time.perf_counter() - begin
    return run


class Idle(CheckpointCB):
    "Not due, and without the checkpoint at the end of the epoch, which is timed for itself."
    def write(self, learn, *args): pass


def main():
    o = options()
    machine = begin(o)
    with tempfile.TemporaryDirectory() as folder:
        idle = Idle(Path(folder) / "idle", minutes=60)
        contestants = {"with": epoch(learner(o, idle)), "without": epoch(learner(o))}
        in_turns(contestants, 2)
        times = in_turns(contestants, o.repeats)
        ratio, *_ = paired(times["with"], times["without"])
        writer = CheckpointCB(Path(folder) / "written", keep=1)
        learn, seconds = learner(o, writer), []
        learn.fit(1, valid=False)
        for _ in range(o.repeats):
            start = time.perf_counter()
            writer.write(learn, [1, "train", 0])
            seconds.append(time.perf_counter() - start)
        size = writer.written.stat().st_size / 1e6
    n = sum(p.numel() for p in learn.model.parameters())
    print(f"{n:,} parameters, a checkpoint of {size:.0f} MB: {shown(median(seconds))}, from {shown(min(seconds))} to {shown(max(seconds))}")
    rows = [takes("a step with a checkpoint that is not due", median(times["with"]) / o.steps, "without",
                  median(times["without"]) / o.steps, o.repeats, ratio, o.at_most),
            takes("a minute with one checkpoint", 60 + median(seconds), "without", 60., o.repeats, at_most=o.at_most)]
    return end(o, machine, rows, [dict(times=times, seconds=seconds, megabytes=size)])


if __name__ == "__main__": sys.exit(main())
