"""What the notebook 07_torch_optim shows only in part: its checkers let right answers through, whatever their form, and
name the mistake in every wrong one."""
from copy import deepcopy
from io import BytesIO

import pytest
import torch

from miniai.exercises.torch_optim import check_decay_groups, check_last_step, check_resume, check_scale_lr
from miniai.layers import baseline_cnn


def rejects(check, *wrong, why):
    with pytest.raises(AssertionError, match=why): check(*wrong)


def test_the_baseline_takes_what_it_says():
    assert baseline_cnn(7)(torch.zeros(2, 1, 28, 28)).shape == (2, 7)


# 1 · scale_lr ----------------------------------------------------------------------------------------------------------
def scale_all(opt, factor):
    for group in opt.param_groups: group["lr"] *= factor

def from_defaults(opt, factor):
    for group in opt.param_groups: group["lr"] = opt.defaults["lr"] * factor

def first_rate_for_all(opt, factor):
    for group in opt.param_groups: group["lr"] = opt.param_groups[-1]["lr"] * factor

def forgets(opt, factor):
    scale_all(opt, factor)
    opt.state.clear()

def test_scale_lr():
    check_scale_lr(scale_all)
    check_scale_lr(lambda opt, factor: [group.update(lr=group["lr"] * factor) for group in opt.param_groups])

@pytest.mark.parametrize("wrong, why", [
    (lambda opt, factor: opt.defaults.update(lr=.05), "nothing changed"),
    (lambda opt, factor: opt.param_groups[0].update(lr=.005), "second group"),
    (lambda opt, factor: opt.param_groups[1].update(lr=.05), "first group"),
    (from_defaults, "one rate"), (first_rate_for_all, "one rate"), (forgets, "state"),
    (lambda opt, factor: [group.update(lr=lr) for group, lr in zip(opt.param_groups, (.005, .05))], "halved twice")])
def test_scale_lr_rejects(wrong, why): rejects(check_scale_lr, wrong, why=why)


# 2 · decay_groups ------------------------------------------------------------------------------------------------------
def split(model, is_decayed, decay, rest=0.):
    params = list(model.named_parameters())
    return [dict(params=[p for n, p in params if is_decayed(n, p)], weight_decay=decay),
            dict(params=[p for n, p in params if not is_decayed(n, p)], weight_decay=rest)]

def by_module(model, decay):
    "The long way: by the kind of layer, each parameter once."
    decayed, spared, seen = [], [], set()
    for module in model.modules():
        for name, p in module.named_parameters(recurse=False):
            if id(p) in seen: continue
            seen.add(id(p))
            weight = name == "weight" and isinstance(module, (torch.nn.Linear, torch.nn.Conv2d))
            (decayed if weight else spared).append(p)
    return [dict(params=iter(spared), weight_decay=0), dict(params=iter(decayed), weight_decay=decay)]

def test_decay_groups():
    check_decay_groups(by_module)
    check_decay_groups(lambda model, decay: split(model, lambda n, p: p.ndim > 1, decay))

@pytest.mark.parametrize("wrong, why", [
    (lambda model, decay: [dict(params=model.parameters(), weight_decay=decay)], "one decay"),
    (lambda model, decay: split(model, lambda n, p: n.endswith("weight"), decay), "a scale and is spared"),
    (lambda model, decay: split(model, lambda n, p: p.ndim <= 1, decay), "would be decayed"),
    (lambda model, decay: split(model, lambda n, p: p.ndim == 2, decay), "is not decayed"),
    (lambda model, decay: split(model, lambda n, p: p.ndim > 1, decay)[:1], "never be trained"),
    (lambda model, decay: split(model, lambda n, p: p.ndim > 1, decay, .01), "default"),
    (lambda model, decay: split(model, lambda n, p: p.ndim > 1, decay) + [dict(params=[model[0].bias])], "twice"),
    (lambda model, decay: [dict(params=[p], weight_decay=decay * (p.ndim > 1)) for p in model.parameters()],
     "2 are enough")])
def test_decay_groups_rejects(wrong, why): rejects(check_decay_groups, wrong, why=why)


