"""What an optimizer's step costs beside PyTorch's own: each class of miniai.optim that PyTorch has too, over the
parameters of a ResNet-18, on the CPU and on a GPU where there is one. Run from the checkout:

    python benchmarks/optim_step.py

Both are PyTorch's default of the device: a parameter at a time on the CPU, all together on a GPU. They start from the
same parameters, get the same gradients, and are shown to end alike; then they take turns, the first of each pair
changing. A ratio is the median over pairs of (miniai's seconds / torch's). It ends with status 1 where a ratio over the
ResNet is above `--at-most`. A network of many tiny layers, where the steps are all overhead, is shown besides."""
import argparse, gc, json, os, platform, sys, time
from pathlib import Path
from statistics import median

import torch
from torch import nn

from miniai import optim

RULES = {"SGD": ("SGD", {}), "SGD, momentum": ("SGD", dict(momentum=.9)),
         "SGD, Nesterov": ("SGD", dict(momentum=.9, nesterov=True)), "Adagrad": ("Adagrad", {}),
         "RMSprop": ("RMSprop", {}), "Adadelta": ("Adadelta", {}), "Adam": ("Adam", {}), "AdamW": ("AdamW", {}),
         "NAdam": ("NAdam", {}), "Muon": ("Muon", {})}


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--repeats", type=int, default=25, help="timed pairs of each optimizer (25)")
    parser.add_argument("--seconds", type=float, default=.1, help="about what one timing lasts (0.1)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (2)")
    parser.add_argument("--only", nargs="*", default=list(RULES), metavar="RULE",
                        help="just these: " + "; ".join(RULES))
    parser.add_argument("--at-most", type=float, default=1.1, help="the ratio asked for over the ResNet (1.1)")
    parser.add_argument("--quick", action="store_true", help="tiny layers and few pairs, to see that all works")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    o = parser.parse_args()
    if wrong := set(o.only) - set(RULES): parser.error(f"--only {wrong}: choose from {list(RULES)}")
    if o.quick: o.repeats, o.seconds = 3, 0.
    return o


def resnet18():
    from torchvision.models import resnet18
    return resnet18(num_classes=10)


def tiny_layers(): return nn.Sequential(*(nn.Linear(8, 8) for _ in range(50)))


def two_optimizers(make_model, rule, device):
    "Name → an optimizer over parameters of its own; gradients are shared. Muon gets the matrices, kernels flattened."
    name, hyperparameters = RULES[rule]
    torch.manual_seed(0)
    start = [p.detach().to(device) for p in make_model().parameters()]
    if name == "Muon": start = [p.flatten(1) for p in start if p.ndim > 1]
    grads = [torch.randn_like(p) / 100 for p in start]
    optimizers = {}
    for library, module in dict(miniai=optim, torch=torch.optim).items():
        params = [nn.Parameter(p.clone()) for p in start]
        for p, grad in zip(params, grads): p.grad = grad
        optimizers[library] = getattr(module, name)(params, **hyperparameters)
    return optimizers


def check_same(optimizers):
    "Three steps of both give the same parameters."
    for _ in range(3):
        for opt in optimizers.values(): opt.step()
    for a, b in zip(*(opt.param_groups[0]["params"] for opt in optimizers.values()), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def timed(opt, n, device):
    "Seconds of a step, the mean of n."
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    for _ in range(n): opt.step()
    wait()
    return (time.perf_counter() - start) / n


def measure(optimizers, o, device):
    "Library → seconds of a step, of each repeat."
    n = max(1, round(o.seconds / timed(optimizers["torch"], 1, device)))
    seconds = {library: [] for library in optimizers}
    gc.collect()
    for i in range(o.repeats):
        for library in sorted(optimizers, reverse=i % 2): seconds[library].append(timed(optimizers[library], n, device))
    return seconds


def report(rule, seconds):
    "Print a line of the table; returns the median of the paired ratios."
    pairs = sorted(a / b for a, b in zip(seconds["miniai"], seconds["torch"]))
    quarter = len(pairs) // 4
    print(f"{rule:14s} {1e6 * median(seconds['miniai']):10.0f} {1e6 * median(seconds['torch']):10.0f} "
          f"{median(pairs):7.3f}× {pairs[quarter]:7.3f} – {pairs[-1 - quarter]:.3f}", flush=True)
    return median(pairs)


def main():
    o = options()
    torch.set_num_threads(o.threads)
    cpu = next((l.split(":")[1].strip() for l in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in l),
               "") if Path("/proc/cpuinfo").exists() else platform.processor()
    devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()
    machine = dict(cpu=cpu or platform.machine(), cores=os.cpu_count(), threads=torch.get_num_threads(),
                   gpu=torch.cuda.get_device_name() if len(devices) > 1 else "none", system=platform.system(),
                   python=platform.python_version(), torch=torch.__version__)
    print(", ".join(f"{k} {v}" for k, v in machine.items()))
    networks = dict(tiny_layers=tiny_layers) if o.quick else dict(resnet18=resnet18, tiny_layers=tiny_layers)
    figures, ratios = [], {}
    for device in devices:
        for network, make_model in networks.items():
            sizes = [p.numel() for p in make_model().parameters()]
            print(f"\n{network} on {device}: {sum(sizes):,} numbers in {len(sizes)} tensors, {o.repeats} pairs")
            print(f"{'µs a step':14s} {'miniai':>10s} {'torch':>10s} {'ratio':>8s} {'middle half':>15s}")
            for rule in o.only:
                if not hasattr(torch.optim, RULES[rule][0]):
                    print(f"{rule:14s} is not in torch {torch.__version__}")
                    continue
                optimizers = two_optimizers(make_model, rule, device)
                check_same(optimizers)
                seconds = measure(optimizers, o, device)
                ratios[device, network, rule] = ratio = report(rule, seconds)
                figures.append(dict(device=device, network=network, rule=rule, ratio=ratio, seconds=seconds))
    bounded = next(iter(networks))
    (device, _, rule), worst = max(((at, r) for at, r in ratios.items() if at[1] == bounded), key=lambda pair: pair[1])
    print(f"\n{bounded}: at most {worst:.3f}× ({rule} on {device}); at most {o.at_most:g}× is asked for")
    if o.json: o.json.write_text(json.dumps(dict(machine=machine, figures=figures), indent=1) + "\n")
    return worst > o.at_most


if __name__ == "__main__": sys.exit(main())
