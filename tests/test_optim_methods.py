"""What an optimizer of ours is to code that was written for any `torch.optim.Optimizer`: the methods that it inherits,
the hyperparameters that it takes and refuses, and old state. Each is asked of every class, also of several as one."""
import copy, math, pickle
from collections import defaultdict
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from miniai.optim import SGD, Adam, AdamW, Muon, NAdam, Optimizer, RMSprop, ScheduleFreeAdamW, orthogonalize
from miniai.speed import NormedMuon, Optimizers
from test_optim import ALL, ONE_BY_ONE, OURS, TORCH, float64, matrix, saved


def joint(params, **hyperparameters):
    "One Adam for each parameter or group."
    return Optimizers(*(Adam([p], **hyperparameters) for p in params))


EVERY = ALL | dict(NormedMuon=NormedMuon, joint=joint)
MOMENTUM = dict(SGD=partial(SGD, momentum=.9), RMSprop=partial(RMSprop, momentum=.9, centered=True))
ALONE = *ONE_BY_ONE, "NormedMuon"
FOREACH = [(name, foreach) for name in EVERY for foreach in [False] + [True] * (name not in ALONE)]


def two():
    "Two matrices with gradients that differ."
    ps = matrix(), matrix(2.)
    for i, p in enumerate(ps, 1): p.grad = torch.arange(1., 7.).view(2, 3).pow(i)
    return ps


def steps(opt, ps, n=3):
    "The parameters, in a row, after so many steps."
    for _ in range(n): opt.step()
    return torch.cat([p.detach().flatten() for p in ps])


def make(name, ps, **hyperparameters): return (EVERY | MOMENTUM)[name](ps, **dict(lr=.1) | hyperparameters)


# ---- groups and state

@pytest.mark.parametrize("give", [list, iter, tuple])
@pytest.mark.parametrize("name", EVERY)
def test_a_group_that_is_added_is_stepped(name, give):
    (p, q), (a, b) = two(), two()
    opt, twin = make(name, [p]), make(name, [dict(params=[a]), dict(params=[b], lr=.02)])
    opt.add_param_group(dict(params=give([q]), lr=.02))
    assert [group["lr"] for group in opt.param_groups] == [.1, .02]
    assert torch.equal(steps(opt, [p, q]), steps(twin, [a, b]))
    assert len(opt.state_dict()["state"]) == 2
    with pytest.raises(ValueError, match="more than one"): opt.add_param_group(dict(params=give([p])))
    with pytest.raises(TypeError): opt.add_param_group(dict(params={nn.Parameter(torch.ones(2, 2))}))
    assert len(opt.param_groups) == 2


@pytest.mark.parametrize("reset", [lambda opt: opt.state.clear(),
                                   lambda opt: setattr(opt, "state", defaultdict(dict)),
                                   lambda opt: [opt.state.pop(p) for p in list(opt.state)]])
@pytest.mark.parametrize("name", EVERY)
def test_state_is_read_and_begun_anew(name, reset):
    ps = two()
    opt = make(name, ps)
    assert not opt.state and opt.state[ps[0]] == {}, "reading leaves an empty entry, as PyTorch's does"
    steps(opt, ps)
    assert set(opt.state) == set(opt.state.keys()) == set(ps) and len(opt.state) == 2 and ps[1] in opt.state
    held = {name: v for name, v in opt.state_dict()["state"][1].items()}
    assert opt.state[ps[1]] == opt.state.get(ps[1]) == held
    assert all(opt.state[ps[1]][name] is v for name, v in held.items()), "what is changed there is changed"
    reset(opt)
    assert not opt.state and matrix() not in opt.state
    twins = [nn.Parameter(p.detach().clone()) for p in ps]
    for p, q in zip(ps, twins): q.grad = p.grad
    assert torch.equal(steps(opt, ps), steps(make(name, twins), twins))


