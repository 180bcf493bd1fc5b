"A training that is lost goes on as if it had not been."
import errno, os, signal, warnings

import pytest
import torch
from torch import nn

from miniai import _checkpoint
from miniai._checkpoint import CheckpointCB, CheckpointError, read_checkpoint, write_checkpoint
from miniai.data import DataLoaders
from miniai.learner import Callback, Learner, MetricsCB
from training_cases import EPOCHS, STEPS, differences, result, training

class Lost(Exception): "What ends a training in these tests."

class Lose(Callback):
    "Ends the fit at an event of the n-th batch of a phase, counted over the fit."
    def __init__(self, event, n, phase="train", order=300): self.event, self.n, self.phase, self.order = event, n, phase, order
    def come(self, event, learn):
        if event != self.event or learn.phase != self.phase: return
        self.n -= 1
        if self.n == 0: raise Lost
for event in ("before_batch", "after_loss", "after_step", "after_batch", "before_epoch", "after_epoch"):
    setattr(Lose, event, lambda self, learn, event=event: self.come(event, learn))

def lost_and_found(tmp_path, kind, name, lose, every=1):
    "The result of a training that is lost and goes on in another learner, and that of one that was not."
    whole = training(kind, name)
    whole.fit(EPOCHS)
    expected = result(whole)
    lost = training(kind, name)
    with pytest.raises(Lost): lost.fit(EPOCHS, cbs=[CheckpointCB(tmp_path, every), lose])
    torch.manual_seed(99)
    found = training(kind, name, seed=7)
    found.fit(EPOCHS, cbs=[CheckpointCB(tmp_path, every)], resume=True)
    return result(found), expected

SETTINGS = "adamw", "torch", "plateau", "muon", "schedule_free", "ema", "half", "bfloat"
KINDS = "batches", "alternating", "list", "loader 0", "stateful 0"

@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("event, n", [("after_step", 10), ("before_batch", 14)])
def test_everything_that_has_state_goes_on(tmp_path, name, event, n):
    assert not differences(*lost_and_found(tmp_path, "batches", name, Lose(event, n)))

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 6, 7, 15, STEPS])
def test_any_loader_goes_on_from_any_batch(tmp_path, kind, n):
    if kind.startswith("stateful"): pytest.importorskip("torchdata.stateful_dataloader")
    assert not differences(*lost_and_found(tmp_path, kind, "adamw", Lose("after_batch", n)))

@pytest.mark.parametrize("event, phase, n", [("before_epoch", "train", 2), ("after_epoch", "train", 3), ("before_epoch", "valid", 1),
    ("after_loss", "valid", 5), ("after_epoch", "valid", 2)])
@pytest.mark.parametrize("every", [None, 4])
def test_between_epochs_and_in_validation(tmp_path, event, phase, n, every):
    assert not differences(*lost_and_found(tmp_path, "batches", "ema", Lose(event, n, phase), every))

def test_lost_again_and_again(tmp_path):
    whole = training(); whole.fit(EPOCHS)
    for n in range(STEPS):
        torch.manual_seed(n)
        found = training(seed=n)
        try: found.fit(EPOCHS, cbs=[CheckpointCB(tmp_path, every=1), Lose("after_batch", 3)], resume=True)
        except Lost: continue
        break
    assert n > 6 and not differences(result(found), result(whole))

def test_no_image_is_seen_twice(tmp_path):
    seen = []
    class Count(Callback):
        def before_batch(self, learn):
            if learn.training: seen.extend(learn.batch[0].flatten(1).sum(1).tolist())
    training("batches").fit(1, cbs=[Count()]); whole = seen.copy(); seen.clear()
    with pytest.raises(Lost): training("batches").fit(1, cbs=[Count(), CheckpointCB(tmp_path, every=3), Lose("after_batch", 3)])
    training("batches").fit(1, cbs=[Count(), CheckpointCB(tmp_path, every=3)], resume=True)
    assert seen == whole

# -- when it is written, and what stays

def test_every_so_many_steps_and_the_newest_stay(tmp_path):
    learn = training()
    learn.fit(2, cbs=[CheckpointCB(tmp_path, every=4, keep=3)])
    assert [f.name for f in sorted(tmp_path.iterdir())] == [f"step_{n:08d}.pt" for n in (6, 8, 12)]

