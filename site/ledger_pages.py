"Results: every recorded experiment, with a picture of its runs, its settings, its seeds and the command that trains it."
import json
from html import escape
from statistics import mean

from course import LESSONS, ROOT, title_of
from miniai.lab.experiments import Runs, _latest as latest, read_runs, summary
from results import machine, tree

SIZE = 260, 54

def metrics(runs):
    names = dict.fromkeys(name for run in runs for name in run["rows"][-1])
    return [name for name in names if name not in ("epoch", "epochs") and runs.values(name)]

def main_metric(runs):
    names = metrics(runs)
    first = [m for m in ("valid_accuracy", "accuracy") if m in names] + [m for m in names if "accuracy" in m] + names
    return first[0] if first else None

def picture(runs, metric):
    "Curves of each seed where there are some, else a dot a seed."
    (w, h), curves = SIZE, [run.curve(metric) for run in runs]
    low, high = min(map(min, curves)), max(map(max, curves))
    y = lambda v: h - 6 - (h - 12) * ((v - low) / (high - low) if high > low else .5)
    x = lambda v: 8 + (w - 16) * ((v - low) / (high - low) if high > low else .5)
    said = f"{metric.replace('_', ' ')} from {low:.4g} to {high:.4g}, {len(runs)} seed{'s' * (len(runs) > 1)}"
    if max(map(len, curves)) >= 3:
        step = (w - 16) / (max(map(len, curves)) - 1)
        points = (" ".join(f"{8 + i * step:.1f},{y(v):.1f}" for i, v in enumerate(c)) for c in curves)
        body = "".join(f'<polyline points="{line}"/>' for line in points)
        said = f"Curves: {said}, over {max(map(len, curves))} rows."
    else:
        last = [c[-1] for c in curves]
        body = f'<line x1="8" x2="{w - 8}" y1="{h / 2}" y2="{h / 2}"/>' + "".join(f'<circle cx="{x(v):.1f}" cy="{h / 2}" r="4"/>' for v in last)
        body += f'<line class="mean" x1="{x(mean(last)):.1f}" x2="{x(mean(last)):.1f}" y1="{h / 2 - 12}" y2="{h / 2 + 12}"/>'
        said = f"Dots, one a seed, and their mean: {said}."
    return f'<svg class="runs" role="img" viewBox="0 0 {w} {h}" width="{w}" height="{h}"><title>{escape(said)}</title>{body}</svg>'

def numbers(runs): return "; ".join(f"{m.replace('_', ' ')} {summary(runs, m)}" for m in metrics(runs))

def seeds(runs):
    found = sorted(run["seed"] for run in runs)
    return f"{found[0]} to {found[-1]}" if len(found) > 2 and found == list(range(found[0], found[-1] + 1)) else ", ".join(map(str, found))

def setting(value):
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)

def config(runs):
    held = runs[-1].get("config")
    if held is None: return "not recorded"
    return ", ".join(f"<code>{escape(k)}={escape(setting(v))}</code>" for k, v in held.items()) or "none but the lesson's own"

def entry(name, runs):
    "An experiment on one kind of device."
    metric, spent = main_metric(runs), [run["seconds"] for run in runs if run.get("seconds") is not None]
    took = f", {mean(spent):.0f} seconds a run" if spent else ""
    return "\n".join([
        f"## {name}\n", numbers(runs) + "\n", picture(runs, metric) + "\n" if metric else "",
        f'<dl class="facts"><dt>settings</dt><dd>{config(runs)}</dd><dt>seeds</dt><dd>{seeds(runs)}</dd>'
        f"<dt>machine</dt><dd>{escape(machine(runs))}{took}</dd><dt>tree</dt><dd>{tree(runs)}</dd></dl>\n"])

def page(stem, runs_of):
    most = max(len({r["seed"] for r in runs}) for runs in runs_of.values())
    out = [f"# Results of {stem[:2]} {title_of(stem)}\n",
           f"The experiments of [lesson {stem[:2]}](../lessons/{stem}.ipynb). `make experiments NB={stem[:2]} SEEDS={most}` trains those "
           "that are missing, or whose settings or code have changed. A number is the mean ± standard deviation over n seeds, of the last "
           "epoch; a single run has no ±. Accuracies are on the test images unless the lesson says otherwise.\n"]
    for name, runs in sorted(runs_of.items()):
        kinds = sorted({run.kind for run in runs})
        for kind in kinds:
            here = Runs(latest([run for run in runs if run.kind == kind]), name)
            out.append(entry(name if len(kinds) == 1 else f"{name}, on {kind}", here))
    return "\n".join(out)

def pages():
    "Every page's path and text."
    by_file = {}
    for run in read_runs(path=ROOT / "results"):
        by_file.setdefault(run.file.removesuffix(".jsonl"), {}).setdefault(run["experiment"], []).append(run)
    known = {stem: runs for stem, runs in sorted(by_file.items()) if stem in LESSONS}
    for stem, runs_of in known.items(): yield f"results/{stem}.md", page(stem, runs_of)
    rows = [f"| [{stem[:2]} {title_of(stem)}]({stem}.md) | {len(r)} | {sum(map(len, r.values()))} |"
            for stem, r in known.items()]
    tree_of = "\n".join(known)
    yield "results/index.md", "\n".join([
        "# Results\n", "Every recorded run, by lesson. *tree* is \"clean\" where the code was committed when the run began, and "
        "\"changed\" where some of the runs came from a tree with changes on top. Seconds of different machines must not be compared; of the runs before version "
        "0.2.0 the processor was not recorded. Names that end in `_jpeg` were trained on a JPEG copy of CIFAR-10.\n",
        "| lesson | experiments | runs |", "|---|---|---|", *rows, "", f"```{{toctree}}\n:hidden:\n:titlesonly:\n\n{tree_of}\n```\n"])
