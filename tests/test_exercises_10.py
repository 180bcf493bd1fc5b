"The checkers of notebook 10 refuse the known wrong answers, and their messages name the mistake."
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from miniai.exercises.resnet import check_block_parameters, check_receptive_field, check_resblock, check_zero_last
from miniai.layers import ResBlock, conv

class Block(nn.Module):
    "Right; subclasses change one thing each."
    strides = "second"
    def __init__(self, in_channels, channels, stride=1):
        super().__init__()
        self.stride = stride
        first, second = dict(second=(1, stride), first=(stride, 1), both=(stride, stride))[self.strides]
        self.first = conv(in_channels, channels, stride=first)
        self.second = conv(channels, channels, stride=second, act=None)
        self.fit = nn.Conv2d(in_channels, channels, 1) if in_channels != channels else nn.Identity()
        self.change()
    def change(self): pass
    def pool(self, x): return F.avg_pool2d(x, 2, ceil_mode=True) if self.stride == 2 else x
    def identity(self, x): return self.fit(self.pool(x))
    def branch(self, x): return self.second(self.first(x))
    def forward(self, x): return F.relu(self.branch(x) + self.identity(x))

class Functional(Block):
    "Right, in other words: a bias before batchnorm changes nothing, and the pooling may follow the 1×1 convolution."
    def change(self): self.first[0].bias = nn.Parameter(torch.zeros(self.first[0].out_channels))
    def identity(self, x): return self.pool(self.fit(x))
class NoSecondNorm(Block):
    def change(self): self.second = self.second[0]
class NoNorms(Block):
    def change(self): self.first, self.second = nn.Sequential(self.first[0], nn.ReLU()), self.second[0]
class SharedNorm(Block):
    def change(self): self.second[1] = self.first[1]
class NormedIdentity(Block):
    def change(self): self.fit = nn.Sequential(self.fit, nn.BatchNorm2d(self.second[1].num_features))
class AlwaysFit(Block):
    def change(self): self.fit = nn.Conv2d(self.first[0].in_channels, self.first[0].out_channels, 1)
class NeverFit(Block):
    def change(self): self.fit = nn.Identity()
class OneConv(Block):
    def change(self): self.second = nn.Identity()
class NeverCalled(Block):
    def branch(self, x): return self.second[0](self.first(x))
class Twice(Block):
    def branch(self, x): return self.second[1](super().branch(x))
class StrideFirst(Block): strides = "first"
class StrideBoth(Block):
    strides = "both"
    def pool(self, x): return F.avg_pool2d(super().pool(x), 2, ceil_mode=True) if self.stride == 2 else x
class NotPooled(Block):
    def pool(self, x): return x
class CutEdge(Block):
    def pool(self, x): return F.avg_pool2d(x, 2) if self.stride == 2 else x
class Strided(Block):
    def pool(self, x): return x[..., ::self.stride, ::self.stride]
class MaxPool(Block):
    def pool(self, x): return F.max_pool2d(x, 2, ceil_mode=True) if self.stride == 2 else x
class PaddedMeans(Block):
    def pool(self, x): return F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2) if self.stride == 2 else x
class NoLastAct(Block):
    def forward(self, x): return self.branch(x) + self.identity(x)
class ActBeforeSum(Block):
    def forward(self, x): return F.relu(self.branch(x)) + self.identity(x)
class NoSum(Block):
    def forward(self, x): return F.relu(self.branch(x))
class NoFirstAct(Block):
    def change(self): self.first = self.first[:2]
class ActThenNorm(Block):
    def change(self): self.first = nn.Sequential(self.first[0], nn.ReLU(), self.first[1])
class ActOnIdentity(Block):
    def identity(self, x): return F.relu(super().identity(x))
class SumBeforeNorm(Block):
    def forward(self, x): return F.relu(self.second[1](self.second[0](self.first(x)) + self.identity(x)))
class PreActivation(Block):
    def branch(self, x): return self.second[0](F.relu(self.second[1](self.first[0](F.relu(self.first[1](x))))))
class Detached(Block):
    def identity(self, x): return super().identity(x).detach()
class InPlace(Block):
    def forward(self, x): return super().forward(x.clamp_(-1, 1))
class HalfSum(Block):
    def forward(self, x): return F.relu(self.branch(x) + self.identity(x) / 2)
class NoStride(Block):
    def __init__(self, in_channels, channels, stride=1): super().__init__(in_channels, channels)

def of_blocks(model, change, with_path=True):
    for block in model.modules():
        if isinstance(block, ResBlock) and (block.shortcut is not None or not with_path): change(block)
def zero(p): nn.init.zeros_(p)
def zero_last(model): of_blocks(model, lambda b: zero(b.convs[1][1].weight))
def and_more(change):
    def zero_more(model): zero_last(model), of_blocks(model, change)
    return zero_more
def without_paths(model): of_blocks(model, lambda b: zero(b.convs[1][1].weight), with_path=False)
def all_norms(model):
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d): zero(m.weight)
def outer_norm(model): zero_last(model), zero(model[3].weight)
def new_parameters(model):
    def change(b): b.convs[1][1].weight = nn.Parameter(torch.zeros(b.convs[1][1].num_features))
    of_blocks(model, change)
def freeze(model): zero_last(model), of_blocks(model, lambda b: b.convs[1][1].weight.requires_grad_(False))
def only_first(model): zero(model[0][0].convs[1][1].weight)
def one_tenth(model): of_blocks(model, lambda b: nn.init.constant_(b.convs[1][1].weight, .1))
def shortcuts(model):
    of_blocks(model, lambda b: [zero(p) for p in b.shortcut.parameters()])

