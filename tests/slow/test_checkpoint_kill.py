"A training whose process is killed, at random moments and in the middle of writing, ends as one that never was."
import os, random, signal, time, warnings
from pathlib import Path

import pytest
import torch

from miniai import _checkpoint
from miniai._checkpoint import CheckpointCB
from miniai.learner import Callback
from training_cases import EPOCHS, differences, result, training

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

class Slow(Callback):
    "A moment for the killer, in each batch."
    def after_step(self, learn): time.sleep(.004)

def train(folder, kind, name):
    "In a process of its own: train, or go on; write the result at the end."
    torch.set_num_threads(1)
    real = os.fsync
    def slow_fsync(fd): time.sleep(.008); real(fd)       # so that many are killed while a file is half written
    _checkpoint.os.fsync = slow_fsync
    learn = training(kind, name)
    learn.fit(EPOCHS, cbs=[CheckpointCB(folder, every=1), Slow()], resume=True)
    torch.save(result(learn), folder / "result")

def in_child(f, *args):
    pid = os.fork()
    if pid: return pid
    status = 1
    try: f(*args); status = 0
    finally: os._exit(status)

@pytest.mark.parametrize("kind, name", [("batches", "adamw"), ("alternating", "muon"), ("loader 0", "half"), ("loader 2", "ema")])
def test_killed_twenty_times(tmp_path, kind, name):
    whole = training(kind, name)
    whole.fit(EPOCHS)
    rng, kills, halves, seen = random.Random(0), 0, 0, set()
    for _ in range(400):
        pid = in_child(train, tmp_path, kind, name)
        deadline = time.monotonic() + (rng.uniform(.05, .35) if kills < 20 else 120)
        while time.monotonic() < deadline and not (done := os.waitpid(pid, os.WNOHANG)[0]): time.sleep(.001)
        if done: break
        os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
        kills += 1
        halves += bool(list(tmp_path.glob(".*.part")))
        seen |= {file.name for file in tmp_path.glob("step_*.pt")}
        if kills < 20 and (tmp_path / "result").exists(): break
    assert (tmp_path / "result").exists() and kills >= 5 and halves
    got = torch.load(tmp_path / "result", weights_only=True)
    assert not differences(got, result(whole)), f"after {kills} kills, {halves} of them while writing, {len(seen)} checkpoints"
