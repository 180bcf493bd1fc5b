"""What the notebooks 06, 07 and 08 cannot hold: every hyperparameter over its whole legal range against torch.optim, the
methods that PyTorch does not have against their papers' equations in NumPy, and what surrounds an optimizer."""
import copy, inspect, io, pickle
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, CyclicLR, LambdaLR, OneCycleLR, ReduceLROnPlateau, StepLR

from miniai.callbacks import ScheduleFreeCB
from miniai.data import DataLoaders
from miniai.learner import Callback, CancelFitException, Learner
from miniai.optim import (
    SGD, SOAP, Adadelta, Adagrad, Adam, AdamW, Lion, Muon, NAdam, RMSprop, ScheduleFreeAdamW, TensorList, orthogonalize)

N_STEPS = 300
LOOK = {1, 2, 3, 4, 6, 10, 20, 50, 99, 100, 101, 102, 120, 150, 151, 199, 200, 201, 202, 220, 250, 300}
SHAPES = (), (3,), (2, 3), (0, 2), (3, 2, 2, 2)      # the last one is channels_last
OURS = {cls.__name__: cls for cls in (SGD, Adagrad, RMSprop, Adadelta, Adam, AdamW, NAdam, Muon)}
ALL = OURS | dict(Lion=Lion, ScheduleFreeAdamW=ScheduleFreeAdamW, SOAP=SOAP)
ONE_BY_ONE = "Muon", "ScheduleFreeAdamW", "SOAP"             # they have no foreach
TORCH = {name: getattr(torch.optim, name) for name in OURS if hasattr(torch.optim, name)}


@pytest.fixture(autouse=True, scope="module")
def float64():
    "PyTorch keeps counts and NAdam's product in the default type."
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


# ---- equal to torch.optim: any legal hyperparameters, any gradients

def powers(low, high): return st.floats(low, high).map(lambda e: 10**e)

yes_or_no = st.booleans()
lrs = st.one_of(powers(-5, 0), powers(-5, 0), st.just(0.), powers(0, 6))
decays = st.one_of(st.just(0.), powers(-6, 0), powers(0, 3))
epsilons = st.one_of(st.just(0.), st.just(1e-30), st.just(1.), powers(-12, 2))
betas = st.one_of(st.floats(0, .999999), st.sampled_from([0., .9, .999, .999999]))
shares = st.one_of(st.floats(0, .9999), st.sampled_from([0., .5, .9, 1., 1.01]))   # momentum and alpha may exceed 1

try: SPECTRAL = ["spectral_unclamped"] * bool(torch.optim.Muon([torch.ones(2, 2)], adjust_lr_fn="spectral_unclamped"))
except (AttributeError, ValueError): SPECTRAL = []      # PyTorch's Muon has it since 2.11 or so

RANGES = dict(
    SGD=dict(lr=lrs, momentum=shares, dampening=st.one_of(st.just(0.), st.floats(-1, 2)), weight_decay=decays,
             nesterov=yes_or_no, maximize=yes_or_no),
    Adagrad=dict(lr=lrs, lr_decay=decays, weight_decay=decays, eps=epsilons, maximize=yes_or_no,
                 initial_accumulator_value=decays),
    RMSprop=dict(lr=lrs, alpha=shares, eps=epsilons, weight_decay=decays, momentum=shares, centered=yes_or_no,
                 maximize=yes_or_no),
    Adadelta=dict(lr=lrs, rho=st.floats(0, 1), eps=epsilons, weight_decay=decays, maximize=yes_or_no),
    Adam=dict(lr=lrs, betas=st.tuples(betas, betas), eps=epsilons, weight_decay=decays, amsgrad=yes_or_no,
              maximize=yes_or_no, decoupled_weight_decay=yes_or_no),
    AdamW=dict(lr=lrs, betas=st.tuples(betas, betas), eps=epsilons, weight_decay=decays, amsgrad=yes_or_no,
               maximize=yes_or_no),
    NAdam=dict(lr=lrs, betas=st.tuples(betas, betas), eps=epsilons, weight_decay=decays, momentum_decay=decays,
               maximize=yes_or_no, decoupled_weight_decay=yes_or_no),
    Muon=dict(lr=lrs, weight_decay=decays, momentum=shares, nesterov=yes_or_no, eps=epsilons,
              ns_coefficients=st.sampled_from([(3.4445, -4.775, 2.0315), (1.5, -.5, 0.), (2., -1.5, .5)]),
              ns_steps=st.integers(0, 7),
              adjust_lr_fn=st.sampled_from([None, "original", "match_rms_adamw", *SPECTRAL])))
# What asks for state that is begun with the first step, or is read only then: it stays as it was in the first group.
FROM_THE_START = "initial_accumulator_value", "centered", "amsgrad"


@st.composite
def runs(draw, name):
    "Hyperparameters of two groups, and those that each of them changes to after steps 120 and 220; kinds of gradients."
    known = inspect.signature(TORCH[name]).parameters
    ranges = {k: v for k, v in RANGES[name].items() if k in known}
    def hyperparameters(like=None):
        values = {k: draw(v) for k, v in ranges.items()}
        if like is not None:
            values |= {k: like[k] for k in FROM_THE_START if k in like}
            if name == "RMSprop" and not like["momentum"] * values["momentum"]: values["momentum"] = like["momentum"]
        if values.get("nesterov") and name == "SGD":
            if values["momentum"] == 0: values["nesterov"] = False
            else: values["dampening"] = 0.
        return values
    first = hyperparameters()
    second = hyperparameters(like=first if name == "Adagrad" else None)   # PyTorch begins every group as the first
    later = {at: [hyperparameters(like=like) for like in (first, second)] for at in (120, 220)}
    return dict(groups=(first, second), later=later,
                kind=draw(st.sampled_from(["ordinary", "ordinary", "tiny", "huge", "zeros", "mixed"])),
                missing=draw(st.sampled_from([0., .2, .9])), seed=draw(st.integers(0, 2**31)))


def gradient(rng, shape, kind):
    g = torch.randn(shape, generator=rng)
    if kind == "mixed": kind = ("ordinary", "tiny", "huge", "zeros")[torch.randint(4, (), generator=rng)]
    if kind == "tiny": g *= 10 ** (-30 + 18 * torch.rand(shape, generator=rng))
    if kind == "huge": g *= 1e12
    if kind == "zeros": g *= torch.rand(shape, generator=rng) < .3
    return g


