"The commands that write files: whole or not at all, widgets left out, pictures with their text."
import json, os, subprocess, sys, time

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import notebook, results, rewrite, stamp, stills

@pytest.fixture
def file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    return tmp_path / "a.txt"

def left(folder): return sorted(f.name for f in folder.iterdir())

@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(file, monkeypatch, step):
    def full(*args): raise OSError(28, "No space left on device")
    monkeypatch.setattr(rewrite.os, step, full)
    with pytest.raises(OSError, match="No space"): rewrite.write(file, "new")
    assert file.read_text() == "old" and left(file.parent) == ["a.txt"]

def test_writing_keeps_the_mode_and_skips_what_is_the_same(file):
    file.chmod(0o640)
    mode = file.stat().st_mode
    before = file.stat().st_mtime_ns, file.stat().st_ino
    rewrite.write(file, "old")
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before
    rewrite.write(file, "new")
    assert file.read_text() == "new" and file.stat().st_mode == mode

def test_kill_9_while_writing_leaves_one_whole_text(file):
    "The writer alternates between two long texts until it is killed: whichever is there is whole."
    a, b = "a" * 3_000_000, "b" * 3_000_000
    file.write_text(a)
    code = f"from rewrite import write\nfrom itertools import cycle\nfor c in cycle('ba'): write({str(file)!r}, c * 3_000_000)"
    for _ in range(5):
        run = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT / "tools")
        time.sleep(.35)
        run.kill()
        run.wait()
        assert file.read_text() in (a, b)

def lesson(folder, *sources):
    (folder / "nbs").mkdir(exist_ok=True)
    nb = dict(cells=[dict(cell_type="markdown", id=str(i), metadata={}, source=s) for i, s in enumerate(sources)],
              metadata={}, nbformat=4, nbformat_minor=5)
    (folder / "nbs/00_a.ipynb").write_text(json.dumps(nb))
    (folder / "settings.ini").write_text("[DEFAULT]\nname = n\nuser = u\nrepo = r\nbranch = b\n")
    return folder / "nbs/00_a.ipynb"

def test_stamp_fills_both_cells_and_names_a_lesson_that_lacks_one(tmp_path):
    file = lesson(tmp_path, "<!-- badge -->old", "# Colab install\nold")
    stamp.stamp(tmp_path)
    badge, install = ("".join(c["source"]) for c in json.loads(file.read_text())["cells"])
    assert badge.endswith("(https://colab.research.google.com/github/u/r/blob/b/nbs/00_a.ipynb)")
    assert '"n[lessons] @ git+https://github.com/u/r@b"' in install
    lesson(tmp_path, "nothing")
    with pytest.raises(ValueError, match="00_a.ipynb has no cell that begins with <!-- badge"): stamp.stamp(tmp_path)

def line(**change):
    return json.dumps(dict(experiment="x", config=None, seed=1, seconds=2., device="cpu", threads=2, dirty=False, processor="P",
                           rows=[dict(accuracy=.9)]) | change) + "\n"

def test_results_fill_readme_and_lessons_and_write_the_page(tmp_path):
    file = lesson(tmp_path, "It is <!-- ledger:x -->1 %<!-- end -->.")
    (tmp_path / "README.md").write_text("<!-- ledger:x --><!-- end -->")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/00_a.jsonl").write_text(line() + line(seed=2, rows=[dict(accuracy=.92)]) + line(seed=2, dirty=True))
    results.fill(tmp_path)
    said = "90.00 ± 0.00 % (n=2)"
    assert said in file.read_text() and said in (tmp_path / "README.md").read_text()
    page = (tmp_path / "RESULTS.md").read_text()
    assert f"| x | accuracy {said} | 2 | P, 2 threads | changed |" in page and "[00 a](nbs/00_a.ipynb)" in page

