"""What the scripts of this folder share: options, turns, the machine's description, the rows of the table, and the end.
Import it before torch: how waiting threads wait is settled when torch loads."""
import argparse, json, os, platform
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait sleep: they leave the cores to other processes
import torch


def parser(doc):
    "A parser with the options that all scripts have; `doc` is the script's docstring."
    p = argparse.ArgumentParser(description=doc.split("\n\n")[0])
    p.add_argument("--threads", type=int, default=2, help="threads of torch (2)")
    p.add_argument("--quick", action="store_true", help="few and short runs, to see that all works")
    p.add_argument("--json", type=Path, help="also write the figures to this file")
    return p


def in_turns(contestants, repeats):
    "Name → what its function returned in each round; the one that begins a round changes."
    names, results = list(contestants), {name: [] for name in contestants}
    for i in range(repeats):
        at = i % len(names)
        for name in names[at:] + names[:at]: results[name].append(contestants[name]())
    return results


def paired(a, b):
    "Median of the ratios a/b of each round, and the two ends of their middle half."
    ratios = sorted(x / y for x, y in zip(a, b, strict=True))
    quarter = len(ratios) // 4
    return median(ratios), ratios[quarter], ratios[-1 - quarter]


def number(value):
    "About three digits."
    return f"{value:.{2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0}f}"


def shown(seconds):
    "Seconds in the unit that fits."
    for size, unit in (1, "s"), (1e-3, "ms"), (1e-6, "µs"):
        if seconds >= .9995 * size: break
    return f"{number(seconds / size)} {unit}"


@dataclass
class Row:
    "A line of the table: `value` is a ratio, or a difference. A bound that is None is not asked for."
    what: str                    # was done
    ours: str                    # what it cost miniai, with a unit
    peer: str                    # the other's name
    theirs: str                  # what it cost the other
    value: float                 # the comparison,
    says: str                    # and what follows the number
    repeats: int                 # timed runs of each
    at_least: float | None = None
    at_most: float | None = None

    @property
    def asked(self):
        bounds = ("at least", self.at_least), ("at most", self.at_most)
        return " and ".join(f"{side} {bound:g}" for side, bound in bounds if bound is not None)
    @property
    def missed(self):
        return (self.at_least is not None and not self.value >= self.at_least
                or self.at_most is not None and not self.value <= self.at_most)
    @property
    def result(self): return "+" * (self.says == " points" and self.value > 0) + number(self.value) + self.says


def faster(what, ours, peer, theirs, repeats, ratio=None, at_least=None):
    "A row that says how many times as fast miniai is; `ours` and `theirs` are seconds."
    ratio = theirs / ours if ratio is None else ratio
    return Row(what, shown(ours), peer, shown(theirs), ratio, "× as fast", repeats, at_least)


def takes(what, ours, peer, theirs, repeats, ratio=None, at_most=None):
    "A row that says how much of the other's time miniai takes; `ours` and `theirs` are seconds."
    ratio = ours / theirs if ratio is None else ratio
    return Row(what, shown(ours), peer, shown(theirs), ratio, "× the time", repeats, at_most=at_most)


def cpu_name():
    "The CPU's model as the system gives it."
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return (names or [platform.processor()])[0] or platform.machine()


def memory_bytes():
    "Of the machine; 0 where the system does not say."
    try: return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError): return 0


def begin(o, *packages):
    "Set torch's threads, print on what and with which versions this runs, and return that."
    torch.set_num_threads(o.threads)
    machine = dict(CPU=cpu_name(), cores=os.cpu_count(), threads=o.threads, memory=f"{memory_bytes() / 2**30:.0f} GiB",
                   GPU=torch.cuda.get_device_name() if torch.cuda.is_available() else "none", system=platform.system(),
                   python=platform.python_version(), torch=torch.__version__)
    machine |= {package: metadata.version(package) for package in ("torchvision", *packages)}
    print(", ".join(f"{k} {v}" for k, v in machine.items()), flush=True)
    return machine


def end(o, machine, rows, figures, sections=None):
    "Print whether each bound is reached, write --json, and return whether any is missed: the script's exit status."
    print()
    for row in rows:
        if row.asked: print(f"{row.what}, {row.peer}: {row.result}, {row.asked} asked: "
                            f"{'missed' if row.missed else 'reached'}")
    if o.json:
        content = dict(machine=machine, rows=[asdict(row) for row in rows], sections=sections or {}, figures=figures)
        o.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return any(row.missed for row in rows)
