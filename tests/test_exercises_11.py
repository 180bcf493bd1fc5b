"The checkers of notebook 11 refuse the known wrong answers, and their messages name the mistake."
from functools import partial

import pytest
import torch
from torch import nn

from miniai.cost import flops, layer_flops
from miniai.exercises.model_cost import (
    by_hand_net, check_bottleneck_parameters, check_by_hand, check_needed, check_under_budget)
from miniai.layers import plain_cnn, resnet

RIGHT = [2 * 14 * 14 * 8 * 25, 2 * 14 * 14 * 8 * 9, 2 * 14 * 14 * 16 * 8, 2 * 7 * 7 * 24 * 16 * 9, 0, 2 * 24 * 10]

def changed(i, factor=1, plus=0): return [n * factor + plus if j == i else n for j, n in enumerate(RIGHT)]

def test_by_hand_is_right(capsys):
    check_by_hand(lambda: RIGHT)
    assert "✓" in capsys.readouterr().out
    assert sum(RIGHT) == flops(by_hand_net(), torch.zeros(1, 1, 28, 28))

@pytest.mark.parametrize("answer, message", [
    ([n / 2 for n in RIGHT], "layer 1, Conv2d: those are multiply-adds"), (changed(5, .5), "layer 6, Linear: those are mul"),
    (changed(0, 4), "input's pixels"), (changed(3, 4), "layer 4, Conv2d: that takes the input's pixels"),
    (changed(1, 8), "only the channels of its group"), (changed(0, 1 / 5), "a height and a width"),
    (changed(1, .25), "stride belongs to one layer"), (changed(2, 1 / 8), "sees all input channels"),
    (changed(3, 1 / 24), "all output channels cost"), (changed(2, 1 / 196), "at every pixel"),
    (changed(0, 1, 14 * 14 * 8), "bias is counted"), (changed(5, 1, 10), "layer 6, Linear: the bias is counted"),
    (changed(4, 1, 24 * 49), "an average has no weights"), (changed(2, 1, 7), "it is not"),
    (RIGHT[:5], "six layers"), ([*RIGHT, sum(RIGHT)], "six layers")])
def test_by_hand_names_the_mistake(answer, message):
    with pytest.raises(AssertionError, match=message): check_by_hand(lambda: answer)

def parts(i, c, k, r):
    m = c // r
    return dict(down=i * m, middle=m * m * k * k, up=m * c, weights=2 * m + c, biases=2 * m + c,
                shortcut=(i * c + c) * (i != c))

def count(*args, **change): return sum((parts(*args) | change).values())

@pytest.mark.parametrize("wrong, message", [
    (lambda i, c, k, r: count(i, c, k, r, weights=0, biases=0), "batchnorms are missing"),
    (lambda i, c, k, r: count(i, c, k, r, biases=0), "their biases are not"),
    (lambda i, c, k, r: count(i, c, k, r) + 2 * (2 * (c // r) + c), "not learned"),
    (lambda i, c, k, r: count(i, c, k, r) + 2 * (c // r) + c, "convolutions have no bias"),
    (lambda i, c, k, r: count(i, c, k, r, shortcut=0), "identity path is missing"),
    (lambda i, c, k, r: count(i, c, k, r, shortcut=i * c * (i != c)), "identity path has a bias"),
    (lambda i, c, k, r: count(i, c, k, r, shortcut=i * c + c), "nothing is on the identity path"),
    (lambda i, c, k, r: count(i, c, k, r, middle=(c // r)**2 * k), "height and a width"),
    (lambda i, c, k, r: count(i, c, k, r, middle=c * (c // r) * k * k), "on both sides"),
    (lambda i, c, k, r: count(i, c, k, r) + 1, "yours says")])
def test_bottleneck_parameters_names_the_mistake(wrong, message):
    check_bottleneck_parameters(count)
    with pytest.raises(AssertionError, match=message): check_bottleneck_parameters(wrong)

def needed(points, cost): return max((value for c, value in points if c <= cost), default=0)

def on_a_line(points, cost):
    points = sorted(points)
    below, above = [p for p in points if p[0] <= cost], [p for p in points if p[0] > cost]
    if not (below and above): return needed(points, cost)
    (c0, v0), (c1, v1) = below[-1], above[0]
    return v0 + (v1 - v0) * (cost - c0) / (c1 - c0)

@pytest.mark.parametrize("wrong, message", [
    (lambda points, cost: max(value for _, value in points), "dearer"),
    (lambda points, cost: max((v for c, v in points if c < cost), default=0), "same cost"),
    (lambda points, cost: max((c, v) for c, v in [(0, 0), *points] if c <= cost)[1], "nearest in cost"),
    (lambda points, cost: min(points, key=lambda p: abs(p[0] - cost))[1], "cheaper|nearest|dearer"),
    (lambda points, cost: min((p for p in points if p[0] >= cost), default=(0, 0))[1], "dearer"),
    (lambda points, cost: max(v for c, v in points if c <= cost), "raised ValueError"),
    (lambda points, cost: needed(points, cost) or .90, "nothing is as cheap"), (on_a_line, "line between"),
    (lambda points, cost: needed(points, cost) + .01, "it is 0.92|dearer")])
def test_needed_names_the_mistake(wrong, message):
    check_needed(needed)
    with pytest.raises(AssertionError, match=message): check_needed(wrong)

def test_budget(capsys, monkeypatch):
    monkeypatch.setenv("MINIAI_TIER", "smoke")
    check_under_budget(partial(plain_cnn, (1, 26, 52, 104, 208)))
    assert "4.44 MFLOPs; the race needs all images" in capsys.readouterr().out
    for wrong, message in ((resnet, "59.39 MFLOPs a picture: the budget is 5"),
                           (partial(plain_cnn, n_classes=7), "scores \\[2, 10\\], yours \\[2, 7\\]"), (dict, "gives a dict")):
        with pytest.raises(AssertionError, match=message): check_under_budget(wrong)

@pytest.mark.parametrize("ours, message", [(.8, "80.00 % after an epoch: the narrow ResNet has 85.00 %"), (.9, None)])
def test_race(ours, message, monkeypatch, capsys):
    import miniai.cost as cost
    class Many:
        train_x = range(60_000)
        def dls(self, bs): return None
    mine = partial(plain_cnn, (1, 8, 8, 8, 8))
    monkeypatch.setattr(cost, "fashion_mnist", Many)
    monkeypatch.setattr(cost, "_one_epoch", lambda make, seed, dls: ours if make is mine else .85)
    if message:
        with pytest.raises(AssertionError, match=message): check_under_budget(mine)
    else:
        check_under_budget(mine)
        assert "the narrow ResNet 85.00 %" in capsys.readouterr().out

def test_layer_flops_of_what_has_no_weights(): assert layer_flops(nn.ReLU(), torch.zeros(3)) == 0
