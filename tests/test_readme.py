"The README: short, its links lead somewhere, its example runs."
import re

from conftest import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")

def test_it_is_short(): assert len(TEXT.splitlines()) <= 150

def test_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    assert len(links) > 30 and all((ROOT / link).exists() for link in links)

def test_each_lesson_stands_in_the_table():
    for file in ROOT.glob("nbs/[0-9]*.ipynb"): assert f"[{file.stem.replace('_', ' ')}](nbs/{file.name})" in TEXT

def test_its_example_runs(monkeypatch, capsys):
    monkeypatch.setenv("MINIAI_TIER", "smoke")
    code, = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    space = {}
    exec(code.replace("fit(5)", "fit(1)"), space)
    assert space["learn"].cbs[1].history[-1]["valid_accuracy"] > .3
