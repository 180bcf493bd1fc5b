"Pages from notebooks: setup hidden, imports folded, words linked, exercises with their help and their solution."
import ast, io, json, re
from contextlib import redirect_stdout
from functools import cache
from html import escape
from importlib import import_module

from course import HOME, LESSONS, ROOT, SETTINGS, lesson, notebook, prose, source, title_of
from miniai.exercises import show_solution

# -- words

LINE = re.compile(r"^- \*\*(?P<term>.+?)\*\* \((?P<lesson>\d\d)(?:; (?P<more>.+?))?\): (?P<says>.+)$", re.M)

def glossary():
    "The glossary's terms, as dictionaries: term, lesson, more, says."
    return [m.groupdict() for m in LINE.finditer((ROOT / "site/glossary.md").read_text(encoding="utf-8"))]

def slug(term): return "term-" + re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")

def pattern(term):
    "A term in running text: also capitalised, and in the plural. Names keep their capitals."
    first = f"[{term[0].upper()}{term[0]}]" if term[0].islower() else re.escape(term[0])
    return re.compile(rf"(?<![\w*/-])(\*?){first}{re.escape(term[1:])}(?:e?s)?\1(?![\w*]|-\w)")

def glossary_page():
    text = (ROOT / "site/glossary.md").read_text(encoding="utf-8")
    stem = {s[:2]: s for s in LESSONS}
    def row(m):
        to = f"[{m['lesson']} {title_of(stem[m['lesson']])}](lessons/{stem[m['lesson']]}.ipynb)"
        return f'<dt id="{slug(m["term"])}">{escape(m["term"])}</dt><dd>\n\n{m["says"]} {to}\n\n</dd>'
    rows = LINE.sub(lambda m: row(m) + "\n", re.sub(r"<!--.*?-->\n\n?", "", text, flags=re.S))
    start = rows.index("<dt ")
    return f'{rows[:start]}<dl class="glossary">\n{rows[start:]}</dl>\n'

SILENT = (r'```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|!?\[[^\]]*\]\([^)]*\)|<a class="term".*?</a>|<[^>\n]+>')
KEPT = re.compile(SILENT + r"|^#[^\n]*$|^\|[^\n]*$", re.S | re.M)

def says(entry, text):
    "Whether a text has a term outside of code, formulas and links."
    return bool(pattern(entry["term"]).search(re.sub(SILENT, "", text, flags=re.S)))

def link_words(text, waiting):
    "Link the first of each waiting term to the glossary, and take it out of `waiting`; code, formulas, headings stay."
    for entry in list(waiting):
        kept, here = [m.span() for m in KEPT.finditer(text)], None
        for m in pattern(entry["term"]).finditer(text):
            if not any(a < m.end() and m.start() < b for a, b in kept):
                here = m
                break
        if here is None: continue
        title = escape(re.sub(r"[`*]", "", entry["says"]))
        link = f'<a class="term" href="../glossary.html#{slug(entry["term"])}" title="{title}">{here[0]}</a>'
        text = text[:here.start()] + link + text[here.end():]
        waiting.remove(entry)
    return text

def index_of(entry):
    "Sphinx's index directive: a search for the term finds this place first."
    words = [entry["term"], *filter(None, re.split(", ", entry["more"] or ""))]
    return "```{index} " + ", ".join(f"! {word}" for word in words) + "\n```"

# -- cells

def markdown(text): return dict(cell_type="markdown", metadata={}, source=text)

def buttons(stem):
    "What stands instead of the badge."
    path = f"{SETTINGS['user']}/{SETTINGS['repo']}/blob/{SETTINGS['branch']}/nbs/{stem}.ipynb"
    links = {"Open in Colab": f"https://colab.research.google.com/github/{path}",
             "Open in Kaggle": f"https://www.kaggle.com/kernels/welcome?src=https://github.com/{path}",
             "Download the notebook": f"../notebooks/{stem}.ipynb",
             "Source": f"{HOME}/blob/{SETTINGS['branch']}/nbs/{stem}.ipynb"}
    down = lambda name: " download" if name.startswith("Down") else ""
    ways = "".join(f'<a href="{url}"{down(name)}>{name}</a>' for name, url in links.items())
    return f'<p class="ways">{ways}</p>'

def parsed(code):
    "The statements of a cell; none where it has IPython's own commands."
    try: return ast.parse(re.sub(r"^%.*$", "", code, flags=re.M)).body
    except SyntaxError: return []

def fold(cell, what):
    prompts = dict(code_prompt_show=f"Show {what}", code_prompt_hide=f"Hide {what}")
    cell["metadata"] = dict(tags=["hide-input"], mystnb=prompts)

