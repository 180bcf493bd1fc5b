"Write into every lesson, into nbs/index.ipynb and CITATION.cff what settings.ini and README say: stamp.py [checkout]"
import configparser, re, sys
from pathlib import Path

from rewrite import ROOT, lessons, rewrite, write, write_notebook

# The mark stands alone with a blank line after it: Markdown takes a line that begins with <!-- for HTML, to the next blank one.
BADGE = """<!-- badge -->

[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/{user}/{repo}/blob/{branch}/nbs/{file})"""
INSTALL = """# Colab install: elsewhere this cell does nothing
import sys
if "google.colab" in sys.modules:
    %pip install -q "{name}[{extras}] @ git+https://github.com/{user}/{repo}@{branch}\""""

FRONT = """# How networks are trained

Click on a lesson to open it. Each runs by itself, from top to bottom. New to training? Begin at 00. \
At home in PyTorch? At 04. Here for accuracy in little time? At 13. While a lesson is open, the list icon at \
JupyterLab's left edge shows its contents.

"""

def front(root):
    "Write the notebook that `make lab` opens: the README's table of lessons."
    text = (Path(root) / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^\| lesson \|(?:.*\n)+?(?=\n)", text, re.M)[0].replace("](nbs/", "](")
    text = (FRONT + table.strip()).splitlines(keepends=True)
    cell = dict(cell_type="markdown", id="lessons", metadata={}, source=text)
    kernel = dict(display_name="python3", language="python", name="python3")
    nb = dict(cells=[cell], metadata=dict(kernelspec=kernel), nbformat=4, nbformat_minor=5)
    write_notebook(Path(root) / "nbs/index.ipynb", nb)

def settings(root):
    found = configparser.ConfigParser(interpolation=None, delimiters=["="])
    found.read(Path(root) / "settings.ini", encoding="utf-8")
    return found["DEFAULT"]

def citation(root):
    "Write the version and the account into CITATION.cff."
    known, file = settings(root), Path(root) / "CITATION.cff"
    text = file.read_text(encoding="utf-8")
    text = re.sub(r"^(version: ).*", rf"\g<1>{known['version']}", text, flags=re.M)
    address = f"https://github.com/{known['user']}/{known['repo']}"
    write(file, re.sub(r"^(repository-code: ).*", rf"\g<1>{address}", text, flags=re.M))

def stamp(root):
    "Stamp every lesson. Raises ValueError for one that lacks a cell."
    for file in lessons(root):
        extras = "lessons,scale" if file.stem == "20_scale" else "lessons"
        facts = dict(settings(root), file=file.name, extras=extras)
        missing = {"<!-- badge -->": BADGE, "# Colab install": INSTALL}
        def change(source, cell):
            mark = next((m for m in missing if source.startswith(m)), None)
            return missing.pop(mark).format(**facts) if mark else source
        rewrite(file, change)
        if missing: raise ValueError(f"{file} has no cell that begins with {' or '.join(missing)}")

if __name__ == "__main__":
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    stamp(root)
    front(root)
    citation(root)
    print("== badges, install cells and CITATION.cff from settings.ini, nbs/index.ipynb from README.md")
