"The Makefile: what it lists, what it says when something is missing, and that a half-made environment is not used."
import os, re, subprocess, sys

import pytest
from conftest import ROOT

OURS = "PIP_", "MAKE", "MFLAGS", "MINIAI_", "VENV", "PYTHON", "VIRTUAL_ENV", "DISPLAY", "WAYLAND_DISPLAY", "WORKERS", "SEED", "NB", "ARGS"

@pytest.fixture
def program(tmp_path):
    "Put a shell script in front of the PATH under a name."
    (tmp_path / "bin").mkdir()
    def write(name, body):
        file = tmp_path / "bin" / name
        file.write_text("#!/bin/sh\n" + body)
        file.chmod(0o755)
        return file
    return write

@pytest.fixture
def make(copy, tmp_path):
    "Run make in the copy as a newcomer's shell would; the result has all the output as text."
    def run(*args, **env):
        calm = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(["make", *args], cwd=copy, env=calm | {"PATH": path, "PIP_CONFIG_FILE": os.devnull} | env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)
    return run

def fails_in_one_line(run, *parts):
    "It failed; apart from the steps announced and make's own closing line there is one line, with all of `parts`."
    said = [line for line in run.stdout.splitlines() if not line.startswith(("== ", "make: ***"))]
    assert run.returncode != 0 and len(said) == 1, run.stdout
    assert said[0].startswith("miniai: ") and all(p in said[0] for p in parts), said[0]

# A python3 that can make environments out of shell scripts. What pip does there is put in for PIP.
STUB = """
case "$*" in
*version_info*) echo 3.12;;
*sysconfig*) dirname "$0";;
*"-m venv"*) mkdir -p "$3/bin" && cp "$(dirname "$0")/inside" "$3/bin/python";;
esac
"""
INSIDE = """
case "$*" in
*sysconfig*) dirname "$0";;
*"-m pip"*) {pip};;
esac
"""

@pytest.fixture
def stub_python(program):
    def write(pip="true"):
        program("inside", INSIDE.format(pip=pip))
        program("df", "echo; echo x x x 99999999 x x")
        return program("python3", STUB)
    return write

# -- help

def test_help_lists_every_target(make):
    text = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^\.PHONY: (.*)$", text, re.M)[1].split())
    listed = dict(re.findall(r"^make ([a-z-]+) +(\S.*)$", make("help").stdout, re.M))
    assert set(listed) == targets and make().stdout == make("help").stdout
    assert targets == set(re.findall(r"^([a-z-]+):", text, re.M))

# -- something is missing

@pytest.mark.parametrize("target", ["lab", "test"])
def test_old_python(make, program, target, settings):
    program("python3", "echo 3.8")
    fails_in_one_line(make(target), "3.8", settings["min_python"], "PYTHON=")

@pytest.mark.parametrize("version, good", [("2.7", False), ("3.9", False), ("3.10", True), ("3.13", True), ("2.11", False)])
def test_which_pythons_are_good(make, program, stub_python, version, good):
    stub_python()
    program("python3", STUB.replace("3.12", version))
    assert (make("environment").returncode == 0) is good

def test_no_python(make):
    fails_in_one_line(make("test", "PYTHON=python3-of-nobody"), "python3-of-nobody does not run", "PYTHON=")

def test_no_ensurepip(make, program):
    program("python3", 'case "$2" in *version_info*) echo 3.11;; *ensurepip*) echo Traceback >&2; exit 1;; esac')
    fails_in_one_line(make("test"), "apt-get install python3.11-venv")

def test_full_disk(make, program, stub_python):
    stub_python()
    program("df", "echo Filesystem; echo /dev/x 100 100 5000000 95% /")
    fails_in_one_line(make("lab"), "4 GB free at .venv", "VENV=")

def test_folder_that_cannot_be_made(make, copy, stub_python):
    stub_python()
    (copy / "taken").write_text("")
    fails_in_one_line(make("test", "VENV=taken/env"), "taken/env cannot be made")

def test_no_network_in_truth(make, program):
    "A real environment and a real pip, whose index is a closed port of this machine."
    program("df", "echo; echo x x x 99999999 x x")
    program("python3", f'exec "{sys.executable}" "$@"')
    fails_in_one_line(make("test", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="1"), "no network", "pip-errors.log")

@pytest.mark.parametrize("pip_says, part", [
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk filled up"),
    ("ERROR: No matching distribution found for torch==9", "No matching distribution found for torch==9"),
])
def test_pip_fails(make, stub_python, pip_says, part):
    stub_python(f'echo "WARNING: something"  >&2; echo "{pip_says}" >&2; exit 1')
    fails_in_one_line(make("test"), part)

def test_active_python_without_what_is_needed(make, program):
    program("python3", """
case "$2" in
*version_info*) echo 3.12;;
*torch*) echo "Traceback (most recent call last):" >&2; echo "ModuleNotFoundError: No module named 'torch'" >&2; exit 1;;
esac
""")
    fails_in_one_line(make("test", "VENV="), "No module named 'torch'", "-m pip install -e '.[dev]'")

# -- the environment

def test_half_made_environment_is_no_environment(make, copy, stub_python):
    stub_python("exit 1")
    assert make("results").returncode != 0 and (copy / ".venv/bin/python").exists()
    assert make("results").returncode != 0
    stub_python("echo Installing collected packages: x")
    assert "unpacking" in make("results").stdout and (copy / ".venv/.ready").exists()
    assert "unpacking" not in make("results").stdout
    for file in ("requirements.lock", "settings.ini", "setup.py", "pyproject.toml"):
        (copy / file).write_text((copy / file).read_text() + "\n")
        assert "unpacking" in make("results").stdout, f"{file} changed, and nothing was installed"
        (copy / file).touch()
        assert "unpacking" not in make("results").stdout, "nothing changed, and it was installed again"

