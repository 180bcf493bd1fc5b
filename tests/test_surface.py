"What 04 cannot hold of its surfaces: bad arguments, noise from a seed of its own, names that look like formulas."
import math
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import pytest
import torch

from miniai.lab.surface import SURFACES, arrival, bowl, descend, plot_paths, rosenbrock, saddle

SGD = partial(torch.optim.SGD, lr=.1)

@pytest.mark.parametrize("bad, error, said", [
    (dict(start=(1., math.nan)), ValueError, "start is"), (dict(start=(1.,)), ValueError, "start is"),
    (dict(n_steps=-1), ValueError, "n_steps is -1"), (dict(n_steps=1.5), ValueError, "n_steps is 1.5"),
    (dict(noise=-1.), ValueError, "noise is -1.0"), (dict(noise=math.inf), ValueError, "noise is inf"),
    (dict(opt_func=lambda params: None), TypeError, "opt_func gave a NoneType")])
def test_descend_names_bad_arguments(bad, error, said):
    with pytest.raises(error, match=said): descend(**dict(surface=bowl(), opt_func=SGD) | bad)

@pytest.mark.parametrize("condition", [0, -1., math.nan, math.inf])
def test_a_bowl_curves_up(condition):
    with pytest.raises(ValueError, match="condition is"): bowl(condition)

def test_noise_has_a_seed_of_its_own():
    before = torch.get_rng_state()
    first, again, other = (descend(saddle(), SGD, 100, noise=.01, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)

def test_a_path_ends_before_it_leaves_the_finite_numbers():
    path = descend(rosenbrock(), SGD, 100)
    assert 1 < len(path) < 101 and path.isfinite().all()

@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_takes_any_shape_and_starts_in_its_picture(name):
    surface = SURFACES[name]()
    assert surface(torch.zeros(3, 4, 2)).shape == (3, 4) and surface(torch.tensor(surface.minimum)).abs() < 1e-6
    for value, (low, high) in zip(surface.start, (surface.xlim, surface.ylim)): assert low <= value <= high

def test_a_dollar_in_a_name_begins_no_formula():
    fig, ax = plt.subplots()
    plot_paths(replace(bowl(), name=r"$\frac$"), {r"SGD $\frac$": [(0., 0.), (1., 1.)]}, ax)
    fig.canvas.draw()
    plt.close(fig)

def test_arrival_is_the_first_step_that_is_low_enough():
    assert arrival(bowl(), [(-4., 1.), (2., 0.), (.1, .1), (3., 0.)]) == 2 and arrival(bowl(), [(-4., 1.)]) is None
    for y in (-1., 1.): assert arrival(saddle(), [(-1.5, 0.), (0., y)]) == 1      # either minimum counts