class Contender:
    "An optimizer over parameters of its own in two groups, the second one given as a dict."
    def __init__(self, cls, starts, groups, **kwargs):
        self.params = [nn.Parameter(p.clone()) for p in starts]
        self.groups = [dict(params=self.params[::2]), dict(params=self.params[1::2], **groups[1])]
        self.hyperparameters = groups[0]
        self.become(cls, **kwargs)
    def become(self, cls, state_dict=None, **kwargs):
        "Go on as `cls`, from the state of before."
        self.opt = cls([dict(group) for group in self.groups], **self.hyperparameters, **kwargs)
        if state_dict is not None: self.opt.load_state_dict(state_dict)
        for group in self.opt.param_groups: group.update(kwargs)   # a loaded foreach would win
    def numbers(self):
        "Every parameter and every piece of state, by name."
        named = {}
        for i, p in enumerate(self.params):
            named[f"parameter {i}"] = p.detach()
            for key, value in self.opt.state.get(p, {}).items():
                if value is not None: named[f"{key} of parameter {i}"] = torch.as_tensor(value, dtype=p.dtype)
        return named


def saved(state_dict):
    "As it comes back from a file, read without trust."
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def check_equal(ours, theirs, where):
    "To 1e-12 relative, element for element; NaN equals NaN. What has never had a gradient may have no state yet."
    ours, theirs = ours.numbers(), theirs.numbers()
    for name in theirs.keys() - ours.keys():
        i = name.split()[-1]
        assert theirs.get(f"step of parameter {i}") == 0 and f"step of parameter {i}" not in ours, f"{where}: no {name}"
    assert not (more := ours.keys() - theirs.keys()), f"{where}: PyTorch has no {more}"
    a, b = (torch.cat([numbers[name].flatten() for name in ours]) for numbers in (ours, theirs))
    if (a == b).all(): return
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-12, atol=1e-300, equal_nan=True,
                                   msg=lambda m: f"{where}, {name}: {m}")


def race(name, run, n_steps=N_STEPS):
    "PyTorch's class beside ours, ours with foreach, and one that is handed over: ours, loaded, PyTorch's, ours again."
    rng = torch.Generator().manual_seed(run["seed"])
    shapes = [(4, 3), (2, 5), (3, 3)] if name == "Muon" else SHAPES
    starts = [torch.randn(shape, generator=rng) for shape in shapes]
    if starts[-1].ndim == 4: starts[-1] = starts[-1].to(memory_format=torch.channels_last)
    ours, begin = OURS[name], partial(Contender, starts=starts, groups=run["groups"])
    reference, contenders = begin(TORCH[name]), dict(plain=begin(ours), handed_over=begin(ours))
    together = {} if name == "Muon" else dict(foreach=True)
    if together: contenders["foreach"] = begin(ours, **together)
    handed = contenders["handed_over"]
    everyone = [reference, *contenders.values()]
    finite = None
    for step in range(1, n_steps + 1):
        for i, shape in enumerate(shapes):
            absent = torch.rand((), generator=rng) < run["missing"]
            g = None if absent else gradient(rng, shape, run["kind"])
            for one in everyone: one.params[i].grad = g
        for one in everyone: one.opt.step()
        if step in LOOK:
            for label, one in contenders.items(): check_equal(one, reference, f"{label}, step {step}")
        if step == 50: handed.become(ours, saved(handed.opt.state_dict()))
        if step == 100: handed.become(TORCH[name], saved(handed.opt.state_dict()))
        if step == 150: handed.become(ours, saved(handed.opt.state_dict()))
        if step == 200: handed.become(ours, saved(reference.opt.state_dict()), **together)
        for at, changed in run["later"].items():
            if step != at: continue
            for one in everyone:
                for group, hyperparameters in zip(one.opt.param_groups, changed): group.update(hyperparameters)
        if step == 3: finite = all(p.isfinite().all() for p in reference.params)
    return finite