def test_the_best_stays(tmp_path):
    class Scores(Callback):
        order = 10
        def after_epoch(self, learn):
            if not learn.training: learn.cbs[0].history[-1]["valid_score"] = [.2, .9, .5, .9][learn.epoch]
    learn = training()
    learn.fit(EPOCHS, cbs=[Scores(), CheckpointCB(tmp_path, keep=1, best="valid_score")])
    assert sorted(f.name for f in tmp_path.iterdir()) == ["best_valid_score_0.9.pt", f"step_{STEPS:08d}.pt"]
    assert read_checkpoint(tmp_path / "best_valid_score_0.9.pt")["totals"] == [2, STEPS // 2]
    with pytest.raises(ValueError, match="best is 'valid_acuracy'"): training().fit(1, cbs=[CheckpointCB(tmp_path / "new", best="valid_acuracy")])

def test_the_least_loss_is_the_best(tmp_path):
    learn = training()
    learn.fit(EPOCHS, cbs=[CheckpointCB(tmp_path, best="valid_loss")])
    least = min(row["valid_loss"] for row in learn.cbs[0].history)
    assert [f.name for f in tmp_path.glob("best_*")] == [f"best_valid_loss_{least:.6g}.pt"]

def test_every_so_many_minutes(tmp_path, monkeypatch):
    now = iter(range(0, 10_000, 25))
    monkeypatch.setattr(_checkpoint.time, "monotonic", lambda: next(now))
    learn = training()
    learn.fit(1, cbs=[CheckpointCB(tmp_path, minutes=1, keep=99)])
    assert [int(f.stem[-2:]) for f in sorted(tmp_path.iterdir())] == [3, 6]

@pytest.mark.parametrize("number, error", [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_writes_and_then_stops(tmp_path, number, error):
    class Press(Callback):
        def after_loss(self, learn):
            if learn.total_steps == 8: signal.raise_signal(number)
    whole = training(); whole.fit(EPOCHS)
    before = signal.getsignal(number)
    with pytest.raises(error) as caught: training().fit(EPOCHS, cbs=[CheckpointCB(tmp_path), Press()])
    assert signal.getsignal(number) is before
    if error is KeyboardInterrupt: assert "fit(resume=True) goes on from" in str(caught.value) and "step_00000009" in str(caught.value)
    found = training(seed=3)
    found.fit(EPOCHS, cbs=[CheckpointCB(tmp_path)], resume=True)
    assert not differences(result(found), result(whole))

def test_the_second_signal_stops_at_once(tmp_path):
    class Press(Callback):
        def after_loss(self, learn): signal.raise_signal(signal.SIGINT); signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt): training().fit(EPOCHS, cbs=[CheckpointCB(tmp_path), Press()])
    assert not list(tmp_path.iterdir())

def full_disk(monkeypatch, after=0):
    real, left = os.fsync, [after]
    def fsync(fd):
        left[0] -= 1
        if left[0] < 0: raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd)
    monkeypatch.setattr(_checkpoint.os, "fsync", fsync)

def test_a_full_disk_keeps_the_old_checkpoint_and_the_training(tmp_path, monkeypatch):
    learn = training()
    learn.fit(1, cbs=[CheckpointCB(tmp_path)])
    old = {f.name: f.read_bytes() for f in tmp_path.iterdir()}
    full_disk(monkeypatch)
    with pytest.warns(UserWarning, match="No space left.*the newest is .*step_00000006"): learn.fit(1, cbs=[CheckpointCB(tmp_path)])
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == old
    with pytest.raises(OSError, match="No space left"): learn.save(tmp_path / "mine.pt")
    assert not (tmp_path / "mine.pt").exists() and len(list(tmp_path.iterdir())) == len(old)

# -- files

def test_a_file_that_is_none(tmp_path):
    file = tmp_path / "a.pt"
    write_checkpoint(dict(version=1, x=torch.arange(1000.)), file)
    raw = file.read_bytes()
    assert torch.equal(read_checkpoint(file)["x"], torch.arange(1000.))
    assert torch.equal(torch.load(file, weights_only=True)["x"], torch.arange(1000.)), "PyTorch reads it, too"
    for at in range(0, len(raw), len(raw) // 37):
        file.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:])
        with pytest.raises(CheckpointError, match="a.pt"): read_checkpoint(file)
        file.write_bytes(raw[:at])
        with pytest.raises(CheckpointError, match="a.pt"): read_checkpoint(file)
    with pytest.raises(FileNotFoundError, match="b.pt"): read_checkpoint(tmp_path / "b.pt")
    write_checkpoint(dict(version=2), file)
    with pytest.raises(CheckpointError, match="version 2"): read_checkpoint(file)

