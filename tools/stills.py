"""Pictures of interactives, made by a headless Chromium. As a script: bundle `web/` into the package, picture how each
interactive opens, and renew those in saved lessons: stills.py [NAME …]"""
import io, json, re, shutil, subprocess, sys
from contextlib import contextmanager
from html import unescape
from pathlib import Path

from PIL import Image
from rewrite import clean, write_notebook

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"]

@contextmanager
def photographer(width=760):
    "A function HTML → (PNG, what the interactive in it says); None where there is no Chromium."
    if CHROMIUM is None:
        yield None
        return
    from playwright.sync_api import sync_playwright
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport=dict(width=width, height=900))
        def photograph(html):
            page.set_content(f"<!doctype html><body style='margin: 0; background: white'>{html}")
            page.wait_for_timeout(300)
            shown = page.locator(".miniai-interactive")
            said = [text for text in page.locator(".miniai-interactive .status").all_inner_texts() if text.strip()]
            return _small(shown.screenshot()), " ".join(" ".join(said).split())
        yield photograph
        browser.close()

def _small(png):
    "The same picture with 128 colours, a third of the bytes."
    picture, file = Image.open(io.BytesIO(png)).convert("RGB"), io.BytesIO()
    picture.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()

STILL = re.compile(r'(<div class="miniai-interactive"[^>]*>)<img [^>]*alt="([^"]*)"[^>]*>')
SAVED = re.compile(r'<style>.*<div class="miniai-interactive" data-name="(\w+)" id="([^"]+)">.*'
                   r'\nminiai_interactive\.mount\(place, ([^\n]*)\);\n}\)\(\)</script>', re.S)

def alt_of(source):
    "What a cell says that its picture shows: `#| fig-alt: …`."
    alt = re.search(r"^#\| *fig-alt: *(.+)$", source, re.M)
    return alt and alt[1].strip()

def with_stills(outputs, photograph, alt=None):
    "Outputs whose interactives stand behind a picture of themselves, as they are; `alt` says what it shows, else they do."
    from miniai.lab.web import still
    for out in outputs:
        html = "".join(out.get("data", {}).get("text/html", ""))
        if photograph is None or not STILL.search(html): continue
        png, said = photograph(html)
        words = lambda part: ". ".join(filter(None, [alt or unescape(part[2]), said]))
        out["data"]["text/html"] = STILL.sub(lambda part: part[1] + still(png, words(part)), html, count=1)
    return outputs

def renewed(outputs, photograph, source=""):
    """Whether saved outputs were changed by the scripts, the recorded data and the stills of now. An output that holds more
    than one interactive is left alone."""
    from miniai.lab.web import _data, interactives, page
    changed = False
    for out in outputs:
        html = "".join(out.get("data", {}).get("text/html", ""))
        if html.count('class="miniai-interactive"') != 1 or not (saved := SAVED.fullmatch(html)): continue
        if saved[1] not in interactives(): continue
        name, id, options = saved[1], saved[2], json.loads(saved[3])
        if "data=" not in source and _data(name) is not None: options["data"] = _data(name)
        now = page(name, id, **{key: value for key, value in options.items() if key != "id"})
        if STILL.sub("", now) == STILL.sub("", html): continue
        out["data"]["text/html"], changed = now, True
        with_stills([out], photograph, alt_of(source))
        out["data"]["text/html"] = out["data"]["text/html"].splitlines(keepends=True)
    return changed

def renew(file, photograph):
    "Put the interactives of now into a saved notebook."
    nb = json.loads(file.read_text(encoding="utf-8"))
    changed = [renewed(cell.get("outputs", []), photograph, "".join(cell["source"])) for cell in nb["cells"]]
    if any(changed): write_notebook(file, clean(nb))

def main(names):
    "Bundle, picture, and put both into the saved lessons."
    subprocess.run(["npm", "run", "--silent", "build"], cwd=ROOT / "web", check=True)
    from miniai.lab.web import interactives, show
    folder = ROOT / "miniai/lab/interactives"
    with photographer() as photograph:
        for name in names or sorted(interactives()):
            if photograph and name != "guess": (folder / f"{name}.png").write_bytes(photograph(show(name)._repr_html_())[0])
        for file in sorted((ROOT / "nbs").glob("*.ipynb")): renew(file, photograph)
    for file in sorted(folder.iterdir()): print(f"   {file.name}: {file.stat().st_size / 1000:.1f} kB")

if __name__ == "__main__": main(sys.argv[1:])