@pytest.mark.parametrize("name", EVERY)
def test_groups_may_be_assigned(name):
    ps, twins = two(), two()
    opt, twin = make(name, ps), make(name, twins, lr=.03)
    opt.param_groups = [group | dict(lr=.03) for group in opt.param_groups]
    assert torch.equal(steps(opt, ps), steps(twin, twins))


@pytest.mark.parametrize("name", EVERY)
def test_state_dict_and_its_hooks(name):
    "The numbers run through; what a hook returns counts; after loading a hook sees counts as numbers."
    ps, twins, seen = two(), two(), []
    opt, twin = make(name, [dict(params=[p]) for p in ps]), make(name, [dict(params=[p]) for p in twins], lr=9.)
    steps(opt, ps)
    assert [group["params"] for group in opt.state_dict()["param_groups"]] == [[0], [1]]
    opt.register_state_dict_pre_hook(lambda o: seen.append(o is opt))
    opt.register_state_dict_post_hook(lambda o, state: state | dict(more=1))
    state = saved(opt.state_dict())
    assert state.keys() == {"state", "param_groups", "more"} and seen == [True]
    def pre(o, state): seen.append(state.pop("more")); return dict(state)
    def post(o): seen.append([s.get("step", 3) for s in o.state.values()])
    twin.register_load_state_dict_pre_hook(pre)
    twin.register_load_state_dict_post_hook(post)
    for s in state["state"].values():
        if "step" in s: s["step"] = torch.tensor(s["step"])
    twin.load_state_dict(state)
    assert seen[1:] == [1, [3, 3]] and not any(isinstance(n, torch.Tensor) for n in seen[2]) and "more" in state
    with torch.no_grad():
        for p, q in zip(ps, twins): q.copy_(p)
    assert torch.equal(steps(opt, ps), steps(twin, twins))


@pytest.mark.parametrize("name", EVERY)
def test_a_state_dict_of_other_sizes_is_refused(name):
    (p, q), (a, b) = two(), two()
    opt, other = make(name, [p, q]), make(name, [dict(params=[a, b]), dict(params=[matrix()])])
    steps(opt, [p, q])
    before = copy.deepcopy(opt.state_dict())
    with pytest.raises(ValueError): opt.load_state_dict(other.state_dict())
    assert str(opt.state_dict()) == str(before)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))])
@pytest.mark.parametrize("name", EVERY)
def test_a_copy_of_model_and_optimizer_belongs_together(name, duplicate):
    def on(model, opt):
        for i in range(3):
            opt.zero_grad()
            model(torch.arange(6.).view(2, 3) + i).square().sum().backward()
            opt.step()
        return torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Linear(4, 2, bias=False))
    opt = make(name, model.parameters(), lr=.01)
    on(model, opt)
    twin, its = duplicate((model, opt))
    params = list(twin.parameters())
    mine = [p for group in its.param_groups for p in group["params"]]
    assert all(p is q for p, q in zip(mine, params, strict=True)) and set(its.state) == set(params)
    assert torch.equal(on(model, opt), on(twin, its)), "the state came along"
    before = [p.detach().clone() for p in params]
    on(model, opt)
    assert all(map(torch.equal, params, before)), "and is its own"


@pytest.mark.parametrize("set_to_none", [True, False])
@pytest.mark.parametrize("name, foreach", FOREACH)
def test_zero_grad(name, foreach, set_to_none):
    ps = two()
    make(name, ps, **dict(foreach=True) if foreach else {}).zero_grad(set_to_none)
    assert all(p.grad is None if set_to_none else not p.grad.any() for p in ps)


@pytest.mark.parametrize("name", EVERY)
def test_it_says_what_it_is_to_readers_and_profilers(name):
    ps = two()
    opt = make(name, [dict(params=[ps[0]]), dict(params=[ps[1]], lr=.25)])
    kind = type(opt).__name__
    assert str(opt).startswith(f"{kind} (\nParameter Group 0") and "lr: 0.25" in str(opt).split("Group 1")[1]
    with torch.autograd.profiler.profile() as seen: opt.step()
    assert f"Optimizer.step#{kind}.step" in {event.name for event in seen.function_events}


