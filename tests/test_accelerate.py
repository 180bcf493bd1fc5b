"AccelerateCB in one process, where it is a DeviceCB; tests/slow/test_accelerate_processes.py has two."
import sys

import pytest
import torch
from torch import nn

accelerate = pytest.importorskip("accelerate")
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from miniai._accelerate import AccelerateCB, _part, _sizes
from miniai.data import DataLoaders
from miniai.learner import Callback, DeviceCB, Learner, MetricsCB, MixedPrecisionCB

@pytest.fixture(autouse=True)
def reset():
    "The precision is the same for all accelerators of a process."
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)

def trained(*cbs, n_fits=1):
    torch.manual_seed(0)
    batches = [(torch.randn(n, 3), torch.randint(2, (n,))) for n in (8, 8, 3)]
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(.3), nn.Linear(4, 2))
    learn = Learner(model, DataLoaders(batches, batches), cbs=[*cbs, MetricsCB()])
    for _ in range(n_fits): learn.fit(2)
    return learn

def weights(learn): return torch.cat([p.detach().flatten() for p in learn.model.parameters()])

def test_one_process_trains_as_without_it():
    plain, learn = trained(n_fits=2), trained(AccelerateCB(cpu=True), n_fits=2)
    assert torch.equal(weights(plain), weights(learn))
    assert torch.equal(plain.capture_preds()[0], learn.capture_preds()[0])
    drop = lambda rows: [{name: v for name, v in row.items() if name != "seconds"} for row in rows]
    assert drop(plain.cbs[-1].history) == drop(learn.cbs[-1].history)

def test_its_precision_is_that_of_mixed_precision_and_leaves_the_model_alone():
    class Look(Callback):
        def after_predict(self, learn): assert learn.preds.dtype == torch.bfloat16
    accelerated = trained(AccelerateCB(cpu=True, mixed_precision="bf16"), Look(), n_fits=2)
    assert torch.equal(weights(accelerated), weights(trained(MixedPrecisionCB(torch.bfloat16), n_fits=2)))
    assert "forward" not in vars(accelerated.model)
    assert accelerated.model(torch.ones(1, 3)).dtype == torch.float32

@pytest.mark.parametrize("n, world", [(1, 2), (7, 2), (8, 4), (3, 8), (1000, 7)])
def test_parts_are_the_batch(n, world):
    sizes = _sizes(n, world)
    parts = [range(n)[_part(n, rank, world)] for rank in range(world)]
    assert sum(sizes) == n and max(sizes) - min(sizes) <= 1
    assert [i for part, size in zip(parts, sizes) for i in part[:size]] == [*range(n)]
    assert all(len(part) >= 1 for part in parts)

def test_two_callbacks_that_do_the_same_are_refused():
    with pytest.raises(ValueError, match="leave out DeviceCB"): trained(AccelerateCB(cpu=True), DeviceCB("cpu"))
    trained(AccelerateCB(cpu=True), MixedPrecisionCB())
    AcceleratorState._reset_state(True)
    with pytest.raises(ValueError, match="leave out MixedPrecisionCB"):
        trained(MixedPrecisionCB(), AccelerateCB(cpu=True, mixed_precision="bf16"))

@pytest.mark.parametrize("kwargs, said", [
    (dict(mixed_precision="fp16"), "mixed_precision is 'fp16'.*no or bf16"),
    (dict(sync_batchnorm=True), "sync_batchnorm is True"),
    (dict(gradient_accumulation_steps=2), "gradient_accumulation_steps is 2")])
def test_what_it_cannot_do_is_refused(kwargs, said):
    with pytest.raises(ValueError, match=said): AccelerateCB(cpu=True, **kwargs)

def test_an_accelerator_of_ones_own():
    own = Accelerator(cpu=True)
    assert AccelerateCB(own).accelerator is own
    with pytest.raises(ValueError, match="accelerator is given, and so is cpu"): AccelerateCB(own, cpu=True)

def test_processes_that_do_not_know_each_other_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="WORLD_SIZE is 2, and the accelerator has 1"): AccelerateCB(Accelerator())

def test_without_accelerate(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match="pip install accelerate"): AccelerateCB()
