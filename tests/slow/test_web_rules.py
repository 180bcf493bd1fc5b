"The mathematics of the playground in JavaScript is the library's: surfaces, update rules, descents; in float64."
import inspect, json
from functools import partial

import numpy as np
import pytest
import torch

import browser as driver
from miniai import optim
from miniai.lab.surface import SURFACES, descend

N_STEPS, HOST = 1000, driver.HOST + "/web/core"
MATRICES = dict(tall=(4, 2), wide=(2, 3), square=(2, 2))

@pytest.fixture(scope="module")
def page(browser):
    "One for all: nothing here changes it."
    with driver.new_page(browser) as page: yield page

RUN = """async (given) => {
  const [name, hyperparameters, p, gradients] = JSON.parse(given);
  const { optimizer, preset } = await import('HOST/optimizers.js');
  const opt = Array.isArray(name) ? preset(name[0], hyperparameters) : optimizer(name, hyperparameters);
  return JSON.stringify(gradients.map(g => ({ ...opt.step(p, g), p: [...p] })));
}""".replace("HOST", HOST)

def draw(shape, seed=0):
    "Where to start, and 1,000 gradients: a scale each number, from 1e-6 to 1e3; some steps and some numbers are 0."
    rng = np.random.default_rng(seed)
    scale = np.logspace(-6, 3, np.prod(shape)).reshape(shape)
    gradients = scale * rng.normal(size=(N_STEPS, *shape)) * 10**rng.uniform(-1, 1, (N_STEPS, *[1] * len(shape)))
    gradients[rng.random(N_STEPS) < .1] = 0
    gradients[rng.random(gradients.shape) < .1] = 0
    gradients[:2] *= [[[0]], [[1]]] if len(shape) == 2 else [[0], [1]]
    return scale * rng.normal(size=shape), gradients

def in_python(cls, hyperparameters, p, gradients):
    "The path of the parameter, its first moments, and what its rate multiplied."
    p = torch.tensor(p, requires_grad=True)
    opt = getattr(optim, cls)([p], **hyperparameters, **(dict(dtype=torch.float64) if cls == "Muon" else {}))
    path, velocity = [p.detach().numpy().ravel().copy()], []
    for g in torch.tensor(gradients):
        p.grad = g
        opt.step()
        path.append(p.detach().numpy().ravel().copy())
        state = opt.state[p]
        v = state.get("momentum_buffer", state.get("exp_avg"))
        velocity.append(None if v is None else v.numpy().ravel().copy())
    return np.array(path), velocity

def same(a, b, message=""):
    "To 1e-9 of the largest that each number was so far."
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape and np.isfinite(b).all()
    error = np.abs(a - b) / np.maximum.accumulate(np.maximum(np.abs(b), 1e-300))
    assert error.max() <= 1e-9, f"{message} {error.max()} at step {np.unravel_index(error.argmax(), error.shape)[0]}"

def check(page, cls, hyperparameters, shape, key=None, values=None):
    p, gradients = draw(shape)
    size = dict(rows=shape[0], columns=shape[1]) if cls == "Muon" else {}
    path, velocity = in_python(cls, hyperparameters, p, gradients)
    flat = [p.ravel().tolist(), gradients.reshape(N_STEPS, -1).tolist()]
    given = [[key], values, *flat] if key else [cls, hyperparameters | size, *flat]
    steps = json.loads(page.evaluate(RUN, json.dumps(given)))    # as text: Playwright is slow with long lists
    same([path[0]] + [s["p"] for s in steps], path, "p")
    assert [s["gradient"] for s in steps] == flat[1]
    assert [s["step"] for s in steps] == np.diff([flat[0]] + [s["p"] for s in steps], axis=0).tolist()
    assert all(("velocity" in s) == (v is not None) for s, v in zip(steps, velocity))
    if velocity[0] is not None: same([s["velocity"] for s in steps], velocity, "velocity")
    return path, steps

