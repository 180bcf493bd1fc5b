"What miniai.speed and the callbacks of 18_speed promise beyond the cells that show it."
import copy, math
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from miniai import sched
from miniai.augment import RandErase
from miniai.callbacks import FreezeCB, LookaheadCB
from miniai.core import set_seed
from miniai.data import Batches, DataLoaders, ImageData
from miniai.learner import Callback, Learner
from miniai.metrics import accuracy
from miniai.optim import SGD, Adagrad, AdamW, Muon, NAdam
from miniai.speed import (
    RECIPE_94, RECIPE_AIRBENCH, AlternatingBatches, NormedMuon, Optimizers, Recipe, keep_memory, multi_view,
    pass_through, patch_stats, speed_block, speed_net, speed_optimizer, speed_schedule, speedrun, split_parameters,
    whitening_conv)

few = settings(max_examples=20, deadline=None)

def pictures(n=40, c=1, size=28, seed=0, dtype=torch.float32):
    "Noise that is smooth, so that neighbours are alike, with a mean that is not 0."
    noise = torch.randn(n, c, size + 4, size + 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (F.avg_pool2d(noise, 5, 1) + .1 * noise[..., 2:-2, 2:-2] + .3).to(dtype)

def image_data(n=60, c=1, size=28, seed=0):
    "Classes that can be told apart: a bright bar in one of three places."
    rng = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % 3
    x = torch.randint(80, (n, c, size, size), generator=rng, dtype=torch.uint8)
    for i, place in enumerate(y.tolist()): x[i, :, 8 * place + 2:8 * place + 6] += 150
    return ImageData(x, y, x[:30].clone(), y[:30].clone(), ["a", "b", "c"], "bars")

TINY = Recipe(widths=(4, 6, 6), epochs=2, bs=16, lr=.05, padding=1)

# -- memory

def test_elsewhere_nothing_happens(monkeypatch):
    def missing(name): raise OSError(name)
    monkeypatch.setattr("ctypes.CDLL", missing)
    assert keep_memory() is False

# -- whitening

@few
@given(st.integers(0, 10**6), st.sampled_from([1, 3]), st.sampled_from([1, 2, 3]))
def test_outputs_of_the_whitening_layer_have_covariance_one(seed, c, k):
    x = pictures(12, c, 14, seed, torch.float64)
    conv, d = whitening_conv(x, k, eps=0.), c * k * k
    with torch.no_grad(): out = conv(x).transpose(0, 1).flatten(1)
    assert out.shape[0] == 2 * d and torch.allclose(out[d:], -out[:d])
    assert torch.allclose(out[:d].cov(correction=0).view(d, d), torch.eye(d).double(), atol=1e-8)
    assert torch.allclose(out.mean(1), torch.zeros(2 * d).double(), atol=1e-8)

def test_eps_stands_inside_the_root():
    x = pictures(12, 1, 14, dtype=torch.float64)
    conv, eps = whitening_conv(x, 3, eps=.01), .01
    variances = torch.linalg.eigvalsh(patch_stats(x, 3)[1])
    with torch.no_grad(): out = conv(x).transpose(0, 1).flatten(1)[:9].cov(correction=0)
    assert torch.allclose(out, (variances / (variances + eps)).diag(), atol=1e-9)

def test_patch_stats_are_those_of_a_loop():
    x = pictures(3, 2, 6, dtype=torch.float64)
    patches = torch.stack([im[:, i:i + 2, j:j + 2].flatten() for im in x for i in range(5) for j in range(5)])
    mean, cov = patch_stats(x, 2)
    assert torch.allclose(mean, patches.mean(0)) and torch.allclose(cov, patches.T.cov(correction=0))

def test_weights_are_frozen_and_the_bias_learns():
    conv = whitening_conv(pictures())
    assert not conv.weight.requires_grad and conv.bias.requires_grad and conv.padding == (0, 0)

@pytest.mark.parametrize("call, says", [
    (lambda: whitening_conv(torch.zeros(9, 1, 8, 8, dtype=torch.uint8)), "floating"),
    (lambda: whitening_conv(torch.randn(8, 8)), "batch of images"),
    (lambda: whitening_conv(torch.randn(1, 1, 5, 5)), "1 images with 9 patches"),
    (lambda: whitening_conv(torch.randn(2, 3, 3, 3)), "more of them"),
    (lambda: whitening_conv(pictures(), 29), "kernel_size is 29"),
    (lambda: whitening_conv(pictures(), 0), "kernel_size is 0"),
    (lambda: whitening_conv(pictures(), eps=-1.), "eps is -1"),
    (lambda: whitening_conv(torch.ones(9, 1, 8, 8)), "eps is 0.0005"),
    (lambda: whitening_conv(torch.ones(9, 1, 8, 8) * torch.randn(9, 1, 1, 1), eps=0.), "eps is 0"),
    (lambda: pass_through(nn.Conv2d(2, 2, 2)), "odd kernel"),
    (lambda: pass_through(nn.Conv2d(2, 2, 3, groups=2)), "one group"),
    (lambda: speed_net(pictures(), ()), "widths is empty"),
    (lambda: speed_net(pictures(), (4, 0)), "widths is 0"),
    (lambda: speed_net(pictures(size=10), (4, 4, 4, 4)), "too many"),
    (lambda: speed_net(pictures(), norm_momentum=2), "norm_momentum is 2"),
    (lambda: Recipe(epochs=0), "epochs is 0"),
    (lambda: Recipe(bs=0), "bs is 0"),
    (lambda: Recipe(lr=-1), "lr is -1"),
    (lambda: Recipe(label_smoothing=1.5), "label_smoothing is 1.5"),
    (lambda: Recipe(warmup=-.1), "warmup is -0.1"),
    (lambda: Recipe(padding=-1), "padding is -1"),
    (lambda: Recipe(augmentation=("flip",)), "augmentation holds 'flip'"),
    (lambda: Recipe(sizes=(20, 28)), r"sizes is \(20, 28\): it must hold pairs"),
    (lambda: Recipe(sizes=((.5, 20), (.4, 28))), "shares must add up to 1"),
    (lambda: Recipe(sizes=((1.5, 20), (-.5, 28))), "sizes is 1.5"),
    (lambda: Recipe(sizes=((1., 20.5),)), "sizes is 20.5"),
    (lambda: speedrun(image_data(40), replace(TINY, sizes=((1., 9),)), 0), "sizes has 9 pixels: too few for 3 blocks"),
    (lambda: Recipe(ema=1.5), "ema is 1.5"),
    (lambda: LookaheadCB(0), "total_steps is 0"),
    (lambda: LookaheadCB(5, every=0), "every is 0"),
    (lambda: LookaheadCB(5, decay=2), "decay is 2"),
    (lambda: FreezeCB([], -1), "n_steps is -1"),
    (lambda: Optimizers(), "members is empty")])
def test_bad_arguments_are_named(call, says):
    with pytest.raises(ValueError, match=says): call()

# -- the network

@few
@given(st.integers(1, 5), st.integers(1, 8), st.sampled_from([1, 3, 5]))
def test_a_convolution_hands_on_its_input(ins, outs, k):
    conv = nn.Conv2d(ins, outs, k, padding=k // 2, bias=False)
    before, x, n = conv.weight.detach().clone(), torch.randn(2, ins, 6, 6), min(ins, outs)
    assert pass_through(conv) is conv
    assert torch.allclose(conv(x)[:, :n], x[:, :n], atol=1e-6) and torch.equal(conv.weight[ins:], before[ins:])

@pytest.mark.parametrize("c, size, first", [(1, 28, 18), (3, 32, 24), (1, 32, 18), (3, 28, 24)])
def test_speed_net_takes_grey_and_colour(c, size, first):
    x = pictures(c=c, size=size)
    net = speed_net(x)
    assert net(x[:2]).shape == (2, 10) and net[0].out_channels == first
    assert sum(p.numel() for p in net.parameters()) < 5e6 and not net[0].weight.requires_grad

def test_parameters_without_the_third_convolutions():
    assert sum(p.numel() for p in speed_net(pictures(), residual=False).parameters()) == 1_969_204

def test_flags_of_the_network():
    x, widths = pictures(), (4, 6, 6)
    plain = speed_net(x, widths, whitening=False, identity_init=False, frozen_scales=False, norm_momentum=.9,
                      residual=False)
    assert all(p.requires_grad for p in plain.parameters())
    norms = [m for m in plain.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 6 and all(math.isclose(m.momentum, .1) and m.eps == 1e-12 for m in norms)
    assert not torch.equal(plain[3][4].weight, pass_through(copy.deepcopy(plain[3][4])).weight)
    net = speed_net(x, widths)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(not m.weight.requires_grad and m.bias.requires_grad and math.isclose(m.momentum, .4) for m in norms)
    assert len(norms) == 9
    for block in net[2:5]:
        convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
        assert len(convs) == 3
        for conv in convs: assert torch.equal(conv.weight, pass_through(copy.deepcopy(conv)).weight)

def test_a_block_is_what_its_formula_says():
    x, gelu = torch.randn(3, 4, 9, 8), nn.functional.gelu
    block = speed_block(4, 6, identity_init=False).eval()
    c1, c2, c3 = (m for m in block.modules() if isinstance(m, nn.Conv2d))
    b1, b2, b3 = (m for m in block.modules() if isinstance(m, nn.BatchNorm2d))
    for norm in (b1, b2, b3): nn.init.normal_(norm.bias)
    first = gelu(b1(nn.functional.max_pool2d(c1(x), 2)))
    assert torch.allclose(block(x), gelu(first + b3(c3(gelu(b2(c2(first)))))), atol=1e-6)
    plain = speed_block(4, 6, residual=False).eval()
    plain.load_state_dict(dict(zip(plain.state_dict(), block.state_dict().values())))
    assert torch.allclose(plain(x), gelu(b2(c2(first))), atol=1e-6)

# -- alternating flip

@few
@given(st.integers(1, 30), st.integers(1, 8), st.booleans())
def test_two_epochs_in_a_row_show_both_sides(n, bs, shuffle):
    x = torch.randint(256, (n, 1, 4, 5), dtype=torch.uint8)
    dl = AlternatingBatches(x, torch.arange(n), bs, shuffle=shuffle)
    def epoch():
        seen = [(y, x) for x, y in dl]
        return torch.cat([x for _, x in seen])[torch.cat([y for y, _ in seen]).argsort()]
    epochs, plain = [epoch() for _ in range(4)], Batches(x, torch.arange(n), n).batch(torch.arange(n))[0]
    for a, b in zip(epochs, epochs[1:]): assert torch.equal(a, b.flip(3))
    for shown, one in zip(epochs[0], plain): assert torch.equal(shown, one) or torch.equal(shown, one.flip(2))

def test_which_side_comes_first_is_drawn_for_each():
    set_seed(1)
    dl = AlternatingBatches(torch.zeros(2000, 1, 2, 2, dtype=torch.uint8), torch.zeros(2000).long())
    assert .45 < dl.mirrored.float().mean() < .55
    before = dl.mirrored.clone()
    next(iter(dl))
    assert torch.equal(dl.mirrored, before)     # an epoch that is not finished changes nothing

# -- optimizers

@pytest.mark.parametrize("change", [{}, dict(muon=False), dict(whitening=False), dict(frozen_scales=False),
                                    dict(fast_bias=False), dict(normed=False)])
def test_each_parameter_is_in_one_group(change):
    recipe = replace(TINY, **change)
    net = speed_net(pictures(), recipe.widths, whitening=recipe.whitening, frozen_scales=recipe.frozen_scales)
    learning = sorted(id(p) for p in net.parameters() if p.requires_grad)
    assert sorted(id(p) for ps in split_parameters(net).values() for p in ps) == learning
    opt = speed_optimizer(net, recipe)
    assert sorted(id(p) for group in opt.param_groups for p in group["params"]) == learning
    assert any(isinstance(o, Muon) for o in opt.members) == recipe.muon
    assert any(isinstance(o, NormedMuon) for o in opt.members) == (recipe.muon and recipe.normed)
    rates = {name: next(g["lr"] for g in opt.param_groups if any(p is q for q in g["params"]))
             for name, p in net.named_parameters() if p.requires_grad}
    for name, rate in rates.items():
        filters = recipe.muon and dict(net.named_parameters())[name].ndim == 4
        fast = recipe.fast_bias and name.endswith("bias")
        assert rate == (TINY.lr if filters else TINY.sgd_lr * (64 if fast else 1)), name

def test_scales_are_no_biases():
    net = speed_net(pictures(), (4, 6, 6), frozen_scales=False)
    kinds = split_parameters(net)
    assert [p.ndim for p in kinds["rest"]] == [1] * 9 + [2] and len(kinds["biases"]) == 9
    assert kinds["first_bias"][0] is net[0].bias and {p.ndim for p in kinds["filters"]} == {4}

def two_linears(seed=0):
    set_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()

def step(model, opt, seed):
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(seed)).double()
    F.cross_entropy(model(x), x[:, :3].argmax(1)).backward()
    opt.step(), opt.zero_grad()

def joint(model): return Optimizers(Muon([model[0].weight], lr=.02, dtype=torch.float64),
                                    SGD([model[0].bias, *model[2].parameters()], lr=.1, momentum=.9))

def test_several_optimizers_step_as_each_alone_would():
    a, b = two_linears(), two_linears()
    opt, alone = joint(a), joint(b).members
    for i in range(30):
        step(a, opt, i)
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(i)).double()
        F.cross_entropy(b(x), x[:, :3].argmax(1)).backward()
        for o in alone: o.step(), o.zero_grad()
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))
    assert all(p.grad is None for p in a.parameters())

