"A training whose process is killed, at random moments and in the middle of writing, ends as one that never was."
import os, random, signal, time

import pytest
import torch

from miniai import _checkpoint
from miniai._checkpoint import CheckpointCB
from miniai.learner import Callback
import training_cases
from training_cases import differences, result, training

EPOCHS = 8

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

class Slow(Callback):
    "A moment for the killer, in each batch."
    def after_step(self, learn): time.sleep(.01)

def train(folder, kind, name):
    "In a process of its own: train, or go on; write the result at the end."
    torch.set_num_threads(1)
    real = os.fsync
    def slow_fsync(fd): time.sleep(.03); real(fd)       # so that many are killed while a file is half written
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
def test_killed_twenty_times(tmp_path, kind, name, monkeypatch):
    monkeypatch.setattr(training_cases, "STEPS", EPOCHS * 6)
    whole = training(kind, name)
    whole.fit(EPOCHS)
    rng, halves, places = random.Random(0), 0, set()
    for kill in range(20):
        pid = in_child(train, tmp_path, kind, name)
        old = newest(tmp_path)
        until(lambda: newest(tmp_path) > old)            # one checkpoint further, and then at any moment,
        if kill % 3: time.sleep(rng.uniform(0, .06))
        else: until(lambda: list(tmp_path.glob(".*.part")))   # or in the middle of the next one
        assert not os.waitpid(pid, os.WNOHANG)[0], "it was done before it was killed"
        os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
        halves += bool(list(tmp_path.glob(".*.part")))
        places.add(newest(tmp_path))
    assert halves and len(places) >= 15
    assert os.waitpid(in_child(train, tmp_path, kind, name), 0)[1] == 0
    assert not differences(torch.load(tmp_path / "result", weights_only=True), result(whole))

def newest(folder): return max((int(file.stem[5:]) for file in folder.glob("step_*.pt")), default=-1)

def until(f):
    deadline = time.monotonic() + 60
    while not f():
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(.001)
