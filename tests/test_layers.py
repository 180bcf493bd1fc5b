"What lesson 13 promises of ResBlock and resnet beyond the cells that show it."
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision.models.resnet import BasicBlock

from miniai.hooks import init_weights
from miniai.layers import Bottleneck, GlobalAvgPool, ResBlock, conv, plain_cnn, resnet

def size(model): return sum(p.numel() for p in model.parameters())

# -- the networks of the lesson

@pytest.mark.parametrize("make, parameters", [
    (plain_cnn, 30_274), (partial(resnet, (8, 16, 32, 64, 128), kernel_size=3), 307_826),
    (partial(resnet, (16, 32, 64, 128, 256, 512)), 4_905_562), (resnet, 1_230_426),
    (partial(resnet, stem=conv), 1_223_962)])
def test_parameters_are_the_lessons(make, parameters): assert size(make()) == parameters

def test_blocks_and_classes_are_counted():
    model = resnet((4, 6, 8), in_channels=3, n_classes=7, blocks=3)
    blocks = [m for m in model if isinstance(m, ResBlock)]
    assert len(blocks) == 9 and [b.stride for b in blocks] == [1, 1, 1, 2, 1, 1, 2, 1, 1]
    assert [b.convs[0][0].kernel_size[0] for b in blocks] == [5] + [3] * 8
    assert model(torch.randn(2, 3, 20, 20)).shape == (2, 7)

def test_stem_and_block_are_whatever_makes_modules():
    model = resnet((4, 8), block=partial(ResBlock, act=nn.GELU, norm=None), stem=partial(conv, act=nn.Tanh))
    assert isinstance(model[0][-1], nn.Tanh) and isinstance(model[1].act, nn.GELU)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model[1].modules())
    assert all(m.bias is not None for m in model[1].modules() if isinstance(m, nn.Conv2d))

@settings(max_examples=25, deadline=None)
@given(st.integers(9, 40), st.integers(9, 40))
def test_any_size_gives_the_scores(height, width):
    model = resnet((2, 2, 2, 2, 2)).eval()
    assert model(torch.randn(1, 1, height, width)).shape == (1, 10)

