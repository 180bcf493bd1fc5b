"What miniai.predict promises beyond the cells that show it."
import copy, math
from itertools import product
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from torchmetrics.classification import MulticlassCalibrationError

from miniai.augment import crop
from miniai.callbacks import EMACB
from miniai.layers import Dropout, Dropout2d
from miniai.learner import BatchTransformCB, Callback, DeviceCB, Learner, MetricsCB, MixedPrecisionCB
from miniai.metrics import accuracy
from miniai.predict import (
    average_predictions, capture_views, confusion_matrix, dropout_samples, ece, ensemble, fit_temperature, hflip, make_views,
    mcnemar, mcnemar_p, plot_confusion, plot_reliability, predicted_class_std, recalibrate_batchnorm, reliability, shift, tta)

few = settings(max_examples=30, deadline=None)

def make_model(*between):
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), *between, nn.Flatten(), nn.Linear(64, 3))

def make_learner(*between, n=7, cbs=(), seed=0):
    torch.manual_seed(seed)
    batches = [(torch.randn(b, 1, 6, 6), torch.randint(3, (b,))) for b in [8] * (n - 1) + [3]]
    return Learner(make_model(*between), SimpleNamespace(train=batches, valid=batches[2:]), cbs=cbs)

@pytest.fixture
def learn(): return make_learner()

def logits(n=200, classes=5, k=None, seed=0):
    rng = torch.Generator().manual_seed(seed)
    shape = (n, classes) if k is None else (k, n, classes)
    return 3 * torch.randn(shape, generator=rng), torch.randint(classes, (n,), generator=rng)

# -- capture_preds

def test_scores_and_targets_are_those_of_the_loader_in_order(learn):
    scores, targets = learn.capture_preds()
    with torch.no_grad(): expected = torch.cat([learn.model.eval()(x) for x, _ in learn.dls.valid])
    assert torch.equal(scores, expected) and torch.equal(targets, torch.cat([y for _, y in learn.dls.valid]))
    assert torch.equal(learn.capture_preds(learn.dls.train[:1])[1], learn.dls.train[0][1])
    assert not scores.requires_grad and scores.device.type == targets.device.type == "cpu"

def test_a_learner_is_as_it_was():
    metrics = MetricsCB(accuracy=accuracy)
    learn = make_learner(nn.Dropout(.5), cbs=[DeviceCB("cpu"), metrics])
    learn.fit(1)
    learn.model.train()
    learn.model[1].eval()
    learn.model(learn.dls.train[0][0]).sum().backward()
    before = {k: v for k, v in vars(learn).items()}
    state, rng = copy.deepcopy(learn.model.state_dict()), torch.get_rng_state()
    modes, rows = [m.training for m in learn.model.modules()], list(metrics.history)
    gradients = [p.grad.clone() for p in learn.model.parameters()]
    learn.capture_preds(), tta(learn), ensemble([learn, learn])
    assert vars(learn) == before and metrics.history == rows
    assert all(torch.equal(a, b) for a, b in zip(learn.model.state_dict().values(), state.values()))
    assert [m.training for m in learn.model.modules()] == modes and torch.equal(torch.get_rng_state(), rng)
    assert all(torch.equal(p.grad, g) for p, g in zip(learn.model.parameters(), gradients))

def test_modes_return_after_an_error(learn):
    learn.model.train()
    with pytest.raises(RuntimeError): learn.capture_preds([(torch.zeros(2, 9, 6, 6), torch.zeros(2))])
    assert all(m.training for m in learn.model.modules())
    learn.fit(1)

def test_a_shuffled_loader_moves_no_generator():
    class Shuffled(list):
        def __iter__(self): return (self[i] for i in torch.randperm(len(self)))
    learn = make_learner()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    learn.capture_preds(Shuffled(learn.dls.train))
    assert torch.equal(torch.rand(3), expected)

