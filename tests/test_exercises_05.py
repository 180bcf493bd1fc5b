"""What the notebook 05_momentum shows only in part: its checkers let every right answer through, whatever its form, and
name the mistake in every wrong one; `same_as_torch` sees a rule that is off by a sign or a step."""
import pytest
import torch

from miniai.exercises.momentum import check_largest_stable_lr, check_nesterov, check_to_torch, check_unbiased_average
from miniai.lab.proofs import same_as_torch
from miniai.optim import SGD, GaussianNoise, fading_average


def rejects(check, wrong, why):
    with pytest.raises(AssertionError, match=why): check(wrong)


# 1 · averages ----------------------------------------------------------------------------------------------------------
def times(values): return torch.arange(1, len(values) + 1, dtype=values.dtype)

def weighted(values, beta):
    "Right, by another way: an average with the weights βᵏ."
    weights = [beta ** torch.arange(i, -1, -1) for i in range(len(values))]
    return torch.stack([(w * values[:len(w)]).sum() / w.sum() for w in weights])

def from_first(values, beta):
    out = [values[0]]
    for v in values[1:]: out.append(beta * out[-1] + (1 - beta) * v)
    return torch.stack(out)

def fed_back(values, beta):
    out, a = [], 0.
    for i, v in enumerate(values, 1):
        a = (beta * a + (1 - beta) * v) / (1 - beta**i)
        out.append(a)
    return torch.stack(out)

WRONG_AVERAGES = {
    "no bias correction": fading_average,
    "too much weight": from_first,
    "fed back": fed_back,
    "exchanged": lambda v, b: fading_average(v, 1 - b) / (1 - (1 - b)**times(v)),
    "not by 1 − β$": lambda v, b: fading_average(v, b) / (1 - b),
    "counts from 1": lambda v, b: fading_average(v, b) / (1 - b**(times(v) + 1)),
    "it must be": lambda v, b: v,
    "has shape": lambda v, b: v[:2]}

def test_an_average_by_another_way_is_right(): check_unbiased_average(weighted)

@pytest.mark.parametrize("why", WRONG_AVERAGES)
def test_wrong_averages(why): rejects(check_unbiased_average, WRONG_AVERAGES[why], why)


# 2 · translation -------------------------------------------------------------------------------------------------------
WRONG_TRANSLATIONS = {
    "dampening=β leaves the first step undamped": lambda lr, b: dict(lr=lr, momentum=b, dampening=b),
    "too long": lambda lr, b: dict(lr=lr, momentum=b),
    "turned round": lambda lr, b: dict(lr=lr / (1 - b), momentum=b),
    "once too often": lambda lr, b: dict(lr=lr * (1 - b), momentum=b, dampening=b),
    "μ is β itself": lambda lr, b: dict(lr=lr * (1 - b), momentum=1 - b),
    "no momentum": lambda lr, b: dict(lr=lr * (1 - b)),
    "it must be": lambda lr, b: dict(lr=lr * (1 - b), momentum=b, nesterov=True)}

def test_a_translation_with_more_arguments_is_right():
    check_to_torch(lambda lr, b: dict(lr=lr - lr * b, momentum=b, dampening=0., nesterov=False))

@pytest.mark.parametrize("why", WRONG_TRANSLATIONS)
def test_wrong_translations(why): rejects(check_to_torch, WRONG_TRANSLATIONS[why], why)


# 3 · stability ---------------------------------------------------------------------------------------------------------
def high(hessian): return torch.linalg.eigvalsh(hessian).max()

WRONG_BOUNDS = {
    "without momentum": lambda h, mu: 2 / high(h),
    "flattest": lambda h, mu: (2 + 2 * mu) / torch.linalg.eigvalsh(h).min(),
    "not the diagonal": lambda h, mu: (2 + 2 * mu) / h.diagonal().max(),
    "damped convention": lambda h, mu: (2 + 2 * mu) / (1 - mu) / high(h),
    "does not lower": lambda h, mu: 2 / (1 + mu) / high(h),
    "steady speed": lambda h, mu: 2 * (1 - mu) / high(h),
    "Nesterov": lambda h, mu: (2 + 2 * mu) / (1 + 2 * mu) / high(h),
    "it must be": lambda h, mu: 1.}

def test_a_bound_as_a_plain_number_is_right():
    check_largest_stable_lr(lambda h, mu: 2 * (1 + mu) / torch.linalg.matrix_norm(h, 2).item())

@pytest.mark.parametrize("why", WRONG_BOUNDS)
def test_wrong_bounds(why): rejects(check_largest_stable_lr, WRONG_BOUNDS[why], why)


# 4 · Nesterov ----------------------------------------------------------------------------------------------------------
def path(rule):
    "A function for the checker from a rule: (gradient, p, v, lr, momentum) → p, v."
    def nesterov(gradient, p, lr, momentum, n_steps):
        v, points = torch.zeros_like(p), [p]
        for _ in range(n_steps):
            p, v = rule(gradient, p, v, lr, momentum)
            points.append(p)
        return torch.stack(points)
    return nesterov

