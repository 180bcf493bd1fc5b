"What miniai.lab.experiments promises: what is trained and when, what is kept, what is read, how it is compared and quoted."
import errno, json, linecache, math, os, subprocess, sys, warnings
from functools import partial
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from miniai.augment import RandErase
from miniai.lab import experiments as E
from miniai.lab.experiments import (
    Run, Runs, budget, compare, differences, experiment, plot_curves, plot_effects, read_runs, recorded,
    results_table, summary, verdict, write_run)
from miniai.speed import Recipe

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))
from results import quote_ledger

matplotlib.use("Agg")

@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    "An empty ledger, in the tier `full`, from a folder that is no checkout."
    for name in ("MINIAI_SEED", "MINIAI_SEEDS", "FORCE"): monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MINIAI_TIER", "full")
    monkeypatch.setenv("MINIAI_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("MINIAI_LESSON", "99_made")
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "results"
    plt.close("all")

def line(name="a", seed=0, device="cpu", processor="chip", config=None, code=None, **row):
    return dict(experiment=name, config=config, seed=seed, seconds=1., device=device, processor=processor, code=code,
                rows=[row or dict(accuracy=.5)])

def fill(folder, name, values, metric="accuracy", **about):
    for seed, value in enumerate(values): write_run(line(name, seed, **about, **{metric: value}), folder / "99_made.jsonl")

class Made:
    "A run that notes its seeds, and gives two epochs."
    def __init__(self, rows=None): self.seeds, self.rows = [], rows
    def __call__(self, seed, height=.9):
        self.seeds.append(seed)
        return self.rows or [dict(epoch=e, valid_accuracy=height + e / 100 + seed / 1e5) for e in range(2)]

# -- what is trained, and when

def test_full_trains_what_is_missing_and_records_each(folder):
    run = Made()
    found = experiment("a", run, 2, height=.5)
    assert run.seeds == [42, 43] and found.values() == [.51042, .51043] and found.name == "a"
    assert experiment("a", run, 4, height=.5).values() == [.51042, .51043, .51044, .51045] and run.seeds == [42, 43, 44, 45]
    lines = [json.loads(text) for text in (folder / "99_made.jsonl").read_text().splitlines()]
    assert [x["seed"] for x in lines] == [42, 43, 44, 45]
    first = lines[0]
    assert first["rows"] == [dict(epoch=0, valid_accuracy=.50042), dict(epoch=1, valid_accuracy=.51042)]
    assert first["config"] == {"height": .5} and first["seconds"] >= 0 and first["device"] and first["processor"]
    assert first["cores"] == os.cpu_count() and first["threads"] >= 1 and first["torch"] and len(first["code"]) == 12
    assert first["commit"] is None and first["dirty"] is None       # no checkout here

def test_of_several_processes_the_main_one_records(folder, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert experiment("a", Made(), 2).values() == [.91042, .91043] and read_runs() == []

def test_each_run_is_in_the_file_before_the_next_begins(folder):
    there = []
    def run(seed):
        there.append(len(read_runs("a")))
        return dict(accuracy=.5)
    experiment("a", run, 3)
    assert there == [0, 1, 2]

def test_a_run_that_fails_keeps_the_ones_before_it(folder):
    def run(seed):
        if seed == 44: raise RuntimeError("out of memory")
        return dict(accuracy=.5)
    with pytest.raises(RuntimeError, match="out of memory"): experiment("a", run, 3)
    assert [r["seed"] for r in read_runs("a")] == [42, 43]

@pytest.mark.parametrize("tier, seeds", [("smoke", [42]), ("quick", [])])
def test_smoke_and_quick_record_nothing(tier, seeds, folder, monkeypatch):
    monkeypatch.setenv("MINIAI_TIER", tier)
    run = Made()
    found = experiment("a", run, 3)
    assert run.seeds == seeds == [r["seed"] for r in found] and not folder.exists()
    assert budget(7) == (1 if tier == "smoke" else 7)

def test_quick_reads_what_full_recorded(monkeypatch):
    run = Made()
    full = experiment("a", run, 3)
    monkeypatch.setenv("MINIAI_TIER", "quick")
    assert experiment("a", run, 5) == full and run.seeds == [42, 43, 44]

def test_another_config_is_trained_again_and_not_mixed(folder, monkeypatch):
    run = Made()
    experiment("a", run, 3, height=.5)
    assert experiment("a", run, 2, height=.6).values() == [.61042, .61043] and run.seeds == [42, 43, 44, 42, 43]
    assert recorded("a").values() == [.61042, .61043]                # the last series, not its seed 44 of another config
    assert experiment("a", run, 3, height=.5).values() == [.51042, .51043, .51044] and len(run.seeds) == 5

def notebook(source, name="run", **around):
    "A function as a notebook defines it: in __main__, its source known to `inspect`."
    notebook.n = getattr(notebook, "n", 0) + 1
    file, space = f"<cell {notebook.n}>", dict(__name__="__main__", **around)
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    exec(compile(source, file, "exec"), space)
    return space[name]

CODE = "def inner(seed): return dict(accuracy=.5)\nLR = .1\nclass K:\n    size = 3\n    def go(self): return 1\n" \
       "def run(seed, **kw):\n    K().go()\n    return inner(seed) | dict(lr=LR)\n"

@pytest.mark.parametrize("old, new", [("accuracy=.5", "accuracy=.6"), ("LR = .1", "LR = .2"), ("size = 3", "size = 4"),
                                      ("return 1", "return 2"), ("dict(lr=LR)", "dict(rate=LR)")])
def test_changed_code_is_trained_again(old, new):
    first = experiment("a", notebook(CODE), [1])
    again = experiment("a", notebook(CODE.replace("inner(seed)", "inner( seed )", 1) + "# a remark\n"), [1])
    assert again == first and len(read_runs("a")) == 1               # spaces and remarks are no code
    assert CODE.count(old) == 1
    experiment("a", notebook(CODE.replace(old, new)), [1])
    assert len(read_runs("a")) == 2

def test_code_inside_of_a_setting_counts():
    run = Made()
    for source in ("def make(): return 1", "def make(): return 2"):
        make = notebook(source, "make")
        for height in (.5, .6): experiment("a", lambda seed, **kw: run(seed), [1], make=make, parts=[partial(make)])
    assert len(run.seeds) == 2

def test_runs_of_two_codes_are_not_mixed(folder):
    fill(folder, "a", [.1, .2, .3, .4], code="old", config={})
    fill(folder, "a", [.5, .6], code="new", config={})
    assert recorded("a").values() == [.5, .6]

def test_the_quick_tier_shows_old_code_where_there_is_nothing_else(folder, monkeypatch):
    fill(folder, "a", [.1, .2], code="old", config={})
    monkeypatch.setenv("MINIAI_TIER", "quick")
    assert experiment("a", Made(), 2).values() == [.1, .2]

def test_runs_from_before_configs_were_recorded_are_read_and_not_taken_for_new_ones(folder, monkeypatch):
    fill(folder, "a", [.1, .2])
    run = Made()
    monkeypatch.setenv("MINIAI_TIER", "quick")
    assert experiment("a", run, 2, height=.5).values() == [.1, .2]
    monkeypatch.setenv("MINIAI_TIER", "full")
    assert experiment("a", run, [0], height=.5).values() == [.51] and run.seeds == [0]

@pytest.mark.parametrize("a, b", [
    (Recipe(augmentation=(RandErase(p=.5),)), Recipe(augmentation=(RandErase(p=.3),))),
    ("x" * 300 + "a", "x" * 300 + "b"), (partial(max, 1), partial(max, 2)), ([1, (2, 3)], [1, (2, 4)]),
    (RandErase(p=.5), RandErase(p=.3)), (print, len), (None, 0)])
def test_settings_that_differ_are_told_apart(a, b):
    assert E._plain(a) != E._plain(b) and json.dumps(E._plain(a)) != json.dumps(E._plain(b))

def test_a_setting_that_holds_itself_or_no_json_is_still_recorded(folder):
    class Odd: pass
    odd = Odd()
    odd.self, odd.inf = odd, math.inf
    run = lambda seed, **kw: dict(accuracy=.5)
    experiment("a", run, [1], odd=odd, nan=math.nan)
    experiment("a", run, [1], odd=odd, nan=math.nan)
    assert len(read_runs("a")) == 1

def test_how_many_seeds_and_from_which_on(monkeypatch):
    for settings, asked, right in [({}, 2, [42, 43]), (dict(MINIAI_SEED="7"), 2, [7, 8]), ({}, [5, 3, 5], [5, 3]),
                                   (dict(MINIAI_SEEDS="4"), 2, [42, 43, 44, 45]), (dict(MINIAI_SEEDS=""), 1, [42]),
                                   (dict(MINIAI_SEEDS="4"), [9], [9]), (dict(MINIAI_SEED="0", MINIAI_SEEDS="1"), 3, [0]),
                                   ({}, np.int64(2), [42, 43]), ({}, np.arange(2), [0, 1]), ({}, iter([5, 6]), [5, 6])]:
        with monkeypatch.context() as m:
            for k, v in settings.items(): m.setenv(k, v)
            assert E._seeds(asked) == right

@pytest.mark.parametrize("settings, seeds, says", [
    (dict(MINIAI_SEED="abc"), 1, "MINIAI_SEED is 'abc'"), (dict(MINIAI_SEEDS="0"), 1, "MINIAI_SEEDS is '0'"),
    (dict(MINIAI_SEEDS="1.5"), 1, "MINIAI_SEEDS is '1.5'"), (dict(MINIAI_SEED="-1"), 1, "MINIAI_SEED is '-1'"),
    (dict(MINIAI_LESSON="../other"), 1, "MINIAI_LESSON is '../other'"), ({}, 0, "seeds is"), ({}, [-1], "seeds is"),
    ({}, ["x"], "seeds is"), ({}, [], "seeds is")])
def test_wrong_settings_are_named_before_anything_is_trained(settings, seeds, says, monkeypatch):
    for k, v in settings.items(): monkeypatch.setenv(k, v)
    run = Made()
    with pytest.raises(ValueError, match=says): experiment("a", run, seeds)
    assert not run.seeds

@pytest.mark.parametrize("name", ["", "A", "a-b", "../a", "a b", "a.b", "ä"])
def test_an_experiment_has_a_plain_name(name):
    run = Made()
    with pytest.raises(ValueError, match="lower case"): experiment(name, run)
    assert not run.seeds

@pytest.mark.parametrize("rows, says", [
    ([], "rows is empty"), (None, "rows is empty"), ([dict(loss=math.nan)], "loss is nan"), ([3], "a row is 3"), ([{}], "a row"),
    (dict(accuracy=94.5), "accuracy is 94.5: it is a fraction"), (dict(accuracy="high"), "accuracy is 'high'")])
def test_what_is_no_measurement_is_printed_and_refused(rows, says, folder, capsys):
    with pytest.raises(ValueError, match=says): experiment("a", lambda seed: rows, [3])
    assert "a, seed 3, gave the rows" in capsys.readouterr().out and not folder.exists()

def test_small_numbers_keep_their_digits(folder):
    experiment("a", lambda seed: dict(error=1.23456789e-12, steps=7, gap=None, accuracy=2 / 3), [1])
    assert read_runs("a")[0]["rows"] == [dict(error=1.234568e-12, steps=7, gap=None, accuracy=.6666667)]

def test_numpys_numbers_are_numbers(folder):
    run = lambda seed, **kw: dict(steps=np.int64(7), error=np.float32(.5), accuracy=np.float64(.25))
    assert experiment("a", run, np.arange(2), lr=np.float32(.5), n=np.int8(3)) == experiment("a", run, 2 * [0] + [1], lr=.5, n=3)
    runs = [json.loads(text) for text in (folder / "99_made.jsonl").read_text().splitlines()]
    assert [(r["seed"], r["config"], r["rows"]) for r in runs] == [
        (seed, dict(lr=.5, n=3), [dict(steps=7, error=.5, accuracy=.25)]) for seed in (0, 1)]
    assert budget(np.int64(3)) == 3
    with pytest.raises(ValueError, match="epochs is 1.5"): budget(1.5)

def test_an_experiment_goes_on_in_the_file_that_it_is_in(folder, monkeypatch):
    experiment("a", Made(), 1)
    monkeypatch.setenv("MINIAI_LESSON", "98_other")
    experiment("a", Made(), 2), experiment("b", Made(), 1)
    assert [r["seed"] for r in read_runs("a")] == [42, 43] and {r.file for r in read_runs("a")} == {"99_made.jsonl"}
    assert {r.file for r in read_runs("b")} == {"98_other.jsonl"}

# -- a changed tree

@pytest.fixture
def checkout(tmp_path, monkeypatch):
    "A checkout of its own, everything committed."
    root = tmp_path / "checkout"
    (root / "nbs").mkdir(parents=True)
    (root / "settings.ini").write_text("")
    (root / "nbs/01.ipynb").write_text("{}")
    git = partial(subprocess.run, cwd=root, check=True, capture_output=True)
    git(["git", "init", "-q"])
    git(["git", "add", "."])
    git(["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"])
    monkeypatch.delenv("MINIAI_RESULTS")
    monkeypatch.chdir(root / "nbs")
    return root

def test_a_clean_tree_trains_and_is_said(checkout):
    experiment("a", Made(), 1)
    run, = read_runs("a")
    assert run["dirty"] is False and len(run["commit"]) == 10 and (checkout / "results/99_made.jsonl").exists()
    experiment("a", Made(), 2)                                       # the ledger itself is no code
    assert [r["dirty"] for r in read_runs("a")] == [False, False]

@pytest.mark.parametrize("file", ["nbs/01.ipynb", "nbs/new.ipynb", "miniai/new.py", "settings.ini"])
def test_a_changed_tree_is_refused_unless_forced_and_then_marked(file, checkout, monkeypatch):
    (checkout / file).parent.mkdir(exist_ok=True)
    (checkout / file).write_text("changed")
    run = Made()
    with pytest.raises(RuntimeError, match="commit it first.*FORCE=1"): experiment("a", run, 1)
    assert not run.seeds and not (checkout / "results").exists()
    monkeypatch.setenv("FORCE", "1")
    experiment("a", run, 1)
    assert [r["dirty"] for r in read_runs("a")] == [True]
    monkeypatch.delenv("FORCE")
    experiment("a", run, 1)                                          # nothing is missing: nothing to refuse
    assert run.seeds == [42]

def test_somebody_elses_checkout_around_is_not_ours(checkout, monkeypatch):
    inner = checkout / "inner"
    (inner / "nbs").mkdir(parents=True)
    (inner / "settings.ini").write_text("")
    monkeypatch.chdir(inner)
    assert E._tree() == (None, None)
    monkeypatch.chdir(checkout.parent)
    assert E._tree() == (None, None)

# -- writing

def test_a_line_that_was_cut_off_stays_alone_and_the_new_one_is_whole(folder):
    file = folder / "99_made.jsonl"
    write_run(line(seed=1), file)
    write_run(line(seed=2), file)
    file.write_bytes(file.read_bytes()[:-30])
    write_run(line(seed=3), file)
    with pytest.warns(UserWarning, match=r"99_made\.jsonl, line 2 is left out"): runs = read_runs("a")
    assert [r["seed"] for r in runs] == [1, 3]
    assert len(file.read_bytes().splitlines()) == 3

class Full:
    "A file on a disk that takes only a few bytes more."
    def __init__(self, f, room): self.f, self.room = f, room
    def __getattr__(self, name): return getattr(self.f, name)
    def __enter__(self): return self
    def __exit__(self, *args): self.f.close()
    def write(self, data):
        if not self.room: raise OSError(errno.ENOSPC, "No space left on device")
        n = self.f.write(data[:self.room])
        self.room -= n
        return n

@pytest.mark.parametrize("room", [0, 40])
def test_a_full_disk_tells_prints_the_value_first_and_leaves_no_torn_line(room, folder, monkeypatch, capsys):
    experiment("a", Made(), [1])
    before = (folder / "99_made.jsonl").read_bytes()
    with monkeypatch.context() as m:
        m.setattr(E, "open", lambda *args, **kw: Full(open(*args, **kw), room), raising=False)
        with pytest.raises(OSError, match="No space left") as e: experiment("a", lambda seed: dict(accuracy=.8125), [2])
    assert "99_made.jsonl cannot be written" in str(e.value) and '"accuracy": 0.8125' in capsys.readouterr().out
    assert (folder / "99_made.jsonl").read_bytes() == before
    experiment("a", Made(), [2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sorted({r["seed"] for r in read_runs("a")}) == [1, 2]

@pytest.mark.parametrize("when", ["lock", "write", "fsync"])
def test_an_interrupt_while_it_is_recorded_prints_the_run_and_leaves_no_torn_line(when, folder, monkeypatch, capsys):
    experiment("a", Made(), [1])
    def interrupt(*args, **kwargs): raise KeyboardInterrupt
    class Torn(Full):
        def write(self, data): return self.f.write(data[:9]) if data[:1] == b"{" else interrupt()
    with monkeypatch.context() as m:
        if when == "lock": m.setattr(E.FileLock, "acquire", interrupt)
        if when == "write": m.setattr(E, "open", lambda *args, **kw: Torn(open(*args, **kw), 9), raising=False)
        if when == "fsync": m.setattr(E.os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt): experiment("a", lambda seed: dict(accuracy=.8125), [2])
    assert '"accuracy": 0.8125' in capsys.readouterr().out
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [r["seed"] for r in read_runs("a")] == [1, 2] if when == "fsync" else [1]

@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_device_that_is_always_full(folder, capsys):
    folder.mkdir()
    (folder / "99_made.jsonl").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"): write_run(line(accuracy=.8125), folder / "99_made.jsonl")
    assert '"accuracy": 0.8125' in capsys.readouterr().out

@pytest.mark.parametrize("what", ["mkdir", "lock", "open"])
def test_a_folder_that_cannot_be_written_tells_and_prints_the_value_first(what, folder, monkeypatch, capsys):
    def denied(*args, **kwargs):
        print("refused")
        raise PermissionError(errno.EACCES, "Permission denied")
    if what == "mkdir": monkeypatch.setattr(Path, "mkdir", denied)
    if what == "lock": monkeypatch.setattr(E, "FileLock", denied)
    if what == "open": monkeypatch.setattr(E, "open", denied, raising=False)
    with pytest.raises(OSError, match="cannot be written.*Permission denied"):
        experiment("a", lambda seed: dict(accuracy=.8125), [2])
    assert '"accuracy": 0.8125' in capsys.readouterr().out

def test_the_only_lock_lies_in_the_folder(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    locks = []
    class Seen(E.FileLock):
        def __init__(self, path, *args, **kwargs):
            locks.append(Path(path).parent)
            super().__init__(path, *args, **kwargs)
    monkeypatch.setattr(E, "FileLock", Seen)
    write_run(line(), folder / "99_made.jsonl")
    assert locks == [folder] and sorted(p.name for p in tmp_path.iterdir()) == ["results"]

# -- reading

BAD = {"seed is 'x'": dict(seed="x"), "seed is None": dict(seed=None), "seed is -1": dict(seed=-1), "seed is True": dict(seed=True),
       "seed is 1.5": dict(seed=1.5), "experiment is 3": dict(experiment=3), "experiment is None": dict(experiment=None),
       "rows is None": dict(rows=None), "rows is {": dict(rows={"accuracy": .5}), "rows is empty": dict(rows=[]),
       "a row is 3": dict(rows=[3]), "a row is {}": dict(rows=[{}]), "accuracy is 90.1": dict(rows=[dict(accuracy=90.1)]),
       "valid_accuracy is -0.1": dict(rows=[dict(valid_accuracy=-.1)]), "loss is nan": dict(rows=[dict(loss=math.nan)]),
       "loss is inf": dict(rows=[dict(loss=math.inf)]), "loss is 'low'": dict(rows=[dict(loss="low")]),
       "loss is True": dict(rows=[dict(loss=True)]), r"loss is \[1\]": dict(rows=[dict(loss=[1])]),
       "seconds is -1": dict(seconds=-1), "seconds is 'x'": dict(seconds="x"), r"device is \['cpu'\]": dict(device=["cpu"]),
       "processor is 3": dict(processor=3), "threads is '2'": dict(threads="2"), "dirty is 'no'": dict(dirty="no"),
       "config is 'x'": dict(config="x"), "code is 5": dict(code=5), "commit is 1": dict(commit=1)}

@pytest.mark.parametrize("says", BAD)
def test_a_wrong_field_is_reported_with_file_and_line_and_left_out(says, folder):
    good = line(seed=5)
    folder.mkdir()
    (folder / "01_x.jsonl").write_text("".join(json.dumps(x) + "\n" for x in (good, good | BAD[says], good | dict(seed=6))))
    with pytest.warns(UserWarning, match=rf"01_x\.jsonl, line 2 is left out: {says}") as seen: runs = read_runs()
    assert [r["seed"] for r in runs] == [5, 6] and len(seen) == 1

@pytest.mark.parametrize("text", [b"{", b"3", b"[]", b"\xff\xfe", b"null", b'"x"', b"[" * 200_000, b"\0" * 50])
def test_a_damaged_line_is_reported_and_never_fatal(text, folder):
    folder.mkdir()
    good = json.dumps(line(seed=5)).encode()
    (folder / "01_x.jsonl").write_bytes(good + b"\n" + text + b"\n\n" + good.replace(b'"seed": 5', b'"seed": 6'))
    with pytest.warns(UserWarning, match=r"01_x\.jsonl, line 2 is left out"): runs = read_runs()
    assert [r["seed"] for r in runs] == [5, 6]

def test_the_series_own_ledger_reads_without_a_warning(root):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = read_runs(path=root / "results")
    assert len(runs) > 400 and {r["seed"] for r in runs} and all(r.kind for r in runs)

def test_what_is_not_there():
    assert read_runs() == [] and read_runs("a") == []
    with pytest.raises(KeyError, match="no experiment is named 'a'"): recorded("a")

def test_a_value_is_the_last_and_accuracy_is_found_by_its_usual_name():
    run = Run(line() | dict(rows=[dict(valid_accuracy=.1), dict(train_loss=2.), dict(valid_accuracy=.3), dict(train_loss=1.)]))
    assert run.curve("accuracy") == [.1, .3] and run.value() == .3 and run.value("train_loss") == 1 and run.value("no") is None

def test_the_last_run_of_a_seed_counts_and_seeds_are_in_order(folder):
    for seed, value in ((3, .1), (1, .2), (3, .3)): write_run(line(seed=seed, accuracy=value), folder / "a.jsonl")
    runs = recorded("a")
    assert [r["seed"] for r in runs] == [1, 3] and runs.values() == [.2, .3] and len(read_runs("a")) == 3

# -- devices are never pooled

GPU = dict(device="cuda", processor="H100")
OTHER = dict(device="cuda", processor="T4")

def test_runs_of_one_device_are_read_the_one_with_most_seeds(folder):
    fill(folder, "a", [.1, .2])
    fill(folder, "a", [.5, .6, .7], **GPU)
    fill(folder, "a", [.8, .9], **OTHER)
    assert recorded("a").values() == [.5, .6, .7] and recorded("a", device="cpu").values() == [.1, .2]
    assert recorded("a", device="T4").values() == [.8, .9] and summary(recorded("a")) == "60.00 ± 10.00 % (n=3)"

@pytest.mark.parametrize("one, other", [({}, GPU), (GPU, OTHER), (OTHER, {})])
def test_differences_between_devices_are_none(one, other, folder):
    fill(folder, "a", [.5, .6, .7], **one)
    fill(folder, "b", [.1, .2, .3], **other)
    assert compare("a", "b") is None and compare(recorded("a"), recorded("b")) is None
    on = [{"cpu": "cpu"}.get(x.get("device", "cpu"), x.get("processor")) for x in (one, other)]
    assert verdict("a", "b") == f"cannot tell: no seed is shared on one device, the runs are from {on[0]} and from {on[1]}"

def test_a_comparison_takes_one_device_and_not_two_together(folder):
    fill(folder, "a", [.5, .6, .7])
    fill(folder, "b", [.4, .5, .6])
    fill(folder, "a", [.9, .9], **GPU)
    fill(folder, "b", [.1, .1], **GPU)
    found = compare("a", "b")
    assert found.n == 3 and found.mean == pytest.approx(.1)
    assert verdict("a", "b") == "+10.00 points [+10.00, +10.00], n=3 on cpu; left out: n=2 on H100"

def test_a_mean_takes_one_device_and_says_what_it_left_out(folder):
    fill(folder, "a", [.5, .6])
    fill(folder, "a", [.9], **GPU)
    mixed = Runs(read_runs("a"), "a")
    assert summary(mixed) == "55.00 ± 7.07 % (n=2; 1 made elsewhere left out)" and mixed.values() == [.5, .6, .9]
    assert results_table({"one": mixed})[1][1] == summary(mixed) and summary(mixed, "loss") == "no run yet"

def test_a_curve_takes_one_device(folder):
    for about, ends in (({}, (.4, .6)), (GPU, (.9,))):
        for seed, end in enumerate(ends):
            write_run(line("a", seed, **about) | dict(rows=[dict(accuracy=.1), dict(accuracy=end)]), folder / "a.jsonl")
    (drawn,) = plot_curves({"label": Runs(read_runs("a"))}).lines
    assert round(float(drawn.get_ydata()[-1]), 6) == 50 and drawn.get_label() == "label (n=2)"

@pytest.mark.parametrize("metric", ["seconds", "speedup", "images_per_second"])
def test_times_are_compared_and_averaged_within_one_machine(metric, folder):
    "Which accuracies need not be: a CPU is a CPU."
    for chip, values in (("old", [9., 8., 8.5]), ("new", [3., 4.])):
        for name, more in (("a", 0.), ("b", 1.)):
            for seed, value in enumerate(values):
                seed += 10 * (chip == "new")
                write_run(line(name, seed, processor=chip, accuracy=.5, **{metric: value + more}) | dict(threads=2), folder / "a.jsonl")
    found = compare("a", "b", metric)
    assert found.n == 3 and found.mean == -1 and compare("a", "b").n == 5
    assert "n=3 on old, 2 threads; left out: n=2 on new, 2 threads" in verdict("a", "b", metric)
    assert summary(recorded("a"), metric).startswith("8.5 ± 0.5") and "(n=3; 2 made elsewhere left out)" in summary(recorded("a"), metric)
    assert summary(recorded("a")).endswith("(n=5)")

def test_cpus_are_one_kind_and_seconds_have_a_machine(folder):
    one, other = Run(line(processor="Xeon") | dict(threads=2)), Run(line(processor=None))
    assert one.kind == other.kind == "cpu" and Run(line(**GPU)).kind == "H100"
    assert one.machine == "Xeon, 2 threads" and other.machine == "cpu" and Run(line(**GPU)).machine == "H100"

# -- what is said of a difference

def test_a_difference_has_its_sign_and_its_interval(folder):
    fill(folder, "a", [.901, .902, .903])
    fill(folder, "b", [.900, .900, .900])
    found = compare("a", "b")
    half = 4.302653 * .001 / math.sqrt(3)                            # Student's t with 2 degrees of freedom
    assert found.n == 3 and (found.mean, found.low, found.high) == pytest.approx((.002, .002 - half, .002 + half), abs=1e-8)
    assert verdict("a", "b") == "+0.20 points [-0.05, +0.45], n=3: cannot tell"
    assert verdict("b", "a") == "-0.20 points [-0.45, +0.05], n=3: cannot tell"

def test_a_clear_difference_is_not_called_unclear(folder):
    fill(folder, "a", [.911, .912, .913], code="x")
    fill(folder, "b", [.900, .900, .900])
    assert verdict("a", "b") == "+1.20 points [+0.95, +1.45], n=3"
    assert verdict("a", "a") == "+0.00 points [+0.00, +0.00], n=3: cannot tell"

def test_differences_are_those_of_the_comparison_and_of_accuracies_in_points(folder):
    for name, values in (("a", [.5, .6, .7]), ("b", [.4, .4, .8])): fill(folder, name, values)
    fill(folder, "a", [.9, .9], **GPU)
    fill(folder, "b", [.1, .1], **GPU)
    assert differences("a", "b") == pytest.approx([10, 20, -10]) and compare("a", "b").mean == pytest.approx(.2 / 3)
    for name, values in (("c", [3., 5.]), ("d", [2., 2.])): fill(folder, name, values, "loss")
    assert differences(recorded("c"), recorded("d"), "loss") == [1, 3] and differences("a", "c") == []

def test_pairs_are_shared_seeds(folder):
    for seed, value in ((1, .5), (2, .6), (3, .7)): write_run(line("a", seed, accuracy=value), folder / "a.jsonl")
    for seed, value in ((2, .5), (4, .1)): write_run(line("b", seed, accuracy=value), folder / "a.jsonl")
    found = compare("a", "b")
    assert found.n == 1 and found.mean == pytest.approx(.1) and not found.clear
    assert verdict("a", "b") == "+10.00 points, n=1: a single pair has no interval"

def test_replaced_runs_are_not_compared(folder):
    fill(folder, "a", [.1, .1, .1], code="old", config={})
    fill(folder, "a", [.5], code="new", config={})
    fill(folder, "b", [.4, .4, .4])
    assert compare("a", "b").n == 1 and compare("a", "b").mean == pytest.approx(.1)

@pytest.mark.parametrize("f", [compare, differences, verdict])
def test_an_unknown_name_is_no_comparison(f, folder):
    fill(folder, "a", [.5])
    for pair in (("a", "nowhere"), ("nowhere", "a")):
        with pytest.raises(KeyError, match="no experiment is named 'nowhere'"): f(*pair)

def test_other_units(folder):
    fill(folder, "a", [2., 2.1], "train_loss")
    fill(folder, "b", [2.5, 2.7], "train_loss")
    assert summary(recorded("a"), "train_loss") == "2.05 ± 0.07071 nats (n=2)"
    assert verdict("a", "b", "train_loss").startswith("-0.55 nats [")
    assert summary(recorded("a")) == "no run yet" == summary(Runs()) and repr(recorded("a")) == "a: 2 runs"

# -- tables, pictures, quotations

def test_a_table_has_a_row_an_experiment(folder):
    fill(folder, "a", [.5, .6])
    fill(folder, "b", [2.], "train_loss")
    assert results_table({"one": "a", "other": recorded("b"), "none": Runs()}, "accuracy", "train_loss") == [
        ["", "accuracy", "train loss"], ["one", "55.00 ± 7.07 % (n=2)", "no run yet"],
        ["other", "no run yet", "2 nats (n=1)"], ["none", "no run yet", "no run yet"]]
    with pytest.raises(KeyError): results_table({"one": "nowhere"})

def test_effects_are_drawn_with_their_signs(folder):
    fill(folder, "base", [.900, .901, .902])
    fill(folder, "better", [.921, .921, .922])
    fill(folder, "unclear", [.905, .880, .910])
    fill(folder, "single", [.95])
    fill(folder, "elsewhere", [.95], **GPU)
    runs = {k: recorded(k) for k in ("base", "better", "unclear", "single", "elsewhere")}
    ax = plot_effects(runs)
    points = [l for l in ax.lines if l.get_marker() == "o"]
    assert [round(float(p.get_xdata()[0]), 3) for p in points] == [2.033, -.267, 5.0]
    assert [p.get_markerfacecolor() for p in points] == ["C0", "white", "white"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["better (n=3)", "unclear (n=3)", "single (n=1)", "elsewhere (n=0)"]
    assert ax.get_xlabel() == "accuracy compared with base, points"

def test_holm_counts_the_comparisons_of_the_figure(folder):
    fill(folder, "base", [0., 0., 0., 0.], "loss")
    fill(folder, "a", [.3, 1.7, .9, 1.1], "loss")                    # p is below 0.05, twice p is not
    base, a = recorded("base"), recorded("a")
    p = compare(a, base, "loss").p
    assert .025 < p < .05
    fill_of = lambda runs: [l.get_markerfacecolor() for l in plot_effects(runs, "loss").lines if l.get_marker() == "o"]
    assert fill_of({"base": base, "a": a}) == ["C0"] and fill_of({"base": base, "a": a, "again": a}) == ["white"] * 2

@pytest.mark.parametrize("runs", [Runs(), Runs([Run(line())]), Runs([Run(line() | dict(rows=[dict(loss=1.), dict(loss=2.)]))])])
def test_pictures_survive_no_run_and_one(runs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_effects({"a": runs}), plot_effects({"a": runs, "b": runs}), plot_curves({"a": runs}), plot_curves({"a": runs}, "loss")
        results_table({"a": runs}), repr(runs), verdict(runs, runs)

def test_curves_are_means_over_the_seeds(folder):
    for seed, end in ((1, .4), (2, .6)):
        write_run(line("a", seed) | dict(rows=[dict(valid_accuracy=.1), dict(valid_accuracy=end)]), folder / "a.jsonl")
    ax = plot_curves({"label": recorded("a"), "no curve": Runs()})
    (drawn,) = ax.lines
    assert list(drawn.get_xdata()) == [1, 2] and [round(float(v), 6) for v in drawn.get_ydata()] == [10, 50]
    assert drawn.get_label() == "label (n=2)"

def test_quotations_are_filled_in(folder):
    fill(folder, "a_1", [.5, .6])
    fill(folder, "b", [2.], "train_loss")
    text = "x <!-- ledger:a_1 -->old<!-- end --> y\n<!-- ledger:b.train_loss --><!-- end -->."
    said = "x <!-- ledger:a_1 -->55.00 ± 7.07 % (n=2)<!-- end --> y\n<!-- ledger:b.train_loss -->2 nats (n=1)<!-- end -->."
    assert quote_ledger(text) == said == quote_ledger(said)
    rounded = quote_ledger("<!-- ledger:a_1:0 --><!-- end -->, <!-- ledger:b.train_loss:1 --><!-- end -->")
    assert rounded == "<!-- ledger:a_1:0 -->55 ± 7 % (n=2)<!-- end -->, <!-- ledger:b.train_loss:1 -->2 nats (n=1)<!-- end -->"
    assert quote_ledger(rounded) == rounded
    about = "`<!-- ledger:NAME -->` and `<!-- ledger:NAME.METRIC -->` with `<!-- end -->`"
    assert quote_ledger(about) == about

@pytest.mark.parametrize("mark, error, says", [
    ("nowhere", KeyError, "no experiment is named 'nowhere'"), ("a.nothing", KeyError, "no metric 'nothing'"),
    ("b", KeyError, "no metric 'accuracy'"), ("trial_*", KeyError, "no experiment is named"), ("", KeyError, "no experiment")])
def test_an_unknown_name_or_metric_fails(mark, error, says, folder):
    fill(folder, "a", [.5])
    fill(folder, "b", [2.], "train_loss")
    with pytest.raises(error) as e: quote_ledger(f"<!-- ledger:{mark} -->x<!-- end -->")
    assert says in str(e.value)

def test_a_mark_without_an_end_does_not_swallow_the_next(folder):
    fill(folder, "a", [.5])
    with pytest.raises(ValueError, match="has no end"):
        quote_ledger("<!-- ledger:a -->x, text <!-- ledger:a -->y<!-- end -->")

ROOT = Path(__file__).resolve().parents[1]

@pytest.mark.parametrize("file", [*sorted(f.name for f in (ROOT / "nbs").glob("*.ipynb")), "README.md"])
def test_every_quotation_of_the_series_is_known(file):
    text = (ROOT / ("" if file == "README.md" else "nbs") / file).read_text(encoding="utf-8")
    cells = [dict(cell_type="markdown", source=text)] if file == "README.md" else json.loads(text)["cells"]
    for cell in cells:
        if cell["cell_type"] == "markdown": quote_ledger("".join(cell["source"]), ROOT / "results")

def test_outside_of_a_checkout_the_package_has_its_own_ledger(tmp_path, monkeypatch):
    monkeypatch.delenv("MINIAI_RESULTS")
    monkeypatch.chdir(tmp_path)
    assert any(E.results_dir().glob("*.jsonl"))