def test_a_file_runs_no_code(tmp_path):
    import hashlib, io, pickle
    class Evil:
        def __reduce__(self): return os.mkdir, (str(tmp_path / "made"),)
    content = io.BytesIO(); torch.save(dict(version=1, x=Evil()), content)
    raw = content.getvalue()
    (tmp_path / "a.pt").write_bytes(raw + b"sha256:" + hashlib.sha256(raw).hexdigest().encode())
    with pytest.raises(pickle.UnpicklingError): read_checkpoint(tmp_path / "a.pt")
    assert not (tmp_path / "made").exists()

def test_what_cannot_be_saved_is_named(tmp_path):
    class Mine(Callback):
        def state_dict(self): return dict(best=[1, dict(f=len)])
    with pytest.raises(TypeError, match=r"state\['callbacks'\]\['Mine'\]\['best'\]\[1\]\['f'\] is a builtin_function_or_method"):
        training("batches", "adamw", Mine()).fit(1, cbs=[CheckpointCB(tmp_path)])

def test_another_model_or_other_callbacks_are_refused_and_nothing_changes(tmp_path):
    training().fit(1, cbs=[CheckpointCB(tmp_path)])
    other = Learner(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), training().dls)
    before = other.model[1].weight.clone()
    with pytest.raises(CheckpointError, match="another model: .* tensors"): other.fit(1, resume=tmp_path)
    assert torch.equal(before, other.model[1].weight)
    bare = training(); bare.cbs = []
    with pytest.raises(CheckpointError, match="the state of MetricsCB, which is not among the callbacks"): bare.fit(1, resume=tmp_path)

def test_a_folder_of_an_earlier_training_is_not_written_into(tmp_path):
    training().fit(1, cbs=[CheckpointCB(tmp_path)])
    with pytest.raises(ValueError, match="earlier training"): training().fit(1, cbs=[CheckpointCB(tmp_path)])
    learn = training()
    learn.fit(2, cbs=[CheckpointCB(tmp_path)], resume=True)
    learn.fit(1, cbs=[CheckpointCB(tmp_path)])       # the same learner goes on

def test_resume_without_anything_to_resume(tmp_path):
    with pytest.raises(ValueError, match="needs a CheckpointCB"): training().fit(1, resume=True)
    with pytest.raises(FileNotFoundError): training().fit(1, resume=tmp_path)
    whole = training(); whole.fit(1)
    fresh = training(); fresh.fit(1, cbs=[CheckpointCB(tmp_path)], resume=True)
    assert not differences(result(whole), result(fresh))

def test_a_finished_training_is_not_trained_again(tmp_path):
    first, again = training(), training(seed=5)
    first.fit(2, cbs=[CheckpointCB(tmp_path)])
    again.fit(2, cbs=[CheckpointCB(tmp_path)], resume=True)
    assert not differences(result(first), result(again))

@pytest.mark.parametrize("name", SETTINGS)
def test_save_and_load_between_fits(tmp_path, name):
    first, other = training("batches", name), training("batches", name, seed=5)
    first.fit(2); first.save(tmp_path / "a.pt")
    other.load(tmp_path / "a.pt")
    assert not differences(result(first), result(other))