@pytest.mark.parametrize("name", EVERY)
def test_hooks_run_once_a_step_whatever_ran_before(name):
    "A class whose parent has been used, too; a pre-hook may hand in another closure."
    for parent in EVERY: make(parent, two()).step()
    ps, seen = two(), []
    opt = make(name, ps)
    def pre(opt, args, kwargs): seen.append("before"); return (args[0], lambda: 7.), kwargs
    opt.register_step_pre_hook(pre)
    opt.register_step_post_hook(lambda opt, args, kwargs: seen.append("after"))
    assert opt.step(lambda: 5.) == 7. and seen == ["before", "after"]


@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_looked_at_after_the_closure(name):
    ps, twins = two(), two()
    opt, twin = make(name, ps), make(name, twins)
    grads = [p.grad for p in ps]
    for p in ps: p.grad = None
    def closure():
        for p, g in zip(ps, grads): p.grad = g
        return 3.
    assert opt.step(closure) == 3.
    twin.step()
    assert all(map(torch.equal, ps, twins))


@pytest.mark.parametrize("name", ["SGD", "Adam", "joint"])
def test_a_step_can_be_compiled(name):
    ps, twins = two(), two()
    opt, twin = make(name, ps), make(name, twins)
    compiled = torch.compile(lambda: opt.step(), backend="eager")
    for _ in range(3): compiled()
    torch.testing.assert_close(torch.cat([p.detach().flatten() for p in ps]), steps(twin, twins))


@pytest.mark.parametrize("name", TORCH)
def test_nothing_to_do_is_as_in_torch(name):
    "An empty group, a parameter without a gradient, one that is frozen, and tensors of no numbers."
    ends = []
    for cls in OURS[name], TORCH[name]:
        p, (none, frozen), empty = matrix(), two(), nn.Parameter(torch.ones(0, 3))
        none.grad, empty.grad = None, torch.ones(0, 3)
        frozen.requires_grad_(False)
        opt = cls([dict(params=[]), dict(params=[none, p]), dict(params=[frozen, empty])], weight_decay=.1)
        steps(opt, [p])
        ends.append(torch.cat([p.detach(), none.detach(), frozen.detach(), empty.detach()]))
        assert none not in {q for q, state in opt.state.items() if state.get("step", 1)}
    torch.testing.assert_close(*ends, rtol=1e-12, atol=0)


def test_several_may_have_empty_groups():
    p = matrix()
    steps(Optimizers(SGD([dict(params=[])]), SGD([p], lr=.5)), [p], 1)
    assert p.unique().item() == .5


# ---- hyperparameters

def numbers(opt):
    "The hyperparameters that are no switches."
    return {k: v for k, v in opt.defaults.items() if type(v) in (int, float, tuple) and "coefficients" not in k}


def each(f, value): return tuple(map(f, value)) if isinstance(value, tuple) else f(value)


@pytest.mark.parametrize("form", [torch.tensor, lambda v: torch.tensor([v], dtype=torch.float32), np.float32, np.array])
@pytest.mark.parametrize("name, foreach", FOREACH)
def test_hyperparameters_may_be_tensors_or_numpys(name, foreach, form):
    "Also shared by groups. The steps are those of the same numbers, and so is the state."
    together, hyper = dict(foreach=True) if foreach else {}, numbers(make(name, two()))
    hyper = {k: each(form, v) for k, v in hyper.items() if not isinstance(v, int)}
    hyper |= dict(lr=form(.1), weight_decay=form(.1))
    ends = []
    for given in hyper, {k: each(lambda v: v.item(), v) for k, v in hyper.items()}:
        ps = two()
        opt = make(name, [dict(params=[p]) for p in ps], **together, **given)
        ends.append((steps(opt, ps), {k: (type(v), torch.as_tensor(v).tolist()) for k, v in opt.state[ps[0]].items()}))
        kept = {type(v) for group in opt.param_groups for k, v in group.items() if k in hyper and k != "betas"}
        assert kept <= {float, torch.Tensor}, "NumPy's are kept as numbers, which a checkpoint may hold"
    (a, state), (b, its) = ends
    assert torch.equal(a, b) and state == its


