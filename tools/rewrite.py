"What the tools share: files are written whole or not at all, and notebooks cell by cell."
import json, os, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

def write(file, text):
    "Replace a file's text in one step: a kill or a full disk leaves the old file as it was. Writes nothing if nothing changed."
    file = Path(file)
    if file.exists() and file.read_text(encoding="utf-8") == text: return
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        os.chmod(name, file.stat().st_mode if file.exists() else 0o644)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise

def write_notebook(file, nb): write(file, json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + "\n")

def clean(nb):
    "Take out what nbdev-clean takes out, in place: nbdev's own command would write over the file as it goes."
    from nbdev.clean import clean_nb
    from nbdev.config import get_config
    clean_nb(nb, clean_ids=True, allowed_out_metadata_keys=get_config(path=ROOT).get("allowed_out_metadata_keys"))
    return nb

def lessons(root): return sorted((Path(root) / "nbs").glob("[0-9]*.ipynb"))

def rewrite(file, change):
    "Apply `change(source, cell)` to each cell of a notebook."
    nb = json.loads(file.read_text(encoding="utf-8"))
    for cell in nb["cells"]: cell["source"] = change("".join(cell["source"]), cell).splitlines(keepends=True)
    write_notebook(file, nb)
