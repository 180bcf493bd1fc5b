"benchmarks/: each script in its shortest form, for what it says and how it ends, and the table. Nothing is timed."
import json, os, shutil, subprocess, sys

import pytest
from conftest import ROOT

FOLDER = ROOT / "benchmarks"

@pytest.fixture
def common(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import common
    return common

def script(name, *args, cwd, folder=FOLDER, **env):
    "Run one as a reader does; the result has all its output as text."
    return subprocess.run([sys.executable, folder / f"{name}.py", *args], cwd=cwd, text=True, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=os.environ | dict(MINIAI_TIER="smoke", OMP_NUM_THREADS="1") | env)

def figures(run, status, common, file):
    "What a script wrote, after it ended with `status`; its rows must be such that the table can be made of them."
    assert run.returncode == status, run.stdout
    found = json.loads(file.read_text(encoding="utf-8"))
    assert {"CPU", "cores", "memory", "GPU", "python", "torch", "torchvision"} <= set(found["machine"])
    found["rows"] = [common.Row(**row) for row in found["rows"]]
    assert any(row.missed for row in found["rows"]) == bool(status) and run.stdout.count(" asked: missed") == sum(
        row.missed for row in found["rows"])
    return found

# -- each script

def test_loop_overhead(tmp_path, common):
    run = script("loop_overhead", "--quick", "--steps", "5", "--only", "--at-most", "0", "--cnn-at-most", "1e9",
                 "--threads", "1", "--json", "o.json", cwd=tmp_path)
    rows = figures(run, 1, common, tmp_path / "o.json")["rows"]
    assert [row.missed for row in rows] == [True, False] and run.stdout.count("all end alike: train_loss") == 2
    assert all(row.says == "× the time" and row.peer == "the bare loop" for row in rows)

def test_augment(tmp_path, common):
    run = script("augment", "--quick", "--threads", "1", "--at-least", "1e9", "--json", "o.json", cwd=tmp_path)
    found = figures(run, 1, common, tmp_path / "o.json")
    ours = [row for row in found["rows"] if row.peer == "torchvision" and " cpu, " in row.what]
    assert [row.asked for row in ours] == ["at least 1e+09", ""] * 4 and all(row.value > 0 for row in ours)
    (title, (table, note)), = found["sections"].items()
    assert title.startswith("Augmenting 32 images") and len(table) == 11 and note in run.stdout

def test_data_pipeline(tmp_path, common):
    run = script("data_pipeline", "--quick", "--workers", "1", "--at-least", "0", "--json", "o.json", cwd=tmp_path)
    rows = figures(run, 0, common, tmp_path / "o.json")["rows"]
    asked = {"torchvision, 0 workers": "", "torchvision, 1 workers": "at least 0"}
    assert {row.peer: row.asked for row in rows} == asked
    assert "same content: 2,000 images" in run.stdout
    assert all("2,000 images 1×28×28" in row.what and row.value > 1 for row in rows)

def test_optim_step(tmp_path, common):
    run = script("optim_step", "--quick", "--threads", "1", "--at-most", "0", "--json", "o.json", "--only", "AdamW",
                 "SGD, Nesterov", "Muon", cwd=tmp_path)
    rows = figures(run, 1, common, tmp_path / "o.json")["rows"]
    peers = lambda rule: [row.peer for row in rows if row.what.startswith(f"a step of {rule}, tiny")]
    for rule in ("AdamW", "SGD, Nesterov"): assert peers(rule) == ["torch, for-loop", "torch, foreach", "torch, fused"]
    assert [row.asked for row in rows] == ["at most 0" if row.peer == "torch, for-loop" else "" for row in rows]

def test_recipe_trains_alike_in_both_ways(tmp_path, common):
    few = "--images", "600", "--epochs", "2", "--model", "plain", "--bs", "30", "--workers", "1", "--threads", "1"
    run = script("recipe", *few, "--seeds", "1", "--at-least", "0", "--points", "100", "--json", "o.json", cwd=tmp_path)
    found = figures(run, 0, common, tmp_path / "o.json")
    assert "30,274 parameters" in run.stdout and "600 + 1,000 images" in run.stdout
    fast, lesson = ([acc for _, acc in found["figures"]["runs"][way]] for way in ("fast", "lesson"))
    assert len(fast) == len(lesson) == 1 and min(fast + lesson) > .45
    speed, points = found["rows"]
    assert abs(points.value - 100 * (sum(fast) - sum(lesson))) < 1e-6 and abs(points.value) < 15
    assert points.asked == "at least -100" and speed.says == "× as fast" and "2 epochs of 600 images" in speed.what

def test_scaling(tmp_path, common):
    run = script("scaling", "--quick", "--threads", "1", "--at-most", "1e9", "--json", "o.json", "--figure", "o.png",
                 cwd=tmp_path)
    found = figures(run, 0, common, tmp_path / "o.json")
    assert list(found["sections"]) == [
        f"How cost grows: {axis}" for axis in ("images of the set", "images a batch", "parameters")]
    assert all(len(table) == 3 and note in run.stdout for table, note in found["sections"].values())
    points = found["figures"]
    assert [p["images"] for p in points["images"]] == [2000, 8000]
    assert [p["bs"] for p in points["batch"]] == [16, 32]
    assert [p["parameters"] for p in points["parameters"]] == [77_816, 308_590]
    for p in sum(points.values(), []):
        assert 0 < p["data_seconds"] < p["seconds"] and 1e6 < p["bytes"] < 1e9, p
    small, large = points["images"]
    assert 4e6 < large["bytes"] - small["bytes"] < 30e6, "6,000 more images are 4.8 MB"
    assert (tmp_path / "o.png").stat().st_size > 5000

def test_processes(tmp_path, common):
    pytest.importorskip("accelerate")
    run = script("processes", "--quick", "--at-least", "0", "--json", "o.json", cwd=tmp_path)
    rows = figures(run, 0, common, tmp_path / "o.json")["rows"]
    assert [(row.peer, row.asked) for row in rows] == [("1 process, 1 thread", "at least 0"), ("1 process, 2 threads", "")]
    assert all("512 images in 2 processes, 1 thread each" in row.what and row.value > 0 for row in rows)

# -- all of them

FAKE = """
import json, os, sys
print("set:", *(os.environ[k] for k in ("MINIAI_TIER", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")), sys.argv[4:])
row = dict(what="a thing", ours="1 s", peer="another", theirs="2 s", value=2., says="× as fast", repeats=7)
row["at_least"] = BOUND
found = dict(machine=dict(python="3.x", another="1.2"), rows=[row], sections=dict(things=[[["h"], ["cell"]], "a note"]))
assert sys.argv[1:4:2] == ["--threads", "--json"]
open(sys.argv[4], "w").write(json.dumps(found))
sys.exit(BOUND > 2)
"""

@pytest.fixture
def folder(tmp_path):
    "benchmarks/ with three small scripts: one that fails, one that misses its bound, one that reaches it."
    to = tmp_path / "benchmarks"
    to.mkdir()
    for name in ("common", "run"): shutil.copy(FOLDER / f"{name}.py", to)
    (to / "broken.py").write_text("raise SystemExit(3)")
    (to / "misses.py").write_text(FAKE.replace("BOUND", "3"))
    (to / "reaches.py").write_text(FAKE.replace("BOUND", "1"))
    return to

def test_all_run_whatever_fails(folder, tmp_path):
    run = script("run", cwd=tmp_path, folder=folder)
    said = "FAILED, its error is above: broken\nmissed a bound: misses\n"
    assert run.returncode == 1 and said in run.stdout, run.stdout
    assert run.stdout.count("set: full 2 PASSIVE") == 2 and "--quick" not in run.stdout
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "do not edit" in text and "python 3.x, another 1.2." in text
    assert text.count("## things\n\n| h |\n| --- |\n| cell |\n\na note\n") == 2
    assert "| broken | did not run to its end (status 3) | – |" in text
    assert "| misses | a thing | 1 s | another | 2 s | 2.00× as fast | at least 3, **missed** | 7 |" in text
    assert "| reaches | a thing | 1 s | another | 2 s | 2.00× as fast | at least 1 | 7 |" in text

@pytest.mark.parametrize("only, status", [("misses", 0), ("broken", 1)])
def test_a_quick_run_asks_for_no_bound_and_writes_nothing(folder, tmp_path, only, status):
    run = script("run", "--quick", "--only", only, cwd=tmp_path, folder=folder)
    assert run.returncode == status and not (folder / "README.md").exists(), run.stdout
    assert "measures nothing" in run.stdout and ("set: smoke 2 PASSIVE" in run.stdout) is (only == "misses")
    assert ("--quick" in run.stdout) is (only == "misses")
