"""Run every script of this folder, one after the other, and write what they found into one table, benchmarks/README.md.
Run from the checkout, on a machine that does nothing else:

    python benchmarks/run.py

It takes about 35 minutes on 2 CPU cores; `--quick` only sees that all works, in about 3 minutes, on the sample of the
package, and writes no table unless `--to` names a file. A script that fails or misses a bound does not stop the others.
It ends with status 1 where one did not run to its end, or, without `--quick`, missed a bound."""
import argparse, datetime, json, os, subprocess, sys, tempfile, time
from pathlib import Path

from common import Row

HERE = Path(__file__).resolve().parent
SCRIPTS = sorted(f.stem for f in HERE.glob("*.py") if f.stem not in ("common", "run"))
MARK = "<!-- written by `make bench`: do not edit -->"
HOW = """Each line is one comparison: what miniai costs, what the other costs, and the ratio of the two. "× as fast" is
the other's time divided by miniai's, "× the time" is miniai's divided by the other's. *n* is the number of timed
rounds, in which the two took turns; `scaling` and `processes`, miniai beside itself, give each processes of its own. A
bound that was asked for stands beside its ratio. Each script can be run alone, says at its top what exactly it
compares, and prints more than stands here."""


def options():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--quick", action="store_true", help="few and short runs, to see that all works")
    p.add_argument("--threads", type=int, default=2, help="threads of torch (2)")
    p.add_argument("--only", nargs="+", choices=SCRIPTS, default=SCRIPTS, metavar="NAME", help=", ".join(SCRIPTS))
    p.add_argument("--to", type=Path, help="the table's file (benchmarks/README.md; with --quick or --only none)")
    o = p.parse_args()
    if o.to is None and not o.quick and o.only == SCRIPTS: o.to = HERE / "README.md"
    return o


def run(name, o):
    "One script, its output passed on: what it wrote as JSON, or None, with its exit status and minutes."
    threads, level = str(o.threads), "smoke" if o.quick else "full"
    settings = dict(OMP_NUM_THREADS=threads, OMP_WAIT_POLICY="PASSIVE", MINIAI_TIER=level)
    with tempfile.TemporaryDirectory() as folder:
        file, start = Path(folder) / "figures.json", time.perf_counter()
        command = [sys.executable, HERE / f"{name}.py", "--threads", threads, "--json", file] + ["--quick"] * o.quick
        status = subprocess.run(command, env=os.environ | settings).returncode
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return found, status, (time.perf_counter() - start) / 60


def rows_of(found): return [Row(**r) for r in found.get("rows", [])]


def markdown(rows):
    "A table; the first row is its header."
    line = lambda cells: "| " + " | ".join(cells) + " |"
    return "\n".join([line(rows[0]), line(["---"] * len(rows[0])), *map(line, rows[1:])])


def page(results, quick):
    "The whole of the file: machine, versions, table, what grows, and what did not run."
    machine, sections = {}, []
    rows = [["benchmark", "what", "miniai", "other", "costs", "ratio", "asked", "n"]]
    for name, (found, status, minutes) in results.items():
        if found is None:
            rows.append([name, f"did not run to its end (status {status})", *["–"] * 6])
            continue
        machine |= found["machine"]
        for row in rows_of(found):
            asked = f"{row.asked}{', **missed**' if row.missed else ''}" if row.asked else "–"
            rows.append([name, row.what, row.ours, row.peer, row.theirs, row.result, asked, str(row.repeats)])
        for title, (table, note) in found.get("sections", {}).items():
            sections += [f"## {title}", markdown(table), note]
    took = ", ".join(f"{name} {minutes:.1f}" for name, (_, _, minutes) in results.items())
    return "\n\n".join([
        "# What miniai costs beside others", MARK,
        *["**A quick run: it shows that all works, and measures nothing.**"] * quick, HOW,
        f"{datetime.date.today()}, minutes: {took}.", ", ".join(f"{k} {v}" for k, v in machine.items()) + ".",
        markdown(rows), *sections]) + "\n"


def main():
    o, results = options(), {}
    for name in o.only:
        print(f"\n== benchmarks/{name}.py", flush=True)
        results[name] = run(name, o)
    text = page(results, o.quick)
    if o.to: o.to.write_text(text, encoding="utf-8")
    else: print("\n" + text)
    failed = [name for name, (found, _, _) in results.items() if found is None]
    missed = [name for name, (found, _, _) in results.items() if found and any(r.missed for r in rows_of(found))]
    if failed: print(f"FAILED, its error is above: {', '.join(failed)}")
    if missed: print(f"missed a bound: {', '.join(missed)}" + " (a quick run measures nothing)" * o.quick)
    if o.to: print(f"the table is in {o.to}")
    return bool(failed or missed and not o.quick)


if __name__ == "__main__": sys.exit(main())
