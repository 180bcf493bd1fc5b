"Clean every notebook as nbdev-clean does, each written in one step: clean.py"
import json

from rewrite import ROOT, clean, write_notebook

for file in sorted((ROOT / "nbs").rglob("*.ipynb")):
    if ".ipynb_checkpoints" in file.parts: continue
    write_notebook(file, clean(json.loads(file.read_text(encoding="utf-8"))))