def test_within_a_fit_nothing_is_disturbed():
    class Look(Callback):
        def after_epoch(self, learn): self.seen = learn.capture_preds()
    plain, looking = make_learner(cbs=[MetricsCB()]), make_learner(cbs=[MetricsCB(), Look()])
    for one in (plain, looking):
        torch.manual_seed(3)
        one.fit(2)
    states = [one.model.state_dict().values() for one in (plain, looking)]
    assert all(torch.equal(a, b) for a, b in zip(*states))
    assert torch.equal(looking.cbs[1].seen[0], looking.capture_preds()[0])

def test_within_a_batch_mixed_precision_goes_on():
    class Look(Callback):
        seen = []
        def after_predict(self, learn):
            learn.capture_preds()
            with learn.autocast: self.seen.append(torch.is_autocast_enabled("cpu"))
    look = Look()
    make_learner(cbs=[MixedPrecisionCB(), look]).fit(1)
    assert look.seen and all(look.seen) and not torch.is_autocast_enabled("cpu")

def test_precision_transforms_and_own_predictions_are_kept(learn):
    double = BatchTransformCB(lambda b: (2 * b[0], b[1]), on_train=False, on_valid=True)
    learn.cbs = [MixedPrecisionCB(), double, BatchTransformCB(lambda b: (b[0] * 0, b[1]))]
    scores, _ = learn.capture_preds()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        expected = torch.cat([learn.model.eval()(2 * x) for x, _ in learn.dls.valid])
    assert expected.dtype == torch.bfloat16 and scores.dtype == torch.float32
    assert torch.equal(scores, expected.float())
    class Negated(Callback):
        def predict(self, learn): learn.preds = -learn.model(learn.batch[0])
    learn.cbs = []
    plain = learn.capture_preds()[0]
    learn.cbs = [Negated()]
    assert torch.equal(learn.capture_preds()[0], -plain)

def test_float64_stays(learn):
    learn.model.double()
    assert learn.capture_preds([(x.double(), y) for x, y in learn.dls.valid])[0].dtype == torch.float64

def test_what_cannot_be_captured(learn):
    with pytest.raises(ValueError, match="dl is empty"): learn.capture_preds([])
    learn.model = nn.Sequential(learn.model)
    learn.model.forward = lambda x: (x, x)
    first, second = learn.capture_preds()[0]
    assert torch.equal(first, second) and len(first) == len(learn.capture_preds()[1])
    with pytest.raises(TypeError, match=r"\(float32 \[2, "): tta(learn)

# -- views

