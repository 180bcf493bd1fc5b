"While you work on a lesson: export, run it in the smoke tier, then its exercises and the tests of its modules: check.py FILE"
import json, re, subprocess, sys
from pathlib import Path

from rewrite import ROOT

def modules(file):
    "The modules that a lesson exports to."
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    heads = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    return {name.split(".")[-1] for name in re.findall(r"^#\| *(?:default_exp|export) +(\S+)", heads, re.M)}

def tests(file):
    "The test files of a lesson: of its modules and of its own name."
    names = {file.stem[3:], *modules(file)}
    return [str(f) for name in sorted(names) if (f := ROOT / f"tests/test_{name}.py").exists()]

if __name__ == "__main__":
    file = Path(sys.argv[1]).resolve()
    exercises = ROOT / "nbs/exercises" / file.name
    steps = {"export": ["nbdev-export"], "smoke": ["nbdev-test", str(file), "--do-print"],
             "tests": [sys.executable, "-m", "pytest", "-q", *tests(file)],
             "exercises": [sys.executable, "-m", "pytest", "-q", str(ROOT / "tests/test_exercises.py"), "-k", file.stem[3:]]}
    if not exercises.exists(): del steps["exercises"]
    if not tests(file): del steps["tests"]
    for what, command in steps.items():
        print(f"== {what}: {file.stem}", flush=True)
        if subprocess.run(command, cwd=ROOT).returncode: sys.exit(f"FAILED: {what}")
    subprocess.run([sys.executable, str(ROOT / "tools/clean.py")], check=True)
