"The GitHub workflows: zizmor finds nothing, the schema holds, and the promises that neither of them knows."
import os, re, subprocess, sys

import pytest
from conftest import ROOT, tool
from ruamel.yaml import YAML

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
FLOWS = {f.stem: YAML(typ="safe").load(f) for f in FILES}

def test_the_four_workflows_are_there(): assert set(FLOWS) == {"test", "gpu", "colab", "site"}

def test_zizmor_finds_nothing():
    run = tool("zizmor", "--offline", "--no-config", "--no-ignores", *FILES)
    assert run.returncode == 0 and "No findings to report" in run.stdout + run.stderr, run.stdout + run.stderr

def test_schema():
    run = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *FILES)
    assert run.returncode == 0, run.stdout + run.stderr

@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_actions_are_pinned_by_hash_with_their_version_beside(file):
    uses = re.findall(r"uses:(.*)", file.read_text(encoding="utf-8"))
    assert uses
    for u in uses: assert re.fullmatch(r" actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", u), u

def test_one_hash_a_version():
    "The same action is the same one in all of them."
    uses = {u for f in FILES for u in re.findall(r"uses: (\S+)", f.read_text(encoding="utf-8"))}
    assert len({u.split("@")[0] for u in uses}) == len(uses), uses

@pytest.mark.parametrize("name, flow", FLOWS.items())
def test_least_permissions_no_secrets_and_an_end(name, flow):
    assert flow["permissions"] == {"contents": "read"} and flow["concurrency"]["group"].startswith(name)
    assert "secrets." not in (ROOT / f".github/workflows/{name}.yml").read_text(encoding="utf-8")
    for job in flow["jobs"].values():
        assert job["timeout-minutes"] <= 720
        if job.get("environment", {}).get("name") == "github-pages":         # no code of the repository runs in this one
            assert job["permissions"] == {"pages": "write", "id-token": "write"}
            assert all("run" not in step for step in job["steps"])
            continue
        assert "permissions" not in job
        checkouts = [s for s in job["steps"] if s.get("uses", "").startswith("actions/checkout")]
        assert checkouts and all(s["with"]["persist-credentials"] is False for s in checkouts)

def test_who_starts_what(settings):
    assert set(FLOWS["test"]["on"]) == {"push", "pull_request"}
    assert set(FLOWS["gpu"]["on"]) == {"push", "schedule", "workflow_dispatch"}
    assert FLOWS["gpu"]["on"]["push"] == {"branches": [settings["branch"]]}
    assert set(FLOWS["colab"]["on"]) == {"schedule", "workflow_dispatch"}
    assert set(FLOWS["site"]["on"]) == {"push", "schedule", "workflow_dispatch"}
    assert FLOWS["site"]["on"]["push"] == {"branches": [settings["branch"]]}

def test_gpu_job_waits_for_a_runner_to_be_named():
    job, = FLOWS["gpu"]["jobs"].values()
    assert job["if"] == "vars.GPU_RUNNER != ''" and job["runs-on"].startswith("${{ vars.GPU_RUNNER")

def test_the_oldest_python_is_tested(settings):
    python = FLOWS["test"]["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert python[0] == settings["min_python"] and len(python) == 2

def test_the_oldest_torch_is_what_colab_runs_with(settings):
    oldest = FLOWS["colab"]["jobs"]["install"]["strategy"]["matrix"]["include"][0]
    for name in ("torch", "torchvision"):
        need = next(r for r in settings["requirements"].split() if r.startswith(name + ">="))
        assert oldest[name] == need.removeprefix(name).replace(">=", "==") + ".0"

def test_colabs_list_becomes_constraints():
    wheel = "{0} @ https://download.pytorch.org/whl/cpu/{0}-2.11.0%2Bcpu-cp313-cp313-manylinux_2_28_x86_64.whl\n"
    said = ("# Do not modify\nnvidia-nccl-cu13==2.31.2\nnumpy==2.1.3\n"
            "google-colab @ file:///colabtools/dist/google_colab-1.0.0.tar.gz\njax==0.7.2+cuda\n"
            + wheel.format("torch") + wheel.format("torchaudio"))
    run = subprocess.run([sys.executable, ".ci/colab_pins.py"], cwd=ROOT, input=said, capture_output=True, text=True)
    assert run.stdout.split() == ["numpy==2.1.3", "jax==0.7.2", "torch==2.11.0"]

def test_one_failing_notebook_fails_the_gpu_job_and_the_others_still_run(copy, tmp_path):
    script = next(s["run"] for s in FLOWS["gpu"]["jobs"]["full"]["steps"] if s.get("name", "").startswith("Every notebook"))
    (tmp_path / "bin").mkdir()
    make = tmp_path / "bin/make"
    make.write_text('#!/bin/sh\necho "$@" >> calls\n[ "$2" != NB=01 ]\n')
    make.chmod(0o755)
    env = os.environ | dict(PATH=f"{make.parent}:{os.environ['PATH']}", SEED="3", GITHUB_STEP_SUMMARY="summary.md")
    run = subprocess.run(["bash", "-e", "-c", script], cwd=copy, env=env)
    rows = (copy / "summary.md").read_text().splitlines()
    names = sorted(f.stem for f in copy.glob("nbs/[0-9]*.ipynb"))
    assert run.returncode == 1 and len(rows) == 2 + len(names)
    for name, row in zip(names, rows[2:]):
        assert row == f"| {name} | {'**failed**' if name.startswith('01') else 'passed'} | 0 |"
    assert (copy / "calls").read_text().splitlines() == [f"experiments NB={n[:2]} SEED=3 SEEDS=1" for n in names]