@few
@given(st.integers(-6, 6), st.integers(-4, 4), st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_shift_moves_and_repeats_the_edge(right, down, dtype):
    x = torch.randn(2, 3, 5, 7).to(dtype)
    out = shift(x, right, down)
    assert out.shape == x.shape and out.dtype == dtype
    for i in range(5):
        for j in range(7):
            assert torch.equal(out[..., i, j], x[..., min(max(i - down, 0), 4), min(max(j - right, 0), 6)])

@few
@given(st.integers(0, 2), st.integers(0, 2), st.floats(-3, 3, width=32))
def test_a_filled_shift_is_a_view_that_cropping_shows(top, left, fill):
    x = torch.randn(2, 3, 5, 7)
    expected = crop(x, torch.tensor([top, top]), torch.tensor([left, left]), 1, fill)
    assert torch.equal(shift(x, 1 - left, 1 - top, fill), expected)
    assert torch.equal(make_views(1, fill=fill)["left, flipped"](x), shift(hflip(x), -1, 0, fill))

def test_views():
    x = torch.randn(2, 1, 6, 6)
    assert all(torch.equal(hflip(x)[..., i], x[..., 5 - i]) for i in range(6))
    assert list(make_views()) == ["as it is", "flipped"] and list(make_views(flips=False)) == ["as it is"]
    views = make_views(2)
    assert len(views) == 10 and next(iter(views)) == "as it is"
    assert torch.equal(views["as it is"](x), x) and torch.equal(views["flipped"](x), hflip(x))
    assert torch.equal(views["left, flipped"](x), shift(hflip(x), -2, 0))
    assert torch.equal(views["down"](x), shift(x, 0, 2))

@pytest.mark.parametrize("call, says", [
    (lambda x: shift(x, 6), "right is 6"), (lambda x: shift(x, 0, -6), "down is -6"),
    (lambda x: shift(x, 1.5), r"right is 1\.5"), (lambda x: make_views(-1), "pixels is -1"),
    (lambda x: make_views(.5), r"pixels is 0\.5"), (lambda x: average_predictions(x), "logits has the shape"),
    (lambda x: average_predictions(x[:0, 0]), "logits has the shape"),
    (lambda x: average_predictions(x[:, 0], "votes"), "of is 'votes'")])
def test_bad_views_and_means(call, says):
    x = torch.randn(2, 1, 6, 6)
    with pytest.raises(ValueError, match=says): call(x)

@few
@given(st.integers(1, 6), st.integers(0, 1000))
def test_means_are_distributions_and_obey_jensen(k, seed):
    z, y = logits(30, k=k, seed=seed)
    for of in ("probabilities", "logits"):
        log_p = average_predictions(z, of)
        assert torch.allclose(log_p.exp().sum(1), torch.ones(30), atol=1e-5)
        losses = torch.stack([F.cross_entropy(one, y) for one in z])
        assert F.nll_loss(log_p, y) <= losses.mean() + 1e-5
    assert torch.allclose(average_predictions(z).exp(), z.softmax(2).mean(0), atol=1e-6)
    assert torch.allclose(average_predictions(z, "logits"), z.mean(0).log_softmax(1), atol=1e-6)
    assert torch.allclose(average_predictions(z[:1]), average_predictions(z[:1], "logits"), atol=1e-6)

def test_extreme_logits_stay_finite():
    z = torch.tensor([[[1e4, -1e4]], [[-1e4, 1e4]]])
    assert torch.allclose(average_predictions(z).exp(), torch.tensor([[.5, .5]]))

def test_tta_is_the_mean_over_views_also_of_a_bare_model(learn):
    views = make_views(1)
    log_p, targets = tta(learn, views=views)
    x = torch.cat([x for x, _ in learn.dls.valid])
    with torch.no_grad(): expected = torch.stack([learn.model.eval()(v(x)).softmax(1) for v in views.values()]).mean(0)
    assert torch.allclose(log_p.exp(), expected, atol=1e-6)
    assert torch.equal(tta(learn.model, learn.dls.valid, views)[0], log_p)
    assert torch.equal(capture_views(learn, views=views)[0][0], learn.capture_preds()[0])

def test_ensemble_is_the_mean_over_members(learn):
    other = make_learner(seed=1)
    log_p, targets = ensemble([learn, other], learn.dls.valid)
    expected = sum(l.capture_preds(learn.dls.valid)[0].softmax(1) for l in (learn, other)) / 2
    assert torch.allclose(log_p.exp(), expected, atol=1e-6)
    assert torch.equal(ensemble(iter([learn, other]), learn.dls.valid)[0], log_p)
    assert torch.allclose(ensemble([learn])[0], learn.capture_preds()[0].log_softmax(1), atol=1e-6)
    assert torch.allclose(ensemble([learn, learn], views=make_views())[0], tta(learn)[0], atol=1e-6)

def test_bad_members_and_loaders(learn):
    class Turning(list):
        def __iter__(self):
            self.reverse()
            return super().__iter__()
    with pytest.raises(ValueError, match="members is empty"): ensemble([])
    with pytest.raises(ValueError, match="another order"): ensemble([learn, learn], Turning(learn.dls.train))
    with pytest.raises(ValueError, match="dl is None"): tta(learn.model)
    with pytest.raises(ValueError, match="dl is None"): ensemble([learn.model])
    with pytest.raises(ValueError, match="dl is None"): recalibrate_batchnorm(learn.model)
    for f in (tta, lambda *args, **kwargs: ensemble([args[0]], **kwargs)):
        with pytest.raises(ValueError, match="views is empty"): f(learn, views={})

# -- two networks, one set of pictures

def split(b, c, both=3, neither=2):
    "Answers of two networks: b pictures only the first gets right, c only the second."
    first = [True] * b + [False] * c + [True] * both + [False] * neither
    second = [False] * b + [True] * c + [True] * both + [False] * neither
    order = torch.randperm(len(first), generator=torch.Generator().manual_seed(b))
    return torch.tensor(first, dtype=torch.bool)[order], torch.tensor(second, dtype=torch.bool)[order]

@few
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 5), st.integers(0, 5))
def test_mcnemar_counts_coins(b, c, both, neither):
    heads = [sum(toss) for toss in product((0, 1), repeat=min(b + c, 12))] if b + c <= 12 else []
    found = mcnemar(*split(b, c, both, neither))
    assert found[:2] == (b, c) and mcnemar(*split(c, b))[2] == found[2]
    if heads: assert found[2] == sum(abs(2 * h - b - c) >= abs(b - c) for h in heads) / len(heads)

