"Run one notebook in the tier of $MINIAI_TIER; with --save its outputs replace the old ones: notebook.py FILE [--save]"
import json, re, sys, time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from rewrite import clean, write_notebook
from stills import alt_of, photographer, with_stills

WIDGET = "application/vnd.jupyter.widget-view+json"

def without_widgets(outputs):
    """Outputs without live widgets, which are dead in a saved notebook. One that shows nothing else goes, unless it has a
    picture or HTML beside the widget."""
    kept = []
    for out in outputs:
        data = out.get("data", {})
        if WIDGET in data:
            del data[WIDGET]
            if not any(kind.startswith(("image/", "text/html")) for kind in data): continue
        kept.append(out)
    return kept

NATIVE_LOG = re.compile(r"^(?:[A-Z]+:\d{4}-\d\d-\d\d |[IWE]\d{4} \d\d:).*\n?", re.M)

def without_logs(outputs):
    "Outputs without the log lines of torch's native code and of its compiler, which a reader takes for failures."
    kept = []
    for out in outputs:
        if out.get("name") == "stderr":
            out["text"] = NATIVE_LOG.sub("", "".join(out["text"]))
            if not out["text"].strip(): continue
        kept.append(out)
    return kept

def with_alt(alt, outputs):
    "Outputs whose pictures say what they show, as metadata and as the text beside the picture."
    for out in outputs:
        if alt and "image/png" in out.get("data", {}):
            out["data"]["text/plain"] = alt
            out["metadata"] = {"image/png": {"alt": alt}}
    return outputs

def run(file, save):
    "Execute a notebook; an error stops it, and its file stays as it was."
    nb = nbformat.read(file, as_version=4)
    start = time.perf_counter()
    NotebookClient(nb, timeout=None, kernel_name="python3", store_widget_state=False,
                   resources={"metadata": {"path": file.parent}}).execute()
    minutes = (time.perf_counter() - start) / 60
    if save: write_outputs(file, nb)                     # before anything is said: nobody may be there to hear it
    print(f"   {file.name}: {minutes:.1f} minutes", flush=True)

def write_outputs(file, nb):
    "Replace a notebook's file by one with the outputs of its run."
    with photographer() as photograph:
        for cell in nb.cells:
            if cell.cell_type != "code": continue
            alt, outputs = alt_of(cell.source), without_logs(without_widgets(cell.outputs))
            cell.outputs = with_stills(with_alt(alt, outputs), photograph, alt)
    nb.metadata.pop("widgets", None)
    write_notebook(file, clean(json.loads(nbformat.writes(nb))))

if __name__ == "__main__": run(Path(sys.argv[1]).resolve(), "--save" in sys.argv[2:])
