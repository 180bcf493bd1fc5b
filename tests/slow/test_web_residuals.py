"Residuals: what it says of the recorded networks is what the ledger has, by mouse, finger and keyboard."
import re
from contextlib import ExitStack
from statistics import geometric_mean, mean

import pytest
from playwright.sync_api import expect

import browser as driver
from miniai.lab.recorded import gradient_profiles
from miniai.layers import resnet

WORDS = """async ([data, states]) => {
    const { rows, words } = await import('http://miniai.test/web/core/profiles.js');
    return states.map((state) => [words(data, state), rows(data, state).map((row) => row.slice(1))]); }"""
OPEN = """async ([data, state]) => { const m = await import('http://miniai.test/web/residuals.js');
    window.there = m.mount(document.body.appendChild(document.createElement('div')), {id: 'a', data, state}); }"""
FRAMES = "() => new Promise(requestAnimationFrame).then(() => new Promise(requestAnimationFrame))"
DEPTHS = 10, 20, 30, 50
DEFAULTS = dict(depth=50, shown="both", trained=False, layer=50)

@pytest.fixture(scope="module")
def data(): return gradient_profiles()

@pytest.fixture
def opened(browser, data):
    "Opens it in a page of its own."
    def open_it(state=None, data=data, **options):
        page = stack.enter_context(driver.new_page(browser, **options))
        page.evaluate(OPEN, [data, state or {}])
        page.evaluate(FRAMES)
        return page
    with ExitStack() as stack: yield open_it

def said(page):
    page.evaluate(FRAMES)
    return page.locator("p.status").inner_text()

def spread(values, mean=geometric_mean): return [mean(values), min(values), max(values)]

def numbers(text): return [float(v.replace(",", "")) for v in re.findall(r"[\d,]*\d(?:\.\d+)?", text)]

def expected(networks, trained, layer):
    "The table's numbers of these networks, row by row."
    norms = [[run["after" if trained else "before"] for run in network["runs"]] for network in networks]
    of = lambda f: [spread([f(values) for values in runs]) for runs in norms]
    losses = [spread([run["train_loss"] for run in network["runs"]], mean) for network in networks]
    return [of(lambda v: v[0] / v[-1]), of(lambda v: max(v) / min(v)), of(lambda v: v[layer - 1]), losses]

def conclusion(ratio):
    "What becomes of the gradient on its way back."
    if 2 / 3 < ratio < 1.5: return f"stays about the same size (factor {ratio:.3g})"
    return f"grows {ratio:.3g}-fold" if ratio > 1 else f"shrinks to {ratio:.3g} of its size"