@pytest.mark.parametrize("b, c", [(0, 0), (1, 0), (7, 2), (30, 30), (120, 80), (300, 1), (4000, 4300)])
def test_mcnemar_equals_scipy(b, c):
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.
    assert math.isclose(mcnemar(*split(b, c))[2], expected, rel_tol=1e-9)

def test_mcnemar_of_counts():
    assert mcnemar_p(0, 0) == mcnemar_p(3, 3) == 1 and mcnemar_p(7, 2) == mcnemar_p(2, 7) == 92 / 512

def test_mcnemar_is_rarely_wrong_about_equals():
    rng = torch.Generator().manual_seed(0)
    found = [mcnemar(*(torch.rand(400, generator=rng) < .9 for _ in range(2)))[2] for _ in range(400)]
    assert sum(p < .05 for p in found) <= 30          # expected: fewer than 20, since the test is exact

@pytest.mark.parametrize("first, second, says", [
    (torch.ones(3), torch.ones(3), "first is torch.float32"), (torch.ones(3).bool(), torch.ones(3).long(), "second is"),
    (torch.ones(3).bool(), torch.ones(4).bool(), r"second is torch.bool \[4\]"),
    (torch.ones(3, 1).bool(), torch.ones(3, 1).bool(), "first is")])
def test_bad_answers(first, second, says):
    with pytest.raises(ValueError, match=says): mcnemar(first, second)

# -- dropout

@pytest.mark.parametrize("ours, theirs", [(Dropout, nn.Dropout), (Dropout2d, nn.Dropout2d)])
@few
@given(p=st.sampled_from([0., .1, .5, .9, 1.]), seed=st.integers(0, 999), training=st.booleans())
def test_dropout_equals_torch(ours, theirs, p, seed, training):
    x, found = torch.randn(3, 4, 5, 2, dtype=torch.float64), []
    for layer in (ours(p), theirs(p)):
        leaf = x.clone().requires_grad_()
        torch.manual_seed(seed)
        y = layer.train(training)(leaf)
        y.square().sum().backward()
        found.append((y.detach(), leaf.grad))
    assert all(torch.allclose(a, b, rtol=1e-13, atol=0) for a, b in zip(*found))

def test_dropout_keeps_the_mean_the_type_and_the_input():
    x = torch.ones(400, 500)
    torch.manual_seed(0)
    y = Dropout(.3)(x)
    assert abs(y.mean() - 1) < 4 * math.sqrt(.3 / .7 / x.numel()) and (x == 1).all()
    assert Dropout(.3)(x.bfloat16()).dtype == torch.bfloat16
    assert abs((y == 0).float().mean() - .3) < .01

@pytest.mark.parametrize("p", [-.1, 1.1, math.nan])
@pytest.mark.parametrize("layer", [Dropout, Dropout2d])
def test_bad_p(layer, p):
    with pytest.raises(ValueError, match="p is"): layer(p)

def test_dropout2d_needs_pictures():
    with pytest.raises(ValueError, match="x has 2 dimensions"): Dropout2d(.5)(torch.ones(3, 3))