@pytest.mark.parametrize("name", EVERY)
def test_a_rate_that_is_a_tensor_counts_as_it_is(name):
    "Changed in place between steps, it changes the steps."
    rate, ps, twins = torch.tensor(.25), two(), two()
    opt, twin = make(name, ps, lr=rate), make(name, twins, lr=.25)
    opt.step(), twin.step()
    rate.fill_(.5)
    for group in twin.param_groups: group["lr"] = .5
    assert torch.equal(steps(opt, ps), steps(twin, twins))


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan, "fast", None, True, torch.ones(2), np.float64("nan")],
                         ids=str)
@pytest.mark.parametrize("name", EVERY)
def test_what_is_no_finite_number_is_refused(name, bad):
    opt = make(name, two())
    for argument, value in numbers(opt).items():
        for wrong in [(bad, value[1]), (value[0], bad)] if isinstance(value, tuple) else [bad]:
            with pytest.raises(ValueError, match=rf"^{argument} (is|are) .*: (it|they) must be"):
                make(name, two(), **{argument: wrong})
            with pytest.raises(ValueError, match=f"^{argument} "):
                opt.add_param_group({"params": matrix(), argument: wrong})
    assert sum(len(group["params"]) for group in opt.param_groups) == 2


@pytest.mark.parametrize("betas", [.9, (.9,), (.9, .99, .999), torch.tensor([.9, .99]), None], ids=str)
def test_adams_betas_are_two(betas):
    with pytest.raises(ValueError, match="betas are .*2 numbers"): Adam([matrix()], betas=betas)


def test_betas_are_as_many_as_a_class_says():
    class Three(Optimizer):
        def __init__(self, params, betas=(.9, .99, .999)): super().__init__(params, dict(betas=betas))
    assert Three([matrix()], betas=(.1, .2, .3)).defaults["betas"] == (.1, .2, .3)
    with pytest.raises(ValueError, match="3 numbers"): Three([matrix()], betas=(.1, .2))


@pytest.mark.parametrize("bad, says", [
    (dict(steps=-1), "steps is -1"), (dict(steps=2.5), "steps is 2.5"), (dict(eps=math.nan), "eps is nan"),
    (dict(eps=-1.), "eps is -1.0"), (dict(coefficients=(1., 2.)), r"coefficients are \(1.0, 2.0\)"),
    (dict(coefficients=(1., 2., math.inf)), "coefficients are .*inf"),
    (dict(dtype=torch.int32), "dtype is torch.int32"), (dict(g=torch.ones(3)), r"shape \[3\]"),
    (dict(g=torch.ones(2, 3, 1, 1)), r"shape \[2, 3, 1, 1\]")])
def test_bad_arguments_of_orthogonalize_are_named(bad, says):
    with pytest.raises(ValueError, match=says): orthogonalize(**dict(g=torch.ones(2, 3)) | bad)
    if "g" in bad: return
    ns = {k if k in ("eps", "dtype") else f"ns_{k}": v for k, v in bad.items()}
    with pytest.raises(ValueError, match=says): Muon([matrix()], **ns)


# ---- state from elsewhere

