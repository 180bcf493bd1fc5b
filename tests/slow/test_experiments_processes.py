"The ledger under real processes, kills, full and read-only disks, and a second user."
import os, shutil, signal, subprocess, sys, tempfile, time, traceback, warnings
from pathlib import Path

import pytest

from miniai.lab.experiments import read_runs, write_run

ROOT = Path(__file__).resolve().parents[2]

def start(script, folder, cwd, **more):
    "A Python process in the tier `full`, with its ledger in `folder`."
    env = {k: v for k, v in os.environ.items() if not k.startswith("MINIAI_")} | dict(
        PYTHONPATH=str(ROOT), MINIAI_TIER="full", MINIAI_RESULTS=str(folder), MINIAI_LESSON="99_made", OMP_NUM_THREADS="1")
    return subprocess.Popen([sys.executable, "-c", script], env=env | more.pop("env", {}), cwd=cwd, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)

def said(process):
    out, _ = process.communicate(timeout=300)
    return process.returncode, out

TRAIN = '''
import os, time
from miniai.lab.experiments import experiment
def train(seed):
    print("seed", seed, flush=True)
    if str(seed) == os.environ.get("WAIT"): time.sleep(600)
    return [dict(epoch=e, accuracy=seed / 1000) for e in range(3)]
experiment("killed", train, 5)
'''

@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kill -9 is POSIX's")
def test_kill_9_keeps_every_run_that_ended_and_the_next_call_trains_what_is_missing(tmp_path):
    folder = tmp_path / "results"
    first = start(TRAIN, folder, tmp_path, env=dict(WAIT="44"))
    for out in iter(first.stdout.readline, ""):
        if out == "seed 44\n": break
    time.sleep(.2)
    first.send_signal(signal.SIGKILL)
    assert said(first)[0] == -signal.SIGKILL
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [r["seed"] for r in read_runs("killed", folder)] == [42, 43]
    code, out = said(start(TRAIN, folder, tmp_path))
    assert code == 0, out
    assert [line for line in out.splitlines() if line.startswith("seed")] == ["seed 44", "seed 45", "seed 46"]
    runs = read_runs("killed", folder)
    assert [r["seed"] for r in runs] == [42, 43, 44, 45, 46] and all(len(r["rows"]) == 3 for r in runs)

def fork(work):
    "A child that runs `work` and ends; its process id."
    if pid := os.fork(): return pid
    try:
        work()
        os._exit(0)
    except BaseException: traceback.print_exc()
    finally: os._exit(1)

def ended(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def writer(folder, who, n, go=None):
    "Writes n runs, once there is something to read from the pipe `go`; with a folder for temporary files of its own."
    def work():
        tempfile.tempdir = str(folder.parent / f"tmp{who}")
        if go: os.read(go, 1)
        for i in range(n):
            write_run(dict(experiment="many", config=None, seed=who * 1000 + i, rows=[dict(accuracy=.5, note=who)] * 40),
                      folder / "99_made.jsonl")
    return work

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork and kill -9 are POSIX's")

@posix
@pytest.mark.parametrize("writers, n", [(2, 200), (8, 50)])
def test_processes_that_write_at_once_lose_nothing(writers, n, tmp_path):
    folder, (read, write) = tmp_path / "results", os.pipe()
    running = [fork(writer(folder, who, n, read)) for who in range(writers)]
    os.write(write, b"x" * writers)
    assert [ended(pid) for pid in running] == [0] * writers
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = read_runs("many", folder)
    assert sorted(r["seed"] for r in runs) == [who * 1000 + i for who in range(writers) for i in range(n)]
    assert {p.name for p in folder.iterdir()} <= {"99_made.jsonl", ".lock"}
    assert {p.name for p in tmp_path.iterdir()} == {"results"}

@posix
def test_a_writer_that_is_killed_at_any_moment_tears_no_other_line(tmp_path):
    folder, turns = tmp_path / "results", 20
    for turn in range(turns):
        pid = fork(writer(folder, turn, 900))
        time.sleep(.02 + .005 * turn)
        os.kill(pid, signal.SIGKILL)
        assert ended(pid) == -signal.SIGKILL
    with warnings.catch_warnings(record=True) as cut:
        warnings.simplefilter("always")
        runs = read_runs("many", folder)
    for turn in range(turns):                                        # of each writer an unbroken beginning
        seeds = [r["seed"] % 1000 for r in runs if r["seed"] // 1000 == turn]
        assert seeds == list(range(len(seeds)))
    assert len(runs) > turns and len(cut) <= turns

VALUE = '''
from miniai.lab.experiments import experiment
experiment("small", lambda seed: dict(accuracy=.8125), 1)
'''

@pytest.fixture
def disk(tmp_path):
    "A tiny disk of its own; skipped where none can be mounted."
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)], capture_output=True)
    if mount.returncode: pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)

def test_a_full_disk(disk, tmp_path):
    (disk / "99_made.jsonl").write_text('{"experiment": "old", "seed": 1, "rows": [{"accuracy": 0.5}]}\n')
    with pytest.raises(OSError): (disk / "rest").write_bytes(bytes(100_000))
    before = (disk / "99_made.jsonl").read_bytes()
    room = 4096 - len(before) % 4096                                 # what is left of the file's own block
    with open(disk / "99_made.jsonl", "ab") as f: f.write(b" " * (room - 101) + b"\n")
    before = (disk / "99_made.jsonl").read_bytes()
    code, out = said(start(VALUE, disk, tmp_path))
    assert code and out.index('"accuracy": 0.8125') < out.index("OSError") and "No space left" in out
    assert "99_made.jsonl cannot be written" in out and (disk / "99_made.jsonl").read_bytes() == before

def test_a_read_only_disk(disk, tmp_path):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    code, out = said(start(VALUE, disk, tmp_path))
    assert code and out.index('"accuracy": 0.8125') < out.index("OSError") and "Read-only" in out

@posix
@pytest.mark.skipif(getattr(os, "getuid", bool)() != 0, reason="only root can be two users")
def test_a_second_user_of_the_folder(monkeypatch):
    base = Path(tempfile.mkdtemp())
    folder = base / "results"
    folder.mkdir()
    base.chmod(0o777), folder.chmod(0o777)
    def other():
        os.umask(0o022), os.setuid(65534)
        write_run(dict(experiment="b", seed=1, rows=[dict(accuracy=.5)]), folder / "98_other.jsonl")
    try:
        old = os.umask(0o022)
        write_run(dict(experiment="a", seed=1, rows=[dict(accuracy=.5)]), folder / "99_made.jsonl")
        os.umask(old)
        assert ended(fork(other)) == 0
        assert [r["experiment"] for r in read_runs(path=folder)] == ["b", "a"]
    finally: shutil.rmtree(base)
