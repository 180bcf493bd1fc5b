"Write the Colab badge and the install cell, from settings.ini, into every lesson, and its facts into CITATION.cff: stamp.py [checkout]"
import configparser, re, sys
from pathlib import Path

from rewrite import ROOT, lessons, rewrite, write

# The mark stands alone with a blank line after it: Markdown takes a line that begins with <!-- for HTML, to the next blank one.
BADGE = """<!-- badge -->

[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{user}/{repo}/blob/{branch}/nbs/{file})"""
INSTALL = """# Colab install: elsewhere this cell does nothing
import sys
if "google.colab" in sys.modules:
    %pip install -q "{name}[lessons] @ git+https://github.com/{user}/{repo}@{branch}\""""

CITED = {"version": "{version}", "license": "{license}", "repository-code": "https://github.com/{user}/{repo}"}

def stamp(root):
    "Stamp every lesson and the citation. Raises ValueError for a lesson that lacks a cell."
    settings = configparser.ConfigParser(interpolation=None, delimiters=["="])
    settings.read(Path(root) / "settings.ini", encoding="utf-8")
    for file in lessons(root):
        facts, missing = dict(settings["DEFAULT"], file=file.name), {"<!-- badge -->": BADGE, "# Colab install": INSTALL}
        def change(source, cell):
            mark = next((m for m in missing if source.startswith(m)), None)
            return missing.pop(mark).format(**facts) if mark else source
        rewrite(file, change)
        if missing: raise ValueError(f"{file} has no cell that begins with {' or '.join(missing)}")
    if (citation := Path(root) / "CITATION.cff").exists():
        line = lambda m: f"{m[1]}: {CITED[m[1]].format(**settings['DEFAULT'])}"
        write(citation, re.sub(rf"^({'|'.join(CITED)}): .*$", line, citation.read_text(encoding="utf-8"), flags=re.M))

if __name__ == "__main__":
    stamp(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
    print("== badges, install cells and CITATION.cff from settings.ini")
