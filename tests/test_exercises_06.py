"""What the notebook 06_adaptive shows only in part: its checkers let every right answer through, whatever its form, and
name the mistake in every wrong one; each of the four Adams has the mistake that the right verdict names, and no other."""
import pytest
import torch

from miniai.exercises.adaptive import (
    SUSPECTS, _adam, _adam_case, _run_update, adam_a, adam_b, adam_c, adam_d, check_adagrad_steps,
    check_adam_update, check_adamw_update, check_four_adams, check_training_bytes)
from miniai.optim import Adam, AdamW


def rejects(check, wrong, why):
    with pytest.raises(AssertionError, match=why): check(wrong)


# 1 · Adagrad -----------------------------------------------------------------------------------------------------------
def adagrad(rule):
    "A function for the checker from a rule: s before, g, lr, eps → s, step."
    def steps(gradients, lr, eps):
        s, out = torch.zeros_like(gradients[0]), []
        for g in gradients:
            s, step = rule(s, g, lr, eps)
            out.append(step)
        return torch.stack(out)
    return steps

WRONG_ADAGRADS = {
    "root is missing": lambda s, g, lr, eps: (s + g**2, lr * g / (s + g**2 + eps)),
    "inside the root": lambda s, g, lr, eps: (s + g**2, lr * g / (s + g**2 + eps)**.5),
    "no ε": lambda s, g, lr, eps: (s + g**2, lr * g / (s + g**2)**.5),
    "one step late": lambda s, g, lr, eps: (s + g**2, lr * g / (s**.5 + eps)),
    "sizes are added": lambda s, g, lr, eps: (s + g.abs(), lr * g / (s + g.abs() + eps)),
    "each has its own": lambda s, g, lr, eps: (s + (g**2).sum(), lr * g / ((s + (g**2).sum())**.5 + eps)),
    "sign is turned": lambda s, g, lr, eps: (s + g**2, -lr * g / ((s + g**2)**.5 + eps)),
    "it must be": lambda s, g, lr, eps: (s, lr * g)}

def test_adagrad_in_a_loop_is_right():
    check_adagrad_steps(adagrad(lambda s, g, lr, eps: (s + g**2, lr * g / (eps + (s + g**2)**.5))))

@pytest.mark.parametrize("why", WRONG_ADAGRADS)
def test_wrong_adagrads(why): rejects(check_adagrad_steps, adagrad(WRONG_ADAGRADS[why]), why)

def test_an_average_of_squares_is_no_adagrad():
    def mean_square(g, lr, eps): return lr * g / ((g**2).cumsum(0) / torch.arange(1, len(g) + 1)[:, None])**.5
    rejects(check_adagrad_steps, lambda g, lr, eps: lr * g / (lr * g / mean_square(g, lr, 0.) + eps).nan_to_num(1.),
            "average of the squares")


# 2 · memory ------------------------------------------------------------------------------------------------------------
def kept(name): return 0 if name == "SGD" else 2 if name in ("Adadelta", "Adam", "AdamW") else 1

WRONG_BYTES = {
    "gradients are missing": lambda n, name: n * 4 * (1 + kept(name)),
    "state alone": lambda n, name: n * 4 * kept(name),
    "not bytes": lambda n, name: n * (2 + kept(name)),
    "half precision": lambda n, name: n * 2 * (2 + kept(name)),
    "double precision": lambda n, name: n * 8 * (2 + kept(name)),
    "state is missing": lambda n, name: 8 * n,
    "Adam keeps 2 numbers": lambda n, name: n * 4 * (3 if name == "Adam" else 2 + kept(name)),
    "momentum keeps 1 numbers": lambda n, name: n * 4 * (2 if name == "momentum" else 2 + kept(name))}