def test_state_dict_round_trip():
    a = two_linears()
    opt = joint(a)
    for i in range(5): step(a, opt, i)
    b = copy.deepcopy(a)
    other = joint(b)
    other.load_state_dict(copy.deepcopy(opt.state_dict()))
    torch.optim.lr_scheduler.LambdaLR(other, lambda t: 1.)
    for i in range(5, 10): step(a, opt, i), step(b, other, i)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))
    other.param_groups[0]["lr"] = 0.
    assert other.members[0].param_groups[0]["lr"] == 0.      # still the members' own groups
    for old in opt.state_dict(), dict(members=[member.state_dict() for member in opt.members]):
        other = joint(two_linears())
        other.load_state_dict(old)
        torch.testing.assert_close(other.state_dict()["state"], opt.state_dict()["state"], rtol=0, atol=0)
        assert [group["lr"] for group in other.param_groups] == [.02, .1] and other.param_groups[1]["momentum"] == .9
    refused = SGD(two_linears().parameters()).state_dict()
    with pytest.raises(ValueError, match=r"groups of \[4\] parameters.*\[1, 3\]"): opt.load_state_dict(refused)

def test_no_parameter_may_belong_to_two():
    p = nn.Parameter(torch.zeros(2, 2))
    with pytest.raises(ValueError, match="share a parameter"): Optimizers(SGD([p]), SGD([p]))

