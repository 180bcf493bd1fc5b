"What 06 shows only in part: `same_as_torch` sees a wrong rule, a fading average's weights, the edges of GaussianNoise."
import pytest
import torch

from miniai.lab.proofs import same_as_torch
from miniai.optim import SGD, GaussianNoise, fading_average


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


# fading_average --------------------------------------------------------------------------------------------------------
def test_a_point_k_steps_old_has_the_weight_that_06_says_and_the_bias():
    points, steps = torch.randn(50, dtype=torch.float64), torch.arange(1., 51., dtype=torch.float64)
    assert torch.isclose(.1 * .9**(steps - 1).flip(0) @ points, fading_average(points, .9)[-1], rtol=1e-12)
    assert torch.allclose(fading_average(torch.ones_like(points), .9), 1 - .9**steps, rtol=1e-12)


# GaussianNoise ---------------------------------------------------------------------------------------------------------
def test_noise_follows_the_input():
    x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    y = GaussianNoise(.5)(x)
    assert y.dtype == x.dtype and torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.ones_like(x))
    assert torch.equal(GaussianNoise(0.)(x), x) and not list(GaussianNoise().parameters())

@pytest.mark.parametrize("std", [-.1, float("nan")])
def test_noise_of_no_size_is_refused(std):
    with pytest.raises(ValueError, match="std is"): GaussianNoise(std)
