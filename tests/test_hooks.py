"What the notebook 03_inside cannot hold: hooks that fail half-way, copied and compiled models, layers of every kind."
import copy, pickle, warnings

import matplotlib
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from miniai.data import DataLoaders
from miniai.hooks import (
    ActivationStats, Hook, Hooks, SpellingCB, _columns, _plot_layers, activation_stats, copy_model, init_weights, lsuv, plot_dead,
    plot_hist, plot_means_stds)
from miniai.learner import Callback, CancelBatchException, Learner
from miniai.vis import new_axes

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


def test_activation_stats_of_one_dead_channel():
    x = torch.zeros(4, 2, 3, 3)
    x[0, 0] = 2.
    numbers, counts = activation_stats(x)
    torch.testing.assert_close(numbers, torch.tensor([9 * 2 / 72, x.std(), .5]))
    assert counts.sum() == x.numel() and counts.max() == 63


def test_watching_changes_no_weight():
    batches, trained = [(torch.randn(8, 3), torch.randint(2, (8,))) for _ in range(6)], []
    for cbs in [ActivationStats()], []:
        torch.manual_seed(0)
        model = network()
        Learner(model, DataLoaders(batches, []), lr=.2, cbs=cbs).fit(1, valid=False)
        trained.append((*model.parameters(), torch.rand(3)))        # the random numbers go on alike, too
    for watched, alone in zip(*trained): torch.testing.assert_close(watched, alone)


@pytest.mark.parametrize("ends", [[0.] * 5, [0., 0., 0., .01, 1.], [1., .99, .98, .97, .96], [float("nan"), 0., 1.], [i / 30 for i in range(30)]])
def test_the_numbers_of_layers_do_not_lie_on_each_other(ends):
    ax = new_axes()
    _plot_layers(ax, torch.tensor([[.5, end] for end in ends]), "", 0)
    labels = [(t.get_text(), t.xy[1]) for t in ax.texts if t.get_text() != "layer"]
    places = sorted(y for _, y in labels)
    assert sorted(int(i) for text, _ in labels for i in text.split(", ")) == [*range(1, len(ends) + 1)]
    assert 0 <= places[0] and places[-1] <= 1 and all(b - a > .03 for a, b in zip(places, places[1:]))


@pytest.mark.parametrize("n, ncols", [(1, 1), (5, 5), (6, 3), (8, 4), (9, 3), (10, 5)])
def test_histograms_fill_their_rows(n, ncols): assert _columns(n) == ncols


def test_a_misspelt_name_is_noticed():
    class Misspells(Callback):
        def after_predict(self, learn): learn.pred = learn.preds
    batches = [(torch.randn(8, 3), torch.randint(2, (8,)))]
    learn = Learner(network(), DataLoaders(batches, []), cbs=[Misspells(), SpellingCB()])
    for _ in range(2):                                    # in the second fit too
        with pytest.raises(AttributeError, match="learn.pred is new: did a callback mean learn.preds"): learn.fit(1, valid=False)


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

# -- hooks that do not run

def compiled(model):
    model.compile(backend="eager")
    return model

COMPILED = [lambda model: torch.compile(model, backend="eager"), compiled]
SCRIPTED = [lambda model: torch.jit.trace(model, torch.zeros(8, 3)), torch.jit.script]
scripted = pytest.mark.filterwarnings("ignore:`torch.jit")

def test_a_hook_that_never_ran_is_said():
    model = compiled(network())
    model(torch.zeros(1, 3))
    with pytest.warns(UserWarning, match="no hook ran on Linear.*force_eager"):
        with Hook(model[0], keep_std): model(torch.zeros(1, 3))
    model = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Hooks([model, nn.Linear(2, 2)], keep_std) as hooks: model(torch.ones(4, 3))
    assert hooks[0].std > 0 and n_hooks(model) == 0

@scripted
@pytest.mark.parametrize("make", SCRIPTED)
def test_scripted_models_are_refused(make):
    model = make(network())
    with pytest.raises(ValueError, match="scripted and traced"): Hook(model, keep_std)
    with pytest.raises(ValueError, match="scripted and traced"): lsuv(model, torch.randn(8, 3))
    with pytest.raises(ValueError, match="scripted and traced"): a_fit(model, ActivationStats())

@pytest.mark.parametrize("make", COMPILED)
def test_activation_stats_refuses_compiled_models(make):
    model = make(network())
    with pytest.raises(ValueError, match="is compiled.*copy_model"): a_fit(model, ActivationStats())
    stats = ActivationStats()
    a_fit(copy_model(getattr(model, "_orig_mod", model)), stats)
    assert stats.means.shape == (3, 6)

@pytest.mark.parametrize("make", COMPILED)
def test_lsuv_scales_compiled_models(make):
    x, plain = torch.randn(200, 3), network()
    model = make(copy.deepcopy(plain))
    with torch.no_grad(): model(x)
    torch.manual_seed(0); expected = lsuv(plain, x)
    torch.manual_seed(0)
    assert lsuv(model, x) == expected and all(map(torch.equal, model.parameters(), plain.parameters()))

