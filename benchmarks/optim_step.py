"""What an optimizer's step costs beside PyTorch's own: each class of miniai.optim that PyTorch has too, over the
parameters of a ResNet-18, on the CPU and on a GPU where there is one. Run from the checkout:

    python benchmarks/optim_step.py

miniai is compared with PyTorch's default of the device, a parameter at a time ("for-loop") on the CPU and all together
("foreach") on a GPU, which is what miniai does there, and with PyTorch's other ways, of which the fused one is a kernel
written for the rule. All start from the same parameters, get the same gradients, and are shown to end alike; then they
take turns, the one that begins changing. A ratio is the median over rounds of (miniai's seconds / torch's). It ends
with status 1 where a ratio to the default over the ResNet is above `--at-most`. A network of many tiny layers, where
the steps are all overhead, is shown besides."""
import gc, inspect, sys, time
from functools import partial
from statistics import median

from common import begin, end, in_turns, paired, parser, takes

import torch
from torch import nn

from miniai import optim

RULES = {"SGD": ("SGD", {}), "SGD, momentum": ("SGD", dict(momentum=.9)),
         "SGD, Nesterov": ("SGD", dict(momentum=.9, nesterov=True)), "Adagrad": ("Adagrad", {}),
         "RMSprop": ("RMSprop", {}), "Adadelta": ("Adadelta", {}), "Adam": ("Adam", {}), "AdamW": ("AdamW", {}),
         "NAdam": ("NAdam", {}), "Muon": ("Muon", {})}


WAYS = {"for-loop": dict(foreach=False), "foreach": dict(foreach=True), "fused": dict(fused=True)}


def options():
    p = parser(__doc__)
    p.add_argument("--repeats", type=int, default=25, help="timed rounds of each optimizer (25)")
    p.add_argument("--seconds", type=float, default=.1, help="about what one timing lasts (0.1)")
    p.add_argument("--only", nargs="*", default=list(RULES), metavar="RULE", help="just these: " + "; ".join(RULES))
    p.add_argument("--at-most", type=float, default=1.1, help="the ratio asked for over the ResNet (1.1)")
    o = p.parse_args()
    if wrong := set(o.only) - set(RULES): p.error(f"--only {wrong}: choose from {list(RULES)}")
    if o.quick: o.repeats, o.seconds = 3, 0.
    return o


def resnet18():
    from torchvision.models import resnet18
    return resnet18(num_classes=10)


def tiny_layers(): return nn.Sequential(*(nn.Linear(8, 8) for _ in range(50)))


def ways(name, device):
    "PyTorch's ways to do a rule's step → arguments; the device's default is the first, and Muon has but one."
    default = "for-loop" if device == "cpu" else "foreach"
    known = set(inspect.signature(getattr(torch.optim, name)).parameters)
    found = {way: arguments for way, arguments in WAYS.items() if set(arguments) <= known}
    return {default: found.pop(default), **found} if found else {"for-loop": {}}


def optimizers(make_model, rule, device):
    "Who → an optimizer over its own parameters and gradients, and those gradients. Muon gets matrices: kernels flat."
    name, hyperparameters = RULES[rule]
    torch.manual_seed(0)
    start = [p.detach().to(device) for p in make_model().parameters()]
    if name == "Muon": start = [p.flatten(1) for p in start if p.ndim > 1]
    grads = [torch.randn_like(p) / 100 for p in start]
    makers, theirs = dict(miniai=getattr(optim, name)), getattr(torch.optim, name)
    makers |= {f"torch, {way}": partial(theirs, **arguments) for way, arguments in ways(name, device).items()}
    made = {}
    for who, maker in makers.items():
        params = [nn.Parameter(p.clone()) for p in start]
        for p, grad in zip(params, grads): p.grad = grad.clone()
        made[who] = maker(params, **hyperparameters)
    return made, grads


def check_same(opts, grads):
    "Three steps of all give the same parameters. PyTorch's foreach adds Nesterov's term to the gradients themselves."
    for _ in range(3):
        for opt in opts.values():
            for p, grad in zip(opt.param_groups[0]["params"], grads, strict=True): p.grad.copy_(grad)
            opt.step()
    ours = opts["miniai"].param_groups[0]["params"]
    for opt in opts.values():
        for a, b in zip(ours, opt.param_groups[0]["params"], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def timed(opt, n, device):
    "Seconds of a step, the mean of n."
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    for _ in range(n): opt.step()
    wait()
    return (time.perf_counter() - start) / n


def measure(opts, o, device):
    "Who → seconds of a step, of each round."
    n = max(1, round(o.seconds / timed(opts["miniai"], 1, device)))
    gc.collect()
    return in_turns({who: partial(timed, opt, n, device) for who, opt in opts.items()}, o.repeats)


def report(where, rule, seconds, at_most):
    "Print a line for each of PyTorch's ways; returns their rows. Only the first, PyTorch's default, has a bound."
    rows = []
    for peer in list(seconds)[1:]:
        ratio, low, high = paired(seconds["miniai"], seconds[peer])
        ours, theirs = median(seconds["miniai"]), median(seconds[peer])
        print(f"{rule if not rows else '':14s} {peer:16s} {1e6 * ours:10.0f} {1e6 * theirs:10.0f} {ratio:7.3f}× "
              f"{low:7.3f} – {high:.3f}", flush=True)
        rows.append(takes(f"a step of {rule}, {where}", ours, peer, theirs, len(seconds[peer]), ratio,
                          None if rows else at_most))
    return rows


def main():
    o = options()
    machine = begin(o)
    networks = dict(tiny_layers=tiny_layers) if o.quick else dict(resnet18=resnet18, tiny_layers=tiny_layers)
    figures, rows = [], []
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        for network, make_model in networks.items():
            bounded = network == next(iter(networks))
            sizes = [p.numel() for p in make_model().parameters()]
            print(f"\n{network} on {device}: {sum(sizes):,} numbers in {len(sizes)} tensors, {o.repeats} rounds")
            print(f"{'µs a step':14s} {'beside':16s} {'miniai':>10s} {'torch':>10s} {'ratio':>8s} {'middle half':>15s}")
            for rule in o.only:
                if not hasattr(torch.optim, RULES[rule][0]):
                    print(f"{rule:14s} is not in torch {torch.__version__}")
                    continue
                opts, grads = optimizers(make_model, rule, device)
                check_same(opts, grads)
                seconds = measure(opts, o, device)
                found = report(f"{network} on {device}", rule, seconds, o.at_most if bounded else None)
                rows += found if bounded else []
                figures.append(dict(device=device, network=network, rule=rule, seconds=seconds))
    return end(o, machine, rows, figures)


if __name__ == "__main__": sys.exit(main())
