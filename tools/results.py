"Write RESULTS.md, and what README.md and the lessons quote, from results/: results.py [checkout]"
import json, re, sys
from pathlib import Path
from statistics import mean

from rewrite import ROOT, lessons, rewrite, write

from miniai.lab.experiments import Runs, _latest as latest, read_runs, recorded, summary

HEAD = """# Results

Every recorded run of the series, grouped by lesson. `make results` writes this page from `results/*.jsonl`; nobody types a number into it. A cell is the mean ± sample standard deviation over n seeds (a single run has no ±), of the last epoch. Accuracies are on the test images unless the lesson says otherwise; names that end in `_jpeg` were trained on a JPEG copy of CIFAR-10.

*tree*: "clean" means that the code was committed when the run began; "changed" that some of the runs came from a tree with changes on top. *machine*: of the runs before version 0.2.0 the processor was not recorded, so their seconds must not be compared with one another: the machines differed by up to 1.7 times under the same name.
"""

def quote_ledger(
    text: str,                   # Markdown with marks `<!-- ledger:NAME -->…<!-- end -->`, NAME.METRIC or NAME.METRIC:DECIMALS
    path: Path | None = None,    # the ledger's folder; None finds it
) -> str:                        # the text with what the ledger says between the marks
    """Fill in every quotation of the ledger. Raises KeyError for an experiment or a metric that it does not
    have, ValueError for a mark without an end."""
    def fill(mark):
        quoted, _, decimals = mark[1].partition(":")
        name, _, metric = quoted.partition(".")
        said = summary(recorded(name, path), metric or "accuracy")
        if said == "no run yet": raise KeyError(f"experiment {name!r} has no metric {metric or 'accuracy'!r}")
        if decimals: said = re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.{int(decimals)}f}", said)
        return f"<!-- ledger:{mark[1]} -->{said}<!-- end -->"
    mark = r"<!-- ledger:([^A-Z<>]*?) -->"
    text, done = re.subn(mark + r"((?!<!-- ledger:).)*?<!-- end -->", fill, text, flags=re.S)
    if done < len(marks := re.findall(mark, text)): raise ValueError(f"a mark has no end: one of {', '.join(marks)}")
    return text

def machine(runs):
    names = sorted({run.machine for run in runs})
    return ", ".join(names)

def tree(runs):
    dirty = [run.get("dirty") for run in runs]
    return "not recorded" if None in dirty else "changed" if any(dirty) else "clean"

def table(runs_of):
    "The rows of one lesson: an experiment and device each."
    rows = []
    for name, runs in sorted(runs_of.items()):
        for kind in sorted({run.kind for run in runs}):
            here = Runs(latest([run for run in runs if run.kind == kind]), name)
            metrics = [m for m in dict.fromkeys(k for run in here for k in run["rows"][-1]) if m not in ("epoch", "epochs")]
            numbers = "; ".join(f"{m.replace('_', ' ')} {summary(here, m)}" for m in metrics if here.values(m))
            seconds = [run["seconds"] for run in here if run.get("seconds") is not None]
            one = len({run.machine for run in here}) == 1 and all(run.get("processor") for run in here)
            spent = f"{mean(seconds):.0f}" if seconds else "–"
            rows.append(f"| {name} | {numbers} | {spent}{'' if one or not seconds else ' *'} | {machine(here)} | {tree(here)} |")
    return rows

def page(root):
    "The text of RESULTS.md."
    out, files = [HEAD], {f.stem: f for f in lessons(root)}
    by_file = {}
    for run in read_runs(path=Path(root) / "results"): by_file.setdefault(Path(run.file).stem, {}).setdefault(run["experiment"], []).append(run)
    for stem, runs_of in sorted(by_file.items()):
        link = f"[{stem.replace('_', ' ')}](nbs/{stem}.ipynb)" if stem in files else stem
        out += [f"\n## {link}\n", "| experiment | result | seconds a run | machine | tree |", "|---|---|---|---|---|", *table(runs_of)]
    out += ["\n\\* the processor was not recorded, or the runs are of several machines.\n"]
    return "\n".join(out)

def fill(root):
    "Fill in everything that is quoted. Raises KeyError, naming the file, where a quoted experiment does not exist."
    root = Path(root)
    for file in [root / "README.md", *lessons(root)]:
        quote = lambda text: quote_ledger(text, root / "results")
        try:
            if file.suffix == ".md": write(file, quote(file.read_text(encoding="utf-8")))
            else: rewrite(file, lambda source, cell: quote(source) if cell["cell_type"] == "markdown" else source)
        except KeyError as e: raise KeyError(f"{file.name}: {e.args[0]}") from None
    write(root / "RESULTS.md", page(root))

if __name__ == "__main__":
    fill(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    print("== RESULTS.md, README.md and nbs/ from results/")
