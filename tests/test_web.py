"Interactives as Python sees them: what is displayed holds all it needs, and bad arguments are named."
import html, json, math, re, subprocess, sys

import numpy as np
import pytest
import torch

from miniai.lab.statistics import paired
from miniai.lab.web import guess, interactives, show

NAMES = sorted(set(interactives()) - {"guess"})
options = lambda shown: json.loads(re.search(r"miniai_interactive\.mount\(place, (.*)\);\n", shown._repr_html_())[1])

@pytest.mark.parametrize("name", NAMES)
def test_its_page_holds_all_it_needs(name, root):
    page = show(name)._repr_html_()
    script = (root / f"miniai/lab/interactives/{name}.js").read_text()
    assert len(script.encode()) <= 100_000
    assert not re.search(r"https?://(?!www\.w3\.org/)|\bimport\(|\bfetch\(|XMLHttpRequest|sendBeacon", script)
    assert re.search(r'<img src="data:image/png;base64,[^"]+" alt="[^"]+"', page)
    assert page.count("</script") == 1
    assert options(show(name))["state"] == {}

def test_state_is_what_differs_and_is_checked():
    assert show("playground", surface="beale").state == interactives()["playground"]["defaults"] | dict(surface="beale")
    with pytest.raises(ValueError, match="surface is 3: it must be a str"): show("playground", surface=3)
    with pytest.raises(ValueError, match="playground has no 'colour': it has .*surface"): show("playground", colour="red")
    with pytest.raises(ValueError, match="name is 'ground': it must be one of"): show("ground")
    with pytest.raises(RuntimeError, match="not live"): show("playground").on_change(print)

def test_text_cannot_end_the_script():
    page = guess("a </script><b> & ü", 1.)._repr_html_()
    assert page.count("</script") == 1 and "<b>" not in page
    assert options(guess("a </script><b> & ü", 1.))["data"]["question"] == "a </script><b> & ü"
    assert html.escape("a </script><b> & ü") in page

def test_a_guess_is_answered_by_a_number_several_or_an_interval():
    values = [.1, .3, .2]
    d = paired(values)
    for answer in (values, d):
        data = options(guess("?", answer, "points"))["data"]
        assert (data["answer"], data["interval"], data["unit"]) == (d.mean, [d.low, d.high], "points")
    assert "interval" not in options(guess("?", 3))["data"] and "interval" not in options(guess("?", [3]))["data"]
    assert options(guess("?", "b", choices=["a", "b"]))["data"]["right"] == [1]
    assert options(guess("?", ["c", "a"], choices="abc"))["data"]["right"] == [2, 0]
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="answer is"): guess("?", wrong)
    with pytest.raises(ValueError, match="answer is 'd': it must be one of a, b"): guess("?", "d", choices=["a", "b"])

def test_nothing_is_imported_until_it_is_live():
    code = "import sys; from miniai.lab.web import show, guess; guess('?', 1)._repr_html_(); print({'anywidget', 'IPython'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"

def test_values_are_copied_and_made_plain():
    w = show("playground", start=np.array([1, .5]), condition=np.float32(2))
    assert w.state["start"] == [1, .5] and w.state["condition"] == 2
    w.state["optimizers"][0]["lr"] = 9
    assert show("playground").state == interactives()["playground"]["defaults"]
    with pytest.raises(ValueError, match="optimizers is None"): show("playground", optimizers=None)
    with pytest.raises(ValueError, match="JSON"): show("playground", condition=math.nan)
    with pytest.raises(ValueError, match="is a set"): show("playground", start={1})

def test_each_time_it_is_shown_it_has_a_place_of_its_own():
    w = show("playground", live=True)
    ids = [re.search(r'data-name="playground" id="([^"]+)"', w._repr_html_())[1] for _ in range(2)]
    assert ids[0] != ids[1] == w._link.place
    w.set(steps=50)
    assert w._link.state["steps"] == 50 and options(w)["state"] == dict(steps=50)

def test_a_guess_takes_any_number_and_forgets_where_the_choices_change():
    for answer in (3, np.int64(3), np.float32(3), torch.tensor(3.)): assert options(guess("?", answer))["data"]["answer"] == 3
    keys = [options(guess("?", "a", choices=c))["data"]["key"] for c in ("ab", "ba")] + [options(guess("?", 1))["data"]["key"]]
    assert len(set(keys)) == 3
    with pytest.raises(ValueError, match="call guess"): show("guess")
