"The site as `make site` builds it: whole, without the network, readable on a phone, in the dark and by keyboard."
import importlib.util, io, os, re, subprocess, sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import browser as driver
from conftest import ROOT

NEEDS = "sphinx", "myst_nb", "sphinx_book_theme", "sphinx_design", "sphinxcontrib.bibtex"

def there(name):
    try: return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError: return False

pytestmark = pytest.mark.skipif(not all(map(there, NEEDS)), reason="the extra [site] is not installed")

@pytest.fixture(scope="session")
def built(tmp_path_factory):
    "(the folder of the pages, what the build said). $MINIAI_SITE names pages that are there already."
    there_already = os.environ.get("MINIAI_SITE")
    if there_already: return Path(there_already).resolve(), subprocess.CompletedProcess([], 0, "", "")
    to = tmp_path_factory.mktemp("site") / "site"
    run = subprocess.run([sys.executable, "site/build.py", to], cwd=ROOT, capture_output=True, text=True)
    return to, run

@pytest.fixture(scope="session")
def site(built): return built[0]

class Page(HTMLParser):
    "What of a page is checked: ids, links, what it loads, pictures."
    def __init__(self, file):
        super().__init__()
        self.file, self.ids, self.links, self.loads, self.pictures = file, set(), [], [], []
        self.text = file.read_text(encoding="utf-8")
        self.feed(self.text)
    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[name] for name in ("id", "name") if attrs.get(name)}
        if tag == "a" and attrs.get("href"): self.links.append(attrs["href"])
        if tag == "img": self.pictures.append(attrs)
        if tag in ("script", "img", "iframe", "source", "video") and attrs.get("src"): self.loads.append(attrs["src"])
        if tag == "link" and attrs.get("rel") not in ("canonical", "next", "prev", "index", "search"):
            self.loads.append(attrs["href"])

@pytest.fixture(scope="session")
def pages(site): return {f.relative_to(site).as_posix(): Page(f) for f in sorted(site.rglob("*.html"))}

def test_it_is_built_without_a_warning(built):
    run = built[1]
    assert run.returncode == 0 and not run.stderr, run.stderr

def test_it_runs_nothing_and_leaves_nothing_beside_it(built): assert not (built[0].parent / "jupyter_execute").exists()

def test_each_lesson_has_a_page_and_its_notebook(site):
    stems = [f.stem for f in ROOT.glob("nbs/[0-9]*.ipynb")]
    for stem in stems:
        assert (site / f"lessons/{stem}.html").exists()
        assert (site / f"notebooks/{stem}.ipynb").read_bytes() == (ROOT / f"nbs/{stem}.ipynb").read_bytes()
    assert all(f"lessons/{stem}.html" in (site / "llms.txt").read_text(encoding="utf-8") for stem in stems)

def test_each_page_of_the_package_is_there(site):
    public = __import__("miniai").__all__
    text = "".join(f.read_text(encoding="utf-8") for f in (site / "api").glob("*.html"))
    missing = [name for name in public if not re.search(rf'id="miniai\.\w+\.{name}"', text)]
    assert not missing

def test_no_link_inside_is_broken(site, pages):
    broken = []
    for name, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc: continue
            to = (page.file.parent / unquote(url.path)).resolve() if url.path else page.file
            inside = to.is_relative_to(site.resolve())
            target = pages.get(to.relative_to(site.resolve()).as_posix()) if inside else None
            lost = url.fragment and target and unquote(url.fragment) not in target.ids
            if not to.exists() or lost: broken.append(f"{name}: {link}")
    assert not broken, broken[:20]

def test_nothing_is_asked_from_elsewhere(pages):
    outside = {f"{name}: {load[:80]}" for name, page in pages.items() for load in page.loads
               if urlsplit(load).scheme not in ("", "data")}
    assert not outside
    for file in pages["index.html"].file.parent.rglob("*.css"):
        assert not re.search(r"url\([\"']?https?:|@import[^;]*http", file.read_text(encoding="utf-8")), file

def test_every_figure_says_what_it_shows(pages):
    silent = [f"{name}: {str(picture)[:120]}" for name, page in pages.items() for picture in page.pictures
              if len(picture.get("alt") or "") < 3]
    assert not silent, silent
    figures = [p for name, page in pages.items() if re.match(r"lessons/\d", name)
               for p in page.pictures if "_images/" in p.get("src", "")]
    assert len(figures) > 150 and all(len(p["alt"]) > 19 for p in figures)

def test_no_placeholder_shows_but_the_account(pages):
    for name, page in pages.items():
        if name.startswith(("lessons/modules", "lessons/exercises", "_")): continue
        seen = re.sub(r"<script.*?</script>|<style.*?</style>|<pre>.*?</pre>", "", page.text, flags=re.S)
        left = re.search(r"\{\{\w+\}\}|<!-- (?:course|playground|badge)|TODO|FIXME|:::|\{dropdown\}|ledger:", seen)
        assert not left, (name, left)

def test_setup_is_hidden_and_exercises_have_help(pages):
    for name, page in pages.items():
        if not re.match(r"lessons/\d", name): continue
        assert not any(setup in page.text for setup in ("# Colab install", "colab-badge", "fig-alt:")), name
        assert "Show imports" in page.text and "Open in Kaggle" in page.text, name
        assert page.text.count("A solution") >= 3, name

# -- in a browser

SHOWN = "index.html", "lessons/06_momentum.html", "results/13_resnet.html"