def test_closure_runs_once():
    model, calls = two_linears(), []
    def closure():
        calls.append(1)
        loss = model(torch.ones(2, 4).double()).square().sum()
        loss.backward()
        return loss
    assert joint(model).step(closure) > 0 and len(calls) == 1

def test_hooks_of_all_run_once():
    "Its own and its members', at steps, at saving and at loading; a member's changes count."
    model, seen = two_linears(), []
    opt = joint(model)
    for each in opt, *opt.members:
        see = lambda *_, kind=type(each).__name__: seen.append(kind)
        each.register_step_pre_hook(see), each.register_step_post_hook(see)
        each.register_state_dict_pre_hook(see), each.register_state_dict_post_hook(see)
        each.register_load_state_dict_pre_hook(see), each.register_load_state_dict_post_hook(see)
    nested = ["Optimizers", "Muon", "Muon", "SGD", "SGD", "Optimizers"]
    step(model, opt, 0)
    assert seen == nested
    opt.load_state_dict(opt.state_dict())
    assert seen[6:] == nested * 2
    opt.members[1].register_state_dict_post_hook(lambda opt, state: state["param_groups"][0].update(mark=1))
    assert opt.state_dict()["param_groups"][1]["mark"] == 1

def test_a_new_group_is_the_last_members_or_that_of_the_one_it_is_added_to():
    model = two_linears()
    opt, new = joint(model), [nn.Parameter(torch.ones(2, 2).double()) for _ in range(2)]
    opt.add_param_group(dict(params=new[0], lr=1.))
    opt.members[0].add_param_group(dict(params=new[1], lr=2.))
    assert [group["lr"] for group in opt.param_groups] == [.02, 2., .1, 1.]
    assert [len(member.param_groups) for member in opt.members] == [2, 2]
    for p in new: p.grad = torch.eye(2).double()
    opt.step()
    assert new[0].tolist() == [[0, 1], [1, 0]] and "momentum_buffer" in opt.members[0].state[new[1]]
    with pytest.raises(ValueError, match="3 groups: it must have 4"): opt.param_groups = opt.param_groups[1:]