slow = settings(derandomize=True, deadline=None, database=None, print_blob=False,
                phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


def over_the_range(name, examples):
    "Races over so many drawn sets of hyperparameters; a third of them must stay finite, else they show nothing."
    if name not in TORCH: pytest.skip(f"torch {torch.__version__} has no {name}")
    finite = []
    @settings(slow, max_examples=examples)
    @given(runs(name))
    def check(run): finite.append(race(name, run))
    check()
    assert sum(finite) > len(finite) / 3, "too many of the runs explode at once to show anything"


@pytest.mark.parametrize("name", OURS)
def test_equals_torch_in_its_legal_range(name): over_the_range(name, 2)   # tests/slow draws more


# One switch at a time, with sober values of the others: what hypothesis may draw seldom, or beside an explosion.
SWITCHES = dict(
    SGD=[{}, dict(momentum=.9), dict(momentum=.9, dampening=.5), dict(momentum=.9, nesterov=True), dict(momentum=1.),
         dict(weight_decay=.1), dict(momentum=.9, nesterov=True, weight_decay=.1, maximize=True)],
    Adagrad=[{}, dict(lr_decay=.1), dict(initial_accumulator_value=.1), dict(weight_decay=.1, maximize=True),
             dict(eps=.1)],
    RMSprop=[{}, dict(momentum=.9), dict(centered=True), dict(eps=.1), dict(alpha=0.), dict(alpha=1.),
             dict(momentum=.9, centered=True, weight_decay=.1, maximize=True)],
    Adadelta=[{}, dict(rho=0.), dict(rho=1.), dict(eps=.1), dict(lr=.1, weight_decay=.1, maximize=True)],
    Adam=[{}, dict(amsgrad=True, betas=(.9, .5)), dict(eps=.1), dict(betas=(0., 0.)), dict(betas=(.5, .999999)),
          dict(weight_decay=.1, maximize=True)],
    AdamW=[{}, dict(amsgrad=True, betas=(.9, .5)), dict(weight_decay=0.), dict(weight_decay=3., maximize=True)],
    NAdam=[{}, dict(momentum_decay=1.), dict(eps=.1), dict(weight_decay=.1, maximize=True),
           dict(weight_decay=.1, decoupled_weight_decay=True)],
    Muon=[{}, dict(nesterov=False), dict(momentum=0.), dict(adjust_lr_fn="match_rms_adamw"), dict(weight_decay=0.)])


@pytest.mark.parametrize("name, hyperparameters", [(name, each) for name in SWITCHES for each in SWITCHES[name]])
def test_equals_torch_switch_by_switch(name, hyperparameters):
    if name not in TORCH: pytest.skip(f"torch {torch.__version__} has no {name}")
    groups = (hyperparameters, dict(lr=.003) | hyperparameters)
    for kind in "ordinary", "tiny":
        assert race(name, dict(groups=groups, later={}, kind=kind, missing=.2, seed=1), n_steps=110)


@pytest.mark.parametrize("name", TORCH)
def test_defaults_and_arguments_are_torchs(name):
    "What both take, and its default; ours leaves out how PyTorch computes, and may add."
    theirs, ours = (inspect.signature(cls).parameters for cls in (TORCH[name], OURS[name]))
    left_out = set(theirs) - set(ours)
    assert left_out <= {"capturable", "differentiable", "fused"}
    for key in set(ours) & set(theirs): assert ours[key].default == theirs[key].default, key
    positional = lambda ps: [k for k, p in ps.items() if p.kind != p.KEYWORD_ONLY]
    shared = positional(theirs)
    assert positional(ours)[:len(shared)] == shared[:len(positional(ours))]


# ---- against the papers, in NumPy

def path(opt, p, grads):
    "A copy of the parameter after each step."
    for g in grads:
        p.grad = torch.from_numpy(g.copy())
        opt.step()
        yield p.detach().numpy().copy()


def drawn(seed, *shape, n=N_STEPS):
    rng = np.random.default_rng(seed)
    scale = 10. ** rng.uniform(-6, 2, size=(n,) + (1,) * len(shape))
    return rng.standard_normal(shape), rng.standard_normal((n, *shape)) * scale


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("lr, b1, b2, weight_decay", [
    (1e-2, .9, .99, 0.), (1e-3, .95, .98, 1.), (.1, 0., .5, .1), (.1, .5, 0., .1)])
def test_lion_is_the_papers(lr, b1, b2, weight_decay, maximize, foreach):
    "Chen et al. (2023), algorithm 2."
    theta, grads = drawn(1, 3, 2)
    p = nn.Parameter(torch.from_numpy(theta.copy()))
    opt, m = Lion([p], lr, (b1, b2), weight_decay, maximize=maximize, foreach=foreach), np.zeros_like(theta)
    for g, ours in zip(grads, path(opt, p, grads)):
        if maximize: g = -g
        c = b1 * m + (1 - b1) * g
        theta = theta - lr * (np.sign(c) + weight_decay * theta)
        m = b2 * m + (1 - b2) * g
        np.testing.assert_allclose(ours, theta, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(opt.state[p]["exp_avg"].numpy(), m, rtol=1e-10, atol=1e-300)


def test_lion_stays_where_there_is_no_gradient():
    p = nn.Parameter(torch.ones(2)); p.grad = torch.tensor([0., 1.])
    Lion([p], .1).step()
    assert p.tolist() == [1., .9]


def newton_schulz(matrix, steps, a, b, c, eps):
    "The quintic on the singular values: their vectors stay."
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    s = s / max(np.sqrt((s**2).sum()), eps)
    for _ in range(steps): s = a * s + b * s**3 + c * s**5
    return u * s @ vt


@pytest.mark.parametrize("shape", [(4, 3), (3, 5), (4, 2, 3, 3), (40, 2, 3, 3)])
@pytest.mark.parametrize("lr, momentum, nesterov, weight_decay, maximize, adjust, factor", [
    (.1, .95, True, 0., False, None, lambda rows, columns: np.sqrt(max(1, rows / columns))),
    (.01, .5, False, .5, False, "original", lambda rows, columns: np.sqrt(max(1, rows / columns))),
    (.01, .8, False, 0., False, "spectral_unclamped", lambda rows, columns: np.sqrt(rows / columns)),
    (.01, .9, True, 2., True, "match_rms_adamw", lambda rows, columns: .2 * np.sqrt(max(rows, columns)))])
def test_muon_is_its_description(shape, lr, momentum, nesterov, weight_decay, maximize, adjust, factor):
    "Jordan et al. (2024): B = μB + G; the update is NewtonSchulz5(B), or with Nesterov of G + μB; kernels are flat."
    theta, grads = drawn(2, *shape)
    p = nn.Parameter(torch.from_numpy(theta.copy()))
    opt = Muon([p], lr, weight_decay, momentum, nesterov, adjust_lr_fn=adjust, maximize=maximize, dtype=torch.float64)
    rows, columns = shape[0], int(np.prod(shape[1:]))
    B = np.zeros((rows, columns))
    for g, ours in zip(grads, path(opt, p, grads)):
        g = g.reshape(rows, columns) * (-1 if maximize else 1)
        B = momentum * B + g
        O = newton_schulz(g + momentum * B if nesterov else B, 5, 3.4445, -4.7750, 2.0315, 1e-7)
        theta = (1 - lr * weight_decay) * theta - lr * factor(rows, columns) * O.reshape(shape)
        np.testing.assert_allclose(ours, theta, rtol=1e-9, atol=1e-10)
        buffer = opt.state[p]["momentum_buffer"].reshape(rows, columns) / (1 - momentum)
        np.testing.assert_allclose(buffer, B, rtol=1e-10)


@pytest.mark.parametrize("rows, columns", [(6, 4), (4, 6), (5, 5)])
def test_orthogonalize(rows, columns):
    g = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(orthogonalize(g, 3, (2., -1.5, .5), dtype=torch.float64),
                               newton_schulz(g.numpy(), 3, 2., -1.5, .5, 1e-7), rtol=1e-9, atol=1e-12)
    small = orthogonalize(g * 1e-9, 1, (1., 0., 0.), eps=1e-3, dtype=torch.float64)
    np.testing.assert_allclose(small, g * 1e-6, rtol=1e-9)
    singular = torch.linalg.svdvals(orthogonalize(g, 12, (1.5, -.5, 0.), dtype=torch.float64))
    assert singular[-2] > .9 and singular[0] < 1.001, "this polynomial converges to 1"
    assert orthogonalize(g).dtype == torch.bfloat16 and not orthogonalize(torch.zeros(2, 3)).any()


@pytest.mark.parametrize("lr, b1, b2, eps, weight_decay, warmup, maximize", [
    (1e-2, .9, .999, 1e-8, 0., 0, False), (1e-2, .9, .95, 1e-8, .1, 40, False), (.1, .5, .9, 1e-3, .01, 1, True),
    (1e-3, .98, .5, 1e-2, 1., 400, True)])
def test_schedule_free_is_the_papers(lr, b1, b2, eps, weight_decay, warmup, maximize):
    "Defazio et al. (2024), algorithm 1, in its three sequences; v̂ is corrected, as in its authors' code."
    start, grads = drawn(3, 4)
    p = nn.Parameter(torch.from_numpy(start.copy()))
    opt = ScheduleFreeAdamW([p], lr, (b1, b2), eps, weight_decay, warmup, maximize=maximize)
    z, x, v, total = start.copy(), start.copy(), np.zeros_like(start), 0.
    for t, g in enumerate(grads, 1):
        y = (1 - b1) * z + b1 * x
        np.testing.assert_allclose(p.detach(), y, rtol=1e-9, atol=1e-11)
        p.grad = torch.from_numpy(g.copy())
        opt.step()
        if maximize: g = -g
        rate = lr * (min(1, t / warmup) if warmup else 1)
        v = b2 * v + (1 - b2) * g**2
        z = z - rate * g / (np.sqrt(v / (1 - b2**t)) + eps) - rate * weight_decay * y
        total += rate**2
        x = (1 - rate**2 / total) * x + rate**2 / total * z
        if t in LOOK:
            opt.eval()
            np.testing.assert_allclose(p.detach(), x, rtol=1e-9, atol=1e-11)
            opt.train()
    np.testing.assert_allclose(opt.state[p]["z"], z, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(opt.state[p]["exp_avg_sq"], v, rtol=1e-10)
    assert opt.state[p]["weight_sum"] == pytest.approx(total, rel=1e-12)


def test_schedule_free_weighs_by_the_rate_where_that_changes():
    start, grads = drawn(4, 3)
    p = nn.Parameter(torch.from_numpy(start.copy()))
    opt = ScheduleFreeAdamW([p], 0., eps=1e-3)
    z, x, v, total = start.copy(), start.copy(), 0., 0.
    for t, g in enumerate(grads, 1):
        opt.param_groups[0]["lr"] = rate = (0., 1e-200, .01, .03, 0.)[t // 60 % 5]
        p.grad = torch.from_numpy(g)
        opt.step()
        v = .999 * v + .001 * g**2
        z = z - rate * g / (np.sqrt(v / (1 - .999**t)) + 1e-3)
        total += rate**2
        x = x + (rate**2 / total if total else 0) * (z - x)
    opt.eval()
    np.testing.assert_allclose(p.detach(), x, rtol=1e-9, atol=1e-11)


class SoapPaper:
    "Vyas et al. (2024), algorithm 3; as in their code the first gradient only sets up the bases, which are handed over."
    def __init__(self, theta, grad, bases, lr, b1, b2, eps, weight_decay, every):
        self.shape, self.theta, self.t = theta.shape, as_matrix(theta), 0
        self.numbers, self.every, self.bases = (lr, b1, b2, eps, weight_decay), every, bases
        self.M, self.V = np.zeros_like(self.theta), np.zeros_like(self.theta)
        self.grams = [(1 - b2) * side @ side.T for side in (as_matrix(grad), as_matrix(grad).T)]
    def turn(self, x):
        left, right = self.bases
        return left.T @ x @ right
    def step(self, g):
        lr, b1, b2, eps, weight_decay = self.numbers
        (left, right), G, self.t = self.bases, as_matrix(g), self.t + 1
        self.M = b1 * self.M + (1 - b1) * G
        self.V = b2 * self.V + (1 - b2) * self.turn(G)**2
        m_hat, v_hat = self.turn(self.M) / (1 - b1**self.t), self.V / (1 - b2**self.t)
        self.theta = (1 - lr * weight_decay) * self.theta - lr * left @ (m_hat / (np.sqrt(v_hat) + eps)) @ right.T
        self.grams = [b2 * gram + (1 - b2) * side @ side.T for gram, side in zip(self.grams, (G, G.T))]
        if self.t % self.every: return
        self.bases = [q if kept else np.linalg.qr(gram @ q)[0] for q, gram, kept in zip(self.bases, self.grams, self.kept)]


def as_matrix(x): return x.reshape(len(x), -1) if x.ndim > 1 else x.reshape(-1, 1)


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("shape, longest", [
    ((1,), 100), ((4,), 100), ((4, 4), 100), ((3, 5), 100), ((5, 3), 100), ((4, 2, 3, 1), 100), ((3, 2, 2, 2), 100),
    ((3, 5), 4), ((5, 3), 4), ((3, 5), 5), ((4, 4), 0)])
@pytest.mark.parametrize("lr, b1, b2, eps, weight_decay, every", [(3e-3, .95, .95, 1e-8, .01, 10), (.01, .5, .9, 1e-3, 0., 3)])
def test_soap_is_the_papers(shape, longest, lr, b1, b2, eps, weight_decay, every, maximize):
    "Every parameter and every piece of state over 300 steps; a side that is too long, or of a vector, keeps its axes."
    rng = np.random.default_rng(6)
    theta, grads = rng.standard_normal(shape), rng.standard_normal((N_STEPS, *shape)) + rng.standard_normal(shape)
    p = nn.Parameter(torch.from_numpy(theta.copy()).reshape(shape))
    opt = SOAP([p], lr, (b1, b2), eps, weight_decay, every, longest, maximize=maximize)
    steps = path(opt, p, grads)
    np.testing.assert_array_equal(next(steps), theta, "the first step only measures")
    state, sign = opt.state[p], -1 if maximize else 1
    sides = [("left", as_matrix(grads[0])), ("right", as_matrix(grads[0]).T)]
    kept = [len(shape) < 2 or len(side) > longest for _, side in sides]
    assert [f"{name}_basis" not in state for name, _ in sides] == kept
    bases = [np.eye(len(side)) if k else state[f"{name}_basis"].numpy().copy() for (name, side), k in zip(sides, kept)]
    for q, (_, side), k in zip(bases, sides, kept):          # eigenvectors, those of the largest values first
        inside = q.T @ side @ side.T @ q
        np.testing.assert_allclose(q.T @ q, np.eye(len(q)), atol=1e-12)
        if not k: np.testing.assert_allclose(inside, np.diag(np.sort(np.diag(inside))[::-1]), atol=1e-12)
    paper = SoapPaper(theta, sign * grads[0], bases, lr, b1, b2, eps, weight_decay, every)
    paper.kept = kept
    for g, ours in zip(grads[1:], steps):
        paper.step(sign * g)
        np.testing.assert_allclose(as_matrix(ours), paper.theta, rtol=1e-8, atol=1e-9)
    for name, theirs in (("exp_avg", paper.M), ("exp_avg_sq", paper.V)):
        np.testing.assert_allclose(as_matrix(state[name].numpy()), theirs, rtol=1e-7, atol=1e-9)
    for (name, _), gram, basis, k in zip(sides, paper.grams, paper.bases, kept):
        if k: continue
        np.testing.assert_allclose(state[name], gram, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(state[f"{name}_basis"], basis, rtol=1e-7, atol=1e-8)


def test_soap_turns_with_the_problem_and_adam_does_not():
    turn = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0))).Q
    grads = torch.randn(100, 4, 3, generator=torch.Generator().manual_seed(1))
    def end(cls, rows):
        p = nn.Parameter(torch.zeros(4, 3))
        opt = cls([p], lr=.01, weight_decay=0.)
        for g in grads:
            p.grad = rows @ g
            opt.step()
        return p.detach()
    eye = torch.eye(4)
    assert (end(AdamW, turn) - turn @ end(AdamW, eye)).abs().max() > .01
    assert (end(SOAP, turn) - turn @ end(SOAP, eye)).abs().max() < 1e-6


def test_soap_keeps_its_bases_in_float32_at_least():
    "After loading too, where PyTorch gives all state the parameter's type."
    p = nn.Parameter(torch.ones(4, 4, dtype=torch.bfloat16))
    opt = SOAP([p], lr=.01)
    for i, g in enumerate(torch.randn(24, 4, 4, generator=torch.Generator().manual_seed(0))):
        if i == 7:
            state = saved(opt.state_dict())
            opt = SOAP([p], lr=.01)
            opt.load_state_dict(state)
        p.grad = g.bfloat16()
        opt.step()
    assert p.isfinite().all() and opt.state[p]["left_basis"].dtype == opt.state[p]["right"].dtype == torch.float32


@pytest.mark.parametrize("name, value", [
    ("precondition_frequency", 0), ("precondition_frequency", 2.5), ("precondition_frequency", True),
    ("max_precond_dim", -1), ("max_precond_dim", .5), ("lr", -1.), ("eps", -1e-8), ("weight_decay", -.1),
    ("betas", (1., .9)), ("betas", (.9, float("nan")))])
def test_soap_refuses(name, value):
    with pytest.raises((ValueError, TypeError), match=name if name != "lr" else "lr|learning"):
        SOAP([nn.Parameter(torch.ones(2, 2))], **{name: value})


@pytest.mark.parametrize("cls", [Lion, partial(Muon, dtype=torch.float64), ScheduleFreeAdamW, SOAP])
def test_those_without_a_twin_go_on_from_their_state_dict(cls):
    start, grads = drawn(5, 3, 2, n=60)
    def go(save_at):
        p = nn.Parameter(torch.from_numpy(start.copy()))
        opt = cls([p], lr=.01)
        for i, g in enumerate(grads):
            if i == save_at:
                state = saved(opt.state_dict())
                opt = cls([p], lr=9.)
                opt.load_state_dict(state)
            p.grad = torch.from_numpy(g)
            opt.step()
        return p
    assert torch.equal(go(30), go(None))


# ---- refusals

ADAPTIVE = "Adagrad", "RMSprop", "Adadelta", "Adam", "AdamW", "NAdam"
BAD = [*[(name, dict([bad])) for name in ALL for bad in [("lr", -1.), ("lr", -1e-30), ("weight_decay", -.1)]],
       *[(name, dict(eps=-1e-8)) for name in (*ADAPTIVE, "ScheduleFreeAdamW")],
       *[(name, dict(betas=pair)) for name in ("Adam", "AdamW", "NAdam", "Lion", "ScheduleFreeAdamW")
         for pair in [(-.1, .9), (1., .9), (.9, -.1), (.9, 1.), (1.5, .9), (float("nan"), .9), (.9, float("nan"))]],
       *[(name, dict(lr=float("nan"))) for name in (*ADAPTIVE, "Muon")],
       *[(name, dict(momentum=-.1)) for name in ("SGD", "RMSprop", "Muon")], ("RMSprop", dict(alpha=-.1)),
       ("Adagrad", dict(lr_decay=-.1)), ("Adagrad", dict(initial_accumulator_value=-.1)),
       ("Adadelta", dict(rho=-.1)), ("Adadelta", dict(rho=1.1)), ("NAdam", dict(momentum_decay=-.1)),
       ("Muon", dict(adjust_lr_fn="other")), ("ScheduleFreeAdamW", dict(betas=(0., .9))),
       ("ScheduleFreeAdamW", dict(warmup_steps=-1)),
       ("SGD", dict(nesterov=True)), ("SGD", dict(nesterov=True, momentum=.9, dampening=.1))]


def matrix(value=1.):
    p = nn.Parameter(torch.full((2, 3), value))
    p.grad = torch.ones_like(p)
    return p


@pytest.mark.parametrize("name, bad", BAD)
def test_bad_hyperparameters_are_refused_as_torch_does(name, bad):
    if name in TORCH:
        with pytest.raises(ValueError): TORCH[name]([matrix()], **bad)
    argument, value = next(iter(bad.items()))
    with pytest.raises(ValueError, match=argument) as error: ALL[name]([matrix()], **bad)
    if argument == "nesterov": value = f"{bad.get('momentum', 0.)} and {bad.get('dampening', 0.)}"
    assert str(value) in str(error.value)
    with pytest.raises(ValueError, match=argument): ALL[name]([dict(params=[matrix()], **bad)])


@pytest.mark.parametrize("name", ALL)
def test_a_refused_group_leaves_the_optimizer_as_it_was(name):
    p, extra = matrix(), matrix()
    opt = ALL[name]([p], lr=.1)
    opt.step()
    before, at = copy.deepcopy(opt.state_dict()), p.detach().clone()
    imaginary = nn.Parameter(torch.ones(2, 2, dtype=torch.complex128))
    refused = [(ValueError, dict(params=[extra], lr=-1.)), (ValueError, dict(params=[extra], lr="fast")),
               (ValueError, dict(params=[p])), (ValueError, dict(params=[imaginary]))]
    if name == "Muon": refused.append((ValueError, dict(params=[nn.Parameter(torch.ones(3))])))
    for error, group in refused:
        with pytest.raises(error): opt.add_param_group(group)
        after = opt.state_dict()
        assert str(after["param_groups"]) == str(before["param_groups"])
        assert after["state"].keys() == before["state"].keys()
        assert torch.equal(p.detach(), at) and len(opt.state) == 1
    opt.add_param_group(dict(params=[extra], lr=.2))
    for _ in range(2): opt.step()                        # SOAP's first step only measures
    assert opt.param_groups[1]["lr"] == .2 and not torch.equal(extra.detach(), torch.ones(2, 3))


def test_muon_names_what_it_cannot_take():
    with pytest.raises(ValueError, match=r"shape \[3\].*2 dimensions"): Muon([matrix(), nn.Parameter(torch.ones(3))])
    if "Muon" in TORCH:
        with pytest.raises(ValueError): TORCH["Muon"]([matrix(), nn.Parameter(torch.ones(3))])


@pytest.mark.parametrize("name", ALL)
def test_sparse_gradients_are_refused_before_anything_changes(name):
    p, rows = matrix(), nn.Embedding(4, 3, sparse=True)
    opt = ALL[name]([dict(params=[p]), dict(params=rows.parameters(), lr=.1)])
    rows(torch.tensor([1, 2])).sum().backward()
    before = rows.weight.detach().clone()
    with pytest.raises(RuntimeError, match=f"{name} takes no sparse gradients: use sparse=False"): opt.step()
    assert torch.equal(p.detach(), torch.ones(2, 3)) and torch.equal(rows.weight.detach(), before) and not opt.state
    rows.weight.grad = rows.weight.grad.to_dense()
    for _ in range(2): opt.step()                        # SOAP's first step only measures
    assert not torch.equal(p.detach(), torch.ones(2, 3)) and not torch.equal(rows.weight.detach(), before)


@pytest.mark.parametrize("cls, group, missing", [
    (RMSprop, dict(momentum=.9), "momentum_buffer"), (RMSprop, dict(centered=True), "grad_avg"),
    (Adam, dict(amsgrad=True), "max_exp_avg_sq")])
@pytest.mark.parametrize("foreach", [False, True])
def test_a_switch_that_needs_state_which_is_not_there(cls, group, missing, foreach):
    "As PyTorch's: the step is refused and names what is missing; the parameters stay."
    for each in (cls, TORCH[cls.__name__]):
        p = matrix()
        opt = each([p], foreach=foreach)
        opt.step()
        at = p.detach().clone()
        opt.param_groups[0].update(group)
        with pytest.raises(KeyError, match=missing): opt.step()
        assert torch.equal(p.detach(), at)


def test_sgds_momentum_may_begin_later():
    "Its buffer begins with the gradient of that step, as in PyTorch."
    ends = []
    for cls in SGD, torch.optim.SGD:
        p = matrix()
        opt = cls([p], lr=.1)
        for momentum in 0., .9, .5, 0., .9:
            opt.param_groups[0]["momentum"] = momentum
            opt.step()
        ends.append(p.detach())
    assert torch.equal(*ends)


# ---- what surrounds an optimizer

def quadratic(p): return (p**2 * torch.arange(1., p.numel() + 1).view_as(p)).sum()


@pytest.mark.parametrize("name", ALL)
def test_closure(name):
    p = matrix(); p.grad = None
    opt = ALL[name]([p], lr=.01)
    def closure():
        opt.zero_grad()
        loss = quadratic(p)
        assert torch.is_grad_enabled()
        loss.backward()
        return loss
    losses = [opt.step(closure).item() for _ in range(20)]
    assert losses[0] == 21. and losses[-1] < 21.
    assert opt.step() is None and torch.is_grad_enabled()


SCHEDULES = dict(
    step=lambda opt: StepLR(opt, 5), one_cycle=lambda opt: OneCycleLR(opt, [.1, .3], total_steps=60),
    cosine=lambda opt: CosineAnnealingLR(opt, 60),
    by_group=lambda opt: LambdaLR(opt, [lambda i: .9**i, lambda i: 1 + i / 10]),
    cyclic=lambda opt: CyclicLR(opt, .01, .1, 7, cycle_momentum="momentum" in opt.defaults),
    plateau=lambda opt: ReduceLROnPlateau(opt, patience=2))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name, hyperparameters", [
    ("SGD", dict(momentum=.9)), ("RMSprop", dict(momentum=.9)), ("Adam", {}), ("AdamW", {}), ("NAdam", {})])
