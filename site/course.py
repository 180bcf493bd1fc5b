"What several pages need: the lessons, their parts, their lines in the README."
import json, re
from configparser import ConfigParser
from functools import cache
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_settings = ConfigParser(delimiters=["="], interpolation=None)
_settings.read(ROOT / "settings.ini", encoding="utf-8")
SETTINGS = dict(_settings["DEFAULT"])
HOME = f"https://github.com/{SETTINGS['user']}/{SETTINGS['repo']}"
LESSONS = [f.stem for f in sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))]

PARTS = [
    ("How to train, and how to tell", "What a comparison needs, and a training loop that you can look inside.",
     "00 01 02 03".split()),
    ("Optimizers", "From a step against the gradient to Adam, Muon and SOAP, each built in a few lines.",
     "04 05 06 07 08 09".split()),
    ("Schedules", "How the learning rate should move during training.", "10 11 12".split()),
    ("Networks", "Residual networks, and what a network costs.", "13 14".split()),
    ("Accuracy and speed", "More accuracy out of the same data, in less time, on more machines.",
     "15 16 17 18 19 20".split())]

@cache
def notebook(path): return json.loads(Path(path).read_text(encoding="utf-8"))

def lesson(stem): return notebook(ROOT / f"nbs/{stem}.ipynb")

def source(cell): return "".join(cell["source"])

def prose(stem):
    "All Markdown of a lesson."
    return "\n\n".join(source(c) for c in lesson(stem)["cells"] if c["cell_type"] == "markdown")

def title_of(stem):
    "A lesson's title without its number."
    return re.sub(r"^\d\d · ", "", re.search(r"^# (.+)$", prose(stem), re.M)[1])

@cache
def lesson_table():
    "The README's table: stem → (what is in it as HTML, minutes)."
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[[^\]]+\]\(nbs/(\w+)\.ipynb\) \| (.+) \| ([^|]+) \|$", text, re.M)
    def html(what):
        what = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", escape(what, quote=False))
        return re.sub(r"`([^`]+)`", r"<code>\1</code>", what)
    return {stem: (html(what), minutes.strip().replace("<", "&lt;")) for stem, what, minutes in rows if stem in LESSONS}
