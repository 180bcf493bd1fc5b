"What importing the package loads and how large its modules are: a library for real work, each module read in ten minutes."
import ast, json, subprocess, sys
from statistics import median

import pytest
from conftest import ROOT

# Only lessons need these, or a reader's notebook: no library module may load one.
HEAVY = "ipywidgets", "IPython", "xlsxwriter", "traitlets", "anywidget", "scipy", "timm", "torchmetrics", "accelerate"
LIBRARY = sorted(f for f in (ROOT / "miniai").glob("*.py") if not f.stem.startswith("_"))
LAB = sorted(f.stem for f in (ROOT / "miniai" / "lab").glob("*.py") if not f.stem.startswith("_"))
# Functions that may be longer than 40 lines: "module.function" and the reason.
LONG = {}

def loaded(*modules):
    "Which of HEAVY a fresh interpreter has loaded after importing the modules."
    code = ("import importlib, json, sys\n"
            f"for name in {list(modules)!r}: importlib.import_module(name)\n"
            f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))")
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])

def length(file): return len(file.read_text(encoding="utf-8").splitlines())

def lines(node): return node.end_lineno - node.lineno + 1

def functions(file):
    "Every function of a module with its qualified name, also those inside of classes and functions."
    def walk(node, prefix):
        for child in ast.iter_child_nodes(node):
            name = f"{prefix}.{child.name}" if hasattr(child, "name") and not isinstance(child, ast.alias) else prefix
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)): yield name, child
            yield from walk(child, name)
    return walk(ast.parse(file.read_text(encoding="utf-8")), file.stem)

def test_the_library_is_found(): assert {"learner", "optim", "layers", "sched"} <= {f.stem for f in LIBRARY}

def test_no_library_module_loads_what_only_lessons_need():
    assert loaded("miniai", *(f"miniai.{f.stem}" for f in LIBRARY)) == []

def test_lab_modules_import(): loaded(*(f"miniai.lab.{name}" for name in LAB))

def test_the_public_names():
    from miniai import Learner, Muon, OneCycleLR
    from miniai.learner import Learner as there
    assert Learner is there
    assert Muon.__module__ == "miniai.optim" and OneCycleLR.__module__ == "miniai.sched"

@pytest.mark.parametrize("file", LIBRARY, ids=lambda f: f.stem)
def test_a_module_is_short(file): assert length(file) <= 500

def test_half_of_the_modules_are_very_short(): assert median(map(length, LIBRARY)) <= 250

@pytest.mark.parametrize("file", LIBRARY, ids=lambda f: f.stem)
def test_functions_are_short(file):
    long = {name: lines(f) for name, f in functions(file) if lines(f) > 40 and name not in LONG}
    assert not long, f"over 40 lines: {long}"

def test_no_exception_is_kept_for_nothing():
    found = {name: lines(f) for file in LIBRARY for name, f in functions(file)}
    assert all(found.get(name, 0) > 40 for name in LONG)

SOURCES = sorted([*(ROOT / "miniai").rglob("*.py"), *(ROOT / "tools").glob("*.py")])

def test_no_check_vanishes_under_python_O():
    "`assert` does, and what stands below `if __debug__`: what users rely on raises."
    found = [f"{f.relative_to(ROOT)}:{node.lineno}" for f in SOURCES for node in ast.walk(ast.parse(f.read_text(encoding="utf-8")))
             if isinstance(node, ast.Assert) or isinstance(node, ast.Name) and node.id == "__debug__"]
    assert len(SOURCES) > 50 and not found