@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize("without", [[0], [1], [0, 1]])
def test_a_buffer_that_is_none_is_not_there(without, foreach):
    "As PyTorch once saved it; its classes begin it anew."
    ends = []
    for cls in SGD, torch.optim.SGD:
        ps = two()
        opt = cls(ps, lr=.1, momentum=.9, foreach=foreach)
        steps(opt, ps)
        state = opt.state_dict()
        for i in without: state["state"][i]["momentum_buffer"] = None
        opt.load_state_dict(state)
        ends.append(steps(opt, ps))
    assert torch.equal(*ends)


NEWER = "foreach", "maximize", "decoupled_weight_decay", "nesterov", "differentiable", "capturable", "fused", "amsgrad"


@pytest.mark.parametrize("count", [int, torch.tensor, lambda n: torch.tensor(n, dtype=torch.float32)])
@pytest.mark.parametrize("name", [name for name in TORCH if name != "Muon"])
def test_a_state_dict_of_an_old_torch(name, count):
    "What it does not have is as it was before there was any; ours loads in PyTorch's, and goes on alike."
    theirs, ends = TORCH[name], []
    ps = two()
    old = theirs(ps, lr=.1, weight_decay=.1, **dict(momentum=.9) if name in MOMENTUM else {})
    steps(old, ps)
    state = saved(old.state_dict())
    for group in state["param_groups"]:
        for key in NEWER: group.pop(key, None)
    for s in state["state"].values():
        if "step" in s: s["step"] = count(int(s["step"]))
        if "mu_product" in s: s["mu_product"] = s["mu_product"].item()
    for first, then in [(theirs, theirs), (OURS[name], OURS[name]), (OURS[name], theirs)]:
        qs = two()
        one = first(qs, lr=9., maximize=True)
        one.load_state_dict(copy.deepcopy(state))
        steps(one, qs)
        other = then(qs, lr=9., maximize=True)
        other.load_state_dict(saved(one.state_dict()))
        ends.append(steps(other, qs))
    for end in ends[1:]: torch.testing.assert_close(end, ends[0], rtol=1e-12, atol=0)


@pytest.mark.parametrize("foreach", [False, True])
def test_adams_state_in_adamw_decays_as_adamw(foreach):
    "As in PyTorch, whose AdamW is decoupled whatever it loads."
    ends = []
    for adam, adamw in (Adam, AdamW), (torch.optim.Adam, torch.optim.AdamW):
        ps = two()
        opt = adam(ps, lr=.1, weight_decay=.5)
        steps(opt, ps)
        other = adamw(ps, foreach=foreach)
        other.load_state_dict(opt.state_dict())
        ends.append(steps(other, ps))
    torch.testing.assert_close(*ends, rtol=1e-12, atol=0)


@pytest.mark.parametrize("foreach", [False, True])
def test_state_that_is_missing_is_named(foreach):
    ps = two()
    opt = NAdam(ps, foreach=foreach)
    opt.step()
    for state in opt.state.values(): del state["mu_product"]
    with pytest.raises(KeyError, match="mu_product"): opt.step()


def test_what_muon_lacks_in_torch_is_as_by_default():
    "Its state dict knows no `maximize` and no `dtype`."
    if "Muon" not in TORCH: pytest.skip(f"torch {torch.__version__} has no Muon")
    ends = []
    for cls, more in (Muon, dict(maximize=True, dtype=torch.float64)), (torch.optim.Muon, {}):
        ps = two()
        theirs, opt = torch.optim.Muon(ps, lr=.1), cls(ps, **more)
        theirs.step()
        opt.load_state_dict(theirs.state_dict())
        ends.append(steps(opt, ps))
    torch.testing.assert_close(*ends, rtol=1e-12, atol=0)


# ---- Muon

@pytest.mark.parametrize("cls", [Muon, NormedMuon])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 3)])
def test_muon_takes_tensors_of_no_numbers(cls, shape):
    p, q = nn.Parameter(torch.ones(shape)), matrix()
    p.grad = torch.ones(shape)
    assert steps(cls([p, q], lr=.1), [q], 1).isfinite().all()


