"The checkers of notebook 15 refuse the known wrong answers, and their messages name the mistake."
import pytest
import torch
from torch import nn

from miniai.exercises.speed import check_groups, check_pass_through, check_self_times, check_whitening

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

def own_times(spans, deep=False, same=True, total=False, last=False):
    within = lambda a, b: b[1] <= a[1] and a[2] <= b[2] and a != b
    out = {}
    for b in spans:
        inside = [a for a in spans if within(a, b)]
        if not deep: inside = [a for a in inside if not any(within(a, c) for c in inside)]
        if not same: inside = [a for a in inside if a[0] != b[0]]
        time = b[2] - b[1] - (0 if total else sum(a[2] - a[1] for a in inside))
        out[b[0]] = time + (0 if last else out.get(b[0], 0))
    return out

def sorted_by_caller(spans):
    "Right only where callers come first."
    out, around = {}, []
    for name, start, end in spans:
        while around and around[-1][1] <= start: around.pop()
        out[name] = out.get(name, 0) + end - start
        if around: out[around[-1][0]] -= end - start
        around.append((name, end))
    return out

def groups(model, lr, scale, learns=lambda p: p.requires_grad, is_bias=lambda name, p: name.endswith("bias"),
           rates=lambda lr, scale: (lr * scale, lr), skip=()):
    named = [(n, p) for n, p in model.named_parameters() if learns(p) and n not in skip]
    high, low = rates(lr, scale)
    return [dict(params=[p for n, p in named if not is_bias(n, p)], lr=low),
            dict(params=[p for n, p in named if is_bias(n, p)], lr=high)]

@pytest.mark.parametrize("check, answer", [
    (check_whitening, whitening), (check_whitening, fewer_samples), (check_whitening, other_order),
    (check_pass_through, pass_through), (check_pass_through, dirac), (check_self_times, own_times), (check_groups, groups)])
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

@pytest.mark.parametrize("check, wrong, says", [
    (check_whitening, changed(whitening, scale=lambda v, eps: 1 / (v.sqrt() + eps)), "outside the root"),
    (check_whitening, changed(whitening, scale=lambda v, eps: v**-.5), "ε is missing"),
    (check_whitening, changed(whitening, scale=lambda v, eps: 1 / (v + eps)), "root is missing"),
    (check_whitening, changed(whitening, scale=lambda v, eps: (v + eps)**.5), "multiplies"),
    (check_whitening, changed(whitening, scale=lambda v, eps: torch.ones_like(v)), "only turns"),
    (check_whitening, changed(whitening, rows=False), "columns"),
    (check_whitening, lambda patches, eps: whitening(patches, eps, lambda v, eps: v**0).T
     / (torch.linalg.eigvalsh(patches.T.cov(correction=0)) + eps).sqrt(), "as columns: transpose"),
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
    (check_self_times, changed(own_times, total=True), "those are totals"),
    (check_self_times, changed(own_times, deep=True), "taken away twice"),
    (check_self_times, changed(own_times, last=True), "add them"),
    (check_self_times, changed(own_times, same=False), "of the same name"),
    (check_self_times, sorted_by_caller, "in another order"),
    (check_self_times, lambda spans: spans.sort() or own_times(spans), "the list was changed"),
    (check_self_times, lambda spans: list(own_times(spans)), "give a dict"),
    (check_self_times, lambda spans: {"step": 4}, "the names are"),
    (check_self_times, lambda spans: {name: t + 1 for name, t in own_times(spans).items()}, "yours"),
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