def test_torchs_schedules_drive_ours_as_theirs(name, hyperparameters, schedule):
    def go(cls):
        rng = torch.Generator().manual_seed(0)
        ps = [matrix(), matrix(2.)]
        opt = cls([dict(params=ps[:1]), dict(params=ps[1:], lr=.02)], lr=.01, **hyperparameters)
        scheduler = SCHEDULES[schedule](opt)
        seen = []
        for i in range(60):
            for p in ps: p.grad = torch.randn(p.shape, generator=rng)
            opt.step()
            scheduler.step(*[1.] * (schedule == "plateau"))
            seen.append([(group["lr"], group.get("momentum"), group.get("betas")) for group in opt.param_groups])
        return ps, seen
    (ours, seen), (theirs, their_seen) = go(OURS[name]), go(TORCH[name])
    assert seen == their_seen and len(set(map(str, seen))) > 3
    if schedule == "one_cycle": assert len({str(each[0][1:]) for each in seen}) > 20, "momentum or betas are cycled too"
    for p, q in zip(ours, theirs): torch.testing.assert_close(p, q, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["Adagrad", "Adadelta", "Muon", "Lion", "ScheduleFreeAdamW"])
def test_torchs_schedules_drive_the_others(name):
    p = matrix()
    opt = ALL[name]([p], lr=1.)
    scheduler = StepLR(opt, 2, .1)
    rates = []
    for _ in range(6): opt.step(); scheduler.step(); rates.append(opt.param_groups[0]["lr"])
    assert rates == pytest.approx([1., .1, .1, .01, .01, .001])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_go_on_alone(name, duplicate):
    p = matrix()
    opt = ALL[name]([p], lr=.1)
    opt.step(); opt.step()
    q, twin = duplicate((p, opt))
    p.grad, q.grad, at = torch.arange(6.).view(2, 3), torch.arange(6.).view(2, 3), p.detach().clone()
    twin.step()
    assert torch.equal(p.detach(), at) and not torch.equal(q.detach(), at)
    opt.step()
    assert torch.equal(p.detach(), q.detach()) and opt.state[p] is not twin.state[q]