@pytest.mark.parametrize("layer", [Dropout, Dropout2d, nn.Dropout, nn.Dropout2d])
def test_samples_differ_by_dropout_alone(layer):
    learn = make_learner(layer(.5))
    state, modes = copy.deepcopy(learn.model.state_dict()), [m.training for m in learn.model.modules()]
    samples, targets = dropout_samples(learn, n=4)
    assert samples.shape == (4, len(targets), 3) and not torch.equal(samples[0], samples[1])
    assert all(torch.equal(a, b) for a, b in zip(learn.model.state_dict().values(), state.values()))
    assert [m.training for m in learn.model.modules()] == modes
    torch.manual_seed(1)
    first = dropout_samples(learn, n=2)[0]
    torch.manual_seed(1)
    assert torch.equal(first, dropout_samples(learn, n=2)[0])

def test_spread():
    z = torch.tensor([[.9, .1], [.5, .5], [.7, .3]]).log()[:, None]
    assert torch.allclose(predicted_class_std(z), torch.tensor([.9, .5, .7]).std()[None])
    assert predicted_class_std(z[:1].expand(3, -1, -1)).abs().max() < 1e-6
    torn = torch.tensor([[.6, .3, .1], [.3, .4, .3], [.3, .4, .3]])
    assert torch.allclose(predicted_class_std(torn.log()[:, None]), torn[:, 0].std()[None])
    with pytest.raises(ValueError, match="k ≥ 2"): predicted_class_std(z[:1])
    with pytest.raises(ValueError, match="n is 0"): dropout_samples(make_learner(Dropout()), n=0)
    with pytest.raises(ValueError, match="no dropout"): dropout_samples(make_learner(Dropout(0.)))

# -- averaged weights

@pytest.mark.parametrize("decay", [0., .5, .99])
def test_ema_equals_torch_over_hundreds_of_steps(decay):
    class Theirs(Callback):
        def before_fit(self, learn): self.model = AveragedModel(learn.model, multi_avg_fn=get_ema_multi_avg_fn(decay))
        def after_step(self, learn): self.model.update_parameters(learn.model)
    ema, theirs = EMACB(decay), Theirs()
    learn = make_learner(cbs=[ema, theirs])
    learn.model.double()
    learn.dls.train = [(x.double(), y) for x, y in learn.dls.train]
    learn.fit(40, valid=False)
    assert ema.steps == 280
    for ours, expected in zip(ema.average.state_dict().values(), theirs.model.module.state_dict().values()):
        assert torch.allclose(ours, expected, rtol=1e-12, atol=1e-14)

def test_validation_scores_the_average_and_training_does_not_notice():
    runs = []
    for cbs in ([], [EMACB(.9)], [EMACB(.9, validate=False)]):
        learn = make_learner(cbs=[MetricsCB(), *cbs])
        learn.fit(2)
        runs.append(learn)
    states = [list(learn.model.state_dict().values()) for learn in runs]
    assert all(torch.equal(a, b) for other in states[1:] for a, b in zip(states[0], other))
    losses = [learn.cbs[0].history[-1]["valid_loss"] for learn in runs]
    assert losses[0] == losses[2] != losses[1]
    averaged = Learner(runs[1].cbs[1].average, runs[1].dls)
    assert abs(F.cross_entropy(*averaged.capture_preds()).item() - losses[1]) < 1e-6

def test_ema_gives_the_model_back_after_an_error():
    class Fail(Callback):
        def before_batch(self, learn):
            if not learn.training: raise RuntimeError("on purpose")
    learn = make_learner(cbs=[EMACB(), Fail()])
    model = learn.model
    with pytest.raises(RuntimeError): learn.fit(1)
    assert learn.model is model

def test_ema_goes_on_in_a_second_fit():
    ema = EMACB(.9)
    learn = make_learner(cbs=[ema])
    learn.fit(1)
    kept = ema.average
    learn.fit(1)
    assert ema.average is kept and ema.steps == 14 and not any(p.requires_grad for p in kept.parameters())

@pytest.mark.parametrize("decay", [-.1, 1., math.nan])
def test_bad_decay(decay):
    with pytest.raises(ValueError, match="decay is"): EMACB(decay)

def test_recalibrated_batchnorm_equals_torch(learn):
    learn.fit(1)
    learn.model.double()
    learn.dls.train = [(x.double(), y) for x, y in learn.dls.train]
    reference, learn.model[1].momentum = copy.deepcopy(learn.model), .2
    update_bn(learn.dls.train, reference)
    assert recalibrate_batchnorm(learn) is learn.model and learn.model[1].momentum == .2
    for ours, theirs in zip(learn.model.state_dict().values(), reference.state_dict().values()):
        assert torch.allclose(ours, theirs, rtol=1e-12)

