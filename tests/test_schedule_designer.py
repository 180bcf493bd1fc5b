"""The schedule designer of 11 without a browser: each control redraws, and the code shown makes the curves drawn."""
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from miniai import sched
from miniai.lab import designer as designer_module
from miniai.lab.designer import draw_schedule, schedule_code, schedule_designer
from miniai.lab.proofs import _tiny_learner

PNG = b"\x89PNG"
VALUES = dict(peak=1., warmup=.5, hold=.2, decay="polynomial", start=.5, final=.25, low=.7, high=.9)
CURVES = dict(peak={0}, warmup={0, 1}, hold={0, 1}, decay={0, 1}, start={0}, final={0}, low={1}, high={1})

def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()): yield from walk(child)

class Designer:
    "The widget, its parts, and the figures that it drew."
    def __init__(self, monkeypatch):
        self.drawn = []
        def spy(*args):
            self.drawn.append(draw_schedule(*args))
            return self.drawn[-1]
        monkeypatch.setattr(designer_module, "draw_schedule", spy)
        self.controls, self.kinds = {}, {}
        for w in walk(schedule_designer()):
            if w.has_trait("description") and w.description: self.controls[w.description] = w
            self.kinds[type(w).__name__] = w
    @property
    def png(self): return bytes(self.kinds["Image"].value)
    @property
    def code(self): return self.kinds["Textarea"].value
    @property
    def curves(self): return [ax.lines[0].get_ydata() for ax in self.drawn[-1].axes]
    def settings(self): return {name: control.value for name, control in self.controls.items()}

@pytest.fixture
def designer(monkeypatch): return Designer(monkeypatch)

def same_curves(designer):
    "Execute the code as a reader would; the schedules, and an optimizer driven by the last line, follow the curves."
    peak = designer.controls["peak"].value
    names = {**{name: getattr(sched, name) for name in sched.__all__}, "total_steps": 300}
    exec(designer.code, names)
    t = np.linspace(0, 1, 301).tolist()
    rate, momentum = designer.curves
    assert np.allclose([peak * names["lr"](x) for x in t], rate, rtol=1e-4, atol=0)
    assert np.allclose([names["momentum"](x) for x in t], momentum)
    assert f"# lr={peak:.3g}" in designer.code
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=peak, momentum=.9)
    scheduler = names["sched"].sched_func(opt)
    for k in range(301):
        group = opt.param_groups[0]
        assert np.isclose(group["lr"], rate[k], rtol=1e-4) and np.isclose(group["momentum"], momentum[k])
        opt.step(), scheduler.step()

def test_what_is_shown_at_first(designer):
    assert set(designer.controls) == set(VALUES) and designer.png[:4] == PNG
    assert len(designer.drawn) == 1
    same_curves(designer)
    rate, momentum = designer.curves
    assert np.isclose(max(rate), .1) and np.isclose(min(momentum), .85)

@pytest.mark.parametrize("name", VALUES)
def test_each_control_redraws(designer, name):
    before, png, code = designer.curves, designer.png, designer.code
    designer.controls[name].value = VALUES[name]
    assert designer.controls[name].value == pytest.approx(VALUES[name])
    assert designer.png != png and designer.png[:4] == PNG and designer.code != code
    changed = {i for i, (a, b) in enumerate(zip(before, designer.curves)) if not np.allclose(a, b)}
    assert changed == CURVES[name]
    same_curves(designer)

def test_all_at_once_and_back(designer):
    start, png, code = designer.settings(), designer.png, designer.code
    for name, value in VALUES.items():
        designer.controls[name].value = value
        same_curves(designer)
    for name, value in start.items(): designer.controls[name].value = value
    assert designer.png == png and designer.code == code

def test_both_ends_of_every_slider(designer):
    designer.controls["decay"].value = "exponential"
    for name, control in designer.controls.items():
        if name == "decay": continue
        old, log = control.value, type(control).__name__ == "FloatLogSlider"
        for end in (control.min, control.max):
            n = len(designer.drawn)
            control.value = control.base ** end if log else end
            assert len(designer.drawn) > n or control.value == old
            same_curves(designer)
        control.value = old

def test_hold_gives_way_to_warmup(designer):
    warmup, hold = designer.controls["warmup"], designer.controls["hold"]
    hold.value = .7
    warmup.value = .6
    assert hold.value == pytest.approx(.4) and hold.max == pytest.approx(.4)
    same_curves(designer)
    warmup.value = 1.
    assert hold.value == 0
    same_curves(designer)
    warmup.value = 0.
    hold.value = 1.
    same_curves(designer)
    assert np.allclose(designer.curves[0], .1)

def test_every_warmup_leaves_shares_that_fit(designer):
    for warmup in range(3, 101, 31):
        designer.controls["warmup"].value = warmup / 100
        designer.controls["hold"].value = designer.controls["hold"].max
        same_curves(designer)

def test_the_code_trains(designer):
    names = {**{name: getattr(sched, name) for name in sched.__all__}, "total_steps": 10}
    exec(designer.code, names)
    recorder = sched.schedule_recorder()
    learn = _tiny_learner(n_batches=5, lr=.1, opt_func=torch.optim.Adam, cbs=[names["sched"], recorder])
    learn.fit(2)
    assert np.allclose(recorder["lr"], [.1 * names["lr"](k / 10) for k in range(10)])
    assert np.allclose(recorder["momentum"], [names["momentum"](k / 10) for k in range(10)])

def test_a_figure_needs_no_window(designer):
    plt.close("all")
    designer.controls["hold"].value = .3
    assert isinstance(designer.drawn[-1], Figure) and not plt.get_fignums()
    assert [ax.get_ylabel() for ax in designer.drawn[-1].axes] == ["learning rate", "momentum"]
    assert all(ax.get_xlabel() == "progress" for ax in designer.drawn[-1].axes)

@pytest.mark.parametrize("arguments, says", [
    (dict(decay="step"), "decay is 'step': it must be 'cosine'"),
    (dict(warmup=.6, hold=.5), "warmup is 0.6 and hold 0.5"),
    (dict(warmup=-.1), "warmup is -0.1"), (dict(hold=1.1), "hold 1.1"), (dict(warmup=1.5, hold=-.5), "hold -0.5")])
def test_code_refuses(arguments, says):
    with pytest.raises(ValueError, match=says): schedule_code(**arguments)

def test_a_decay_that_cannot_be():
    with pytest.raises(ValueError, match="exponential goes from 1 to 0"):
        draw_schedule(schedule_code(decay="exponential", final=0.))