@pytest.mark.parametrize("name", ALL)
def test_parameters_in_any_form(name):
    "A generator, dicts of generators, one tensor in a dict, names beside the tensors."
    def model():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False))
        net(torch.ones(2, 3)).square().sum().backward()
        return net
    ends = []
    for form in (lambda net: net.parameters(), lambda net: [dict(params=layer.parameters()) for layer in net],
                 lambda net: [dict(params=layer.weight) for layer in net], lambda net: net.named_parameters()):
        net = model()
        opt = ALL[name](form(net), lr=.1)
        for _ in range(3): opt.step()
        ends.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert opt.param_groups[0]["param_names"] == ["0.weight", "1.weight"]
    assert opt.state_dict()["param_groups"][0]["param_names"] == ["0.weight", "1.weight"]
    for other in ends[1:]: assert torch.equal(other, ends[0])
    with pytest.raises(ValueError): ALL[name]([])


@pytest.mark.parametrize("name", ALL)
def test_hooks_run_once_a_step(name):
    seen, p = [], matrix()
    opt = ALL[name]([p])
    opt.register_step_pre_hook(lambda opt, args, kwargs: seen.append("before"))
    opt.register_step_post_hook(lambda opt, args, kwargs: seen.append("after"))
    opt.step(); opt.step()
    assert seen == ["before", "after"] * 2
    opt.register_state_dict_post_hook(lambda opt, state_dict: seen.append("saved"))
    opt.register_load_state_dict_post_hook(lambda opt: seen.append("loaded"))
    opt.load_state_dict(opt.state_dict())
    assert seen[4:] == ["saved", "loaded"]