def code_cell(cell):
    "A code cell as a page shows it; None for one that it does not show."
    text = source(cell)
    if text.startswith("# Colab install"): return None
    alt = re.search(r"^#\| *fig-alt: *(.+)$", text, re.M)
    shown = re.sub(r"^#\|.*\n?", "", text, flags=re.M).strip("\n")
    if not shown: return None
    cell = dict(cell, source=shown, metadata={})
    lines = parsed(shown)
    defines = any(isinstance(line, (ast.FunctionDef, ast.ClassDef)) for line in lines)
    if lines and all(isinstance(line, (ast.Import, ast.ImportFrom)) for line in lines): fold(cell, "imports")
    elif re.search(r"^guess\(", shown, re.M) and not defines:
        fold(cell, "the code behind this question")
    if alt: cell["metadata"].setdefault("mystnb", {})["image"] = dict(alt=alt[1].strip())
    return cell

def checks_of(stem):
    "The exercises of a lesson by the name of their check."
    file = ROOT / f"miniai/exercises/{stem[3:]}.py"
    module = import_module(f"miniai.exercises.{stem[3:]}") if file.exists() else None
    return {name: value for name, value in vars(module).items() if name.startswith("check_")} if module else {}

def help_of(check):
    "What stands under an exercise: what its check looks at, and a solution, both folded."
    with redirect_stdout(io.StringIO()) as solution: show_solution(check)
    hint = re.sub(r"^Exercise \d+: *", "", " ".join((check.__doc__ or "").split()))
    hint = hint[:1].upper() + hint[1:]
    return (f":::{{dropdown}} What the check looks at\n{hint}\n:::\n\n"
            f":::{{dropdown}} A solution\n```python\n{solution.getvalue().strip()}\n```\n:::")

def repaired(text):
    "Links of a notebook that lead out of `nbs/` or to a heading, and marks that only the tools read."
    text = re.sub(r"<!-- (?:ledger:[^>]*|end) -->", "", text)
    text = text.replace("](index.ipynb)", "](../index.md#the-course)")
    text = text.replace("](../RESULTS.md)", "](../results/index.md)")
    text = re.sub(r"(\.ipynb|\]\()(#[\w-]+)(?=\))", lambda m: m[1] + m[2].lower(), text)     # as pages name their headings
    elsewhere = r"\]\((?:\.\./)+((?!index|results/)[\w/.-]+\.(?:md|py)\))"
    return re.sub(elsewhere, rf"]({HOME}/blob/{SETTINGS['branch']}/\1", text)

def page(stem):
    "A lesson as the notebook that the site shows."
    cells, waiting = [], sorted(glossary(), key=lambda e: -len(e["term"]))
    defines, checks = [e for e in waiting if e["lesson"] == stem[:2]], checks_of(stem)
    for number, cell in enumerate(lesson(stem)["cells"]):
        text = source(cell)
        if cell["cell_type"] == "code":
            if shown := code_cell(cell): cells.append(shown)
            called = [name for name in re.findall(r"^(check_\w+)\(", text, re.M) if name in checks]
            cells += [markdown(help_of(checks[name])) for name in dict.fromkeys(called)]
            continue
        if text.startswith("<!-- badge -->"):
            cells.append(markdown(buttons(stem)))
            continue
        found = [e for e in defines if number and says(e, text)]
        for entry in found: defines.remove(entry)
        if found: cells.append(markdown("\n\n".join(map(index_of, found))))
        cells.append(dict(cell, metadata={}, source=cite(link_words(repaired(text), waiting))))
    cells[1:1] = [markdown("\n\n".join(map(index_of, defines)))] * bool(defines)       # only named in the opening
    return dict(lesson(stem), cells=cells, nbformat_minor=4)     # in which cells need no id

def behind(file):
    "A notebook that lessons use, as a page that the search leaves out."
    nb = notebook(file)
    cells = [code_cell(c) if c["cell_type"] == "code" else dict(c, metadata={}, source=repaired(source(c)))
             for c in nb["cells"]]
    about = nb["metadata"] | dict(orphan=True, nosearch=True)
    return dict(nb, cells=[c for c in cells if c], nbformat_minor=4, metadata=about)

def pages():
    "Every notebook's path and text."
    for stem in LESSONS: yield f"lessons/{stem}.ipynb", json.dumps(page(stem))
    for folder in "exercises", "modules":
        for file in sorted((ROOT / "nbs" / folder).glob("*.ipynb")):
            yield f"lessons/{folder}/{file.name}", json.dumps(behind(file))

# -- references

LINK = re.compile(r"\]\((https?://(?:[^()\s]|\([^()\s]*\))+)\)")

@cache
def bibliography():
    "Address → key, of each entry of references.bib."
    text = (ROOT / "site/references.bib").read_text(encoding="utf-8")
    return {url: key for key, url in re.findall(r"^@misc\{(\w+),$.*?^  url = \{([^\n]*)\},$", text, re.M | re.S)}

def cite(text):
    "Behind each link under 'Further reading', its number in the bibliography."
    before, heading, after = text.partition("## Further reading")
    number = lambda m: f"{m[0]} {{cite}}`{bibliography()[m[1]]}`" if m[1] in bibliography() else m[0]
    return before + heading + LINK.sub(number, after)

def cited():
    "The addresses under a lesson's 'Further reading' → the lessons that have them."
    found = {}
    for stem in LESSONS:
        for url in LINK.findall(prose(stem).partition("## Further reading")[2]): found.setdefault(url, []).append(stem)
    return found
