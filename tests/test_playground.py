"""The widgets of 04 without a browser: controls, paths by hand, every optimizer on every surface, bad input."""
import statistics, time
from functools import partial
from html import escape

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.figure import Figure

from miniai import optim
from miniai.lab.playground import arrival, by_hand, draw, playground, verdict
from miniai.lab.surface import SURFACES, Surface, beale, bowl, descend

OPTIMIZERS = dict(
    SGD=optim.SGD, momentum=partial(optim.SGD, momentum=.9), Nesterov=partial(optim.SGD, momentum=.9, nesterov=True),
    Adagrad=optim.Adagrad, RMSprop=optim.RMSprop, Adadelta=optim.Adadelta, Adam=optim.Adam, AdamW=optim.AdamW,
    NAdam=optim.NAdam, Lion=optim.Lion, **{"Schedule-Free": optim.ScheduleFreeAdamW})
PNG = b"\x89PNG"


def walk(widget):
    yield widget
    for child in getattr(widget, "children", ()): yield from walk(child)

def controls(widget, name): return [w for w in walk(widget) if getattr(w, "description", None) == name]

def control(widget, name, i=0): return controls(widget, name)[i]

def only(widget, kind):
    found, = (w for w in walk(widget) if type(w).__name__ == kind)
    return found


@pytest.fixture
def play(): return playground(OPTIMIZERS, second="Adam")


def test_every_control_changes_the_picture(play):
    for name, value in {"condition": 30., "start x": 2., "start y": -1., "steps": 50, "noise": .5, "lr": .02}.items():
        before = play.image.value
        control(play, name).value = value
        assert play.image.value != before and play.image.value[:4] == PNG, name
        assert control(play, name).value == pytest.approx(value)

def test_the_path_is_that_of_descend(play):
    control(play, "start x").value, control(play, "steps").value, control(play, "noise").value = 3., 30, .1
    path = descend(bowl(), partial(optim.SGD, lr=.05), 30, (3., 1.5), .1)
    assert f"SGD (A): {verdict(bowl(), path, 30)}" in play.text.value

def test_the_same_settings_give_the_same_picture(play):
    before = play.image.value
    control(play, "steps").value = 7
    control(play, "steps").value = 100
    assert play.image.value == before

def test_each_surface_begins_at_its_own_start(play):
    for name, surface in SURFACES.items():
        before = play.image.value
        control(play, "surface").value = name
        assert (play.image.value != before) == (name != "bowl")
        start = surface().start
        assert [control(play, f"start {c}").value for c in "xy"] == pytest.approx(start, abs=1e-6)
        assert control(play, "condition").disabled == (name != "bowl")

@pytest.mark.parametrize("name,sliders", {
    "SGD": ["momentum"], "Adagrad": [], "RMSprop": ["momentum", "alpha"], "Adadelta": ["rho"],
    "Adam": ["betas[0]", "betas[1]"], "Lion": ["betas[0]", "betas[1]"], "none": None}.items())
def test_an_optimizer_has_only_its_own_sliders(name, sliders):
    play = playground(OPTIMIZERS, first=name)
    panel = next(w for w in walk(play) if control(play, "optimizer") in getattr(w, "children", ()))
    found = [w.description for w in panel.children[1:]]
    assert found == ([] if sliders is None else ["lr", *sliders])
    for slider in panel.children[2:]:
        before = play.image.value
        slider.value = .5
        assert play.image.value != before, slider.description

def test_defaults_of_classes_and_partials():
    play = playground(OPTIMIZERS | dict(slow=partial(optim.SGD, lr=.001, momentum=.5)), first="slow", second="Adam")
    assert [w.value for w in controls(play, "lr")] == [.001, .05]
    assert [control(play, f"betas[{i}]").value for i in (0, 1)] == [.9, .999]
    assert control(play, "momentum").value == .5
    assert control(playground(OPTIMIZERS, first="Adadelta"), "lr").value == 1

@pytest.mark.parametrize("surface", SURFACES)
def test_every_optimizer_on_every_surface(surface):
    play, pictures = playground(OPTIMIZERS, surface=surface), set()
    for name in OPTIMIZERS:
        control(play, "optimizer").value = name
        pictures.add(bytes(play.image.value))
        assert play.text.value.startswith(f"{name}: ")
    assert len(pictures) == len(OPTIMIZERS) and all(p[:4] == PNG for p in pictures)