def test_members_are_optimizers():
    with pytest.raises(TypeError, match="members holds list"): Optimizers([nn.Parameter(torch.ones(1))])

def test_optimizers_of_optimizers():
    a, b = two_linears(), two_linears()
    rest = [b[0].bias, *b[2].parameters()]
    outer = Optimizers(Muon([b[0].weight], lr=.02, dtype=torch.float64),
                       Optimizers(SGD(rest[:1], lr=.1, momentum=.9), SGD(rest[1:], lr=.1, momentum=.9)))
    opt = joint(a)
    for i in range(3): step(a, opt, i), step(b, outer, i)
    again = copy.deepcopy(outer)
    again.load_state_dict(outer.state_dict())
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))
    assert len(again.state) == 4 and [len(group["params"]) for group in again.param_groups] == [1, 1, 2]

def test_scaler_skips_all_members():
    p, q = (nn.Parameter(torch.ones(2)) for _ in range(2))
    opt, scaler = Optimizers(SGD([p]), torch.optim.Adam([q], fused=True)), torch.amp.GradScaler("cpu", init_scale=8.)
    scaler.scale(p.sum() + q.sum()).backward()
    q.grad[0] = math.inf
    scaler.step(opt), scaler.update()
    assert p.tolist() == q.tolist() == [1., 1.] and scaler.get_scale() == 4.

