"The checkers of notebook 13 refuse the known wrong answers, and their messages name the mistake."
import copy

import pytest
import torch
import torch.nn.functional as F

from miniai.exercises.predict import check_dropout, check_ece, check_ema, check_tta

# -- right answers, in other words

def tta(model, x, views, pick=lambda z: z, combine=lambda z: z.softmax(2).mean(0), mode=False, restore=True):
    was = model.training
    model.train(mode)
    with torch.no_grad(): z = torch.stack([model(view(x)) for view in pick(views)])
    if restore: model.train(was)
    return combine(z)

def ece(confidence, right, bins, edge=torch.ceil, weigh=True, gap=abs, total=None):
    which, sums = edge(confidence * bins).long(), []
    for b in which.unique():
        inside = which == b
        n = inside.sum().item() if weigh else 1
        sums.append(n * gap(float(confidence[inside].mean() - right[inside].double().mean())))
    return sum(sums) / (total or (len(confidence) if weigh else len(sums)))

@torch.no_grad()
def ema(average, model, decay, step=lambda a, b, decay: a.mul_(decay).add_(b, alpha=1 - decay),
        buffer=lambda a, b, decay: a.copy_(b)):
    for a, b in zip(average.parameters(), model.parameters()): step(a, b, decay)
    for a, b in zip(average.buffers(), model.buffers()): buffer(a, b, decay)

def dropout(x, p, training, keep=lambda x, p: (torch.rand(x.shape) < 1 - p), scale=lambda p: 1 / (1 - p)):
    return torch.where(keep(x, p), x * scale(p), torch.zeros_like(x)) if training else x

@pytest.mark.parametrize("check, answer", [(check_tta, tta), (check_ece, ece), (check_ema, ema),
                                           (check_dropout, dropout), (check_dropout, F.dropout)])
def test_right_answers_pass(check, answer, capsys):
    state = torch.get_rng_state()
    check(answer)
    assert "✓" in capsys.readouterr().out
    assert torch.equal(state, torch.get_rng_state())

def changed(f, **change): return lambda *args: f(*args, **change)

def in_place(model, x, views):
    x.add_(1)
    return tta(model, x - 1, views)

def with_graph(model, x, views):
    was = model.training
    p = torch.stack([model.eval()(view(x)).softmax(1) for view in views]).mean(0)
    model.train(was)
    return p

@pytest.mark.parametrize("wrong, says", [
    (changed(tta, combine=lambda z: z.mean(0).softmax(1)), "averaged logits"),
    (changed(tta, combine=lambda z: z.mean(0)), "those are logits"),
    (changed(tta, combine=lambda z: z.softmax(2).mean(0).log()), "log-probabilities"),
    (changed(tta, combine=lambda z: z.softmax(2).sum(0)), "divide by the number"),
    (changed(tta, combine=lambda z: z.softmax(1).mean(0)), "over the pictures"),
    (changed(tta, combine=lambda z: F.one_hot(z.argmax(2), 4).double().mean(0)), "votes"),
    (changed(tta, pick=lambda views: views[:1]), "the other views don't"),
    (changed(tta, pick=lambda views: views[-1:]), "only the last"),
    (changed(tta, pick=lambda views: views[1:]), "first view is missing"),
    (changed(tta, mode=True), r"model\.eval\(\) first"),
    (changed(tta, restore=False), "must leave so"),
    (in_place, "x itself"), (with_graph, "no_grad"),
    (changed(tta, combine=lambda z: z.softmax(2).mean(0).argmax(1)), "must give a tensor"),
    (lambda model, x, views: None, "must give a tensor")])
def test_tta(wrong, says):
    with pytest.raises(AssertionError, match=says): check_tta(wrong)

def no_nan(c, r, bins):
    gaps = [(c[(c * bins).ceil() == b].mean() - r[(c * bins).ceil() == b].double().mean()).abs()
            for b in range(1, bins + 1)]
    return sum(gaps) / bins