def test_bytes_are_what_torch_keeps():
    def measured(n, name):
        p = torch.nn.Parameter(torch.ones(n // 10, 10))
        p.grad = torch.ones_like(p)
        opt = torch.optim.SGD([p], .1, momentum=.9) if name == "momentum" else getattr(torch.optim, name)([p], lr=.1)
        opt.step()
        return 2 * p.nbytes + sum(t.nbytes for t in opt.state[p].values() if torch.is_tensor(t) and t.shape == p.shape)
    check_training_bytes(lambda n, name: measured(n, name) if hasattr(torch.optim, name) or name == "momentum" else 12 * n)

@pytest.mark.parametrize("why", WRONG_BYTES)
def test_wrong_bytes(why): rejects(check_training_bytes, WRONG_BYTES[why], why)


# 3 and 5 · Adam and AdamW ----------------------------------------------------------------------------------------------
def update(m_fix=True, v_fix=True, first=1, inside=False, root=True, back=1., l2=0., wd=0., swapped=False, square=True,
           eps_first=False, fed=False, ones=False, after=0.):
    "An update for the checkers, right or with a mistake. The decays are shares of the `weight_decay` that is given."
    def adam(p, g, state, lr, betas, eps, weight_decay=0.):
        β1, β2 = betas[::-1] if swapped else betas
        if ones: β1, β2 = 1 - β1, 1 - β2
        t = state["t"] = state.get("t", first - 1) + 1
        g = g + l2 * weight_decay * p
        m = β1 * state.get("m", 0) + (1 - β1) * g
        v = β2 * state.get("v", 0) + (1 - β2) * (g**2 if square else g.abs())
        m_hat, v_hat = m / (1 - β1**t) if m_fix else m, v / (1 - β2**t) if v_fix else v
        state.update(m=m_hat if fed else m, v=v_hat if fed else v)
        divisor = (v_hat + eps)**.5 if inside else v_hat**(.5 if root else 1) + eps
        if eps_first: divisor = (v**.5 + eps) / (1 - β2**t)**.5
        p *= 1 - lr * wd * weight_decay
        p -= back * lr * m_hat / divisor
        p *= 1 - lr * after * weight_decay
    return adam

WRONG_ADAMS = {
    "there is no bias correction": dict(m_fix=False, v_fix=False), "only v is corrected": dict(m_fix=False),
    "only m is corrected": dict(v_fix=False), "inside the root": dict(inside=True),
    "before the correction": dict(eps_first=True), "β₁ and β₂ are exchanged": dict(swapped=True),
    "off by one": dict(first=2), "root is missing": dict(root=False), "averages sizes": dict(square=False),
    "corrected averages are kept": dict(fed=True), "it climbs": dict(back=-1.), "β and 1 − β": dict(ones=True)}

def test_a_right_adam(): check_adam_update(update())

@pytest.mark.parametrize("why", WRONG_ADAMS)
def test_wrong_adams(why): rejects(check_adam_update, update(**WRONG_ADAMS[why]), why)

def test_an_adam_that_does_not_work_in_place():
    def returns(p, g, state, lr, betas, eps): return p - lr * g
    rejects(check_adam_update, returns, "has not moved")
    def spoils(p, g, state, lr, betas, eps): p.sub_(g.mul_(lr))
    rejects(check_adam_update, spoils, "g was changed")

WRONG_ADAMWS = {
    "there is no decay": {}, "that is L2": dict(l2=1.), "makes p grow": dict(wd=-1.),
    "L2 with the wrong sign": dict(l2=-1.), "not scaled by lr": dict(wd=10.), "after the step": dict(after=1.),
    "bias correction is missing": dict(wd=1., m_fix=False, v_fix=False), "inside the root": dict(wd=1., inside=True),
    "it must be": dict(wd=1., first=2)}

def test_a_right_adamw(): check_adamw_update(update(wd=1.))

@pytest.mark.parametrize("why", WRONG_ADAMWS)
def test_wrong_adamws(why): rejects(check_adamw_update, update(**WRONG_ADAMWS[why]), why)

@pytest.mark.parametrize("cls, weight_decay", [(Adam, 0.), (AdamW, .2)])
def test_what_the_checkers_compare_with_is_our_class(cls, weight_decay):
    gradients, start = _adam_case()
    p = start.clone()
    opt = cls([p], .1, (.8, .95), 1e-8, weight_decay)
    for g, right in zip(gradients, _adam(gradients, start, .1, .8, .95, 1e-8, wd=weight_decay)):
        p.grad = g
        opt.step()
        torch.testing.assert_close(p, right, rtol=1e-12, atol=1e-12)


# 4 · four Adams --------------------------------------------------------------------------------------------------------
RIGHT = dict(a="no bias correction", b="ε inside the root", c="L2 instead of decoupled decay", d="β₁ and β₂ exchanged")

@pytest.mark.parametrize("specimen, mistake", [
    (adam_a, dict(wd=.2, m_fix=False, v_fix=False)), (adam_b, dict(wd=.2, inside=True)), (adam_c, dict(l2=.2)),
    (adam_d, dict(wd=.2, swapped=True))])
def test_each_specimen_has_its_mistake_and_no_other(specimen, mistake):
    betas = (.95, .8) if mistake.pop("swapped", False) else (.8, .95)
    right = _adam(*_adam_case(), .1, *betas, 1e-8, **mistake)
    torch.testing.assert_close(_run_update(specimen, .1, (.8, .95), 1e-8, .2), right, rtol=1e-12, atol=1e-12)

def test_the_right_verdicts(capsys):
    check_four_adams(RIGHT)
    assert "✓" in capsys.readouterr().out

@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("verdict", SUSPECTS)
def test_every_other_verdict_is_rejected(name, verdict):
    if RIGHT[name] == verdict: return
    with pytest.raises(AssertionError, match=f"^{name}: not '{verdict}': ") as e: check_four_adams(RIGHT | {name: verdict})
    assert RIGHT[name] not in str(e.value), "the message gives the answer away"

@pytest.mark.parametrize("wrong, why", [
    ({}, "verdict on each"), ("abcd", "verdict on each"), (RIGHT | dict(e="nothing"), "verdict on each"),
    (RIGHT | dict(a="it is broken"), "'it is broken' is no suspect")])
def test_verdicts_of_another_form(wrong, why): rejects(check_four_adams, wrong, why)