def field(layers, start=1, less=1, early=False, strides=True):
    result, step = start, 1
    for kernel_size, stride in layers:
        if early: step *= stride
        result += (kernel_size - less) * (step if strides else 1)
        if not early: step *= stride
    return result
def last_stride(layers):
    return 1 + sum((k - 1) * s for (k, _), (_, s) in zip(layers, [(1, 1), *layers]))

def count_parameters(i, o, k, s, convs=None, norms=4, biases=0, fit=None):
    return (o * k * k * (i + o) if convs is None else convs(i, o, k)) + norms * o + biases * o + (
        (i * o + o) * (i != o) if fit is None else fit(i, o, s))
def counted(**change): return partial(parameters, **change)

def test_right_answers_pass(capsys):
    check_resblock(Block), check_resblock(Functional), check_resblock(ResBlock), check_zero_last(zero_last)
    check_receptive_field(field), check_block_parameters(parameters)
    assert capsys.readouterr().out.count("✓") == 6

WRONG = [
    (check_resblock, NoSecondNorm, "1 batchnorms: each of the two"), (check_resblock, NoNorms, "0 batchnorms: each"),
    (check_resblock, SharedNorm, "1 batchnorms: each of the two"),
    (check_resblock, NormedIdentity, "identity path has none"),
    (check_resblock, AlwaysFit, "has 1 1×1 convolutions"), (check_resblock, NeverFit, "has no 1×1 convolution"),
    (check_resblock, OneConv, "1 3×3 convolutions: it takes 2"), (check_resblock, NeverCalled, "never calls"),
    (check_resblock, Twice, "more than once"), (check_resblock, StrideFirst, "the second has the stride"),
    (check_resblock, StrideBoth, "into (4, 4, 2, 2)"), (check_resblock, NotPooled, "must be halved too"),
    (check_resblock, CutEdge, "must be halved too, 7 pixels to 4"), (check_resblock, Strided, "every second pixel"),
    (check_resblock, MaxPool, "largest of 2×2"), (check_resblock, PaddedMeans, "beyond the edge"),
    (check_resblock, NoLastAct, "activation after the sum is missing"),
    (check_resblock, ActBeforeSum, "comes before the sum"), (check_resblock, NoSum, "identity path is not used"),
    (check_resblock, NoFirstAct, "no activation between"), (check_resblock, ActThenNorm, "comes after its batchnorm"),
    (check_resblock, ActOnIdentity, "an activation of its own"),
    (check_resblock, SumBeforeNorm, "added before the second batchnorm"),
    (check_resblock, PreActivation, "begins with a batchnorm"), (check_resblock, Detached, "is a path detached"),
    (check_resblock, InPlace, "changed its input"), (check_resblock, HalfSum, "is off by up to"),
    (check_resblock, NoStride, "into (4, 4, 7, 7)"),
    (check_zero_last, lambda model: None, "nothing changed"), (check_zero_last, without_paths, "leave it alone"),
    (check_zero_last, outer_norm, "outside of the blocks"), (check_zero_last, new_parameters, "work in place"),
    (check_zero_last, freeze, "must not stay there"), (check_zero_last, only_first, "there are several blocks"),
    (check_zero_last, one_tenth, "is not 0"), (check_zero_last, shortcuts, "identity path itself"),
    (check_zero_last, all_norms, "leave it alone"),
    (check_zero_last, and_more(lambda b: zero(b.convs[1][1].bias)), "the weight is enough"),
    (check_zero_last, and_more(lambda b: zero(b.convs[0][1].weight)), "the first batchnorm"),
    (check_zero_last, lambda model: of_blocks(model, lambda b: zero(b.convs[1][0].weight)), "a convolution's weights"),
    (check_receptive_field, partial(field, strides=False), "strides are forgotten"),
    (check_receptive_field, partial(field, early=True), "not on its own"),
    (check_receptive_field, partial(field, start=0, less=0), "kernel size − 1"),
    (check_receptive_field, lambda layers: sum(k for k, s in layers), "the sum of the kernels"),
    (check_receptive_field, partial(field, start=0), "one too few"),
    (check_receptive_field, partial(field, start=2), "one too many"),
    (check_receptive_field, lambda layers: field(layers[::-1]), "the other way"),
    (check_receptive_field, last_stride, "the strides before it multiply"),
    (check_receptive_field, lambda layers: 7, "pixels, yours gives 7"),
    (check_block_parameters, counted(biases=2), "has no bias"), (check_block_parameters, counted(norms=0), "missing"),
    (check_block_parameters, counted(norms=2), "a weight and a bias a channel"),
    (check_block_parameters, counted(norms=8), "measured, not learned"),
    (check_block_parameters, counted(fit=lambda i, o, s: 0), "identity is missing"),
    (check_block_parameters, counted(fit=lambda i, o, s: i * o * (i != o)), "has a bias, as no batchnorm"),
    (check_block_parameters, counted(fit=lambda i, o, s: i * o + o), "only where the channels change"),
    (check_block_parameters, counted(fit=lambda i, o, s: (i * o + o) * (s == 2)), "not where the stride is 2"),
    (check_block_parameters, counted(convs=lambda i, o, k: 2 * i * o * k * k), "the second convolution"),
    (check_block_parameters, counted(convs=lambda i, o, k: i * o * k * k), "two convolutions"),
    (check_block_parameters, counted(convs=lambda i, o, k: o * k * (i + o)), "a kernel is a square"),
    (check_block_parameters, lambda *case: 5, "parameters, yours says 5")]

@pytest.mark.parametrize("check, wrong, says", WRONG)
def test_wrong_answers_are_refused(check, wrong, says):
    with pytest.raises(AssertionError) as e: check(wrong)
    assert says in str(e.value)
