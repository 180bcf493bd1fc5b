"Interactives where readers meet them: a saved notebook's exported page, JupyterLab with and without a kernel, any browser."
import json, re, shutil, socket, subprocess, sysconfig, time, urllib.request
from pathlib import Path

import pytest

import browser as driver
from conftest import ROOT, tool
from miniai.lab.web import interactives

NAMES = sorted(set(interactives()) - {"guess"})
QUESTION = "How many seeds has the experiment?"
CELLS = ["from miniai.lab.web import guess, show", f"guess({QUESTION!r}, [7, 8, 9], 'seeds')",
         "shown = guess('Live?', 3)\nshown = type(shown)('guess', {}, live=True, **shown.options)\nshown",
         "print('the page says', shown.state)"]

def cell(i, source): return dict(cell_type="code", id=f"c{i}", execution_count=None, metadata={}, outputs=[], source=source)

def write(file, cells):
    "A notebook."
    kernel = dict(display_name="python3", language="python", name="python3")
    nb = dict(cells=[cell(i, source) for i, source in enumerate(cells)], metadata=dict(kernelspec=kernel), nbformat=4, nbformat_minor=5)
    file.write_text(json.dumps(nb))
    return file

@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    "A notebook with every interactive, run and saved as the lessons are."
    file = write(tmp_path_factory.mktemp("saved") / "all.ipynb", [*CELLS[:2], *(f"show({name!r})" for name in NAMES)])
    tool("python", "tools/notebook.py", str(file), "--save").check_returncode()
    return file

@pytest.fixture(scope="module")
def exported(saved):
    "The same notebook as nbconvert's page."
    tool("jupyter", "nbconvert", "--to", "html", str(saved)).check_returncode()
    return saved.with_suffix(".html").read_text()

def answer(page, value):
    "Lock a guess; what is said then."
    page.get_by_label("Your guess").first.fill(str(value))
    page.get_by_role("button", name="Lock my guess").first.click()
    return page.locator(".status", has_text="Your guess").first.inner_text()

def test_the_saved_notebook_is_small_and_has_a_still_of_each(saved):
    assert saved.stat().st_size < 1_500_000
    outputs = ["".join(out["data"]["text/html"]) for c in json.loads(saved.read_text())["cells"] for out in c["outputs"]]
    assert len(outputs) == len(NAMES) + 1
    for html in outputs[1:]: assert len(html.split('alt="')[1].split('"')[0]) > 30
    assert "widgets" not in json.loads(saved.read_text())["metadata"]

# nbconvert's page itself asks a CDN for MathJax and require.js; what an interactive asks for would be something else.
def without_cdn(html): return "\n".join(line for line in html.splitlines() if "<script src=" not in line)

@pytest.mark.parametrize("width, scheme", [(1200, "light"), (375, "dark")])
def test_each_opens_in_the_exported_page(browser, exported, width, scheme):
    pages = {"/page": without_cdn(exported)}
    with driver.new_page(browser, pages, viewport=dict(width=width, height=800), color_scheme=scheme) as page:
        page.goto(driver.HOST + "/page")
        assert page.locator(".miniai-interactive section").count() == len(NAMES) + 1
        assert answer(page, 12) == "The answer: 8 seeds, 95 % interval 5.52 to 10.5 seeds.\nYour guess, 12 seeds, was 4 seeds too high."
        wide = page.evaluate("[...document.querySelectorAll('.miniai-interactive')].filter(e => e.scrollWidth > e.clientWidth).length")
        assert wide == 0
        page.reload()
        assert page.locator(".status").first.inner_text().endswith("4 seeds too high.")          # kept by the browser
        page.get_by_role("button", name="Reset").first.click()
        page.reload()
        assert page.locator(".status").first.inner_text() == ""

# What VS Code's own renderer does with HTML (extensions/notebook-renderers/src/index.ts), behind its strictest policy.
POLICY = ("default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
          "img-src https: http: data:; connect-src https:; child-src https: data:")
RENDER = """(outputs) => { for (const html of outputs) {
    const element = document.createElement("div");
    element.innerHTML = html;
    document.body.append(element);
    for (const script of [...element.querySelectorAll("script")]) {
        const copy = document.createElement("script");
        copy.text = script.innerText;
        element.append(copy);
        copy.remove();
    }
} }"""

@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_opens_in_vs_codes_renderer(browser, saved, scheme):
    outputs = ["".join(out["data"]["text/html"]) for c in json.loads(saved.read_text())["cells"] for out in c["outputs"]]
    head = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    with driver.new_page(browser, {"/page": f'{head}<body class="vscode-{scheme}"></body>'}) as page:
        page.goto(driver.HOST + "/page")
        page.evaluate(RENDER, outputs)
        assert page.locator(".miniai-interactive section").count() == len(NAMES) + 1
        assert answer(page, 12).endswith("4 seeds too high.")
        colour = page.locator(".miniai-interactive section").first.evaluate("e => getComputedStyle(e).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", colour)[:3])) < 240) == (scheme == "dark"), colour