def inside(grad, p, v, lr, mu):
    "Right, with the rate inside the velocity."
    g = grad(p)
    v = mu * v - lr * g
    return p + mu * v - lr * g, v

def looked_at(grad, p, v, lr, mu):
    "Right: look-ahead's points, moved to where it looks."
    theta = p - mu * v
    v = mu * v - lr * grad(p)
    return theta + v + mu * v, v

def heavy(grad, p, v, lr, mu): v = mu * v + grad(p); return p - lr * v, v
def heavy_damped(grad, p, v, lr, mu): v = mu * v + (1 - mu) * grad(p); return p - lr * v, v
def velocity_damped(grad, p, v, lr, mu): g = grad(p); v = mu * v + (1 - mu) * g; return p - lr * (g + mu * v), v
def climbs(grad, p, v, lr, mu): g = grad(p); v = mu * v + g; return p + lr * (g + mu * v), v
def backwards(grad, p, v, lr, mu): g = grad(p); v = mu * v - g; return p - lr * (g + mu * v), v
def looks_back(grad, p, v, lr, mu): v = mu * v - lr * grad(p - mu * v); return p + v, v
def theta(grad, p, v, lr, mu): v = mu * v - lr * grad(p + mu * v); return p + v, v
def velocity_alone(grad, p, v, lr, mu): v = mu * v + grad(p); return p - lr * mu * v, v
def other(grad, p, v, lr, mu): return p - lr * grad(p), v

WRONG_NESTEROVS = {
    "heavy ball: nothing": heavy, "damped heavy ball": heavy_damped, "the velocity is damped": velocity_damped,
    "climbs": climbs, "backwards": backwards, "looks back": looks_back, "wrong point: these are θ": theta,
    "gradient itself is missing": velocity_alone, "it must be": other}

@pytest.mark.parametrize("rule", [inside, looked_at])
def test_nesterov_in_another_form_is_right(rule): check_nesterov(path(rule))

@pytest.mark.parametrize("why", WRONG_NESTEROVS)
def test_wrong_nesterovs(why): rejects(check_nesterov, path(WRONG_NESTEROVS[why]), why)

def test_a_path_without_its_start_is_named():
    rejects(check_nesterov, lambda *args: path(inside)(*args)[1:], "has shape")


# same_as_torch ---------------------------------------------------------------------------------------------------------
class Damped(SGD):
    "Damps the first step too."
    def update(self, p, g, state, lr, momentum, dampening, nesterov):
        state.setdefault("momentum_buffer", torch.zeros_like(p))
        super().update(p, g, state, lr, momentum, dampening, nesterov)

class Unmoved(SGD):
    "Nesterov is forgotten."
    def update(self, p, g, state, lr, momentum, dampening, nesterov):
        super().update(p, g, state, lr, momentum, dampening, False)

class Decays(SGD):
    "Weight decay shrinks the parameter besides, by a hundred-thousandth of what is asked."
    def update(self, p, g, state, lr, momentum, dampening, nesterov, weight_decay):
        super().update(p.mul_(1 - 1e-5 * weight_decay), g.add(p, alpha=weight_decay), state, lr, momentum, dampening, nesterov)

class Forgets(SGD):
    "A state dict is loaded without its states."
    def load_state_dict(self, state_dict): super().load_state_dict(dict(state_dict, state={}))

class OneRate(SGD):
    "Every group has the first one's learning rate."
    def update(self, p, g, state, lr, momentum, dampening, nesterov):
        super().update(p, g, state, self.param_groups[0]["lr"], momentum, dampening, nesterov)

@pytest.mark.parametrize("wrong, why, kwargs", [
    (Damped, "step 1, parameter 0", dict(dampening=.5)), (Unmoved, "step 1, ", dict(nesterov=True)),
    (Decays, "step 1, ", dict(weight_decay=.1)), (Forgets, "step 151, ", {}), (OneRate, "step 1, parameter 1", {})])
def test_same_as_torch_sees(wrong, why, kwargs):
    with pytest.raises(AssertionError, match=why): same_as_torch(wrong, torch.optim.SGD, lr=.1, momentum=.9, **kwargs)

def test_same_as_torch_leaves_generator_and_default_type():
    before = torch.get_rng_state()
    same_as_torch(SGD, torch.optim.SGD, n_steps=2, lr=.1)
    assert torch.equal(before, torch.get_rng_state()) and torch.get_default_dtype() == torch.float32


# GaussianNoise ---------------------------------------------------------------------------------------------------------
def test_noise_follows_the_input():
    x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    y = GaussianNoise(.5)(x)
    assert y.dtype == x.dtype and torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.ones_like(x))
    assert torch.equal(GaussianNoise(0.)(x), x) and not list(GaussianNoise().parameters())

@pytest.mark.parametrize("std", [-.1, float("nan")])
def test_noise_of_no_size_is_refused(std):
    with pytest.raises(ValueError, match="std is"): GaussianNoise(std)
