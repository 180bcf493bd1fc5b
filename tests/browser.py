"A headless Chromium for tests: nothing it is asked for leaves this machine, and whatever it complains of is a failure."
import mimetypes, sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from stills import ARGS, CHROMIUM

HOST = "http://miniai.test"

@contextmanager
def chromium():
    "A browser that is already on the machine."
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        try: yield browser
        finally: browser.close()

def _answer(route, pages, outside):
    "A page given by the test, a file of `web/`, or nothing."
    url = urlsplit(route.request.url)
    file = ROOT / url.path.lstrip("/")
    if f"{url.scheme}://{url.netloc}" != HOST:
        outside.append(route.request.url)
        return route.abort()
    if url.path in pages: return route.fulfill(body=pages[url.path], content_type="text/html; charset=utf-8")
    if url.path == "/favicon.ico": return route.fulfill(status=204)
    if url.path.startswith("/web/") and file.is_file():
        return route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file.name)[0])
    return route.fulfill(status=404)

@contextmanager
def new_page(browser, pages=None, **options):
    "A blank page at HOST; `pages` holds more of them, path → HTML. Errors and requests that would leave it fail at the end."
    pages, said, outside = {"/": "<!doctype html><title>test</title>", **(pages or {})}, [], []
    context = browser.new_context(**options)
    context.route("**/*", lambda route: _answer(route, pages, outside))
    page = context.new_page()
    page.on("console", lambda message: message.type in ("error", "warning") and said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(HOST + "/")
    try: yield page
    finally: context.close()
    if said or outside: raise AssertionError(f"the page said {said} and asked for {outside}")