@pytest.mark.parametrize("name", ALL)
def test_grad_scaler_skips_what_is_not_finite(name):
    p, twin = (nn.Parameter(torch.ones(2, 3, dtype=torch.float32)) for _ in range(2))
    opt, plain = (ALL[name]([each], lr=.01) for each in (p, twin))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.)
    for i in range(4):
        for each in opt, plain: each.zero_grad()
        scaler.scale(quadratic(p)).backward()
        quadratic(twin).backward()
        if i == 2: p.grad[0, 0] = float("inf")
        else: plain.step()
        scaler.step(opt)
        scaler.update()
        torch.testing.assert_close(p, twin)
    assert scaler.get_scale() == 512. and opt.state[p].get("step", 3) == 3


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_parameters_of_lower_precision(name, dtype):
    "They and their state keep their type, go together by type, and follow float64 as far as the type reaches."
    together = {} if name in ONE_BY_ONE else dict(foreach=True)
    start = torch.tensor([[1., 2., -3.], [.5, -1., 4.]])
    p, exact = (nn.Parameter(start.to(each, copy=True)) for each in (dtype, torch.float64))
    opt = ALL[name]([p, exact], lr=.02, **together)
    for i in range(10):
        g = torch.randn(2, 3, generator=torch.Generator().manual_seed(i)).to(dtype)
        p.grad, exact.grad = g, g.to(torch.float64)
        opt.step()
    of_p = {key: v.dtype for key, v in opt.state[p].items() if isinstance(v, torch.Tensor)}
    sides = {key for key in of_p if key.startswith(("left", "right"))}          # SOAP's: QR has no lower type
    assert p.dtype == dtype and all(of_p[key] == (torch.float32 if key in sides else dtype) for key in of_p)
    tolerance = 1e-4 if dtype == torch.float32 else .05
    torch.testing.assert_close(p.double(), exact, rtol=tolerance, atol=tolerance)
    if name in TORCH and name != "NAdam" and dtype != torch.float16:
        q = nn.Parameter(start.to(dtype, copy=True))
        theirs = TORCH[name]([q], lr=.02, **together)
        for i in range(10):
            q.grad = torch.randn(2, 3, generator=torch.Generator().manual_seed(i)).to(dtype)
            theirs.step()
        assert torch.equal(p, q)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "NAdam"])
