"The checkers of notebook 15 refuse the known wrong answers, and their messages name the mistake."
import pytest
import torch
from torch import nn

from miniai.speed import check_groups, check_mirrored, check_pass_through, check_whitening

# -- right answers, in other words

def whitening(patches, eps, scale=lambda v, eps: (v + eps)**-.5, rows=True, back=False, centre=True, n=0):
    x = patches - patches.mean(0) if centre else patches
    variances, v = torch.linalg.eigh(x.T @ x / (len(x) - n))
    w = torch.diag(scale(variances, eps)) @ (v.T if rows else v)
    return v @ w if back else w

def fewer_samples(patches, eps): return whitening(patches, eps, n=1)

def other_order(patches, eps): return -whitening(patches, eps).flip(0)

def pass_through(weight, place=None, clear=True, beyond=False, every=False):
    n, middle = min(weight.shape[:2]), weight.shape[2] // 2 if place is None else place
    if clear: weight[:n].zero_()
    if beyond: weight.zero_()
    for i in range(n): weight[i, slice(None) if every else i, middle, middle] = 1

def dirac(weight): nn.init.dirac_(weight[:weight.shape[1]])

def mirrored(first, epoch): return first ^ torch.tensor(epoch % 2 == 1)

def groups(model, lr, scale, learns=lambda p: p.requires_grad, is_bias=lambda name, p: name.endswith("bias"),
           rates=lambda lr, scale: (lr * scale, lr), skip=()):
    named = [(n, p) for n, p in model.named_parameters() if learns(p) and n not in skip]
    high, low = rates(lr, scale)
    return [dict(params=[p for n, p in named if not is_bias(n, p)], lr=low),
            dict(params=[p for n, p in named if is_bias(n, p)], lr=high)]

@pytest.mark.parametrize("check, answer", [
    (check_whitening, whitening), (check_whitening, fewer_samples), (check_whitening, other_order),
    (check_pass_through, pass_through), (check_pass_through, dirac), (check_mirrored, mirrored), (check_groups, groups)])
def test_right_answers_pass(check, answer, capsys):
    state = torch.get_rng_state()
    check(answer)
    assert "✓" in capsys.readouterr().out
    assert torch.equal(state, torch.get_rng_state())

def changed(f, **change): return lambda *args: f(*args, **change)

def in_place(patches, eps):
    w = whitening(patches, eps)
    patches -= patches.mean(0)
    return w

def from_scratch(weight): weight = torch.zeros_like(weight)

def needs_more_out(weight):
    pass_through(weight)
    weight[weight.shape[1] - 1].sum()

def random_sides(first, epoch): return torch.rand(len(first)) < .5

def turned(first, epoch):
    if epoch: first.logical_not_()
    return first.clone()

@pytest.mark.parametrize("check, wrong, says", [
    (check_whitening, changed(whitening, scale=lambda v, eps: 1 / (v.sqrt() + eps)), "outside the root"),
    (check_whitening, changed(whitening, scale=lambda v, eps: v**-.5), "ε is missing"),
    (check_whitening, changed(whitening, scale=lambda v, eps: 1 / (v + eps)), "root is missing"),
    (check_whitening, changed(whitening, scale=lambda v, eps: (v + eps)**.5), "multiplies"),
    (check_whitening, changed(whitening, scale=lambda v, eps: torch.ones_like(v)), "only turns"),
    (check_whitening, changed(whitening, rows=False), "columns"),
    (check_whitening, changed(whitening, centre=False), "mean is left in"),
    (check_whitening, changed(whitening, back=True), "still correlated"),
    (check_whitening, lambda patches, eps: (patches.var(0, correction=0) + eps).rsqrt().diag(), "scaled by itself"),
    (check_whitening, in_place, "were changed"),
    (check_whitening, lambda patches, eps: None, "tensor"),
    (check_whitening, changed(whitening, scale=lambda v, eps: (v + 2 * eps)**-.5), "off by"),
    (check_pass_through, from_scratch, "nothing changed"),
    (check_pass_through, changed(pass_through, place=0), "corner"),
    (check_pass_through, changed(pass_through, clear=False), "must become 0"),
    (check_pass_through, changed(pass_through, every=True), "sum of all channels"),
    (check_pass_through, changed(pass_through, beyond=True), "further filters"),
    (check_pass_through, nn.init.dirac_, "further filters"),
    (check_pass_through, nn.init.zeros_, "1 in the middle is missing"),
    (check_pass_through, lambda weight: weight.fill_(2), "numbers are wrong"),
    (check_mirrored, lambda first, epoch: first, "every epoch is the same"),
    (check_mirrored, random_sides, "random numbers"),
    (check_mirrored, turned, "first was changed"),
    (check_mirrored, lambda first, epoch: torch.full_like(first, epoch % 2 == 1), "turn together"),
    (check_mirrored, lambda first, epoch: ~mirrored(first, epoch), "as `first` says"),
    (check_mirrored, lambda first, epoch: ~first if epoch else first, "nothing changes any more"),
    (check_mirrored, lambda first, epoch: mirrored(first, epoch).long(), "bool"),
    (check_mirrored, lambda first, epoch: mirrored(first, epoch // 2), "epoch 1 is wrong"),
    (check_groups, changed(groups, learns=lambda p: True), "frozen"),
    (check_groups, changed(groups, is_bias=lambda name, p: p.ndim == 1), "go by the name"),
    (check_groups, changed(groups, rates=lambda lr, scale: (lr, lr * scale)), "exchanged"),
    (check_groups, changed(groups, rates=lambda lr, scale: (lr / scale, lr)), "divides"),
    (check_groups, changed(groups, rates=lambda lr, scale: (scale, lr)), "factor of lr"),
    (check_groups, changed(groups, rates=lambda lr, scale: (lr, lr)), "biases have the rates"),
    (check_groups, changed(groups, skip=("5.bias",)), "5.bias is in no group"),
    (check_groups, lambda model, lr, scale: groups(model, lr, scale)[:1], "two groups"),
    (check_groups, lambda model, lr, scale: [groups(model, lr, scale)[0]] * 2, "more than once")])
def test_wrong_answers_are_named(check, wrong, says):
    with pytest.raises(AssertionError, match=says): check(wrong)

def test_a_failing_answer_is_reported():
    with pytest.raises(AssertionError, match="5 channels in, 3 out, 3×3: it fails"): check_pass_through(needs_more_out)
