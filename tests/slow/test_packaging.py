"The wheel, what it needs, and that everything made from the notebooks and settings.ini is up to date."
import ast, os, re, subprocess, sys, sysconfig, zipfile
from email import message_from_string
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from conftest import contents, make_copy, tool
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# -- what is generated

def test_export_and_clean_change_nothing(copy):
    "Also with every module deleted first: each comes from a notebook, and none is left over from an older one."
    before = contents(copy)
    for f in copy.glob("miniai/**/*.py"): f.unlink()
    for command in ("nbdev-export", "nbdev-clean"):
        run = tool(command, cwd=copy)
        assert run.returncode == 0, run.stderr
    after = contents(copy)
    changed = sorted(f for f in before.keys() | after.keys() if before.get(f) != after.get(f))
    assert not changed, f"make export changes {', '.join(changed)}"

@pytest.mark.parametrize("name", ["stamp", "results"])
def test_stamped_text_is_up_to_date(copy, name):
    before = contents(copy)
    run = tool("python", f"tools/{name}.py", str(copy))
    assert run.returncode == 0, run.stderr
    changed = sorted(f for f, text in contents(copy).items() if before.get(f) != text)
    assert not changed, f"make {name} changes {', '.join(changed)}: run it and commit"

def test_notebooks_have_numbers_of_their_own(root):
    names = sorted(f.name for f in root.glob("nbs/*.ipynb"))
    assert names and all(re.fullmatch(r"(\d\d_[a-z_]+|index)\.ipynb", n) for n in names), names
    assert len({n[:2] for n in names}) == len(names), "make notebook NB= could not tell these apart"

# -- the wheel

@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("wheel")
    env = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | {"PIP_CONFIG_FILE": os.devnull}
    run = subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation",
                          "-w", tmp, make_copy(tmp / "source")], capture_output=True, text=True, env=env)
    assert run.returncode == 0, run.stderr
    return next(tmp.glob("*.whl"))

@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as z:
        return message_from_string(z.read(next(n for n in z.namelist() if n.endswith("/METADATA"))).decode())

def test_wheel_holds_the_package_and_nothing_else(root, wheel):
    with zipfile.ZipFile(wheel) as z: names = z.namelist()
    package = {n for n in names if ".dist-info/" not in n}
    ledger = {f"miniai/results/{f.name}" for f in root.glob("results/*.jsonl")}
    assert ledger and package == {f"miniai/{n}" for n in contents(root / "miniai")} | ledger
    assert sum(n.startswith("miniai/sample/") and n.endswith(".gz") for n in package) == 4
    assert any(n.endswith("/licenses/LICENSE") for n in names)

def test_metadata_says_what_settings_ini_says(metadata, settings):
    assert metadata["Name"] == settings["name"] != "miniai", "miniai is somebody else's package on PyPI"
    assert metadata["Version"] == settings["version"] and metadata["License-Expression"] == settings["license"]
    assert metadata["Requires-Python"] == ">=" + settings["min_python"]
    needs = [Requirement(r) for r in metadata.get_all("Requires-Dist")]
    assert {str(r) for r in needs if not r.marker} == {str(Requirement(r)) for r in settings["requirements"].split()}
    assert set(metadata.get_all("Provides-Extra")) == {"lessons", "scale", "dev", "bench", "site"}
    classifiers = metadata.get_all("Classifier") or []
    assert len(set(classifiers)) == len(classifiers)

def third_party(files, inside=True):
    "What these files import from elsewhere; with `inside` also what they import when a function needs it."
    trees = [ast.parse(f.read_text(encoding="utf-8")) for f in files]
    nodes = [n for tree in trees for n in (ast.walk(tree) if inside else tree.body)]
    names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in nodes if isinstance(n, ast.ImportFrom) and not n.level}
    return {n.split(".")[0] for n in names} - sys.stdlib_module_names - {"miniai"}

BOTH = ["requirements", "lessons_requirements"]

@pytest.mark.parametrize("files, inside, keys", [("*.py", False, ["requirements"]), ("*.py", True, [*BOTH, "scale_requirements"]), ("*/*.py", True, BOTH)])
def test_every_import_is_a_declared_need(root, settings, files, inside, keys):
    "A distribution that another one happens to bring along may stop being brought along."
    declared = {canonicalize_name(Requirement(r).name) for k in keys for r in settings[k].split()}
    found = {n: {canonicalize_name(d) for d in packages_distributions().get(n, [])}
             for n in third_party(root.joinpath("miniai").glob(files), inside)}
    missing = sorted(n for n in found if not found[n] & declared)
    assert not missing, f"{' and '.join(keys)} in settings.ini lack {', '.join(missing)}"

