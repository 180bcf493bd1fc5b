"The saved lessons, as a reader finds them: whole, readable without a kernel, and nothing of the workshop in them."
import ast, json, re

import pytest
from conftest import ROOT
from markdown_it import MarkdownIt

LESSONS = sorted(ROOT.glob("nbs/[0-9]*.ipynb"))
every = pytest.mark.parametrize("file", LESSONS, ids=lambda f: f.stem)

def cells(file): return json.loads(file.read_text(encoding="utf-8"))["cells"]
def source(cell): return "".join(cell["source"])
def outputs(file): return [(c, o) for c in cells(file) for o in c.get("outputs", [])]

def test_there_are_21(): assert [f.name[:2] for f in LESSONS] == [f"{i:02}" for i in range(21)]

@every
def test_it_has_outputs_and_no_error(file):
    assert outputs(file) and not any(o["output_type"] == "error" for _, o in outputs(file))

@pytest.mark.parametrize("file", sorted(ROOT.glob("nbs/**/*.ipynb")), ids=lambda f: f"{f.parent.name}/{f.stem}")
def test_it_holds_no_dead_widget_and_is_clean(file):
    assert "vnd.jupyter.widget" not in file.read_text(encoding="utf-8"), "run it with make notebook, which cleans them away"
    assert all(c.get("execution_count") is None for c in cells(file))

@every
def test_each_picture_says_what_it_shows(file):
    for cell, out in outputs(file):
        if "image/png" not in out.get("data", {}): continue
        alt = re.search(r"^#\| *fig-alt: *(.{20,})$", source(cell), re.M)
        assert alt, f"a cell with a picture has no line `#| fig-alt: …`: {source(cell)[:120]}"
        assert out["metadata"].get("image/png", {}).get("alt") == alt[1].strip(), "run it with make notebook"

@every
def test_no_heading_stands_twice(file):
    text = [line for c in cells(file) if c["cell_type"] == "markdown" for line in source(c).splitlines()]
    headings = [line for line in text if line.startswith("#")]
    assert len(headings) == len(set(headings))

@every
def test_the_badge_is_markdown(file):
    "A line that begins with an HTML comment is an HTML block: nothing in it would be parsed."
    badge, = [source(c) for c in cells(file) if source(c).startswith("<!-- badge -->")]
    assert "<img src=" in MarkdownIt().render(badge) and f"/nbs/{file.name})" in badge

@every
def test_links_between_notebooks_lead_somewhere(file):
    for link in re.findall(r"\]\(([^)#:]+\.(?:ipynb|md|xlsx|png))", "".join(source(c) for c in cells(file) if c["cell_type"] == "markdown")):
        assert (file.parent / link).exists(), link

@every
def test_nothing_of_the_workshop_is_printed(file):
    text = "".join("".join(o.get("text", [])) for _, o in outputs(file))
    assert not re.search(r"ledger now|the ledger's full runs|\(seed \d+\)", text)

@every
def test_no_checker_and_no_solution_in_a_lesson(file):
    assert not any(re.search(r"^def check_|^# Solution|^#\| *code-fold", source(c), re.M) for c in cells(file))

def forms(file):
    "The calls of `guess` in a lesson."
    code = (source(c) for c in cells(file) if c["cell_type"] == "code" and "guess(" in source(c))
    return [node for text in code for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "guess"]

@every
def test_a_guess_asks_a_question_and_its_answer_is_measured(file):
    found = forms(file)
    assert found, "a lesson has a guess before a result"
    for question, answer in (call.args[:2] for call in found):
        assert question.value.endswith("?"), question.value
        assert any(isinstance(node, ast.Name) for node in ast.walk(answer)), f"typed by hand: {ast.unparse(answer)}"

def test_no_two_guesses_share_a_question():
    "The browser keeps a guess under its question."
    questions = [call.args[0].value for file in LESSONS for call in forms(file)]
    assert len(questions) == len(set(questions))
