"What miniai.lab.tricks promises: networks changed before a fit, batches mixed, a loss with a teacher."
import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from miniai.augment import CutMix
from miniai.cost import count_parameters, flops
from miniai.data import DataLoaders
from miniai.lab.tricks import DeeperCB, MixingCB, PoolLaterCB, SelfDistillationCB, StochasticDepth, StochasticDepthCB
from miniai.learner import Callback, Learner
from miniai.speed import Residual, speed_net

X = torch.randn(64, 1, 28, 28, generator=torch.Generator().manual_seed(0))

def net(widths=(4, 6, 8), **kwargs):
    torch.manual_seed(0)
    return speed_net(X, widths, **kwargs)

def changed(cb, model=None):
    learn = SimpleNamespace(model=net() if model is None else model)
    cb.before_fit(learn)
    return learn.model

def sides(model):
    found, branches = [], [m for m in model.modules() if isinstance(m, Residual)]
    hooks = [m.register_forward_hook(lambda m, i, o: found.append(o.shape[-1])) for m in branches]
    with torch.no_grad(): model.eval()(X[:1])
    for hook in hooks: hook.remove()
    return found

def learner(cbs, lr=.01):
    rng = torch.Generator().manual_seed(1)
    batches = [(torch.randn(8, 1, 28, 28, generator=rng), torch.randint(10, (8,), generator=rng)) for _ in range(8)]
    return Learner(net(), DataLoaders(batches, batches[:2]), F.cross_entropy, lr=lr, cbs=cbs)

# -- pooling later

@pytest.mark.parametrize("blocks, inside", [((), [13, 6, 3]), ((0,), [26, 6, 3]), ((0, 1), [26, 13, 3]), ((0, 1, 2), [26, 13, 6]), ((-1,), [13, 6, 6])])
def test_pool_later_has_the_same_parameters_and_larger_maps(blocks, inside):
    before, after = net(), changed(PoolLaterCB(blocks))
    assert sides(after) == inside and count_parameters(after) == count_parameters(before)
    assert {id(p) for p in after.parameters()} == {id(p) for p in changed(PoolLaterCB(()), after).parameters()}
    assert after.eval()(X).shape == (64, 10) and (flops(after, X[:1]) > flops(before, X[:1])) == bool(blocks)

def test_pool_later_is_before_the_optimizer_and_a_trained_one_computes_what_it_says():
    learn = learner([PoolLaterCB((0, 1))])
    learn.fit(1, valid=False)
    block = learn.model[2]
    assert [type(m).__name__ for m in block] == ["Conv2d", "BatchNorm2d", "GELU", "Residual", "GELU", "MaxPool2d"]
    fresh = changed(PoolLaterCB((0, 1)), speed_net(X, (4, 6, 8)))       # other random weights
    fresh.load_state_dict(learn.model.state_dict())
    assert torch.equal(fresh.eval()(X), learn.model.eval()(X))

# -- deeper

@pytest.mark.parametrize("block, n", [(0, 1), (1, 2), (-1, 3)])
def test_deeper_adds_blocks_of_the_same_width(block, n):
    before, after = net(), changed(DeeperCB(block, n))
    width = (4, 6, 8)[block]
    residuals = lambda model: [sum(isinstance(m, Residual) for m in part.modules()) for part in model if isinstance(part, nn.Sequential)]
    more = [a - b for a, b in zip(residuals(after), residuals(before))]
    assert more[block] == n and sum(more) == n
    added = count_parameters(after) - count_parameters(before)
    assert added == n * 2 * (9 * width**2 + 2 * width)                  # two convolutions, two batchnorms
    learned = lambda model: sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert learned(after) - learned(before) == n * 2 * (9 * width**2 + width)        # scales stay frozen
    assert after.eval()(X).shape == (64, 10)

def test_deeper_and_pool_later_together_train_what_was_added():
    learn = learner([PoolLaterCB((0,)), DeeperCB(0)])
    learn.fit(1, valid=False)
    assert [type(m).__name__ for m in learn.model[2]] == ["Conv2d", "BatchNorm2d", "GELU", "Residual", "GELU", "Residual", "GELU", "MaxPool2d"]
    start = changed(PoolLaterCB((0,)), changed(DeeperCB(0)))
    added = learn.model[2][5][0].weight
    assert any(added is p for group in learn.opt.param_groups for p in group["params"]) and not torch.equal(added, start[2][5][0].weight)

@pytest.mark.parametrize("n", [0, 1.5, -1])
def test_deeper_names_a_bad_number(n):
    with pytest.raises(ValueError, match="n is "): DeeperCB(0, n)

# -- stochastic depth

def test_stochastic_depth_keeps_the_expectation_and_evaluates_whole():
    torch.manual_seed(0)
    layer = StochasticDepth(nn.Conv2d(1, 1, 1))
    layer.p = .25
    x = torch.ones(20_000, 1, 1, 1)
    with torch.no_grad():
        whole, branch = Residual.forward(layer, x)[0].item(), nn.Sequential.forward(layer, x)[0].item()
        out = layer.train()(x).flatten()
        assert torch.equal(layer.eval()(x), Residual.forward(layer, x))
    left_out, kept = out.isclose(torch.tensor(1.)), out.isclose(torch.tensor(1 + branch / .75))
    assert (left_out ^ kept).all() and abs(left_out.float().mean() - .25) < .015
    assert abs(out.mean().item() - whole) < .02

