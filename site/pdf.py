"The lessons and the look-up pages as one PDF, printed by Chromium from _site/, with bookmarks: pdf.py"
import io, sys
from pathlib import Path

from pypdf import PdfReader, PdfWriter
from pypdf.generic import Fit

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT)]
from course import LESSONS, PARTS, title_of
from stills import ARGS, CHROMIUM

FOOT = ('<div style="width: 100%; font-size: 8px; text-align: center; font-family: sans-serif">'
        '<span class="pageNumber"></span></div>')

def printed(page, file):
    "One page of the site as a PDF, with what is folded opened."
    page.goto(file.as_uri())
    page.wait_for_function("!window.MathJax?.startup || MathJax.startup.promise.then(() => true)")
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = !d.closest('.cell.tag_hide-input'); })")
    page.wait_for_timeout(300)
    return page.pdf(format="A4", print_background=True, tagged=True, display_header_footer=True, header_template="<div></div>",
                    footer_template=FOOT, margin=dict(top="16mm", bottom="16mm", left="16mm", right="16mm"))

def main(site):
    from playwright.sync_api import sync_playwright
    if CHROMIUM is None: sys.exit("the PDF needs Chromium")
    parts = [("How networks are trained", [("index", None)])]
    parts += [(title, [(f"lessons/{s}", f"{s[:2]} {title_of(s)}") for s in LESSONS if s[:2] in numbers]) for title, _, numbers in PARTS]
    parts.append(("Look up", [(name, name.capitalize()) for name in ("glossary", "notation", "references")]))
    out = PdfWriter()
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(120_000)
        for part, pages in parts:
            parent = None
            for name, title in pages:
                start = len(out.pages)
                out.append(PdfReader(io.BytesIO(printed(page, site / f"{name}.html"))), import_outline=False)
                parent = parent or out.add_outline_item(part, start, fit=Fit.fit())
                if title: out.add_outline_item(title, start, parent=parent, fit=Fit.fit())
        browser.close()
    out.compress_identical_objects()
    out.write(site / "miniai.pdf")
    print(f"== {site / 'miniai.pdf'}: {len(out.pages)} pages, {(site / 'miniai.pdf').stat().st_size / 1e6:.0f} MB")

if __name__ == "__main__": main(ROOT / "_site")