def test_load_and_go_on_equals_going_on(tmp_path):
    def make(seed):
        torch.manual_seed(seed)
        batches = [(torch.full((4, 3), i / 5), torch.tensor([0, 1, 1, 0])) for i in range(5)]
        return Learner(nn.Linear(3, 2), DataLoaders(batches, batches), opt_func=torch.optim.AdamW, lr=.01, cbs=[MetricsCB()])
    whole, first, other = make(0), make(0), make(1)
    whole.fit(4)
    first.fit(2); first.save(tmp_path / "a.pt")
    other.load(tmp_path / "a.pt"); other.fit(2, opt=other.opt)
    assert not differences(result(whole), result(other))

# -- what a reader would try

def test_a_validation_in_between_leaves_the_place(tmp_path):
    whole = training(); whole.fit(EPOCHS)
    first = training("batches", "adamw", CheckpointCB(tmp_path))
    with pytest.raises(Lost): first.fit(EPOCHS, cbs=[Lose("after_epoch", 2, "valid")])
    first.fit(1, train=False)
    found = training("batches", "adamw", CheckpointCB(tmp_path), seed=3)
    found.fit(EPOCHS, resume=True)
    assert found.total_steps == STEPS
    assert torch.equal(found.model[0].weight, whole.model[0].weight)

def script(folder, *lose, seed=0):
    "Two fits in one script, which is run again until it is done."
    learn = training("batches", "plateau", CheckpointCB(folder, every=1), seed=seed)
    learn.fit(1, resume=True, cbs=lose[:1])
    learn.fit(3, resume=True, cbs=lose[1:])
    return learn

def test_several_fits_in_one_script(tmp_path):
    expected = result(script(tmp_path / "whole"))
    with pytest.raises(Lost): script(tmp_path / "a", Lose("after_batch", 3))
    with pytest.raises(Lost): script(tmp_path / "a", Lose("after_batch", 99), Lose("after_batch", 10), seed=1)
    for again in range(2):
        with pytest.warns(UserWarning, match="is left out|nothing is left"): learn = script(tmp_path / "a", seed=2)
        assert not differences(result(learn), expected)

@pytest.mark.parametrize("change, match", [
    (dict(lr=.5), "at lr=0.02, and this fit has 0.5"), (dict(opt_func=torch.optim.SGD), "with AdamW, and this one has SGD"),
    (dict(dls=True), "6 batches an epoch, and dls.train has 3")])
def test_another_training_is_refused_and_nothing_changes(tmp_path, change, match):
    training().fit(1, cbs=[CheckpointCB(tmp_path)])
    other = training()
    if change.pop("dls", False):
        other.dls.train.bs = 16
    for name, value in change.items(): setattr(other, name, value)
    before = other.model[0].weight.clone()
    with pytest.raises(CheckpointError, match=match): other.fit(2, cbs=[CheckpointCB(tmp_path)], resume=True)
    assert torch.equal(before, other.model[0].weight)

def test_other_numbers_of_epochs_are_said(tmp_path):
    training().fit(2, cbs=[CheckpointCB(tmp_path)])
    with pytest.warns(UserWarning, match="of a fit of 2 epochs, and this one has 3"): training().fit(3, cbs=[CheckpointCB(tmp_path)], resume=True)
    with pytest.warns(UserWarning, match="nothing is left to train"): training().fit(1, resume=tmp_path)

def test_a_damaged_newest_file_gives_way_to_the_older(tmp_path):
    whole = training(); whole.fit(EPOCHS)
    with pytest.raises(Lost): training().fit(EPOCHS, cbs=[CheckpointCB(tmp_path, every=1), Lose("after_batch", 9)])
    newest = max(tmp_path.glob("step_*.pt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    (tmp_path / "step_00000099 (1).pt").write_bytes(b"a copy")
    found = training(seed=4)
    with pytest.warns(UserWarning, match="going back to an older one"): found.fit(EPOCHS, cbs=[CheckpointCB(tmp_path)], resume=True)
    assert not differences(result(found), result(whole))

def test_workers_that_stay_are_refused(tmp_path):
    from torch.utils.data import DataLoader
    from training_cases import Noisy
    learn = training()
    learn.dls.train = DataLoader(Noisy(), 8, shuffle=True, num_workers=2, persistent_workers=True)
    with pytest.raises(ValueError, match="persistent_workers=True"): learn.fit(1, cbs=[CheckpointCB(tmp_path)])
