"web/core/schedules.js in a browser against miniai.sched, at 1,000 points for drawn arguments."
import json
from random import Random

import numpy as np
import pytest
import torch

from miniai import sched

N, DRAWS, SCHEDULES = 1000, 8, ("linear", "cosine", "exponential", "polynomial", "step", "combine")
DRAW = """async text => {
  const m = await import("http://miniai.test/web/core/schedules.js");
  const make = ([name, ...args]) => m[name](...args.map(arg => Array.isArray(arg?.[0]) ? arg.map(make) : arg));
  const settings = args => Object.fromEntries(Object.entries(args).map(([k, v]) =>
    [k, v?.lambda ? x => 1 / (v.lambda + x) : Array.isArray(v) && typeof v[0] === "string" ? make(v) : v]));
  const sets = JSON.parse(text).map(({ name, args, lr, xs }) => {
    if (name === "one_cycle") return m.oneCycle(args).map(f => xs.map(f));
    if (Array.isArray(args)) return [xs.map(make([name, ...args]))];
    const both = xs.map(m.rates(name, settings(args), lr));
    return [both.map(r => r.lr), both.map(r => r.momentum ?? null)];
  });
  return JSON.stringify(sets);
}"""

def make(name, *args):
    is_nested = lambda arg: isinstance(arg, list) and arg and isinstance(arg[0], list)
    return getattr(sched, name)(*([make(*a) for a in arg] if is_nested(arg) else arg for arg in args))

def schedule(r, name=None):
    "A pure schedule and arguments, as a list of JSON."
    name, a, b = name or r.choice(SCHEDULES), r.uniform(1e-4, 2), r.uniform(1e-4, 2)
    if name == "polynomial": return [name, a, b, r.choice([0, 1, 2, r.uniform(0, 4)])]
    if name == "step": return [name, a, r.uniform(0, 2), [r.choice([.25, r.random()]) for _ in range(r.randrange(5))]]
    if name != "combine": return [name, a, b]
    parts = [r.choice([0, r.random()]) for _ in range(r.randint(1, 4))] + [1]
    return [name, [part / sum(parts) for part in parts], [schedule(r, r.choice(SCHEDULES[:5])) for _ in parts]]

def one_cycle(r):
    return dict(div=r.uniform(1, 30), final_div=r.uniform(1, 1e4), annihilation=r.choice([0, r.random()]),
                low=r.random(), high=r.random())

SCHEDULERS = dict(
    LambdaLR=lambda r: dict(lr_lambda={"lambda": r.uniform(.1, 9)}),
    StepLR=lambda r: dict(step_size=r.choice([.1, r.uniform(.1, 50), r.randint(1, 300)]), gamma=r.uniform(.9, 1.02)),
    MultiStepLR=lambda r: dict(milestones=[r.randrange(999) for _ in range(r.randrange(6))] + [7, 7], gamma=r.random()),
    ExponentialLR=lambda r: dict(gamma=r.uniform(.8, 1.02)),
    PolynomialLR=lambda r: dict(total_iters=r.randint(1, 700), power=r.uniform(0, 4)),
    ConstantLR=lambda r: dict(factor=r.random(), total_iters=r.randint(1, 700)),
    LinearLR=lambda r: dict(start_factor=r.random(), end_factor=r.random(), total_iters=r.randint(1, 700)),
    CosineAnnealingLR=lambda r: dict(T_max=r.randint(1, 700), eta_min=r.uniform(0, .01)),
    CosineAnnealingWarmRestarts=lambda r: dict(T_0=r.randint(1, 99), T_mult=r.randint(1, 4), eta_min=r.uniform(0, .01)),
    CyclicLR=lambda r: dict(
        base_lr=r.random(), max_lr=r.random(), step_size_up=r.randint(1, 200), step_size_down=r.randint(0, 200),
        mode=r.choice(["triangular", "triangular2", "exp_range"]), gamma=r.uniform(.99, 1), base_momentum=r.random(),
        max_momentum=r.random(), cycle_momentum=r.random() < .8,
        **r.choice([{}, dict(scale_fn={"lambda": 1.}, scale_mode=r.choice(["cycle", "iterations"]))])),
    OneCycleLR=lambda r: dict(
        max_lr=r.random(), pct_start=r.choice([0, .001, r.random(), r.random() / 2]), base_momentum=r.random(),
        anneal_strategy=r.choice(["cos", "linear"]), max_momentum=r.random(), cycle_momentum=r.random() < .8,
        div_factor=r.uniform(1, 50), final_div_factor=r.uniform(1, 1e5), three_phase=r.random() < .5,
        **r.choice([dict(total_steps=r.randint(2 * N, 3 * N)), dict(epochs=20, steps_per_epoch=r.randint(100, 150))])),
    ScheduleLR=lambda r: dict(total_steps=r.randint(1, 2 * N), lr=schedule(r), momentum=schedule(r)))
NEEDED = {"lr_lambda", "step_size", "milestones", "T_max", "T_0", "base_lr", "max_lr", "total_steps", "epochs",
          "steps_per_epoch"}

def made(value):
    "The function that stands for in JSON, or the value itself."
    if isinstance(value, dict): return lambda x: 1 / (value["lambda"] + x)
    return make(*value) if isinstance(value, list) and isinstance(value[0], str) else value

def theirs(name, args, lr, xs):
    "Rates and momentums: whole steps one by one, the others by a jump."
    opt = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=lr, momentum=.5)
    scheduler, seen = getattr(sched, name)(opt, **{k: made(v) for k, v in args.items()}), []
    for i, x in enumerate(xs):
        if i: scheduler.step(None if x == i else x)
        seen.append([opt.param_groups[0][key] for key in ("lr", "momentum")])
    return np.array(seen).T

def in_browser(page, sets): return json.loads(page.evaluate(DRAW, json.dumps(sets)))

def same(got, want):
    np.testing.assert_allclose(np.array(got), want, rtol=1e-9, atol=1e-14 * np.abs(want).max())

@pytest.mark.parametrize("name", [*SCHEDULES, "one_cycle"])
def test_pure_schedules(page, name):
    r, xs = Random(name), np.linspace(0, 1, N).tolist()
    draw = lambda: one_cycle(r) if name == "one_cycle" else schedule(r, name)[1:]
    sets = [dict(name=name, args=draw(), xs=xs) for _ in range(DRAWS)]
    for got, s in zip(in_browser(page, sets), sets, strict=True):
        fs = sched.one_cycle(**s["args"]) if name == "one_cycle" else [make(name, *s["args"])]
        same(got, [[f(x) for x in xs] for f in fs])

@pytest.mark.parametrize("name", SCHEDULERS)
def test_schedulers(page, name):
    r, sets = Random(name), []
    for k in range(DRAWS):
        args = {key: v for key, v in SCHEDULERS[name](r).items()            # else the default; the first takes them all
                if key in NEEDED or name == "ExponentialLR" or k and r.random() < .8}
        sets.append(dict(name=name, args=args, lr=r.uniform(1e-4, 2),
                         xs=[*range(N // 2), *sorted(r.uniform(N // 2, 2 * N) for _ in range(N // 2))]))
    for got, s in zip(in_browser(page, sets), sets, strict=True):
        want = theirs(**s)
        same(got[0], want[0])
        if got[1][0] is None: assert set(want[1]) == {.5} and set(got[1]) == {None}
        else: same(got[1], want[1])