def test_stochastic_depth_grows_towards_the_last_branch_and_trains():
    learn = learner([StochasticDepthCB(.3)])
    learn.fit(1, valid=False)
    assert [m.p for m in learn.model.modules() if isinstance(m, Residual)] == pytest.approx([.1, .2, .3])

@pytest.mark.parametrize("p", [-.1, 1.1, "a", float("nan")])
def test_stochastic_depth_names_a_bad_share(p):
    with pytest.raises(ValueError, match="p is "): StochasticDepthCB(p)

# -- mixing

def mixed_steps(n=200, epochs=1, **kwargs):
    "Which of the steps of a fit were mixed, and the step of each pass over the validation set."
    seen = []
    def mix(batch): seen[-1] = True; return batch
    class Count(Callback):
        order = -1
        def before_batch(self, learn): seen.append(False if learn.training else None)
    learn = Learner(nn.Linear(1, 2), DataLoaders([(torch.randn(2, 1), torch.tensor([0, 1]))] * n, [(torch.randn(2, 1), torch.tensor([0, 1]))] * 3),
                    F.cross_entropy, lr=.1, cbs=[Count(), MixingCB(mix, **kwargs)])
    torch.manual_seed(0)
    learn.fit(epochs)
    return seen

def test_mixing_takes_its_share_and_ends_in_time():
    steps = [s for s in mixed_steps(1000, p=.3, until=.8) if s is not None]
    assert not any(steps[800:]) and any(steps[780:800]) and abs(sum(steps[:800]) / 800 - .3) < .05

def test_mixing_counts_over_all_epochs_and_leaves_validation_alone():
    seen = mixed_steps(50, epochs=4, p=1., until=.5)
    steps = [s for s in seen if s is not None]
    assert steps == [True] * 100 + [False] * 100 and seen.count(None) == 12
    assert mixed_steps(10, p=0.).count(True) == 0 and mixed_steps(10, p=1., until=1.).count(True) == 10

def test_cutmix_trains_through_it():
    learn = learner([MixingCB(CutMix(1.), p=1.)])
    learn.fit(1, valid=False)
    assert learn.loss.isfinite()

@pytest.mark.parametrize("kwargs, says", [(dict(p=1.5), "p is 1.5"), (dict(p=-1), "p is -1"), (dict(until=2), "until is 2"), (dict(until="x"), "until is 'x'")])
def test_mixing_names_a_bad_share(kwargs, says):
    with pytest.raises(ValueError, match=says): MixingCB(lambda batch: batch, **kwargs)

# -- self-distillation

class Losses(Callback):
    "The loss as it was before the callback, what the teacher says, and the loss that is trained."
    order = 5
    def __init__(self, cb): self.cb, self.rows = cb, []
    def after_loss(self, learn):
        if not learn.training: return
        teacher, usual = self.cb.teacher, learn.loss.item()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            wanted = None if teacher is None else copy.deepcopy(teacher)(learn.batch[0]).float().softmax(1)
        asked = None if wanted is None else F.cross_entropy(learn.preds.float(), wanted).item()
        self.rows.append([usual, asked])
    def after_backward(self, learn): self.rows[-1].append(learn.loss.item())

def test_self_distillation_mixes_the_two_losses_from_its_start_on():
    cb = SelfDistillationCB(weight=.25, start=.5, decay=.9)
    losses = Losses(cb)
    learn = learner([cb, losses], lr=.1)
    learn.model[-1].factor = 3                                         # scores that differ
    learn.fit(1, valid=False)
    assert losses.rows[0][1] is None and len(losses.rows) == 8
    for i, (usual, asked, trained) in enumerate(losses.rows):
        right = usual if i < 4 else .75 * usual + .25 * asked
        assert trained == pytest.approx(right, rel=1e-3), i
    assert all(abs(usual - trained) > 1e-2 for usual, _, trained in losses.rows[4:])

def test_the_teacher_is_the_average_of_the_weights():
    cb = SelfDistillationCB(decay=.75)
    class Watch(Callback):
        order = 90
        def before_fit(self, learn): self.seen = []
        def after_step(self, learn): self.seen.append(learn.model[-2].weight.detach().clone())
    watch = Watch()
    learner([cb, watch]).fit(1, valid=False)
    right = watch.seen[0]
    for weight in watch.seen[1:]: right = .75 * right + .25 * weight
    assert torch.allclose(cb.teacher[-2].weight, right, atol=1e-6)
    assert not any(p.requires_grad for p in cb.teacher.parameters())

@pytest.mark.parametrize("name", ["weight", "start", "decay"])
def test_self_distillation_names_a_bad_share(name):
    for value in (-.1, 1.1, None):
        with pytest.raises(ValueError, match=f"{name} is "): SelfDistillationCB(**{name: value})