@pytest.mark.parametrize("wrong, says", [
    (changed(ece, weigh=False), "each bin counts the same"), (changed(ece, weigh=False, total=10), "empty bins"),
    (changed(ece, gap=lambda g: g), "opposite sign|one bin"), (changed(ece, gap=lambda g: -g), "opposite sign|one bin"),
    (changed(ece, gap=lambda g: g * g), "squares"), (changed(ece, edge=torch.floor), "upper edge"),
    (lambda c, r, bins: (c.mean() - r.double().mean()).abs(), "one bin|opposite sign"),
    (lambda c, r, bins: (c - r.double()).abs().mean(), "each picture"), (no_nan, "not finite"),
    (lambda c, r, bins: max(abs(float(c[(c * bins).ceil() == b].mean() - r[(c * bins).ceil() == b].double().mean()))
                            for b in (c * bins).ceil().unique()), "largest"),
    (lambda c, r, bins: sum(abs(float(c[i].mean() - r[i].double().mean())) * len(i) for i in c.argsort().chunk(bins))
     / len(c), "equally many"),
    (changed(ece, total=1), "it is")])
def test_ece(wrong, says):
    with pytest.raises(AssertionError, match=says): check_ece(wrong)

def fresh_tensor(average, model, decay):
    ema(average, model, decay)
    average[0].weight = torch.nn.Parameter(average[0].weight.detach().clone())

def with_gradients(average, model, decay):
    for a, b in zip(average.parameters(), model.parameters()): a.mul_(decay).add_(b, alpha=1 - decay)

def same_buffers(average, model, decay):
    ema(average, model, decay)
    average[1].running_mean = model[1].running_mean

def moves_model(average, model, decay):
    ema(average, model, decay)
    ema(model, average, 0.)

@pytest.mark.parametrize("wrong, says", [
    (changed(ema, step=lambda a, b, d: a.mul_(1 - d).add_(b, alpha=d)), "shares exchanged"),
    (changed(ema, step=lambda a, b, d: a.mul_(d).add_(b)), "lacks the factor"),
    (changed(ema, step=lambda a, b, d: a.copy_(b)), "was copied"), (changed(ema, step=lambda a, b, d: a), "stayed"),
    (changed(ema, step=lambda a, b, d: a.add_(b).div_(2)), "plain mean"),
    (changed(ema, step=lambda a, b, d: a.mul_(d**2).add_(b, alpha=1 - d**2)), "is off"),
    (changed(ema, buffer=lambda a, b, d: a), "copy the buffers too"),
    (changed(ema, buffer=lambda a, b, d: a.copy_(d * a + (1 - d) * b)), "copied, not averaged"),
    (fresh_tensor, "in place"), (with_gradients, "no_grad"), (same_buffers, "model's own tensor"),
    (moves_model, "model itself")])
def test_ema(wrong, says):
    with pytest.raises(AssertionError, match=says): check_ema(wrong)

@pytest.mark.parametrize("wrong, says", [
    (changed(dropout, scale=lambda p: 1), "must grow"), (changed(dropout, scale=lambda p: 1 / p), "divides by p"),
    (changed(dropout, scale=lambda p: 1 - p), "multiplies"), (changed(dropout, scale=lambda p: 1.7), "what is left is"),
    (changed(dropout, keep=lambda x, p: torch.rand(x.shape) < p), "share that goes"),
    (changed(dropout, keep=lambda x, p: torch.rand(x.shape) < .5), "instead of"),
    (changed(dropout, keep=lambda x, p: (torch.rand(len(x), 1) < 1 - p).expand_as(x)), "whole rows|were dropped"),
    (changed(dropout, keep=lambda x, p: torch.arange(x.numel()).view_as(x) % 5 > 0), "two calls"),
    (lambda x, p, training: x, "nothing was dropped"), (lambda x, p, training: dropout(x, p, True), "evaluation"),
    (lambda x, p, training: dropout(x, p, True, scale=lambda p: 1) if training else x * (1 - p), "into training"),
    (lambda x, p, training: F.dropout(x, p, training, inplace=True), "x itself")])
def test_dropout(wrong, says):
    with pytest.raises(AssertionError, match=says): check_dropout(wrong)