def test_lr_may_be_a_tensor(name):
    ends = []
    for cls in OURS[name], TORCH[name]:
        p = matrix()
        opt = cls([p], lr=torch.tensor(.1))
        for _ in range(3): opt.step()
        ends.append(p.detach())
    torch.testing.assert_close(*ends, rtol=1e-12, atol=0)


def test_maximize_climbs():
    for name, cls in ALL.items():
        p = matrix()
        opt = cls([p], lr=.1, maximize=True, weight_decay=0.)
        for _ in range(2): opt.step()    # SOAP's first step only measures
        assert (p.detach() > 1).all(), name


@pytest.mark.parametrize("cls", [SGD, Adam])
def test_foreach_takes_together_what_agrees(cls):
    "In type and step count: each list that the rule sees is of one type."
    seen = []
    def update(self, p, g, state, **hyperparameters):
        assert isinstance(p, TensorList) and isinstance(g, TensorList) and len(p) == len(g)
        seen.append((len(p), {t.dtype for t in (*p, *g)}))
        return cls.update(self, p, g, state, **hyperparameters)
    update.__signature__ = inspect.signature(cls.update)
    Watched = type("Watched", (cls,), dict(update=update))
    ps = [nn.Parameter(torch.ones(2, dtype=dtype)) for dtype in [torch.float32] * 3 + [torch.float64] * 2]
    opt = Watched(ps, foreach=True, **dict(momentum=.9) if cls is SGD else {})
    for p in ps: p.grad = torch.ones_like(p)
    ps[0].grad = None
    opt.step()
    assert sorted(n for n, _ in seen) == [2, 2] and all(len(dtypes) == 1 for _, dtypes in seen)
    seen.clear(); ps[0].grad = torch.ones_like(ps[0])
    opt.step()
    assert sorted(n for n, _ in seen) == [1, 2, 2] and all(len(dtypes) == 1 for _, dtypes in seen)


