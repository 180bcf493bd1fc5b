"""Build the documentation site from what is saved, running nothing: build.py [folder], or build.py --links

The pages come from the notebooks with their saved outputs, the ledger, docstrings and the texts beside this file. They
are made in a temporary folder, which Sphinx then turns into _site/ (or into the folder given)."""
import io, os, re, shutil, sys, tempfile, time
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools"), str(HERE)]
os.environ.setdefault("MINIAI_TIER", "quick")

import api, ledger_pages, lesson_pages
from course import LESSONS, PARTS, SETTINGS, lesson_table, title_of
from miniai.lab.web import show

OPENS = dict(surface="beale", steps=120, step=120, optimizers=[
    dict(name="SGD", lr=.01), dict(name="momentum", lr=.01, momentum=.9), dict(name="Adam", lr=.1)])

def course_map():
    "The parts and their lessons, with minutes, as cards."
    about, out = lesson_table(), []
    for title, why, numbers in PARTS:
        out += [f"### {title}\n", f"{why}\n", '<ol class="course">']
        for stem in (s for s in LESSONS if s[:2] in numbers):
            what, minutes = about[stem]
            out.append(f'<li><a href="lessons/{stem}.html"><b>{stem[:2]}</b> {title_of(stem)}</a>'
                       f'<p>{what}</p><span class="minutes">runs in {minutes} min</span></li>')
        out += ["</ol>\n"]
    return "\n".join(out)

def toctree(title, pages):
    pages = "\n".join(pages)
    return f"```{{toctree}}\n:caption: {title}\n:hidden:\n:titlesonly:\n\n{pages}\n```\n"

def front():
    "The front page: its text with the playground and the map put in, and the tables of contents."
    text = (HERE / "index.md").read_text(encoding="utf-8")
    trees = [toctree(title, [f"lessons/{s}" for s in LESSONS if s[:2] in numbers]) for title, _, numbers in PARTS]
    trees.append(toctree("Look up", ["glossary", "notation", "api/index", "results/index", "references", "run"]))
    playground = show("playground", **OPENS)._repr_html_().replace("\n\n", "\n")
    text = text.replace("<!-- playground -->", playground).replace("<!-- course -->", course_map())
    return text + "\n" + "\n".join(trees)

def llms():
    "llms.txt: what is here, a line a page."
    about = lesson_table()
    plain = lambda text: re.sub(r"<[^>]+>", "", text)
    out = [f"# miniai\n\n> {SETTINGS['description']}.\n",
           "Each lesson is a page and a notebook; the package `miniai` is exported from them.\n", "## Lessons\n"]
    out += [f"- [{s[:2]} {title_of(s)}](lessons/{s}.html): {plain(about[s][0])}. Notebook: notebooks/{s}.ipynb"
            for s in LESSONS]
    out += ["\n## API\n", *(f"- [{name}](api/{name}.html): {doc}" for name, doc in api.summaries())]
    out += ["\n## Look up\n", "- [Glossary](glossary.html)", "- [Notation](notation.html)",
            "- [Results](results/index.html)", "- [References](references.html)"]
    return "\n".join(out) + "\n"

def bibliography():
    "The bibliography, each entry with the lessons that cite it."
    cited = lesson_pages.cited()
    def where(found):
        lessons = ", ".join(stem[:2] for stem in dict.fromkeys(cited.get(found[1], ())))
        return found[0] + (f"  note = {{Lesson{'s' * (',' in lessons)} {lessons}}},\n" if lessons else "")
    return re.sub(r"  url = \{(.*)\},\n", where, (HERE / "references.bib").read_text(encoding="utf-8"))

def put(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")

def sources(folder):
    "Write what Sphinx reads into a folder, and beside it what it only copies."
    put(folder / "index.md", front())
    for name in "notation", "run", "references":
        text = (HERE / f"{name}.md").read_text(encoding="utf-8")
        put(folder / f"{name}.md", re.sub(r"\{\{(\w+)\}\}", lambda m: SETTINGS[m[1]], text))
    put(folder / "glossary.md", lesson_pages.glossary_page())
    put(folder / "references.bib", bibliography())
    for path, text in (*lesson_pages.pages(), *api.pages(), *ledger_pages.pages()): put(folder / path, text)
    shutil.copytree(ROOT / "nbs/workbook", folder / "lessons/workbook")
    extra = folder.parent / "extra"
    put(extra / "llms.txt", llms())
    put(extra / ".nojekyll", "")
    (extra / "notebooks").mkdir()
    for stem in LESSONS: shutil.copy(ROOT / f"nbs/{stem}.ipynb", extra / "notebooks")
    mathjax = Path(import_module("sphinx-mathjax-offline").__file__).parent / "static/mathjax/tex-svg-full.js"
    (folder.parent / "mathjax").mkdir()
    shutil.copy(mathjax, folder.parent / "mathjax")

def build(to, builder="html"):
    "Build the site, in place of the folder `to`; the warnings, as text. Raises SystemExit where Sphinx fails."
    from sphinx.application import Sphinx
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        src = Path(folder) / "src"
        sources(src)
        os.environ["MINIAI_SITE_SRC"] = folder
        made = Path(folder) / "pages"
        app = Sphinx(src, HERE, made, Path(folder) / "doctrees", builder, status=None, warning=said)
        app.build()
        if app.statuscode: sys.exit(f"the site could not be built:\n{said.getvalue()}")
        if to.exists(): shutil.rmtree(to)
        shutil.move(made, to)
    (to / ".buildinfo").unlink(missing_ok=True)
    return said.getvalue()

if __name__ == "__main__":
    if sys.argv[1:] == ["--links"]:
        with tempfile.TemporaryDirectory() as folder: sys.exit(build(Path(folder) / "links", "linkcheck") or None)
    start, to = time.perf_counter(), Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "_site").resolve()
    warnings = build(to)
    print(warnings, end="", file=sys.stderr)
    size = sum(f.stat().st_size for f in to.rglob("*") if f.is_file()) / 1e6
    print(f"== {to}/index.html: {time.perf_counter() - start:.0f} seconds, {size:.0f} MB")
    sys.exit(bool(warnings))
