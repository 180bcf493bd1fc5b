"web/ itself: types, lint, its own tests, and that the bundles in the package are those of its sources."
import filecmp, shutil, subprocess

import pytest

from conftest import make_copy

@pytest.fixture(scope="module")
def web(tmp_path_factory):
    "A copy of the checkout with the tools of web/ installed."
    if shutil.which("npm") is None: pytest.skip("there is no Node.js")
    copy = make_copy(tmp_path_factory.mktemp("web") / "copy")
    npm(copy, "ci", "--silent")
    return copy

def npm(copy, *args):
    done = subprocess.run(["npm", *args], cwd=copy / "web", capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

@pytest.mark.parametrize("script", ["check", "lint", "test"])
def test_script(web, script): npm(web, "run", script)

def test_a_wrong_type_and_an_unused_name_are_found(web):
    (web / "web/core/wrong.js").write_text('import { short } from "./format.js";\nconst x = short("1");\n')
    for script, said in (("check", "not assignable"), ("lint", "no-unused-vars")):
        with pytest.raises(AssertionError, match=said): npm(web, "run", script)
    (web / "web/core/wrong.js").unlink()

def test_the_bundles_are_those_of_the_sources(web, root):
    npm(web, "run", "build")
    names = sorted(f.name for f in (web / "miniai/lab/interactives").iterdir())
    assert filecmp.cmpfiles(web / "miniai/lab/interactives", root / "miniai/lab/interactives", names, shallow=False)[0] == names
