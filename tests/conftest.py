"What several test files share."
import os, shutil, subprocess, sysconfig
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ".ci", ".github", "benchmarks", "miniai", "nbs", "results", "site", "tests", "tools", "web"
NOT_SOURCE = "__pycache__", ".ipynb_checkpoints", "_proc", "*.egg-info", "node_modules"

@pytest.fixture(scope="session")
def root(): return ROOT

@pytest.fixture(scope="session")
def settings():
    "settings.ini as a dictionary."
    parser = ConfigParser(delimiters=["="], interpolation=None)
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    return dict(parser["DEFAULT"])

def make_copy(to):
    "The checkout's source files, copied to the folder `to`; whatever else lies in the checkout stays behind."
    to.mkdir()
    for f in ROOT.iterdir():
        if f.is_file(): shutil.copy2(f, to)
        elif f.name in FOLDERS: shutil.copytree(f, to / f.name, ignore=shutil.ignore_patterns(*NOT_SOURCE))
    return to

@pytest.fixture
def copy(tmp_path): return make_copy(tmp_path / "copy")

def contents(folder):
    "Every source file below `folder` and its bytes."
    skip = lambda f: any(part in NOT_SOURCE or part.endswith(".egg-info") for part in f.relative_to(folder).parts)
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file() and not skip(f)}

def tool(name, *args, cwd=ROOT, **env):
    "Run a command of the environment that the tests run in; the result has its output as text."
    return subprocess.run([Path(sysconfig.get_path("scripts")) / name, *args], cwd=cwd, capture_output=True, text=True,
                          env=os.environ | env, stdin=subprocess.DEVNULL)

@pytest.fixture(scope="session")
def browser():
    "One headless Chromium for all the tests of a worker."
    import browser as driver
    if driver.CHROMIUM is None: pytest.skip("there is no Chromium")
    with driver.chromium() as browser: yield browser

@pytest.fixture
def page(browser):
    "A blank page; what it complains of, or asks of the network, fails the test."
    import browser as driver
    with driver.new_page(browser) as page: yield page
