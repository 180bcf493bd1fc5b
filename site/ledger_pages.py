"Results: every recorded experiment, with a picture of its runs, its settings, its seeds and the command to train it."
import json
from html import escape
from statistics import mean

from course import LESSONS, ROOT, title_of
from miniai.lab.experiments import Runs, _latest as latest, read_runs, summary, unit
from results import machine, tree

WIDTH, HEIGHT = 420, 120             # of a picture; the curves leave room for the numbers at the axes
LEFT, BOTTOM = 70, 22

def metrics(runs):
    names = dict.fromkeys(name for run in runs for name in run["rows"][-1])
    return [name for name in names if name not in ("epoch", "epochs") and runs.values(name)]

def main_metric(runs):
    names = metrics(runs)
    first = [m for m in ("valid_accuracy", "accuracy") if m in names] + [m for m in names if "accuracy" in m] + names
    return first[0] if first else None

def number(value, metric):
    "A value with its unit, as an axis has it."
    return f"{100 * value:.2f} %" if "accuracy" in metric else f"{value:.3g} {unit(metric)}".strip()

def place(value, low, high, start, end):
    "Where between start and end a value lies on an axis from low to high."
    return start + (end - start) * ((value - low) / (high - low) if high > low else .5)

def words(x, y, text, anchor): return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'

def drawn_curves(curves, low, high, metric, across):
    "A curve a seed: the metric by epoch."
    last, top, foot = max(map(len, curves)), 8, HEIGHT - BOTTOM
    lines = (" ".join(f"{place(i, 0, last - 1, LEFT, WIDTH - 8):.1f},{place(v, low, high, foot - 4, top):.1f}"
                      for i, v in enumerate(curve)) for curve in curves)
    return (f'<path d="M{LEFT} {top}V{foot}H{WIDTH - 8}"/>' + "".join(f'<polyline points="{line}"/>' for line in lines)
            + words(LEFT - 6, top + 8, number(high, metric), "end") + words(LEFT - 6, foot, number(low, metric), "end")
            + words(LEFT, HEIGHT - 6, "1", "middle") + words((LEFT + WIDTH) / 2, HEIGHT - 6, across, "middle")
            + words(WIDTH - 8, HEIGHT - 6, str(last), "end"))

def drawn_dots(values, low, high, metric):
    "A dot a seed, and of several a stroke at their mean."
    y, x = HEIGHT / 2 - 10, lambda v: f"{place(v, low, high, LEFT, WIDTH - LEFT):.1f}"
    dots = "".join(f'<circle cx="{x(v)}" cy="{y}" r="4"/>' for v in values)
    ends = "".join(words(x(v), y + 32, number(v, metric), "middle") for v in sorted({low, high}))
    stroke = f'<path class="mean" d="M{x(mean(values))} {y - 12}V{y + 12}"/>' * (len(values) > 1)
    return f'<path d="M{LEFT - 20} {y}H{WIDTH - LEFT + 20}"/>{dots}{stroke}{ends}'

def picture(runs, metric):
    "Curves of each seed where there are some, else a dot a seed."
    curves = [run.curve(metric) for run in runs]
    if not (long := max(map(len, curves)) >= 3): curves = [curve[-1:] for curve in curves]
    low, high = min(map(min, curves)), max(map(max, curves))
    name, n = metric.replace("_", " "), f"{len(runs)} seed{'s' * (len(runs) > 1)}"
    said = f"{name} from {number(low, metric)} to {number(high, metric)}, {n}"
    across = "epoch" if "epoch" in runs[0]["rows"][-1] else "row"
    if long: body, caption = drawn_curves(curves, low, high, metric, across), f"{name} by {across}, {n}"
    else: body, caption = drawn_dots([c[-1] for c in curves], low, high, metric), f"{name}, {n}"
    if not long and len(runs) > 1: caption += "; the stroke is their mean"
    return (f'<figure class="runs"><svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
            f"<title>{escape(said)}</title>{body}</svg><figcaption>{escape(caption)}</figcaption></figure>")

def numbers(runs): return "; ".join(f"{m.replace('_', ' ')} {summary(runs, m)}" for m in metrics(runs))

def seeds(runs):
    found = sorted(run["seed"] for run in runs)
    in_a_row = len(found) > 2 and found == list(range(found[0], found[-1] + 1))
    return f"{found[0]} to {found[-1]}" if in_a_row else ", ".join(map(str, found))

def setting(value):
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)

def config(runs):
    held = runs[-1].get("config")
    if held is None: return "not recorded"
    settings = ", ".join(f"<code>{escape(k)}={escape(setting(v))}</code>" for k, v in held.items())
    return settings or "none but the lesson's own"

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
           f"The experiments of [lesson {stem[:2]}](../lessons/{stem}.ipynb). "
           f"`make experiments NB={stem[:2]} SEEDS={most}` trains those that are missing, or whose settings or "
           "code have changed. A number is the mean ± standard deviation over n seeds, of the last epoch; a single "
           "run has no ±. Accuracies are on the test images unless the lesson says otherwise.\n"]
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
        "# Results\n", "Every recorded run, by lesson. *tree* is \"clean\" where the code was committed when the run "
        "began, and \"changed\" where some of the runs came from a tree with changes on top. Seconds of different "
        "machines must not be compared; of the runs before version 0.2.0 the processor was not recorded. "
        "Names that end in `_jpeg` were trained on a JPEG copy of CIFAR-10.\n",
        "| lesson | experiments | runs |", "|---|---|---|", *rows, "",
        f"```{{toctree}}\n:hidden:\n:titlesonly:\n\n{tree_of}\n```\n"])
