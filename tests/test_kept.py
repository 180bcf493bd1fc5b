"Looking changes nothing: the random generators of every device, and the state of objects, are put back."
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from miniai import augment, cost, predict  # noqa: F401, they give the learner its methods
from miniai._kept import Kept, kept_random_state
from miniai.augment import RandomFlip
from miniai.data import DataLoaders
from miniai.exercises import _own_randomness
from miniai.lab import challenge, explorer
from miniai.learner import Learner
from miniai.predict import recalibrate_batchnorm, tta

class Device:
    "The generators of an accelerator that this machine may not have."
    def __init__(self, n_devices):
        self.states = [torch.zeros(1) for _ in range(n_devices or 1)]
        if n_devices: self.get_rng_state_all, self.set_rng_state_all = self.get, self.set    # as cuda and xpu
        else: self.get_rng_state, self.set_rng_state = lambda: self.get()[0], lambda state: self.set([state])  # as mps
    def get(self): return [state.clone() for state in self.states]
    def set(self, states): self.states = list(states)
    def draw(self): self.states = [state + 1 for state in self.states]

@pytest.fixture(params=[0, 2], ids=["one device", "two devices"])
def device(request, monkeypatch):
    fake = Device(request.param)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch, "get_device_module", lambda device: fake)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cpu"))
    return fake

class Noisy(nn.Sequential):
    "Draws from every generator."
    def forward(self, x):
        Noisy.device.draw(), random.random(), np.random.rand()
        return super().forward(x + torch.rand(1))

class Batches(list):
    def __iter__(self):
        Noisy.device.draw(), random.random(), np.random.rand(), torch.rand(1)
        return super().__iter__()

def learner():
    batches = Batches((torch.randn(4, 1, 6, 6), torch.tensor([0, 1, 1, 0])) for _ in range(2))
    return Learner(Noisy(nn.Flatten(), nn.Linear(36, 2), nn.BatchNorm1d(2)), DataLoaders(batches, batches))

def randomly():
    with _own_randomness(): Noisy.device.draw(), random.random(), np.random.rand(), torch.rand(1)

LOOKS = {
    "capture_preds": lambda learn: learn.capture_preds(), "tta": tta, "summary": lambda learn: learn.summary(),
    "recalibrate_batchnorm": lambda learn: recalibrate_batchnorm(learn),
    "lr_find": lambda learn: learn.lr_find(n_batches=3),
    "show_image_batch": lambda learn: learn.show_image_batch(), "one_batch": lambda learn: learn.dls.one_batch(),
    "read_back": lambda learn: challenge.read_back(learn.dls.train), "an exercise": lambda learn: randomly(),
    "challenge": lambda learn: challenge._check_predictions(learn, torch.tensor([0, 1, 1, 0] * 2), 2),
    "explorer": lambda learn: explorer.draw_augmented("augment(RandomFlip(.5))", torch.ones(16, 1, 6, 6))}

@pytest.mark.parametrize("look", LOOKS)
def test_looking_draws_nothing(look, device):
    Noisy.device = device
    states = lambda: (str(device.states), random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist())
    learn = learner()
    before = states()
    try: LOOKS[look](learn)
    except challenge.RuleBrokenError: pass     # random predictions
    assert states() == before

def test_generators_are_put_back_after_an_error(device):
    before = device.get()
    with pytest.raises(RuntimeError), kept_random_state():
        device.draw()
        raise RuntimeError
    assert str(device.get()) == str(before)

def test_kept_objects_stay_the_same_objects():
    x = SimpleNamespace(numbers=[1, 2], names=dict(a=1), kinds={1}, tensor=torch.ones(2), array=np.ones(2), gone=1,
                        generator=torch.Generator().manual_seed(1), legacy=np.random.RandomState(1),
                        python=random.Random(1))
    parts, kept = dict(vars(x)), Kept(x)
    def look(): return str({k: v for k, v in vars(x).items() if k not in ("generator", "legacy", "python")}), [
        x.generator.get_state().tolist(), str(x.legacy.get_state()), x.python.getstate()]
    before = look()
    x.numbers.append(3), x.names.update(b=2), x.names.pop("a"), x.kinds.add(2), x.tensor.add_(1), x.array.__iadd__(1)
    torch.rand(1, generator=x.generator), x.legacy.rand(), x.python.random()
    del x.gone
    x.new = 1
    for _ in range(2):
        kept.put_back()
        assert look() == before and len(vars(x)) == len(parts)
        assert all(vars(x)[name] is part for name, part in parts.items())

def test_what_cannot_be_written_to_is_left_alone():
    model = nn.Module()
    model.register_buffer("ones", torch.ones(1).expand(3))
    frozen = np.ones(2)
    frozen.flags.writeable = False
    model.frozen, model.sparse = frozen, torch.eye(2).to_sparse()
    with torch.inference_mode(): model.inference = torch.ones(2)
    kept = Kept(model)
    model.half()
    kept.put_back()
    assert model.ones.dtype == torch.float32 and model.ones.stride() == (0,)