def test_one_two_or_no_optimizer(play):
    assert "SGD (A): " in play.text.value and "Adam (B): " in play.text.value
    control(play, "optimizer", 1).value = "none"
    assert play.text.value.startswith("SGD: ") and "Adam" not in play.text.value
    control(play, "optimizer").value = "none"
    assert play.text.value == "" and play.image.value[:4] == PNG

def test_one_optimizer_against_itself_with_another_lr():
    play = playground(OPTIMIZERS, second="SGD")
    before = play.image.value
    control(play, "lr", 1).value = .2
    first, second = play.text.value.split("<br>")
    assert first.split(": ")[1] != second.split(": ")[1] and play.image.value != before

@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("lr", [1e-4, 10.])
def test_extreme_rates_are_said_and_do_not_crash(name, lr):
    play = playground(OPTIMIZERS, first=name, surface="rosenbrock")
    control(play, "lr").value = lr
    assert play.image.value[:4] == PNG
    if name in ("SGD", "momentum", "Nesterov") and lr == 10: assert "diverged" in play.text.value

def test_what_an_optimizer_refuses_is_said():
    play = playground(OPTIMIZERS | dict(Muon=optim.Muon), first="Nesterov")
    control(play, "momentum").value = 0.
    assert "nesterov needs momentum" in play.text.value and play.image.value[:4] == PNG
    control(play, "optimizer").value = "Muon"
    assert "2 dimensions" in play.text.value
    control(play, "optimizer").value = "Adam"
    assert play.text.value.startswith("Adam: loss")

def test_a_name_is_shown_as_it_is():
    "On the page, where it could be HTML, and in the picture, where a $ could begin a formula."
    for name in "<b>SGD</b>", r"SGD $\frac$":
        play = playground({name: optim.SGD})
        assert play.text.value.startswith(f"{escape(name)}: loss") and play.image.value[:4] == PNG
    def refuses(params, lr=.1): raise ValueError("<i>no</i>")
    assert "&lt;i&gt;no&lt;/i&gt;" in playground(dict(SGD=refuses)).text.value

def test_arrival_is_the_first_step_that_is_low_enough():
    assert arrival(bowl(), [(-4., 1.), (2., 0.), (.1, .1), (3., 0.)]) == 2 and arrival(bowl(), [(-4., 1.)]) is None

def test_it_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    control(playground(OPTIMIZERS), "noise").value = .3
    assert torch.equal(torch.get_rng_state(), before)

def test_a_redraw_is_quick(play):
    "0.2 s is the aim. Processor time, the best of 9, twice as much allowed: a busy machine must not fail it."
    control(play, "surface").value = "beale"
    wall, cpu = [], []
    for i in range(9):
        start = time.perf_counter(), time.process_time()
        control(play, "start x").value = .4 + .02 * i
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    print(f"redraw, 2 optimizers, 100 steps: median {statistics.median(wall):.3f} s, best {min(wall):.3f} s, "
          f"processor {statistics.median(cpu):.3f} s and {min(cpu):.3f} s")
    assert min(cpu) < .4


def test_steps_by_hand():
    hand = by_hand(bowl())
    step, undo, reset = (control(hand, name) for name in ("Step", "Undo", "Reset"))
    assert hand.path == (bowl().start,) and undo.disabled and not step.disabled
    control(hand, "length").value, control(hand, "direction °").value = 2., 90
    step.click()
    assert hand.path[1] == pytest.approx((-4, 3.5)) and "step 1 " in only(hand, "HTML").value
    control(hand, "direction °").value = -180
    step.click()
    assert hand.path[2] == pytest.approx((-6, 3.5)) and len(hand.path) == 3
    undo.click()
    assert len(hand.path) == 2 and hand.path[1] == pytest.approx((-4, 3.5))
    reset.click()
    assert hand.path == (bowl().start,)
    undo.click()
    assert hand.path == (bowl().start,) and "step 0 " in only(hand, "HTML").value