def both_cycle(cls, **kwargs):
    "Momentum of each group, by its own name, over eight steps."
    opt = cls(two_linears())
    schedule = kwargs.pop("make")(opt, **kwargs)
    seen = []
    for _ in range(8):
        seen.append([group["betas"][0] if "betas" in group else group["momentum"] for group in opt.param_groups])
        opt.step(), schedule.step()
    return seen

@pytest.mark.parametrize("name, arguments", [("OneCycleLR", dict(max_lr=.1, total_steps=9)),
                                             ("CyclicLR", dict(base_lr=.01, max_lr=.1, step_size_up=3))])
def test_schedulers_cycle_the_momentum_of_all(name, arguments):
    "Ours as PyTorch's; of a member with betas and one with momentum only ours, PyTorch's know one name."
    ours, theirs = getattr(sched, name), getattr(torch.optim.lr_scheduler, name)
    mixed = lambda model: Optimizers(Muon([model[0].weight]), AdamW(model[2].parameters()))
    adams = lambda model: Optimizers(AdamW([model[0].weight]), NAdam(model[2].parameters()))
    plain = both_cycle(joint, make=ours, **arguments)
    assert len(set(map(tuple, plain))) > 3 and all(a == b for a, b in plain)
    for make, cls in (theirs, joint), (ours, mixed), (ours, adams), (theirs, adams):
        assert both_cycle(cls, make=make, **arguments) == [pytest.approx(row, rel=1e-12) for row in plain]
    with pytest.raises(ValueError, match="momentum"): both_cycle(mixed, make=theirs, **arguments)
    none = lambda model: Optimizers(Muon([model[0].weight]), Adagrad(model[2].parameters()))
    with pytest.raises(ValueError, match="a group of Optimizers has neither"): both_cycle(none, make=ours, **arguments)

