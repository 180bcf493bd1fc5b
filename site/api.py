"The API's pages, from docstrings and the comments beside arguments."
import ast, inspect, re
from functools import cache
from importlib import import_module
from pathlib import Path

from course import LESSONS, ROOT, lesson, source, title_of
from fastcore.docments import docments

NONE = inspect.Parameter.empty

@cache
def modules():
    "The modules that have a page."
    files = [*sorted((ROOT / "miniai").glob("[a-z]*.py")), *sorted((ROOT / "miniai/lab").glob("[a-z]*.py"))]
    names = [".".join(f.relative_to(ROOT).with_suffix("").parts) for f in files]
    return {name: import_module(name) for name in [*names, "miniai.exercises"]}

def names_of(name):
    "The classes and functions that a module gives."
    module = modules()[name]
    return [n for n in getattr(module, "__all__", ()) if not n.startswith("_") and callable(vars(module)[n])]

def plain(text):
    "A docstring for Markdown: only its `code` is marked up."
    parts = re.split(r"(`[^`]+`)", " ".join((text or "").split()))
    return "".join(p if i % 2 else re.sub(r"([*_<>\[\]$|{}\\])", r"\\\1", p) for i, p in enumerate(parts))

def default(value):
    if value is NONE: return ""
    name = getattr(value, "__name__", None)
    if name and not isinstance(value, (int, float, str)): return name
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(value))
    return text if len(text) <= 60 else "…"

def annotation(value):
    if value is NONE or value is None: return ""
    if isinstance(value, type): return value.__name__
    return value if isinstance(value, str) else str(value).replace("typing.", "")

def signature(thing, name):
    "The call, without annotations: those stand in the table."
    try: ps = list(inspect.signature(thing).parameters.values())
    except (ValueError, TypeError): return name
    ps = [p.replace(annotation=NONE) for p in ps if p.name not in ("self", "cls")]
    shown, star = [], False
    for p in ps:
        if p.kind is p.KEYWORD_ONLY and not star: shown.append("*"); star = True
        if p.kind is p.VAR_POSITIONAL: star = True
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        shown.append(mark + p.name + (f"={default(p.default)}" if p.default is not NONE else ""))
    return f"{name}({', '.join(shown)})"

def table(thing):
    "The arguments that say something, and what is returned."
    try: docs, call = docments(thing, full=True), inspect.signature(thing.__init__ if inspect.isclass(thing) else thing)
    except Exception: return ""
    def row(name, kind, d):
        kind = annotation(kind).replace("|", r"\|")             # docments itself guesses one from the default
        return name, f"`{kind}`" if kind else "", plain(d.docment) if isinstance(d.docment, str) else ""
    rows = [row(f"`{name}`", call.parameters[name].annotation, d) for name, d in docs.items()
            if name in call.parameters and name not in ("self", "cls")]
    if "return" in docs: rows.append(row("*returns*", call.return_annotation, docs["return"]))
    if not any(says for _, _, says in rows): return ""
    rows = [row for row in rows if row[1] or row[2]]
    return "\n".join(["| argument | type | meaning |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)])

@cache
def imports():
    "The first lesson that imports a name from the package: name → stem."
    first = {}
    for stem in reversed(LESSONS):
        code = "\n".join(source(c) for c in lesson(stem)["cells"] if c["cell_type"] == "code")
        for taken in re.findall(r"^from miniai[\w.]* import (\([^)]*\)|.*)$", code, re.M):
            for name in re.findall(r"\w+", taken): first[name] = stem
    return first

@cache
def notebook_of(file, line):
    "The notebook that a line of a module was exported from."
    text = (ROOT / file).read_text(encoding="utf-8").splitlines()[:line]
    found = [m[1] for m in (re.match(r"# %% (?:\.\./)+nbs/(\S+)\.ipynb", t) for t in text) if m]
    return found[-1] if found else None

def where(thing, name):
    "Which lesson builds it, or which has it first; and the notebook that it is defined in."
    try: file, line = inspect.getsourcefile(thing), inspect.getsourcelines(thing)[1]
    except (OSError, TypeError): return ""
    try: at = notebook_of(str(Path(file).resolve().relative_to(ROOT)), line)
    except ValueError: return ""
    if at is None: return ""
    link = lambda stem: f"[{stem[:2]} {title_of(stem)}](../lessons/{stem}.ipynb)"
    if at in LESSONS: return f"Built in {link(at)}."
    first = imports().get(name)
    lead = f"First used in {link(first)}; defined" if first else "Defined"
    return f"{lead} in [{at}](../lessons/{at}.ipynb)."

def methods(thing):
    for name, value in vars(thing).items():
        if name.startswith("_"): continue
        f = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if inspect.isfunction(f) and f.__doc__: yield name, f, isinstance(value, property)

def entry(module, name, thing):
    "One name as a directive of Sphinx's Python domain."
    kind = "class" if inspect.isclass(thing) else "function"
    out = [f"`````{{py:{kind}}} {signature(thing, name)}", f":module: {module}", "", plain(thing.__doc__), "",
           where(thing, name), "", table(thing), ""]
    if kind == "class":
        for method, f, is_property in methods(thing):
            head = f"py:property}} {method}" if is_property else f"py:method}} {signature(f, method)}"
            out += [f"````{{{head}", "", plain(f.__doc__), "", "" if is_property else table(f), "````", ""]
    return "\n".join([*out, "`````", ""])

def first_line(module):
    "The text that a module begins with; nbdev writes `__all__` in front of it."
    said = (line.value.value for line in ast.parse(inspect.getsource(module)).body
            if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
            and isinstance(line.value.value, str))
    return plain(next(said, ""))

def page(name):
    module = modules()[name]
    out = [f"# {name}\n", first_line(module), ""]
    return "\n".join(out + [entry(name, n, vars(module)[n]) for n in names_of(name)])

def shown(): return [name for name in modules() if names_of(name)]

def summaries(): return [(name, re.sub(r"\\", "", first_line(modules()[name]))) for name in shown()]

def pages():
    "Every page's path and text."
    for name in shown(): yield f"api/{name}.md", page(name)
    rows = [f"| [{name}]({name}.md) | {first_line(modules()[name])} |" for name in shown()]
    tree = "\n".join(shown())
    yield "api/index.md", "\n".join([
        "# API\n",
        "`from miniai import Learner, Muon, OneCycleLR` takes the public names from one place; these pages go by "
        "the module that has them. Each name says which lesson builds it or uses it first.\n",
        "| module | |", "|---|---|", *rows, "",
        f"```{{toctree}}\n:hidden:\n:titlesonly:\n\n{tree}\n```\n"])