def test_recalibration_leaves_dropout_off_and_the_modes():
    learn = make_learner(nn.Dropout(.5), nn.BatchNorm2d(4))
    learn.model.eval()
    torch.manual_seed(1)
    recalibrate_batchnorm(learn)
    once = copy.deepcopy(learn.model.state_dict())
    torch.manual_seed(2)
    recalibrate_batchnorm(learn.model, learn.dls.train)
    assert all(torch.equal(a, b) for a, b in zip(once.values(), learn.model.state_dict().values()))
    assert not any(m.training for m in learn.model.modules())

# -- calibration

@few
@given(st.integers(1, 20), st.integers(0, 1000), st.integers(1, 300))
def test_ece_equals_torchmetrics(bins, seed, n):
    z, y = logits(n, seed=seed)
    expected = MulticlassCalibrationError(5, n_bins=bins, norm="l1")(z.double().softmax(1), y)
    assert abs(ece(z, y, bins) - float(expected)) < 1e-6
    table = reliability(z, y, bins)
    assert table.shape == (bins, 3) and table[:, 2].sum() == n
    assert 0 <= ece(z, y, bins) <= 1

@few
@given(st.floats(.2, 8), st.integers(0, 1000))
def test_temperature_is_found(temperature, seed):
    z, _ = logits(4000, seed=seed)
    y = torch.multinomial(z.softmax(1), 1, generator=torch.Generator().manual_seed(seed))[:, 0]
    found, base = fit_temperature(z * temperature, y), fit_temperature(z, y)
    assert abs(base - 1) < .1 and abs(found / base - temperature) < 1e-4 * temperature
    loss = lambda t: F.cross_entropy(z.double() / t, y)
    assert loss(base) <= min(loss(.99 * base), loss(1.01 * base), loss(1))

def test_bins_are_of_equal_width_and_own_their_upper_edge():
    p = torch.tensor([[.75, .25], [.5, .5], [.51, .49], [1., 0.]], dtype=torch.float64)
    assert reliability(p.log(), torch.zeros(4).long(), 4)[:, 2].tolist() == [0, 1, 2, 1]
    assert reliability(p.log(), torch.ones(4).long(), 2)[1, 1] == 0

def test_temperature_without_a_minimum():
    z, y = logits()
    with pytest.raises(ValueError, match="no temperature"): fit_temperature(z, z.argmax(1))
    with pytest.raises(ValueError, match="no temperature"): fit_temperature(z, z.argmin(1))

@pytest.mark.parametrize("f", [ece, reliability, fit_temperature, confusion_matrix])
def test_scores_and_targets_must_fit(f):
    z, y = logits()
    for scores, targets in ((z, y[:-1]), (z[0], y), (z[:0], y[:0])):
        with pytest.raises(ValueError, match="scores has the shape"): f(scores, targets)
    with pytest.raises(ValueError, match="bins is 0"): ece(z, y, 0)

def test_confusion():
    z = torch.eye(3)[[0, 1, 1, 2]]
    assert confusion_matrix(z, torch.tensor([0, 1, 2, 2])).tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    with pytest.raises(ValueError, match="matrix has the shape"): plot_confusion(torch.zeros(2, 2), ["a"])

def test_class_names_are_no_formulas():
    "`$\\frac$` would stop matplotlib's text."
    z, y = logits()
    ax = plot_confusion(confusion_matrix(z, y), [r"$\frac$", "$5$", "a_b", "c", "d"])
    ax.figure.canvas.draw()
    assert [t.get_text() for t in ax.get_yticklabels()][:2] == [r"$\frac$", "$5$"]

def test_figures_are_labelled():
    z, y = logits()
    for ax in (plot_reliability(z, y), plot_confusion(confusion_matrix(z, y), list("abcde"))):
        assert ax.get_xlabel() and ax.get_ylabel()