def test_torch_schedulers_set_the_rates_of_all():
    model = two_linears()
    opt = joint(model)
    sched = torch.optim.lr_scheduler.StepLR(opt, 1, gamma=.5)
    step(model, opt, 0)
    sched.step()
    assert [g["lr"] for o in opt.members for g in o.param_groups] == [.01, .05]

def test_muon_keeps_norms_and_moves_by_its_rate():
    torch.manual_seed(0)
    p = nn.Parameter(torch.randn(8, 6, 3, 3).double())
    for lr in (0., .1):
        p.grad = torch.randn_like(p)
        opt, before = NormedMuon([p], lr=lr, weight_decay=0., dtype=torch.float64), p.detach().clone()
        opt.step()
        unit = before * 8**.5 / before.norm()
        change = (p - unit).norm() / 8**.5
        assert lr == 0 and change < 1e-9 or .6 * lr < change < 1.3 * lr

def test_rates_fall_to_zero_and_the_first_bias_earlier():
    net, recipe = speed_net(pictures(), (4, 6, 6)), replace(TINY, first_bias_share=.3, warmup=.2)
    opt = speed_optimizer(net, recipe)
    sched, rates = speed_schedule(opt, 50, recipe), []
    for _ in range(51):
        rates.append([g["lr"] for g in opt.param_groups])
        opt.step(), sched.step()
    muon, first, biases, rest = torch.tensor(rates).T
    peak = muon.argmax().item()
    assert peak == 10 and math.isclose(muon[0], .2 * muon[10], rel_tol=1e-5) and muon[50] == biases[50] == rest[50] == 0
    assert first[15] == 0 and first[14] > 0 and torch.allclose(biases, 64 * rest)
    assert torch.allclose(rest[10:].diff(), rest[10:].diff()[:1].expand(40), atol=1e-7)

# -- lookahead and freezing

class Weights(Callback):
    order = 9
    def __init__(self): self.seen = []
    def after_step(self, learn): self.seen.append({k: v.clone() for k, v in learn.model.state_dict().items()})

def norm_learner(n, cbs):
    set_seed(0)
    batches = [(torch.randn(8, 1, 6, 6).double(), torch.randint(3, (8,))) for _ in range(n)]
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)).double()
    return Learner(model, DataLoaders(batches, batches), opt_func=partial(SGD, momentum=.9), lr=.1, cbs=cbs)