def test_there_means_there():
    hand = by_hand(bowl(), start=(-3, 0))
    control(hand, "length").value, control(hand, "direction °").value = 2.6, 0
    control(hand, "Step").click()
    assert "there" not in only(hand, "HTML").value and not control(hand, "Step").disabled
    control(hand, "length").value = .2
    control(hand, "Step").click()
    assert "there, in 2 steps" in only(hand, "HTML").value and control(hand, "Step").disabled
    control(hand, "Undo").click()
    assert not control(hand, "Step").disabled

def test_the_map_is_hidden_until_you_are_there():
    def visible(**kwargs):
        ax = draw(bowl(), {"by hand": [(1., 1.)]}, **kwargs).axes[0]
        return [contour.get_visible() for contour in ax.collections]
    assert all(visible()) and not any(visible(hidden=True))
    hand, pictures = by_hand(bowl()), []
    for name, value in {"map": True, "downhill arrow": True, "length": 3., "direction °": 45}.items():
        pictures.append(bytes(only(hand, "Image").value))
        control(hand, name).value = value
    hand.path += ((0., 0.),)
    pictures.append(bytes(only(hand, "Image").value))
    assert len(set(pictures)) == 5

def test_the_playground_shows_the_path_by_hand():
    hand = by_hand(bowl())
    play = playground(OPTIMIZERS, hand=hand)
    before = play.image.value
    assert "by hand: loss 19.2 after 0 steps" in play.text.value
    hand.path += ((0., 1.), (0., 0.))
    assert play.image.value != before and "by hand: loss 0 after 2 steps; there at step 2" in play.text.value
    control(play, "surface").value = "beale"
    assert "by hand" not in play.text.value

def test_either_minimum_of_the_saddle_counts():
    for y in (-1., 1.): assert arrival(SURFACES["saddle"](), [(-1.5, 0.), (0., y)]) == 1

@pytest.mark.parametrize("path,n_steps,words", [
    ([(4., 0.), (1., 0.)], 1, "loss 0.5 after 1 steps; not there yet"), ([(4., 0.), (0., 0.)], 1, "there at step 1"),
    ([(4., 0.), (5., 0.)], 1, "climbed"), ([(4., 0.)], 3, "no finite number after step 0")])
def test_verdicts(path, n_steps, words): assert words in verdict(bowl(), path, n_steps)

def test_a_figure_needs_no_window():
    plt.close("all")
    fig = draw(beale(), {"SGD": [(0., 0.), (1e300, -1e300)]}, downhill=True, ahead=(1., 1.))
    assert isinstance(fig, Figure) and not plt.get_fignums()
    assert fig.axes[0].get_xlim() == beale().xlim
    assert draw(bowl(), {}).axes and draw(bowl(), {"by hand": [(0., 0.)]}, downhill=True).axes


NOWHERE = Surface("nowhere", bowl().f, (0., 0.), None, (-1., 1.), (-1., 1.))

@pytest.mark.parametrize("f,error,words", [
    (lambda: playground({}), TypeError, "optimizers is {}"),
    (lambda: playground([optim.SGD]), TypeError, "optimizers is"),
    (lambda: playground(dict(SGD=3)), TypeError, r"optimizers\['SGD'\] is 3"),
    (lambda: playground(dict(f=lambda params: None)), TypeError, r"optimizers\['f'\].* with an lr"),
    (lambda: playground(OPTIMIZERS, first="sgd"), ValueError, "first is 'sgd': it must be one of SGD, "),
    (lambda: playground(OPTIMIZERS, second="x"), ValueError, "second is 'x'"),
    (lambda: playground(OPTIMIZERS, surface="hill"), ValueError, "surface is 'hill': .*bowl, rosenbrock"),
    (lambda: playground(OPTIMIZERS, hand=3), TypeError, "hand is 3"),
    (lambda: by_hand(NOWHERE), ValueError, "'nowhere' has no minimum"),
    (lambda: by_hand(bowl(), start=(1.,)), ValueError, r"start is \(1.0,\)"),
    (lambda: by_hand(bowl(), start=(1., float("nan"))), ValueError, "finite")])
def test_bad_arguments_are_named(f, error, words):
    with pytest.raises(error, match=words): f()