# 3 · last_step ---------------------------------------------------------------------------------------------------------
def adam_step(rule):
    "An answer from a rule: m, v, both corrected, lr, eps, step, betas → step."
    def last_step(opt, p):
        group, state = next(g for g in opt.param_groups if any(q is p for q in g["params"])), opt.state[p]
        t, (b1, b2), m, v = state["step"].item(), group["betas"], state["exp_avg"], state["exp_avg_sq"]
        return rule(m, v, m / (1 - b1**t), v / (1 - b2**t), group["lr"], group["eps"])
    return last_step

right_step = adam_step(lambda m, v, m_hat, v_hat, lr, eps: -lr * m_hat / (v_hat.sqrt() + eps))

def moves_it(opt, p):
    step = right_step(opt, p)
    with torch.no_grad(): p.sub_(step)
    return step

def test_last_step():
    check_last_step(right_step)
    check_last_step(lambda opt, p: right_step(opt, p).neg().mul(-1))

@pytest.mark.parametrize("wrong, why", [
    (adam_step(lambda m, v, m_hat, v_hat, lr, eps: lr * m_hat / (v_hat.sqrt() + eps)), "sign"),
    (adam_step(lambda m, v, m_hat, v_hat, lr, eps: -lr * m / (v.sqrt() + eps)), "neither"),
    (adam_step(lambda m, v, m_hat, v_hat, lr, eps: -lr * m_hat / (v.sqrt() + eps)), "average of squares"),
    (adam_step(lambda m, v, m_hat, v_hat, lr, eps: -lr * m / (v_hat.sqrt() + eps)), "average of gradients"),
    (adam_step(lambda m, v, m_hat, v_hat, lr, eps: -lr * m_hat / (v_hat + eps).sqrt()), "outside the root"),
    (adam_step(lambda m, v, m_hat, v_hat, lr, eps: -lr * m_hat / (v_hat + eps)), "root is missing"),
    (adam_step(lambda m, v, m_hat, v_hat, lr, eps: -m_hat / (v_hat.sqrt() + eps)), "learning rate is missing"),
    (adam_step(lambda m, v, m_hat, v_hat, lr, eps: -.1 * m_hat / (v_hat.sqrt() + eps)), "other group"),
    (adam_step(lambda m, v, m_hat, v_hat, lr, eps: -lr * m_hat / v_hat.sqrt()), "off by"),
    (moves_it, "only read")])
def test_last_step_rejects(wrong, why): rejects(check_last_step, wrong, why=why)


# 4 · snapshot, restore -------------------------------------------------------------------------------------------------
def copied(model, opt): return deepcopy((model.state_dict(), opt.state_dict()))

def put_back(saved, model, opt):
    weights, state = deepcopy(saved)
    model.load_state_dict(weights)
    opt.load_state_dict(state)

def to_file(model, opt):
    file = BytesIO()
    torch.save((model.state_dict(), opt.state_dict()), file)
    return file.getvalue()

def from_file(saved, model, opt):
    weights, state = torch.load(BytesIO(saved), weights_only=True)
    model.load_state_dict(weights)
    opt.load_state_dict(state)

def without(change):
    "`put_back` with a changed optimizer state."
    def restore(saved, model, opt):
        saved = deepcopy(saved)
        change(saved[1])
        put_back(saved, model, opt)
    return restore

def test_resume():
    check_resume(copied, put_back)
    check_resume(to_file, from_file)

@pytest.mark.parametrize("snapshot, restore, why", [
    (copied, lambda saved, model, opt: None, "as it was"),
    (copied, lambda saved, model, opt: opt.load_state_dict(deepcopy(saved[1])), "as it was"),
    (copied, lambda saved, model, opt: model.load_state_dict(saved[0]), "no state"),
    (lambda model, opt: (model.state_dict(), opt.state_dict()), put_back, "moved on with the training"),
    (lambda model, opt: (deepcopy(model.state_dict()), opt.state_dict()), put_back, "averages moved on"),
    (copied, lambda saved, *new: [x.load_state_dict(state) for x, state in zip(new, saved)], "second restart"),
    (copied, without(lambda state: state["param_groups"][0].update(lr=.01)), "learning rate"),
    (copied, without(lambda state: [s["step"].zero_() for s in state["state"].values()]), "end elsewhere")])
def test_resume_rejects(snapshot, restore, why): rejects(check_resume, snapshot, restore, why=why)