@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(2, 30), st.sampled_from([3, 5]), st.sampled_from([1, 2]), st.booleans())
def test_both_paths_have_one_shape(height, width, kernel_size, stride, widen):
    block = ResBlock(3, 5 if widen else 3, kernel_size, stride)
    out = block(torch.randn(2, 3, height, width))
    assert out.shape == (2, 5 if widen else 3, -(-height // stride), -(-width // stride))

def test_average_is_over_pixels():
    assert GlobalAvgPool()(torch.arange(8.).view(1, 2, 2, 2)).tolist() == [[1.5, 5.5]]

def test_numpy_numbers_will_do():
    assert size(resnet(np.array([4, 8]), n_classes=np.int64(3))) == size(resnet((4, 8), n_classes=3))

# -- the block

@pytest.mark.parametrize("channels", [6, 8])
def test_stride_1_is_torchvisions_block(channels):
    torch.manual_seed(0)
    ours = ResBlock(6, channels).double()
    for p in ours.parameters(): nn.init.normal_(p, std=.4)
    theirs = BasicBlock(6, channels, downsample=nn.Conv2d(6, channels, 1) if channels != 6 else None).double()
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    for _ in range(5):
        x = torch.randn(3, 6, 7, 5).double()
        xs = [x.clone().requires_grad_() for _ in range(2)]
        outs = [block.train()(x) for block, x in zip((ours, theirs), xs)]
        for block, out in zip((ours, theirs), outs):
            block.zero_grad()
            out.square().sum().backward()
        evaluated = [block.eval()(x) for block in (ours, theirs)]
        for a, b in (outs, evaluated, [x.grad for x in xs]): torch.testing.assert_close(a, b)
        for a, b in zip(ours.state_dict().values(), theirs.state_dict().values()): torch.testing.assert_close(a, b)
        for a, b in zip(ours.parameters(), theirs.parameters()): torch.testing.assert_close(a.grad, b.grad)

def test_stride_2_by_hand():
    torch.manual_seed(0)
    block = ResBlock(2, 3, stride=2).double().eval()
    x = torch.randn(1, 2, 4, 4).double()
    means = x.view(1, 2, 2, 2, 2, 2).mean((3, 5))
    right = (block.convs(x) + block.shortcut[1](means)).clamp_min(0)
    torch.testing.assert_close(block(x), right)

def test_zero_init_starts_as_the_identity_path_and_survives_init_weights():
    block = ResBlock(4, 4, zero_init=True).apply(init_weights)
    x = torch.randn(5, 4, 6, 6)
    assert torch.equal(block(x), x.relu())
    block(x).sum().backward()
    assert not block.convs[0][0].weight.grad.any() and block.convs[1][1].weight.grad.any()

def test_without_shortcut_nothing_is_drawn_for_it():
    "So that a plain network and its twin begin with the same random weights."
    torch.manual_seed(0)
    ResBlock(2, 4, shortcut=False)
    after = torch.rand(1)
    torch.manual_seed(0)
    conv(2, 4, stride=1), conv(4, 4, stride=1)
    assert torch.equal(after, torch.rand(1))

@pytest.mark.parametrize("stride", [1, 2])
def test_a_bottleneck_draws_its_own_layers_and_no_others(stride):
    torch.manual_seed(0)
    block, after = Bottleneck(4, 8, stride=stride), torch.rand(1)
    torch.manual_seed(0)
    layers = nn.Sequential(conv(4, 2, 1, 1), conv(2, 2, 3, stride), conv(2, 8, 1, 1, None), nn.Conv2d(4, 8, 1))
    assert all(map(torch.equal, block.parameters(), layers.parameters())) and torch.equal(after, torch.rand(1))
    x = torch.randn(2, 4, 6, 6)
    shortcut = layers[3](nn.functional.avg_pool2d(x, stride))
    torch.testing.assert_close(block(x), (layers[:3](x) + shortcut).relu())

# -- what is refused, by name

@pytest.mark.parametrize("wrong, says", [
    (dict(channels=[]), "channels is []"), (dict(channels="16"), "channels is '16'"),
    (dict(channels=16), "channels is 16"),
    (dict(channels=(16, 0)), "channels[1] is 0"), (dict(channels=(16, -2)), "channels[1] is -2"),
    (dict(channels=(16.5, 32)), "channels[0] is 16.5"), (dict(channels=(16, None)), "channels[1] is None"),
    (dict(channels=(True,)), "channels[0] is True"), (dict(in_channels=0), "in_channels is 0"),
    (dict(n_classes=0), "n_classes is 0"), (dict(blocks=0), "blocks is 0"), (dict(blocks=1.5), "blocks is 1.5"),
    (dict(kernel_size=4), "kernel_size is 4: it must be odd"), (dict(kernel_size=0), "kernel_size is 0")])
def test_resnet_refuses(wrong, says):
    with pytest.raises(ValueError) as e: resnet(**wrong)
    assert says in str(e.value)

@pytest.mark.parametrize("wrong, says", [
    (dict(stride=3), "stride is 3: it must be 1 or 2"), (dict(stride=0), "stride is 0"),
    (dict(kernel_size=2), "kernel_size is 2: it must be odd"), (dict(kernel_size=(3, 3)), "kernel_size is (3, 3)"),
    (dict(zero_init=True, shortcut=False), "zero_init is True"),
    (dict(zero_init=True, norm=None), "zero_init is True")])
def test_resblock_refuses(wrong, says):
    with pytest.raises(ValueError) as e: ResBlock(4, 4, **wrong)
    assert says in str(e.value)

@pytest.mark.parametrize("height, width", [(8, 8), (8, 28), (28, 8), (1, 1)])
def test_a_picture_smaller_than_the_halvings_is_refused(height, width):
    with pytest.raises(ValueError, match="halves pictures, and got"): resnet()(torch.randn(2, 1, height, width))

def test_the_base_network_takes_larger_pictures_and_gives_too_many_scores():
    "Why the ladder leaves it: nobody complains."
    assert plain_cnn()(torch.randn(2, 1, 64, 64)).shape == (2, 40)
