"What the notebook 03_inside cannot hold: hooks that fail half-way, layers of every kind."
import matplotlib
import pytest
import torch
from torch import nn

from miniai.data import DataLoaders
from miniai.hooks import (
    ActivationStats, Hook, Hooks, activation_stats, init_weights, lsuv, plot_dead, plot_hist, plot_means_stds)
from miniai.learner import Learner

matplotlib.use("Agg")


def n_hooks(model): return sum(len(m._forward_hooks) for m in model.modules())

def keep_std(hook, module, inputs, output): hook.std = output.std().item()

def network(): return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))


def test_hooks_are_removed_by_ones_by_slices_and_on_errors():
    model = network()
    hooks = Hooks(model, keep_std)
    del hooks[1:3]
    assert len(hooks) == n_hooks(model) == 3
    del hooks[0]
    assert len(hooks) == n_hooks(model) == 2
    hooks.remove()
    assert n_hooks(model) == 0 and len(hooks) == 2
    with pytest.raises(TypeError, match="module is a str"): Hooks([model[0], model[1], "no layer"], keep_std)
    with pytest.raises(TypeError, match="f is 3"): Hook(model[0], 3)
    with pytest.raises(RuntimeError, match="on purpose"):
        with Hooks(model, keep_std): raise RuntimeError("on purpose")
    assert n_hooks(model) == 0


def test_what_a_hook_returns_replaces_the_output():
    layer, x = nn.Linear(3, 2), torch.ones(4, 3)
    with Hook(layer, lambda hook, module, inputs, output: output * 0): assert not layer(x).any()
    assert layer(x).any()


def test_statistics_of_a_fit():
    batches = [(torch.randn(8, 3), torch.randint(2, (8,))) for _ in range(6)]
    model, stats = network(), ActivationStats(bins=10)
    learn = Learner(model, DataLoaders(batches, batches), cbs=[stats])
    learn.fit(2)
    assert n_hooks(model) == 0 and stats.hists.shape == (3, 10, 12)
    assert (stats.hists.sum(1) == torch.tensor([[64], [64], [16]])).all()
    assert stats.means.shape == stats.stds.shape == stats.dead.shape == (3, 12)
    for plot in plot_means_stds, plot_dead, plot_hist: plot(stats)
    learn.fit(1, valid=False)
    assert stats.means.shape == (3, 6), "a new fit starts anew"


def test_activation_stats_reads_nothing():
    numbers, counts = activation_stats(torch.empty(8, 16, 7, 7, device="meta"))
    assert numbers.is_meta and counts.is_meta


@pytest.mark.parametrize("leaky", [0., .1, 1.])
@pytest.mark.parametrize("make", [lambda: nn.Linear(300, 400), lambda: nn.Conv1d(30, 400, 9), lambda: nn.Conv2d(30, 400, 3),
                                  lambda: nn.Conv2d(60, 400, 3, groups=2), lambda: nn.Conv3d(10, 400, 3)])
def test_init_weights_is_kaiming_normal(make, leaky):
    layer = make()
    torch.manual_seed(0); init_weights(layer, leaky)
    ours, theirs = layer.weight.clone(), layer.weight
    torch.manual_seed(0); nn.init.kaiming_normal_(theirs, a=leaky)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
    assert not layer.bias.any()


def test_init_weights_leaves_other_layers_alone():
    norm = nn.BatchNorm2d(4)
    norm.weight.data.fill_(3.)
    init_weights(norm)
    assert (norm.weight == 3).all()
    for slope in (-1., float("nan")):
        with pytest.raises(ValueError, match="leaky is"): init_weights(nn.Linear(2, 2), slope)


def test_lsuv():
    model, x = network(), torch.randn(200, 3)
    before = lsuv(model, x)
    with Hooks([model[0], model[2], model[4]], keep_std) as hooks: model(x)
    assert len(before) == 3 and all(abs(hook.std - 1) < 1e-3 for hook in hooks)
    with pytest.raises(ValueError, match="standard deviation of 0.0"): lsuv(network(), torch.zeros(8, 3))
    with pytest.raises(ValueError, match="no linear layer"): lsuv(nn.ReLU(), x)