DECAY, SMALL = dict(weight_decay=.01), dict(lr=.1)
RULES = [("SGD", SMALL), ("SGD", SMALL | DECAY), ("SGD", SMALL | dict(momentum=.9)),
         ("SGD", SMALL | dict(momentum=.9, dampening=.9)), ("SGD", SMALL | dict(momentum=.8, dampening=.3) | DECAY),
         ("SGD", SMALL | dict(momentum=.9, nesterov=True) | DECAY),
         ("Adagrad", SMALL), ("Adagrad", dict(lr_decay=.01, initial_accumulator_value=.5, eps=1e-6) | DECAY),
         ("RMSprop", SMALL), ("RMSprop", dict(lr=1e-3, momentum=.9, alpha=.9, weight_decay=1e-4)),
         ("RMSprop", dict(centered=True, alpha=.95)), ("RMSprop", dict(centered=True, momentum=.7, eps=1e-4)),
         ("Adadelta", {}), ("Adadelta", dict(lr=.5, rho=.95, eps=1e-5) | DECAY),
         ("Adam", {}), ("Adam", dict(betas=(.8, .95), eps=1e-4) | SMALL), ("Adam", dict(amsgrad=True)),
         ("Adam", SMALL | DECAY),
         ("Adam", SMALL | dict(weight_decay=.1, amsgrad=True, decoupled_weight_decay=True)),
         ("AdamW", {}), ("AdamW", SMALL | dict(weight_decay=.1, amsgrad=True)),
         ("NAdam", {}), ("NAdam", SMALL | dict(momentum_decay=.01, betas=(.8, .95)) | DECAY),
         ("NAdam", SMALL | dict(decoupled_weight_decay=True, eps=1e-4) | DECAY),
         ("Lion", {}), ("Lion", SMALL | dict(betas=(.8, .95), weight_decay=.1))]

@pytest.mark.parametrize("cls, hyperparameters", RULES)
def test_a_rule_is_the_librarys(page, cls, hyperparameters): check(page, cls, hyperparameters, (12,))