def by_mouse(page, x, y, to):
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(to, y, steps=4)
    page.mouse.up()

def by_touch(page, x, y, to):
    session = page.context.new_cdp_session(page)
    points = [x + (to - x) * i / 4 for i in range(5)]
    for kind, at in zip(("Start", *["Move"] * 4), points):
        session.send("Input.dispatchTouchEvent", dict(type=f"touch{kind}", touchPoints=[dict(x=at, y=y)]))
    session.send("Input.dispatchTouchEvent", dict(type="touchEnd", touchPoints=[]))

@pytest.mark.parametrize("name", NAMES)
def test_each_is_dragged_in_the_exported_page(browser, exported, name):
    "The first slider or point, the same way by mouse and by touch; by keys somewhere else."
    with driver.new_page(browser, {"/page": without_cdn(exported)}, viewport=dict(width=1200, height=900), has_touch=True) as page:
        page.goto(driver.HOST + "/page")
        shown = page.locator(f".miniai-interactive[data-name={name}]")
        control, said = shown.get_by_role("slider").first, []
        words = lambda: shown.locator(".status").first.inner_text() + control.get_attribute("aria-valuetext")
        opens = words()
        for drag in (by_mouse, by_touch, None):
            control.scroll_into_view_if_needed()
            box = control.bounding_box()
            is_point, y = control.evaluate("e => e.tagName === 'BUTTON'"), box["y"] + box["height"] / 2
            x = box["x"] + box["width"] / 2
            if drag: drag(page, x, y, x + (box["width"] * .3 if not is_point else -60 if name == "residuals" else 60))
            else: control.press("Shift+ArrowLeft")
            page.wait_for_timeout(300)
            said.append(words())
            shown.get_by_role("button", name="Reset").click()
            page.wait_for_timeout(200)
            assert words() == opens
        assert said[0] == said[1] != opens != said[2]

@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "JupyterLab on a folder: (address, folder)."
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(ROOT / "pyproject.toml", folder)                   # nbdev's hook cleans what is saved
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    args = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
            f"--ServerApp.root_dir={folder}", "--ServerApp.disable_check_xsrf=True", "--LabApp.news_url=None"]
    server = subprocess.Popen([Path(sysconfig.get_path("scripts")) / "jupyter-lab", *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try: urllib.request.urlopen(url + "/api", timeout=5).close(); break
            except OSError: time.sleep(.25)
        yield url, folder
    finally:
        server.terminate()
        server.wait(20)

def test_in_jupyterlab_without_running_a_cell(browser, lab, saved):
    url, folder = lab
    (folder / "trusted.ipynb").write_text(saved.read_text())
    (folder / "untrusted.ipynb").write_text(saved.read_text().replace("guess, show", "show, guess"))  # another signature
    tool("jupyter", "trust", str(folder / "trusted.ipynb")).check_returncode()
    page = browser.new_page()
    page.goto(f"{url}/lab/tree/trusted.ipynb?reset")
    page.locator(".miniai-interactive section").first.wait_for(timeout=60000)
    assert answer(page, 8.5).endswith("Your guess, 8.5 seeds, lies within the interval.")
    page.goto(f"{url}/lab/tree/untrusted.ipynb?reset")
    page.locator("img[alt], p:has-text(\"Guess first\")").first.wait_for(timeout=60000)
    assert page.locator(".miniai-interactive section").count() == 0
    page.close()

def test_python_reads_and_sets_what_is_live(browser, lab):
    url, folder = lab
    write(folder / "live.ipynb", [*CELLS, "shown.set(guess=2.)", "print('and now', shown.state)"])
    page = browser.new_page()
    page.goto(f"{url}/lab/tree/live.ipynb?reset")
    page.locator(".jp-Notebook-cell").first.click()
    page.locator(".jp-mod-idle, [data-status=idle]").first.wait_for(timeout=60000)
    def run(n):
        for _ in range(n): page.keyboard.press("Shift+Enter")
    page.locator(".jp-Notebook-cell .cm-content").first.click()
    run(3)
    page.locator(".miniai-interactive section").nth(1).wait_for(timeout=60000)
    page.get_by_label("Your guess").nth(1).fill("4")
    page.get_by_role("button", name="Lock my guess").nth(1).click()
    page.wait_for_timeout(1000)
    page.locator(".jp-Notebook-cell .cm-content").nth(3).click()
    run(2)
    page.get_by_text("the page says {'guess': 4}").wait_for(timeout=30000)
    page.get_by_text("Your guess, 2, was 1 too low.").first.wait_for(timeout=30000)
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1000)
    page.reload()                                                  # the kernel lives on
    page.get_by_text("Your guess, 2, was 1 too low.").first.wait_for(timeout=60000)
    page.close()