def test_named_environment(make, copy, stub_python):
    stub_python()
    assert make("results", "VENV=elsewhere/env").returncode == 0
    assert (copy / "elsewhere/env/.ready").exists() and not (copy / ".venv").exists()

# -- lab and test

@pytest.mark.parametrize("display, expected", [({}, True), ({"DISPLAY": ":0"}, False), ({"WAYLAND_DISPLAY": "w"}, False)])
def test_lab_opens_a_browser_where_there_is_a_screen(make, program, stub_python, display, expected):
    stub_python()
    program("uname", "echo Linux")
    program("id", "echo 1000")
    program("jupyter", 'echo "jupyter $*"')
    run = make("lab", "VENV=", **display)
    assert run.returncode == 0 and "jupyter lab --notebook-dir nbs --LabApp.default_url=/lab/tree/index.ipynb" in run.stdout
    assert ("--no-browser" in run.stdout) is expected and "--allow-root" not in run.stdout

def test_lab_goes_on_without_data(make, program, stub_python):
    stub_python()
    program("python3", STUB.replace("esac", "*fashion_mnist*) echo Traceback; echo 'FileNotFoundError: get it' >&2; exit 1;;\nesac"))
    program("jupyter", 'echo "jupyter $*"')
    run = make("lab", "VENV=")
    assert run.returncode == 0 and "jupyter lab" in run.stdout and "Traceback" not in run.stdout
    line, = [line for line in run.stdout.splitlines() if "FileNotFoundError" in line]
    assert "sample" in line

@pytest.mark.parametrize("notebooks, tests", [(0, 0), (1, 0), (0, 1)])
def test_test_fails_with_either_half(make, program, stub_python, notebooks, tests):
    stub_python()
    program("nbdev-test", f'echo "notebooks in $MINIAI_TIER"; exit {notebooks}')
    program("python3", STUB.replace("esac", f'*"-m pytest"*) echo 1 passed; exit {tests};;\nesac'))
    run = make("test", "VENV=")
    said = [line for line in run.stdout.splitlines() if not line.startswith("make: ***")]
    assert (run.returncode == 0) is (not notebooks and not tests) and "notebooks in smoke" in said
    assert said[-1] == ("FAILED: a notebook (its error is above)" if notebooks else "1 passed")

def test_lab_hands_its_arguments_on(make, program, stub_python):
    stub_python()
    program("jupyter", 'echo "jupyter $*"')
    assert "--port 8899" in make("lab", "VENV=", "ARGS=--port 8899").stdout

# -- one lesson

@pytest.fixture
def echo_python(program):
    "A python3 that says how a tool was called."
    program("python3", STUB.replace("esac", '*tools/*) echo "$MINIAI_TIER $MINIAI_SEED ${MINIAI_SEEDS:--} $MINIAI_LESSON $*";;\nesac'))

def test_notebook_runs_in_quick_with_the_seed(make, echo_python):
    said = make("notebook", "VENV=", "NB=00", "SEED=3").stdout
    assert "quick 3 - 00_start tools/notebook.py nbs/00_start.ipynb --save" in said

def test_experiments_run_in_full_with_the_seeds_and_save_nothing(make, echo_python):
    said = make("experiments", "VENV=", "NB=13", "SEEDS=8").stdout
    assert "full 42 8 13_resnet tools/notebook.py nbs/13_resnet.ipynb\n" in said

def test_check_runs_one_lesson_in_smoke(make, echo_python):
    assert "smoke 42 - 07_adaptive tools/check.py nbs/07_adaptive.ipynb" in make("check", "VENV=", "NB=07").stdout

@pytest.mark.parametrize("target", ["notebook", "experiments", "check"])
def test_arguments_are_looked_at_before_anything_is_installed(make, copy, target):
    for args in (["NB=99"], [], ["NB=7"], ["NB=*"], ["NB=00", "SEED=abc"], ["NB=00", "SEED=-1"], ["NB=00", "SEEDS=x"]):
        run = make(target, *args)
        fails_in_one_line(run, args[-1].split("=")[1] if args else "no notebook")
        assert not (copy / ".venv").exists()

EVIL = "99; touch evil; :", "$(touch evil)", "`touch evil`", "$(shell touch evil)", "x' ; touch evil ; '", '"; touch evil; "'

@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("target, name", [("notebook", "NB"), ("notebook", "SEED"), ("experiments", "SEEDS"), ("lab", "ARGS"),
                                          ("test", "WORKERS"), ("bench", "QUICK"), ("results", "PYTHON")])
def test_nothing_given_on_the_command_line_is_run(make, copy, program, stub_python, target, name, evil):
    stub_python()
    program("jupyter", "true")
    args = {"NB": "00", "VENV": ""} | {name: evil}
    run = make(target, *(f"{k}={v}" for k, v in args.items()))
    assert not list(copy.rglob("evil")), run.stdout
    make(target, **args)
    assert not list(copy.rglob("evil")), "run from the environment"

def test_environment_in_a_folder_with_a_space(make, copy, stub_python):
    stub_python()
    assert make("environment", "VENV=my env").returncode == 0 and (copy / "my env/.ready").exists()

# -- bench

@pytest.mark.parametrize("args, called", [([], "benchmarks/run.py"), (["QUICK=1"], "benchmarks/run.py --quick")])
def test_bench_installs_what_it_compares_with_then_times(make, program, args, called):
    program("python3", STUB.replace("esac", '*"-m pip"*|*benchmarks*) echo "called $*";;\nesac'))
    said = [line for line in make("bench", "VENV=", *args).stdout.splitlines() if line.startswith("called")]
    assert said == ["called -m pip install -q -c requirements.lock -e .[bench]", f"called {called}"]
