"The lessons and the look-up pages as one PDF, printed by Chromium from _site/, with contents and bookmarks: pdf.py"
import io, sys
from html import escape
from pathlib import Path

from pypdf import PdfReader, PdfWriter

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT)]
from course import LESSONS, PARTS, SETTINGS, title_of
from stills import ARGS, CHROMIUM

LOOK_UP = "glossary", "notation", "references"
FOOT = '<div style="width: 100%; font: 8px sans-serif; text-align: center"><span class="pageNumber"></span></div>'
BARE = dict(format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "14mm"))

# Solutions open (the style sheet hides imports and the code behind a question); links to other pages lead nowhere here.
READY = """() => {
    document.querySelectorAll("details").forEach((d) => { d.open = true; });
    for (const a of document.querySelectorAll("a[href]"))
        if (!/^(https?:|#)/.test(a.getAttribute("href"))) a.removeAttribute("href");
}"""
FRONT = """<style>body {{ font: 10.5pt/1.45 sans-serif }} h1 {{ font-size: 26pt; margin: 30pt 0 6pt }}
h2 {{ font-size: 11pt; margin: 11pt 0 1pt }} p {{ margin: 0; display: flex; justify-content: space-between }}</style>
<h1>{title}</h1>{what}{rows}"""

LINK = '<p><strong>On paper.</strong> <a href="miniai.pdf">All lessons as one PDF.</a></p>'

def new_page(browser):
    "A page as wide as A4 is between its margins."
    page = browser.new_page(color_scheme="light", viewport=dict(width=688, height=1000))
    page.emulate_media(media="print")
    page.set_default_timeout(120_000)
    return page

def printed(page, file):
    "One page of the site as a PDF."
    page.goto(file.as_uri())
    page.wait_for_function("!window.MathJax?.startup || MathJax.startup.promise.then(() => true)")
    page.evaluate(READY)
    page.wait_for_timeout(300)
    return PdfReader(io.BytesIO(page.pdf(**BARE, print_background=True, tagged=True, outline=True)))

def shown(page, html, **options):
    "HTML of our own as a PDF."
    page.set_content(html)
    return PdfReader(io.BytesIO(page.pdf(**BARE, **options)))

def front(page, parts):
    "The title and the contents, on one page, with the number of the page on which each begins."
    rows, at = "", 2
    for part, chapters in parts:
        rows += f"<h2>{escape(part)}</h2>"
        for title, pdf in chapters:
            rows += f"<p><span>{escape(title)}</span><span>{at}</span></p>"
            at += len(pdf.pages)
    title, _, what = SETTINGS["description"].partition(": ")
    found = shown(page, FRONT.format(title=escape(title), what=escape(f"{what[:1].upper()}{what[1:]}."), rows=rows))
    assert len(found.pages) == 1, "the contents have to fit on one page"
    return found

def sections(pdf):
    "The second level of headings, each with its page."
    below = next((entry for entry in pdf.outline if isinstance(entry, list)), [])
    return [(entry.title, pdf.get_destination_page_number(entry)) for entry in below if not isinstance(entry, list)]

def bound(page, parts):
    "One PDF of all, with page numbers and bookmarks."
    out = PdfWriter()
    out.append(front(page, parts), "Contents")
    for part, chapters in parts:
        parent = None
        for title, pdf in chapters:
            start = len(out.pages)
            out.append(pdf, import_outline=False)
            parent = parent or out.add_outline_item(part, start)
            chapter = out.add_outline_item(title, start, parent=parent)
            for name, at in sections(pdf): out.add_outline_item(name, start + at, parent=chapter)
    sheets = '<div style="break-after: page">&nbsp;</div>' * (len(out.pages) - 1) + "&nbsp;"
    numbers = shown(page, sheets, display_header_footer=True, header_template="<i></i>", footer_template=FOOT)
    for sheet, number in zip(out.pages, numbers.pages):
        sheet.merge_page(number)
        sheet.compress_content_streams()
    return out

def main(site):
    from playwright.sync_api import sync_playwright
    if CHROMIUM is None: sys.exit("the PDF needs Chromium")
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = new_page(browser)
        chapter = lambda s: (f"{s[:2]} {title_of(s)}", printed(page, site / f"lessons/{s}.html"))
        parts = [(part, [chapter(s) for s in LESSONS if s[:2] in numbers]) for part, _, numbers in PARTS]
        parts.append(("Look up", [(name.capitalize(), printed(page, site / f"{name}.html")) for name in LOOK_UP]))
        out = bound(page, parts)
        browser.close()
    out.compress_identical_objects()
    out.write(site / "miniai.pdf")
    run = site / "run.html"
    run.write_text(run.read_text(encoding="utf-8").replace("<!-- pdf -->", LINK), encoding="utf-8")
    print(f"== {site / 'miniai.pdf'}: {len(out.pages)} pages, {(site / 'miniai.pdf').stat().st_size / 1e6:.0f} MB")

if __name__ == "__main__": main(ROOT / "_site")