@pytest.mark.parametrize("n, every, decay", [(23, 5, .95), (20, 5, .9), (7, 1, .5), (4, 5, .95)])
def test_lookahead_is_that_of_a_loop(n, every, decay):
    ours = Weights()
    norm_learner(n, [LookaheadCB(n, every, decay), ours]).fit(1, valid=False)
    reference = norm_learner(n, [])
    model, opt = reference.model, SGD(reference.model.parameters(), lr=.1, momentum=.9)
    slow = {k: v.clone() for k, v in model.state_dict().items()}
    for t, (x, y) in enumerate(reference.dls.train, 1):
        F.cross_entropy(model.train()(x), y).backward()
        opt.step(), opt.zero_grad()
        if t % every == 0 or t == n:
            keep = decay**every * (t / n)**3
            for name, fast in model.state_dict().items():
                if not fast.is_floating_point(): continue
                slow[name] = keep * slow[name] + (1 - keep) * fast
                fast.copy_(slow[name])
        for name, v in model.state_dict().items(): assert torch.allclose(ours.seen[t - 1][name], v, rtol=1e-11)

def test_frozen_parameters_stop_and_come_back():
    weights = Weights()
    learn = norm_learner(6, [weights])
    bias = learn.model[4].bias
    learn.fit(1, valid=False, cbs=[FreezeCB([bias], 4)])
    moves = lambda name: [not torch.equal(a[name], b[name]) for a, b in zip(weights.seen, weights.seen[1:])]
    assert moves("4.bias") == [True] * 3 + [False] * 2 and all(moves("4.weight")) and bias.requires_grad
    learn.fit(1, valid=False, cbs=[FreezeCB([bias], 0)])
    assert moves("4.bias")[5:] == [False] * 6 and all(moves("4.weight"))
    learn.fit(1, valid=False)
    assert all(moves("4.bias")[11:])

# -- the whole run

def weights(learn): return [t.clone() for t in learn.model.state_dict().values()]

def test_one_seed_one_run():
    data = image_data()
    a, b, c = (weights(speedrun(data, TINY, seed, device="cpu")) for seed in (1, 1, 2))
    assert all(map(torch.equal, a, b)) and not all(map(torch.equal, a, c))

@pytest.mark.parametrize("change", [dict(whitening=False), dict(identity_init=False), dict(frozen_scales=False),
    dict(norm_momentum=.9), dict(fast_bias=False), dict(alternating_flip=False), dict(muon=False), dict(normed=False),
    dict(lookahead=False), dict(label_smoothing=0.), dict(padding=0), dict(flips=False), dict(first_bias_share=0.),
    dict(augmentation=(RandErase(),)), dict(weight_decay=.1), dict(warmup=.5), dict(sizes=((.5, 20), (.5, 28))),
    dict(ema=.5), dict(lookahead=False, ema=.5), dict(kernel_size=2), dict(activation=nn.ReLU)])
def test_each_choice_changes_the_run(change):
    data = image_data(32)
    recipe = replace(TINY, epochs=4)
    full, other = (speedrun(data, r, 0, device="cpu") for r in (recipe, replace(recipe, **change)))
    assert not all(map(torch.equal, weights(full), weights(other)))
    assert all(t.isfinite().all() for t in weights(other))

def test_scales_stay_and_the_whitening_layer_too():
    data = image_data()
    learn = speedrun(data, TINY, 0)
    for m in learn.model.modules():
        if isinstance(m, nn.BatchNorm2d): assert (m.weight == 1).all() and m.bias.any()
    assert set(learn.seconds) == {"load", "compile", "train"} and all(t >= 0 for t in learn.seconds.values())
    x = Batches(data.train_x, data.train_y, 60, mean=data.mean, std=data.std).batch(torch.arange(60))[0]
    assert torch.allclose(learn.model[0].weight, whitening_conv(x).weight, atol=1e-4)

def test_epochs_may_end_in_the_middle():
    class Count(Callback):
        order, steps, epochs, validated = 1, 0, 0, 0
        def after_step(self, learn): self.steps += 1
        def before_epoch(self, learn):
            self.epochs += 1
            self.validated += not learn.training
    count = Count()
    speedrun(image_data(64), replace(TINY, epochs=1.5), 0, cbs=[count])
    assert (count.steps, count.epochs, count.validated) == (6, 2, 0)