def test_muon_takes_a_grouped_convolution_as_one_matrix():
    conv = nn.Conv2d(4, 6, 3, groups=2)
    flat = nn.Parameter(conv.weight.detach().flatten(1).clone())
    conv.weight.grad = torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    flat.grad = conv.weight.grad.flatten(1)
    a, b = (steps(Muon([p], lr=.1, dtype=torch.float64), [p]) for p in (conv.weight, flat))
    torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("cls", [Muon, NormedMuon])
def test_muon_in_half_precision_keeps_to_its_type(cls, dtype):
    start, g = (torch.randn(8, 4, generator=torch.Generator().manual_seed(i)) for i in range(2))
    p, exact = (nn.Parameter(start.to(each, copy=True)) for each in (dtype, torch.float64))
    for one in p, exact:
        one.grad = g.to(one.dtype)
        cls([one], lr=.05).step()
    assert p.dtype == dtype
    torch.testing.assert_close(p.double(), exact, rtol=.02, atol=.02)


@pytest.mark.parametrize("name", ["Muon", "NormedMuon", "ScheduleFreeAdamW"])
def test_those_without_foreach_refuse_it_and_pass_over_it_in_a_group(name):
    with pytest.raises(TypeError, match="foreach"): make(name, [matrix()], foreach=True)
    (p, _), (q, _) = two(), two()
    a, b = make(name, [dict(params=[p], foreach=True)]), make(name, [q])
    assert torch.equal(steps(a, [p]), steps(b, [q]))


# ---- Schedule-Free's modes

def modes(opt): return [group["training"] for group in opt.param_groups]


def test_schedule_free_in_eval_mode_takes_a_group():
    (p, q), (a, b) = two(), two()
    opt, twin = ScheduleFreeAdamW([p], lr=.1), ScheduleFreeAdamW([dict(params=[a]), dict(params=[b])], lr=.1)
    b.grad, grad = None, b.grad
    steps(opt, [p]), steps(twin, [a, b])
    for each in opt, twin: each.eval()
    opt.add_param_group(dict(params=[q]))
    assert modes(opt) == [False, False] and torch.equal(q.detach(), b.detach())
    for each in opt, twin: each.train()
    b.grad = grad
    assert modes(opt) == [True, True] and torch.equal(steps(opt, [p, q]), steps(twin, [a, b]))
    opt.add_param_group(dict(params=[matrix()]))
    assert modes(opt) == [True] * 3


@pytest.mark.parametrize("by", ["state_dict", "deepcopy", "pickle"])
@pytest.mark.parametrize("training", [True, False])
def test_schedule_free_comes_back_to_the_right_point(by, training):
    ps = two()
    opt = ScheduleFreeAdamW(ps, lr=.1, betas=(torch.tensor(.75), torch.tensor(.99)))
    steps(opt, ps)
    y = [p.detach().clone() for p in ps]
    opt.train(training)
    if by == "state_dict":
        qs = [nn.Parameter(p.detach().clone()) for p in ps]
        twin = ScheduleFreeAdamW(qs, lr=9.)
        twin.load_state_dict(saved(opt.state_dict()))
    else: qs, twin = copy.deepcopy((ps, opt)) if by == "deepcopy" else pickle.loads(pickle.dumps((ps, opt)))
    assert modes(twin) == [training] and all(map(torch.equal, ps, qs))
    for each in opt, twin: each.train()
    for p, q, at in zip(ps, qs, y):
        torch.testing.assert_close(q.detach(), at, rtol=1e-12, atol=1e-12)
        q.grad = p.grad
    assert torch.equal(steps(opt, ps), steps(twin, qs))


def test_schedule_free_changes_its_mode_before_the_first_step():
    ps = two()
    opt = ScheduleFreeAdamW(ps)
    assert opt.state[ps[0]] == {}
    opt.eval(), opt.train()
    assert ps[0].unique().item() == 1. and steps(opt, ps).isfinite().all()