@pytest.mark.parametrize("shape", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("adjust", [None, "original", "spectral_unclamped", "match_rms_adamw"])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_is_the_librarys(page, shape, adjust, nesterov):
    check(page, "Muon", dict(lr=.1, nesterov=nesterov, adjust_lr_fn=adjust), shape)

def test_muons_other_arguments(page):
    check(page, "Muon", dict(momentum=.8, ns_steps=3, ns_coefficients=(2., -1.5, .5), eps=1e4, weight_decay=.3), (2, 3))

@pytest.mark.parametrize("cls", dict(RULES) | {"Muon": {}})
def test_defaults_and_names_are_the_classes(page, cls):
    "All but what says how to compute (foreach, dtype), and maximize."
    mine = page.evaluate(f"async (name) => (await import('{HOST}/optimizers.js')).optimizer(name).hyperparameters", cls)
    theirs = {name: list(p.default) if isinstance(p.default, tuple) else p.default
              for name, p in inspect.signature(getattr(optim, cls)).parameters.items()}
    for name in "rows", "columns": mine.pop(name, None)
    for name in "params", "foreach", "maximize", "dtype": theirs.pop(name, None)
    assert mine == theirs

@pytest.mark.parametrize("cls, hyperparameters", [
    ("SGD", dict(lr=.1, momentum=.9, nesterov=True)), ("Adagrad", dict(lr=.1, lr_decay=.01)), ("RMSprop", dict(lr=.1)),
    ("Adadelta", dict(lr=.5)), ("AdamW", dict(lr=.1, weight_decay=.1)), ("NAdam", dict(lr=.1)),
    ("Lion", dict(lr=.1, weight_decay=.1)), ("Muon", dict(lr=.1, adjust_lr_fn="spectral_unclamped"))])
def test_scaled_is_what_the_rate_multiplies(page, cls, hyperparameters):
    path, steps = check(page, cls, hyperparameters, (4, 2))
    shrink = 1 - hyperparameters["lr"] * (.1 if cls in ("AdamW", "Lion", "Muon") else 0)
    same(shrink * path[:-1] - hyperparameters["lr"] * np.array([s["scaled"] for s in steps]), path[1:])

BETAS = dict(beta1=.8, beta2=.95)
PRESETS = {"SGD": ("SGD", dict(lr=.3), {}), "momentum": ("SGD", dict(lr=.3, momentum=.8), {}),
           "momentum (average)": ("SGD", dict(lr=.3, momentum=.8), dict(dampening=.8)),
           "Nesterov": ("SGD", dict(lr=.3, momentum=.8), dict(nesterov=True)), "Adagrad": ("Adagrad", dict(lr=.3), {}),
           "RMSprop": ("RMSprop", dict(lr=.3, alpha=.8), {}), "Adadelta": ("Adadelta", dict(lr=.3, rho=.8), {}),
           "Adam": ("Adam", dict(lr=.3) | BETAS, {}), "AdamW": ("AdamW", dict(lr=.3, weight_decay=.2) | BETAS, {}),
           "NAdam": ("NAdam", dict(lr=.3) | BETAS, {}), "Lion": ("Lion", dict(lr=.3, weight_decay=.2) | BETAS, {}),
           "Muon": ("Muon", dict(lr=.3, momentum=.8, weight_decay=.2), {})}

def test_the_playground_has_these(page):
    table = page.evaluate(f"async () => (await import('{HOST}/optimizers.js')).OPTIMIZERS")
    assert {key: (entry["class"], {knob["name"] for knob in entry["knobs"]}) for key, entry in table.items()} == \
        {key: (cls, set(values)) for key, (cls, values, _) in PRESETS.items()}

@pytest.mark.parametrize("key", PRESETS)
def test_a_playground_optimizer_is_the_class_it_names(page, key):
    cls, values, fixed = PRESETS[key]
    given = {name: v for name, v in values.items() if name not in BETAS}
    if "beta1" in values: given["betas"] = tuple(BETAS.values())
    check(page, cls, given | fixed, (2, 2), key, values)

SURFACE = """async ([kind, args, points]) => {
  const { surface } = await import('HOST/surfaces.js'), s = surface(kind, ...args);
  return [{ ...s }, points.map(p => s.f(...p)), points.map(p => s.gradient(...p))];
}""".replace("HOST", HOST)

@pytest.mark.parametrize("kind, args", [*((kind, []) for kind in SURFACES), ("bowl", [1.5]), ("bowl", [100])])
def test_a_surface_is_the_librarys(page, kind, args):
    surface = SURFACES[kind](*args)
    points = np.random.default_rng(1).uniform(*np.transpose([surface.xlim, surface.ylim]), (1000, 2))
    p = torch.tensor(points, requires_grad=True)
    heights = surface(p)
    g, = torch.autograd.grad(heights.sum(), p)
    about, f, gradient = page.evaluate(SURFACE, [kind, args, points.tolist()])
    np.testing.assert_allclose(f, heights.detach(), rtol=1e-9)
    np.testing.assert_allclose(gradient, g, rtol=1e-9)
    for name in "start", "minimum", "xlim", "ylim": assert tuple(about[name]) == getattr(surface, name)
    assert about["name"] == surface.name

def test_there_are_the_same_surfaces(page):
    assert page.evaluate(f"async () => (await import('{HOST}/surfaces.js')).SURFACES") == list(SURFACES)

DESCEND = """async ([kind, name, hyperparameters]) => {
  const { descend, surface } = await import('HOST/surfaces.js'), { optimizer } = await import('HOST/optimizers.js');
  return descend(surface(kind), optimizer(name, hyperparameters), 200);
}""".replace("HOST", HOST)
RACE = [("SGD", dict(momentum=.9)), ("Adam", dict(lr=.05)), ("SGD", dict(lr=1.))]    # the last one flies off

@pytest.mark.parametrize("cls, hyperparameters", RACE, ids=["momentum", "Adam", "too fast"])
@pytest.mark.parametrize("kind", SURFACES)
def test_a_descent_is_the_librarys(page, kind, cls, hyperparameters):
    path = descend(SURFACES[kind](), partial(getattr(optim, cls), **hyperparameters), 200)
    same(page.evaluate(DESCEND, [kind, cls, hyperparameters]), path)

MATRIX = """async (points) => {
  const { matrixProblem } = await import('HOST/surfaces.js'), { optimizer } = await import('HOST/optimizers.js');
  const { descend } = await import('HOST/surfaces.js'), problem = matrixProblem(30);
  return [points.map(w => problem.f(...w)), points.map(w => problem.gradient(...w)),
          descend(problem, optimizer('Muon', { lr: .1 }), 50)];
}""".replace("HOST", HOST)

def test_the_matrix_problem_is_what_it_says(page):
    "Muon's 50 steps end where it arrives: from there on it jumps from side to side, and roundings grow."
    u, v = (torch.tensor([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) for a in (.5, 1.1))
    moments = v * torch.tensor([1., 30.], dtype=torch.float64) @ v.T
    loss = lambda w: ((w @ moments) * w).sum((-2, -1)) / 2
    points = torch.tensor(np.random.default_rng(2).normal(size=(100, 2, 2)), requires_grad=True)
    g, = torch.autograd.grad(loss(points).sum(), points)
    f, gradient, walked = page.evaluate(MATRIX, points.detach().flatten(1).tolist())
    np.testing.assert_allclose(f, loss(points).detach(), rtol=1e-9)
    np.testing.assert_allclose(gradient, g.flatten(1), rtol=1e-9)
    w = (u * torch.tensor([-4., 1.5], dtype=torch.float64) @ v.T).requires_grad_()
    opt, path = optim.Muon([w], lr=.1, dtype=torch.float64), [w.flatten().tolist()]
    for _ in range(50):
        w.grad, = torch.autograd.grad(loss(w), w)
        opt.step()
        path.append(w.flatten().tolist())
    same(walked, path)