# -- copies

OWN = dict(weight_norm=weight_norm, spectral_norm=spectral_norm, prune=lambda m: prune.l1_unstructured(m, "weight", .5),
           parametrized=parametrizations.weight_norm, orthogonal=parametrizations.orthogonal)

@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm`")
@pytest.mark.parametrize("name", OWN)
def test_a_copy_has_the_models_own_hooks_and_not_ours(name):
    model, seen = nn.Sequential(OWN[name](nn.Linear(3, 3)), nn.ReLU()), []
    theirs = model[0].register_forward_hook(lambda module, inputs, output: seen.append(module) or output + 1)
    model(torch.ones(2, 3)).sum().backward()
    hooks = Hooks([model[0], model[0], model], keep_std)
    other = copy_model(model)
    hooks.remove()
    assert n_hooks(other) == n_hooks(model) == 1
    x = torch.randn(4, 3)
    model.eval(), other.eval()
    assert torch.equal(other(x), model(x)) and seen[-2:] == [other[0], model[0]]
    with torch.no_grad():
        for p in other.parameters(): p.mul_(-1)
    assert not torch.equal(other(x), model(x))
    theirs.remove()
    assert len(list(other.parameters())) == len(list(model.parameters()))

def test_a_copy_keeps_ties_modes_and_flags():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Dropout())
    model[1].weight = model[0].weight
    model[0].bias.requires_grad_(False)
    model[2].eval()
    other = copy_model(model)
    assert other[1].weight is other[0].weight is not model[0].weight
    assert not other[0].bias.requires_grad and not other[2].training and other.training
    with pytest.raises(ValueError, match="0.weight has no shape"): copy_model(nn.Sequential(nn.LazyLinear(3)))

def test_two_hooks_on_one_layer():
    layer, x = nn.Linear(3, 2), torch.ones(4, 3)
    double = lambda hook, module, inputs, output: output * 2
    with Hook(layer, double) as first:
        with Hooks([layer, layer], double): eightfold = layer(x)
        twofold = layer(x)
        first.remove(), first.remove()
    assert torch.equal(eightfold, 8 * layer(x)) and torch.equal(twofold, 2 * layer(x)) and n_hooks(layer) == 0

@pytest.mark.parametrize("copied", [copy.deepcopy, lambda learn: pickle.loads(pickle.dumps(learn))])
def test_a_learner_is_copied_in_a_fit_and_after_it(copied):
    class Copy(Callback):
        order = 9
        def after_batch(self, learn):
            if learn.iter == 2: copies.append(copied(Learner(learn.model, learn.dls, cbs=[stats])))
    copies, stats = [], ActivationStats()
    a_fit(model := network(), stats, Copy())
    copies.append(copied(Learner(model, DataLoaders(BATCHES, []), cbs=[stats])))
    for learn, n in zip(copies, (3, 6)):
        ours, = learn.cbs
        assert torch.equal(ours.means, stats.means[:, :n])
        learn.model(torch.ones(4, 3))
        assert n_hooks(learn.model) == 0 and ours.means.shape == (3, n) and ours.hooks[0].module is learn.model[0]
        learn.fit(1, valid=False)
        assert ours.means.shape == (3, 6) and n_hooks(learn.model) == 0
    assert stats.means.shape == (3, 6)

# -- layers and fits of every kind

BATCHES = [(torch.randn(8, 3), torch.randint(2, (8,))) for _ in range(6)]

def a_fit(model, *cbs, **kwargs):
    learn = Learner(model, DataLoaders(BATCHES, BATCHES), cbs=cbs)
    learn.fit(1, **kwargs)
    return learn

class Parts(nn.Module):
    "Outputs of every form, a layer that is called twice, one in every second call, one never."
    def __init__(self):
        super().__init__()
        self.twice, self.rare, self.never, self.n = nn.Linear(3, 3), nn.Linear(3, 2), nn.Linear(2, 2), 0
        self.tuple, self.lone = nn.LSTM(3, 3), nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
        self.dict = type("Dict", (nn.Module,), dict(forward=lambda self, x: dict(n=torch.tensor(3), x=x.bfloat16())))()
    def forward(self, x):
        self.n += 1
        a, b = self.twice(x), self.twice(2 * x)
        self.outs = a, b
        scores = self.rare(self.tuple(a)[0] + self.dict(b)["x"].float()) if self.n % 2 else a[:, :2]
        return scores + self.lone(b)[:, None]

def test_statistics_of_every_kind_of_layer():
    class Keep(Callback):
        def after_predict(self, learn): outs.append([t.detach() for t in learn.model.outs])
    outs, model = [], Parts()
    stats = ActivationStats([model.twice, model.rare, model.never, model.tuple, model.dict, model.lone], bins=5)
    a_fit(model, stats, Keep(), valid=False)
    expected = torch.tensor([[(a.mean() + b.mean()) / 2, (a.std() + b.std()) / 2] for a, b in outs])
    torch.testing.assert_close(torch.stack([stats.means[0], stats.stds[0]], 1), expected)
    ran = [[True] * 6, [True, False] * 3, [False] * 6, [True, False] * 3, [True, False] * 3, [True] * 6]
    assert torch.equal(~stats.means.isnan(), torch.tensor(ran))
    assert stats.hists.sum(1)[:, 0].tolist() == [48, 16, 0, 24, 24, 8] and not stats.hists[1, :, 1].any()
    for plot in plot_means_stds, plot_dead, plot_hist: plot(stats).canvas.draw()
    matplotlib.pyplot.close("all")

def test_steps_are_those_in_which_a_layer_ran():
    class Cancel(Callback):
        order = 9
        def before_batch(self, learn):
            if learn.iter == 1: raise CancelBatchException()
        def after_fit(self, learn): learn.model(torch.ones(4, 3))
    stats = ActivationStats()
    learn = a_fit(network(), stats, Cancel())
    assert stats.means.shape == (3, 5)
    kept = stats.means
    learn.fit(1, train=False)
    assert torch.equal(stats.means, kept)

def test_what_watches_nothing_says_so():
    with pytest.raises(RuntimeError, match="no watched layer has run"): ActivationStats().means
    stats = ActivationStats(nn.Linear(2, 2) for _ in range(2))
    a_fit(network(), stats)
    with pytest.raises(RuntimeError, match="no watched layer has run"): stats.hists
    model = nn.Sequential(nn.Embedding(5, 2), nn.Flatten())
    model.insert(0, type("Whole", (nn.Module,), dict(forward=lambda self, x: x[:, :1].abs().long().clamp(max=4)))())
    with pytest.raises(TypeError, match="Whole puts out Tensor without floating"): a_fit(model, ActivationStats([model[0]]))
    for wrong in (1, 1), (0, float("inf")):
        with pytest.raises(ValueError, match="limits is"): ActivationStats(limits=wrong)
    with pytest.raises(ValueError, match="bins is 0"): ActivationStats(bins=0)

def test_modules_may_come_from_a_generator_and_a_model_may_be_one_layer():
    model = network()
    stats, whole = ActivationStats(m for m in model if isinstance(m, nn.Linear)), ActivationStats()
    for _ in range(2): a_fit(model, stats)
    a_fit(nn.Linear(3, 2), whole)
    assert stats.means.shape == (3, 6) and whole.means.shape == (1, 6)

# -- initialisation

def test_lsuv_leaves_statistics_and_modes():
    model, x = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2)), torch.randn(200, 3)
    model[2].eval()
    before = [b.clone() for b in model.buffers()]
    lsuv(model, x)
    assert all(map(torch.equal, before, model.buffers())) and [m.training for m in model] == [True, True, False, True]

def test_lsuv_changes_nothing_if_it_fails():
    model, x = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1)), torch.randn(1, 3)
    model.eval()
    before = [t.clone() for t in model.state_dict().values()]
    with pytest.raises(ValueError, match="standard deviation of nan"): lsuv(model, x)
    with pytest.raises(RuntimeError): lsuv(model, x[:, :2])
    assert all(map(torch.equal, before, model.state_dict().values())) and n_hooks(model) == 0

def test_lsuv_says_which_layers_it_did_not_scale():
    class Half(nn.Module):
        def __init__(self): super().__init__(); self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        def forward(self, x, both): return self.b(self.a(x)) if both else self.a(x)
    with pytest.warns(UserWarning, match="^b did not run"): assert len(lsuv(Half(), (torch.randn(9, 3), False))) == 1
    assert len(lsuv(Half(), dict(x=torch.randn(9, 3), both=True))) == 2
    with pytest.raises(ValueError, match="no linear layer or convolution ran"): lsuv(Around(), torch.randn(9, 2))

class Around(nn.Module):
    "Uses a layer's weight without calling it."
    def __init__(self): super().__init__(); self.layer = nn.Linear(2, 2)
    def forward(self, x): return x @ self.layer.weight

@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm`")
def test_weights_that_cannot_be_filled_are_said():
    tied = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 4))
    tied[1].weight = tied[0].weight
    before = tied[0].weight.clone()
    with pytest.raises(ValueError, match="0 and 1 share a weight"): lsuv(tied, torch.tensor([1, 2]))
    assert torch.equal(tied[0].weight, before)
    with pytest.raises(ValueError, match="has no shape yet"): lsuv(nn.Sequential(nn.LazyLinear(3)), torch.ones(4, 2))
    with pytest.raises(ValueError, match="LazyConv2d has no shape yet"): nn.LazyConv2d(2, 3).apply(init_weights)
    for make in OWN.values():
        model = nn.Sequential(make(nn.Linear(3, 3)))
        with pytest.raises(ValueError, match="computes its weight from others"): model.apply(init_weights)
        with pytest.raises(ValueError, match="computes its weight from others"): lsuv(model, torch.randn(9, 3))