@pytest.mark.parametrize("depth", DEPTHS)
def test_it_says_the_recorded_numbers(page, data, depth):
    choices = dict(both=(False, True), without=(False,), **{"with": (True,)})
    states = [dict(depth=depth, shown=shown, trained=trained, layer=layer) for shown in choices
              for trained in (False, True) for layer in (1, depth // 2, depth)]
    for state, (told, rows) in zip(states, page.evaluate(WORDS, [data, states]), strict=True):
        networks = [n for n in data["networks"] if n["depth"] == depth and n["shortcuts"] in choices[state["shown"]]]
        ours = expected(networks, state["trained"], state["layer"])
        near = [[pytest.approx(v, rel=6e-3) for v in row] for row in ours]
        assert [[numbers(cell) for cell in row] for row in rows] == near
        first, second = told.split("\n")
        for way, (ratio, *_) in zip(re.split(" on its way back.*; ", first), ours[0], strict=True):
            assert conclusion(ratio) in way, (state, told)
        assert numbers(second)[2:] == [pytest.approx(size, rel=6e-3) for size, *_ in ours[2]]

@pytest.mark.parametrize("depth", DEPTHS)
def test_the_channels_are_those_of_the_network(page, depth):
    model = resnet((8, 16, 32, 64, 128), kernel_size=3, blocks=depth // 10)
    ours = [conv[0].out_channels for block in list(model)[:-2] for conv in block.convs]
    assert ours == page.evaluate("""async (depth) => {
        const { channels } = await import('http://miniai.test/web/core/profiles.js');
        return Array.from({ length: depth }, (_, i) => channels(depth, i + 1)); }""", depth)

def test_mouse_finger_and_keys_look_at_the_same_convolution(opened):
    at = """(layer) => { const canvas = document.querySelector('div').shadowRoot.querySelector('canvas');
        const box = canvas.getBoundingClientRect();
        return [box.left + 58 + (layer - .5) / 50 * (box.width - 92), box.top + 100]; }"""
    told = []
    for how in "mouse", "touch", "tap", "keys":
        page = opened(viewport=dict(width=375, height=900), has_touch=True)
        if how == "mouse": page.mouse.move(*page.evaluate(at, 24))
        elif how == "tap": page.touchscreen.tap(*page.evaluate(at, 24))
        elif how == "touch":
            touch = page.context.new_cdp_session(page)
            for kind, layers in ("Start", [3]), ("Move", [12]), ("Move", [24]), ("End", []):
                points = [dict(zip("xy", page.evaluate(at, layer))) for layer in layers]
                touch.send("Input.dispatchTouchEvent", dict(type=f"touch{kind}", touchPoints=points))
        else:
            handle = page.get_by_role("slider", name="convolution; arrow keys move it")
            for key in ["Shift+ArrowLeft"] * 2 + ["ArrowLeft"] * 6: handle.press(key)
            page.evaluate(FRAMES)
            assert handle.get_attribute("aria-valuetext") == "24 of 50"
        told.append(said(page))
        assert page.evaluate("there.get()") == DEFAULTS | dict(layer=24)
    assert "The ring is at convolution 24 (32 channels)" in told[0] and len(set(told)) == 1

def test_the_controls(opened):
    page = opened(dict(layer=45))
    depth = page.get_by_role("slider", name="depth")
    depth.press("ArrowLeft")
    assert "(30 convolutions, before training)" in said(page) and "convolution 30 (128 channels)" in said(page)
    depth.press("Home")
    page.get_by_label("show").select_option("with shortcuts")
    page.get_by_label("after 20 batches of training").check()
    assert "(10 convolutions, after 20 batches" in said(page) and "without" not in said(page)
    assert page.get_by_role("columnheader").all_inner_texts() == ["with shortcuts"]
    page.get_by_role("button", name="Step", exact=True).click()
    assert "The ring is at convolution 9 (128 channels)" in said(page)
    assert page.get_by_role("row", name="convolution 9").count() == 1
    assert page.evaluate("there.get()") == dict(depth=10, shown="with", trained=True, layer=9)
    page.get_by_role("button", name="Reset").click()
    assert page.evaluate("there.get()") == DEFAULTS | dict(layer=45)

@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_play_goes_back_from_the_last_convolution_to_the_first(opened, motion):
    page = opened(dict(depth=10, layer=10), reduced_motion=motion)
    page.evaluate("() => { window.seen = []; there.subscribe(({layer}) => seen.push(layer)); }")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("p.status")).to_contain_text("The ring is at convolution 1 (")
    seen = page.evaluate("seen")
    assert seen[-1] == 1 and seen == sorted(seen, reverse=True)
    assert (len(seen) == 1 if motion == "reduce" else len(seen) > 3)

def test_a_missing_record_is_said(opened):
    page = opened(data={"networks": []})
    expect(page.get_by_text("The recorded gradients are missing.")).to_be_visible()

@pytest.mark.parametrize("width", [375, 1000])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_fast(opened, width, scheme):
    pages = {"/": "<!doctype html><html style='color-scheme: light dark'>"}
    page = opened(pages=pages, viewport=dict(width=width, height=900), color_scheme=scheme)
    assert page.locator("section").get_attribute("data-theme") == scheme
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ms = page.evaluate("""async () => { const times = [], frame = () => new Promise(requestAnimationFrame);
        for (let i = 0; i < 20; i++) {
            const t = performance.now();
            there.set({ layer: 1 + i, depth: 50 });
            await frame(); await frame();
            times.push(performance.now() - t);
        }
        return times.sort((a, b) => a - b)[10]; }""")
    assert ms < 100                                              # two frames, and room for a busy machine