def test_a_table_takes_what_was_not_replaced(tmp_path):
    "As the quotations do: the last run's config and code, of each seed the last run."
    runs = [line(seed=s, config=dict(lr=1.), rows=[dict(accuracy=.1)]) for s in (1, 2, 3)] + [line(config={}), line(seed=2, config={})]
    (tmp_path / "results").mkdir()
    (tmp_path / "results/00_a.jsonl").write_text("".join(runs))
    lesson(tmp_path, "")
    assert "| x | accuracy 90.00 ± 0.00 % (n=2) |" in results.page(tmp_path)

def test_a_run_is_saved_before_anything_is_said(tmp_path, monkeypatch):
    file = lesson(tmp_path, "old")
    def execute(self): self.nb.cells[0].source = "new"
    def broken(*args, **kwargs): raise BrokenPipeError
    monkeypatch.setattr(notebook.NotebookClient, "execute", execute)
    monkeypatch.setattr(notebook, "print", broken, raising=False)
    with pytest.raises(BrokenPipeError): notebook.run(file, save=True)
    assert "new" in file.read_text()

def test_an_unknown_name_stops_and_says_where(tmp_path):
    lesson(tmp_path, "It is <!-- ledger:y -->1 %<!-- end -->.")
    (tmp_path / "README.md").write_text("")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/00_a.jsonl").write_text(line())
    with pytest.raises(KeyError, match="00_a.ipynb: no experiment is named 'y'"): results.fill(tmp_path)

def widget(**data): return dict(output_type="display_data", metadata={}, data={notebook.WIDGET: dict(model_id="1"), "text/plain": "VBox()", **data})

def test_live_widgets_are_left_out_of_saved_outputs():
    text = dict(output_type="stream", name="stdout", text="x")
    assert notebook.without_widgets([widget(), text]) == [text]
    (kept,) = notebook.without_widgets([widget(**{"text/html": "<table>"})])
    assert set(kept["data"]) == {"text/plain", "text/html"}

def test_native_log_lines_are_left_out_and_warnings_stay():
    log = ("USDT:2026-01-02 23:19:50 1:1 Sync.cpp:39] profiler_start\n",
           "W0102 23:20:09.023000 28535 torch/utils/x.py:183] No CUDA runtime is found\n")
    err = lambda *lines: dict(output_type="stream", name="stderr", text=list(lines))
    assert notebook.without_logs([err(*log)]) == []
    (kept,) = notebook.without_logs([err(log[0], "UserWarning: look\n")])
    assert kept["text"] == "UserWarning: look\n"

def test_a_picture_gets_the_text_of_its_cell():
    out = dict(output_type="display_data", metadata={}, data={"image/png": "…", "text/plain": "<Figure>"})
    notebook.with_alt(notebook.alt_of("#| fig-alt: Two lines that cross.\nplot()"), [out])
    assert out["data"]["text/plain"] == out["metadata"]["image/png"]["alt"] == "Two lines that cross."

def test_an_error_leaves_the_notebook_as_it_was(tmp_path):
    nb = dict(cells=[dict(cell_type="code", execution_count=None, id="1", metadata={}, outputs=[], source="1 / 0")],
              metadata={}, nbformat=4, nbformat_minor=5)
    file = tmp_path / "a.ipynb"
    file.write_text(before := json.dumps(nb))
    with pytest.raises(Exception, match="ZeroDivisionError"): notebook.run(file, save=True)
    assert file.read_text() == before

def test_saved_interactives_are_renewed_and_keep_what_they_say():
    from miniai.lab.web import show
    html = show("playground", surface="beale", title="miniai_interactive.mount(place, {});\n x")._repr_html_()
    old = html.replace("miniai_interactive=", "miniai_interactive = old,", 1)
    out, two = ({"output_type": "display_data", "data": {"text/html": text}} for text in (old, old + old))
    seen = []
    photograph = lambda html: seen.append(html) or (b"png", "it says so")
    assert stills.renewed([out], photograph, "#| fig-alt: A path") and len(seen) == 1
    now = "".join(out["data"]["text/html"])
    assert 'alt="A path. it says so"' in now and '"surface":"beale"' in now
    assert stills.STILL.sub("", now) == stills.STILL.sub("", html)
    assert not stills.renewed([out], photograph) and not stills.renewed([two], photograph)