@pytest.fixture
def opened(browser, site):
    "Open a page from its folder, as a file; whatever it complains of, or asks of the network, fails the test."
    said, contexts = [], []
    def open_page(name, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: request.url.startswith("http") and said.append(request.url))
        file, mark, query = name.partition("?")
        page.goto((site / file).as_uri() + mark + query)
        return page
    yield open_page
    for context in contexts: context.close()
    assert not said, said

@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("width, scheme", [(1280, "light"), (375, "dark")])
def test_a_page_opens_without_a_network_and_fits(opened, name, width, scheme):
    page = opened(name, viewport=dict(width=width, height=900), color_scheme=scheme)
    page.wait_for_timeout(1000)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('.miniai-interactive')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert page.evaluate(wide) == 0

def dark(page, selector):
    colour = page.locator(selector).first.evaluate("e => getComputedStyle(e).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) < 230

@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_reader(opened, scheme):
    page = opened(SHOWN[1], color_scheme=scheme)
    assert dark(page, "body") == dark(page, ".miniai-interactive section") == (scheme == "dark")

def test_formulas_are_drawn(opened):
    page = opened(SHOWN[1])
    page.wait_for_selector("mjx-container svg")
    page.wait_for_function("MathJax.startup.promise.then(() => true)")
    assert page.locator("mjx-container").count() >= page.locator(".math").count() > 20
    assert page.locator("[data-mml-node=merror]").count() == 0

def test_a_guess_answers_and_a_solution_opens(opened):
    page = opened(SHOWN[1])
    page.get_by_label("Your guess").first.fill("12")
    page.get_by_role("button", name="Lock my guess").first.click()
    assert "Your guess" in page.locator(".status", has_text="Your guess").first.inner_text()
    solution = page.locator("details", has_text="A solution").first
    solution.locator("summary").click()
    assert solution.locator("pre").is_visible()

@pytest.mark.parametrize("name", SHOWN)
def test_the_keyboard_reaches_the_page_and_shows_where_it_is(opened, name):
    page = opened(name)
    page.keyboard.press("Tab")
    assert "skip" in page.evaluate("document.activeElement.innerText || document.activeElement.className").lower()
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate("""(() => { const e = document.activeElement, s = getComputedStyle(e);
            const marked = s.outlineStyle !== "none" || s.boxShadow !== "none";
            return [e.tagName, e.getAttribute("href") || e.className, marked]; })()""")
        assert found[2] or found[0] in ("BODY", "DIV"), found
        seen.add(tuple(found[:2]))
    assert len(seen) > 20

@pytest.mark.parametrize("words, page_of", [
    ("bias correction", "07_adaptive"), ("T_max", "10_annealing"), ("cutout", "15_augment")])
def test_the_search_has_the_right_page_first(opened, words, page_of):
    page = opened("search.html?q=" + words.replace(" ", "+"))
    page.wait_for_selector("#search-results li a")
    page.wait_for_timeout(1500)
    assert f"lessons/{page_of}.html" in page.locator("#search-results li a").first.get_attribute("href")

# Every piece of text whose colour is too near to that of what lies behind it, by the rule of WCAG 2 (AA).
FAINT = """() => {
    const rgb = (s) => s.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
    const behind = (e) => {
        for (; e; e = e.parentElement) {
            const c = rgb(getComputedStyle(e).backgroundColor);
            if (!(c[3] < .5)) return c;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const e of document.querySelectorAll("main *:not(svg, svg *, option, :disabled)")) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        const s = getComputedStyle(e), size = parseFloat(s.fontSize);
        const seen = e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
        if (!own || !seen || e.closest(":disabled")) continue;
        const [a, b] = [light(rgb(s.color)), light(behind(e))].sort((x, y) => y - x);
        const ratio = (a + .05) / (b + .05), large = size >= 24 || size >= 18.66 && Number(s.fontWeight) >= 700;
        const text = e.textContent.trim().slice(0, 30);
        if (ratio < (large ? 3 : 4.5)) found.push([e.tagName, e.className, text, ratio.toFixed(2)].join(" | "));
    }
    return [...new Set(found)].slice(0, 20);
}"""

@pytest.mark.parametrize("name", [*SHOWN, "glossary.html", "api/miniai.optim.html"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_what_lies_behind_it(opened, name, scheme):
    page = opened(name, color_scheme=scheme)
    page.wait_for_timeout(500)
    faint = page.evaluate(FAINT)
    assert not faint, faint

def test_the_pdf_has_contents_and_numbers_and_leads_to_no_file(browser, site):
    pypdf = pytest.importorskip("pypdf")
    sys.path.insert(0, str(ROOT / "site"))
    import pdf
    page = pdf.new_page(browser)
    lesson, notation = (pdf.printed(page, site / name) for name in ("lessons/06_momentum.html", "notation.html"))
    file = io.BytesIO()
    pdf.bound(page, [("Lessons", [("06 Momentum", lesson)]), ("Look up", [("Notation", notation)])]).write(file)
    page.close()
    made, second = pypdf.PdfReader(file), 2 + len(lesson.pages)
    front = made.pages[0].extract_text()
    assert len(made.pages) == 1 + len(lesson.pages) + len(notation.pages)
    assert re.search(rf"06 Momentum\s*2\s.*Notation\s*{second}", front, re.S)
    assert all(sheet.extract_text().split()[-1] == str(n) for n, sheet in enumerate(made.pages, 1))
    assert "06 · Momentum" in made.pages[1].extract_text() and "Notation" in made.pages[second - 1].extract_text()
    links = [(a.get_object().get("/A") or {}).get("/URI") for sheet in made.pages for a in sheet.get("/Annots") or []]
    assert len(list(filter(None, links))) > 5 and all(str(link).startswith("http") for link in links if link)
    assert "Nesterov: look first" in str(made.outline)