@pytest.mark.parametrize("name", ["Adam", "NAdam"])
def test_counts_of_torchs_state_become_numbers(name):
    "Which the rules compute with, and which tell whose steps agree."
    p = matrix()
    theirs, ours = TORCH[name]([p]), OURS[name]([p])
    theirs.step()
    ours.load_state_dict(theirs.state_dict())
    assert ours.state[p]["step"] == 1 and not any(isinstance(ours.state[p].get(key), torch.Tensor)
                                                  for key in ("step", "mu_product"))


def test_gradients_are_left_as_they_are():
    for name, cls in ALL.items():
        for more in [dict(weight_decay=.1, maximize=True)] + [dict(foreach=True)] * (name not in ONE_BY_ONE):
            p = matrix()
            opt = cls([p], **more)
            if "momentum" in opt.defaults: opt.param_groups[0]["momentum"] = .9 if name != "RMSprop" else 0.
            for _ in range(3): opt.step()
            assert torch.equal(p.grad, torch.ones(2, 3)), name


def test_a_frozen_parameter_has_no_state_and_does_not_move():
    for name, cls in ALL.items():
        p, frozen = matrix(), matrix()
        frozen.grad = None
        opt = cls([p, frozen], weight_decay=.5)
        opt.step()
        assert torch.equal(frozen.detach(), torch.ones(2, 3)) and frozen not in opt.state, name


def test_tensor_list():
    a, b = TensorList([torch.ones(2), torch.ones(3)]), TensorList([torch.arange(2.), torch.arange(3.)])
    c = a.clone()
    assert a.add_(b, alpha=2) is a and [t.tolist() for t in a] == [[1, 3], [1, 3, 5]]
    assert [t.tolist() for t in c] == [[1, 1], [1, 1, 1]] and isinstance(a.sqrt(), TensorList)
    with pytest.raises(AttributeError): a.no_such_thing
    assert copy.copy(a)[0] is a[0] and len(pickle.loads(pickle.dumps(a))) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("name", ALL)
def test_on_a_gpu_all_together_is_the_same(name):
    ends = []
    for device, more in [("cpu", {}), ("cuda", {})] + [("cuda", dict(foreach=False))] * (name not in ONE_BY_ONE):
        rng = torch.Generator().manual_seed(0)
        ps = [nn.Parameter(torch.randn(shape, generator=rng).to(device)) for shape in [(2, 3), (4, 5), (3, 3)]]
        opt = ALL[name](ps, lr=.01, **more, **(dict(dtype=torch.float64) if name == "Muon" else {}))
        for step in range(50):
            for i, p in enumerate(ps):
                p.grad = None if step % 5 == i else torch.randn(p.shape, generator=rng).to(device)
            opt.step()
        ends.append(torch.cat([p.detach().cpu().flatten() for p in ps]))
    for other in ends[1:]: torch.testing.assert_close(other, ends[0], rtol=1e-9, atol=1e-9)


# ---- Schedule-Free's two faces

def test_schedule_free_holds_the_average_in_eval_and_comes_back():
    p = matrix()
    opt = ScheduleFreeAdamW([p], lr=.1)
    for i in range(10):
        p.grad = torch.randn(2, 3, generator=torch.Generator().manual_seed(i))
        opt.step()
    y = p.detach().clone()
    opt.eval()
    x = p.detach().clone()
    assert (x - y).abs().max() > 1e-3
    opt.eval()
    assert torch.equal(p.detach(), x), "twice is once"
    with pytest.raises(RuntimeError, match=r"train\(\)"): opt.step()
    assert torch.equal(p.detach(), x) and opt.state[p]["step"] == 10
    state = saved(opt.state_dict())
    q = nn.Parameter(x.clone()); q.grad = p.grad.clone()
    again = ScheduleFreeAdamW([q])
    again.load_state_dict(state)
    with pytest.raises(RuntimeError): again.step()
    for each in opt, again: each.train(); each.train()
    torch.testing.assert_close(p.detach(), y, rtol=1e-12, atol=1e-14)
    opt.step(); again.step()
    assert torch.equal(p, q)


@pytest.mark.parametrize("ends_early", [False, True])
def test_schedule_free_in_a_learner(ends_early):
    "Trained at y, validated at x, and x is what the model is left with."
    class Watch(Callback):
        order = 100
        def __init__(self): self.seen = []
        def before_batch(self, learn):
            group, w = learn.opt.param_groups[0], learn.model.weight
            assert group["training"] == learn.training
            if ends_early and len(self.seen) == 6: raise CancelFitException()
            z = learn.opt.state[w]["z"].clone() if w in learn.opt.state else None
            self.seen.append((learn.training, w.detach().clone(), z))
    torch.manual_seed(0)
    batch = lambda: (torch.randn(8, 3), torch.randint(2, (8,)))
    watch = Watch()
    learn = Learner(nn.Linear(3, 2), DataLoaders([batch() for _ in range(4)], [batch()]), lr=.1,
                    opt_func=ScheduleFreeAdamW, cbs=[ScheduleFreeCB(), watch])
    learn.fit(2)
    assert [training for training, *_ in watch.seen] == ([True] * 4 + [False] + [True] * 4 + [False])[:len(watch.seen)]
    assert not learn.opt.param_groups[0]["training"]
    w = learn.model.weight.detach()
    if not ends_early:
        assert torch.equal(w, watch.seen[-1][1])
        with torch.no_grad(): y = w.lerp(learn.opt.state[learn.model.weight]["z"], .1)
        assert (w - y).abs().max() > 1e-3
    (_, y, z), (_, x, _) = watch.seen[5], watch.seen[4]
    torch.testing.assert_close(y, x.lerp(z, .1), rtol=1e-12, atol=1e-14)