@pytest.mark.parametrize("residual, convs", [(True, 10), (False, 7)])
def test_a_recipe_chooses_the_block(residual, convs):
    model = speedrun(image_data(40), replace(TINY, epochs=1, residual=residual), 0).model
    assert sum(isinstance(m, nn.Conv2d) for m in model.modules()) == convs

class Sizes(Callback):
    order = 2
    def __init__(self): self.seen = []
    def before_batch(self, learn): self.seen.append((learn.phase, learn.inputs(learn.batch)[0].shape[-1]))

def test_pictures_grow_in_training_alone():
    sizes, data = Sizes(), image_data(80)
    learn = speedrun(data, replace(TINY, epochs=2, sizes=((.4, 12), (.3, 20), (.3, 28))), 0, device="cpu", cbs=[sizes])
    assert sizes.seen == [("train", n) for n in [12] * 4 + [20] * 3 + [28] * 3]
    learn.fit(1, train=False)
    assert set(sizes.seen[10:]) == {("valid", 28)}
    full, same = (weights(speedrun(data, replace(TINY, sizes=s), 0, device="cpu")) for s in ((), ((1., 28),)))
    assert all(map(torch.equal, full, same))

@few
@given(st.integers(10, 40), st.sampled_from([1, 3]))
def test_the_network_takes_any_size(size, c):
    net = speed_net(pictures(c=c), (4, 6, 6))
    assert net(pictures(4, c, size)).shape == (4, 10)

def test_the_average_is_that_of_a_loop():
    class Last(Callback):
        order = 90
        def __init__(self): self.seen = []
        def after_step(self, learn): self.seen.append([p.detach().clone() for p in learn.model.parameters()])
    data, last = image_data(80), Last()
    learn = speedrun(data, replace(TINY, lookahead=False, ema=.6), 0, device="cpu", cbs=[last])
    mean = last.seen[0]
    for new in last.seen[1:]: mean = [.6 * m + .4 * n for m, n in zip(mean, new)]
    assert len(last.seen) == 10
    for p, m in zip(learn.model.parameters(), mean): assert torch.allclose(p, m, atol=1e-6)
    assert learn.model[2][2].num_batches_tracked == 5      # statistics of one epoch, not of both

def test_it_learns():
    data = image_data(240)
    learn = speedrun(data, replace(TINY, epochs=8, bs=48), 0)
    assert accuracy(*learn.capture_preds()) > .9

def test_colour():
    assert speedrun(image_data(40, 3, 32), replace(TINY, epochs=1), 0).model[0].in_channels == 3

@pytest.mark.parametrize("flips", [True, False])
def test_views_by_hand(flips):
    learn = speedrun(image_data(40), TINY, 0, device="cpu")
    x, y = next(iter(learn.dls.valid))
    padded = F.pad(x.float(), [1] * 4, mode="replicate")
    def logits(top, left):
        views = [padded[..., top:top + 28, left:left + 28].contiguous(memory_format=torch.channels_last)]
        if flips: views.append(padded.flip(-1)[..., top:top + 28, left:left + 28])
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            return sum(learn.model.eval()(view).float() for view in views) / len(views)
    mean = logits(1, 1) / 2 + (logits(2, 2) + logits(0, 0)) / 4
    ours, targets = multi_view(learn, flips=flips)
    assert torch.equal(targets, y) and torch.allclose(ours, mean.log_softmax(1), atol=.02)

def test_named_recipes():
    assert isinstance(RECIPE_94, Recipe) and RECIPE_AIRBENCH.epochs == 8 and RECIPE_AIRBENCH.bs == 2000
    assert math.isclose(RECIPE_AIRBENCH.sgd_lr * 64 / 2000, .053, rel_tol=.01)
    with pytest.raises(AttributeError): RECIPE_94.bs = 1