def needed(requirements):
    "The installed distributions that these requirements lead to, all the way down."
    found, todo = {}, [Requirement(r) for r in requirements]
    while todo:
        r = todo.pop()
        for extra in {"", *r.extras}:
            if r.marker and not any(r.marker.evaluate({"extra": e}) for e in ("", extra)): continue
            key = canonicalize_name(r.name), extra
            if key in found: continue
            found[key] = dist = distribution(r.name)
            for text in dist.requires or []:
                sub = Requirement(text)
                if not sub.marker or sub.marker.evaluate({"extra": extra}):
                    sub.marker = None
                    todo.append(sub)
    return list({name: dist for (name, _), dist in found.items()}.values())

def environment(folder, wheel, requirements):
    "The python of a new environment: the wheel, and links to what it needs. No pip, no network."
    env = folder / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", env], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(env), "platbase": str(env)}))
    with zipfile.ZipFile(wheel) as z: z.extractall(site)
    for dist in needed(requirements):
        for top in {f.parts[0] for f in dist.files or [] if f.parts[0] not in ("..", "__pycache__")}:
            if not (site / top).exists(): (site / top).symlink_to(dist.locate_file(top))
    return env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

@pytest.fixture(scope="module")
def clean_python(wheel, settings, tmp_path_factory):
    return environment(tmp_path_factory.mktemp("clean"), wheel, settings["requirements"].split())

@pytest.fixture(scope="module")
def lessons_python(wheel, settings, tmp_path_factory):
    both = settings["requirements"].split() + settings["lessons_requirements"].split()
    return environment(tmp_path_factory.mktemp("lessons"), wheel, both)

def run_clean(python, code, tmp_path):
    "Run code there, away from the checkout and deaf to the caller's PYTHONPATH; gives what it printed."
    run = subprocess.run([python, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True,
                         env=os.environ | {"MINIAI_TIER": "smoke"})
    assert run.returncode == 0, run.stderr
    return run.stdout.split()

def test_clean_environment_is_clean(clean_python, tmp_path):
    "Else the tests below prove nothing."
    tools = ("nbdev", "execnb", "jupyter_core", "jupyterlab", "nbconvert", "pytest", "hypothesis", "torchmetrics", "zizmor",
             "ipywidgets", "IPython", "xlsxwriter", "scipy", "accelerate")
    code = f"from importlib.util import find_spec\nprint(*[t for t in {tools} if find_spec(t)])"
    assert run_clean(clean_python, code, tmp_path) == []

def test_library_imports_with_runtime_needs_only(root, clean_python, tmp_path):
    modules = ["miniai", *sorted(f"miniai.{f.stem}" for f in root.glob("miniai/*.py") if f.stem not in ("__init__", "_modidx"))]
    code = f"import importlib\nfor m in {modules}: print(importlib.import_module(m).__file__)"
    files = run_clean(clean_python, code, tmp_path)
    assert len(files) == len(modules) and all(Path(f).is_relative_to(clean_python.parents[1]) for f in files)

def test_the_promised_imports_and_the_sample(clean_python, tmp_path):
    code = "from miniai import Learner, Muon, OneCycleLR, fashion_mnist; print(len(fashion_mnist().train_x))"
    assert run_clean(clean_python, code, tmp_path) == ["2000"]

def test_lessons_import_with_their_extra_and_find_the_ledger(root, lessons_python, tmp_path):
    modules = sorted(".".join(f.relative_to(root).with_suffix("").parts) for f in root.glob("miniai/*/[a-z]*.py"))
    code = (f"import importlib\nfor m in {modules}: importlib.import_module(m)\n"
            "from miniai.lab.experiments import recorded; print(len(recorded('plain_cnn_5ep')))")
    assert run_clean(lessons_python, code, tmp_path) == ["5"]

# -- the facts, each once

def test_pyproject_repeats_only_the_name(root, settings):
    project = re.search(r"^\[project\]\n(.*?)^\[", (root / "pyproject.toml").read_text(encoding="utf-8"), re.M | re.S)[1]
    assert re.findall(r"^([a-z-]+) = ", project, re.M) == ["name", "dynamic"]
    assert f'name = "{settings["name"]}"\n' in project

def test_lock_has_every_need_and_no_place_of_this_machine(root, settings):
    lines = (root / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert all(re.match(r"[A-Za-z0-9._-]+==[\w.+]+( ;|$)", line) for line in lines), "a line is no plain NAME==VERSION"
    locked = {canonicalize_name(line.split("==")[0]): Requirement(line) for line in lines}
    for need in " ".join(v for k, v in settings.items() if k.endswith("requirements")).split():
        need = Requirement(need)
        version, = [s.version for s in locked[canonicalize_name(need.name)].specifier]
        assert version in need.specifier, f"{need} and the lock's {version} disagree: make lock"

def test_nobody_is_told_to_install_somebody_elses_package(copy):
    wrong = re.compile(r"(pip3? install|uv add|conda install) +(-+\S+ +)*[\"']?miniai\b")
    for name, text in contents(copy).items():
        found = wrong.search(text.decode("utf-8", errors="ignore"))
        assert not found, f"{name}: {found[0]!r}, and that name on PyPI belongs to another package"
