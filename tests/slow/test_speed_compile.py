"Compiling and warming up, as `speedrun` does before its clock starts."
import torch
from torch import nn

from miniai.data import ImageData
from miniai.speed import Recipe, speedrun

def noise(n):
    "Pictures of noise with three classes, all of them for validation too."
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randint(256, (n, 1, 28, 28), generator=rng, dtype=torch.uint8), torch.arange(n) % 3
    return ImageData(x, y, x, y, ["a", "b", "c"], "noise")

def test_compiling_and_warming_up_leave_no_trace(monkeypatch):
    calls, original = [], nn.Module.compile
    def cheap(self, *args, **kwargs):
        calls.append(self)
        original(self, backend="eager")
    monkeypatch.setattr(nn.Module, "compile", cheap)
    data, tiny = noise(40), Recipe(widths=(4, 6, 6), epochs=2, bs=16, lr=.05, padding=1)
    compiled, plain = speedrun(data, tiny, 0, compile=True), speedrun(data, tiny, 0)
    assert len(calls) == 1 and compiled.seconds["compile"] > plain.seconds["compile"]
    for a, b in zip(compiled.model.state_dict().values(), plain.model.state_dict().values()): assert torch.allclose(a, b, atol=1e-5)
