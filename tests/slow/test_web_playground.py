"The playground in a browser: the same numbers as the library's, and all of it by mouse, touch and keys."
import pytest
import torch

import browser as driver
from miniai import optim
from miniai.lab.surface import SURFACES, arrival, descend

MOUNT = """async ([state, data]) => {
    const { mount } = await import("http://miniai.test/web/playground.js");
    globalThis.handle = mount(document.body.appendChild(document.createElement("div")), { id: "here", state, data });
    await new Promise(requestAnimationFrame);
}"""

def show(page, data=None, **state):
    page.evaluate(MOUNT, [state, data])
    return page.locator(".status")

def verdict(surface, path, n_steps):
    "How a descent ended, in words."
    first, last = (surface(p).item() for p in (path[0], path[-1]))
    there = arrival(surface, path)
    if len(path) <= n_steps: return f"diverged: no finite number after step {len(path) - 1}"
    if not last <= first: return f"climbed: loss {last:.3g} after {n_steps} steps, from {first:.3g}"
    return f"loss {last:.3g} after {n_steps} steps; " + ("not there yet" if there is None else f"there at step {there}")

def settle(page): page.evaluate("new Promise(requestAnimationFrame)")

def surfaces(page): return page.get_by_role("combobox", name="surface")

def state(page): return page.evaluate("handle.get()")

def pixels(page):
    "How many pixels a unit is."
    where = "handle.set({ start: [%s, 0] }), new Promise(done => requestAnimationFrame(() => done(%s)))"
    left = "parseFloat(getComputedStyle(document.querySelector('div').shadowRoot.querySelector('.handle')).left)"
    a, b = (page.evaluate(where % (x, left)) for x in (0, 1))
    page.evaluate("handle.set({ start: null })")
    return b - a

def centre(ring):
    box = ring.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

def by_mouse(page, ring, x, y, right, down):
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right / 2, y + down)
    page.mouse.move(x + right, y + down)
    page.mouse.up()

def by_touch(page, ring, x, y, right, down):
    cdp = page.context.new_cdp_session(page)
    for kind, *at in (("touchStart", x, y), ("touchMove", x + right / 2, y), ("touchMove", x + right, y + down)):
        cdp.send("Input.dispatchTouchEvent", dict(type=kind, touchPoints=[dict(x=at[0], y=at[1])]))
    cdp.send("Input.dispatchTouchEvent", dict(type="touchEnd", touchPoints=[]))

def by_keys(page, ring, x, y, right, down):
    for key, times in (("Shift+ArrowRight", 4), ("Shift+ArrowDown", 1), ("ArrowDown", 10)):
        for _ in range(times): ring.press(key)

@pytest.mark.parametrize("drag", [by_mouse, by_touch, by_keys])
def test_the_start_is_dragged(browser, drag):
    with driver.new_page(browser, has_touch=True) as page:
        status, ring = show(page, condition=10., optimizers=["SGD"], step=0), page.get_by_role("slider", name="start")
        unit = pixels(page)
        ring.scroll_into_view_if_needed()
        settle(page)
        drag(page, ring, *centre(ring), 2 * unit, unit)
        page.wait_for_function("JSON.stringify(handle.get().start) === '[-2,0.5]'")
        settle(page)
        said = "Step 0 of 100: SGD’s loss is 3.25.\nSGD is at 1 % of the starting height or lower from step "
        assert status.inner_text().startswith(said)
        assert ring.get_attribute("aria-valuetext") == "x −2, y 0.5; loss 3.25"

def click_at(page, x, y): page.mouse.click(x, y)

def tap_at(page, x, y): page.touchscreen.tap(x, y)

@pytest.mark.parametrize("press", [click_at, tap_at])
def test_a_click_or_tap_on_the_map_starts_there(browser, press):
    with driver.new_page(browser, has_touch=True) as page:
        status = show(page, condition=10., optimizers=["SGD"], step=0)
        ring, unit = page.get_by_role("slider", name="start"), pixels(page)
        settle(page)
        x, y = centre(ring)
        press(page, x + 2 * unit, y + unit)
        page.wait_for_function("Math.hypot(handle.get().start?.[0] + 2, handle.get().start?.[1] - .5) < .03")
        was = state(page)["start"]
        press(page, x - 1.5 * unit, y)     # beside the map
        by_touch(page, ring, x + 3 * unit, y + unit, 0, 60)     # scrolls
        settle(page)
        assert state(page)["start"] == was and status.inner_text().startswith("Step 0 of 100: SGD’s loss is 3.")

def test_nobody_races(page):
    status = show(page, optimizers=["none"] * 3)
    assert status.inner_text() == "Choose an optimizer."
    controls = page.locator(".player button, .player input")
    assert controls.evaluate_all("all => all.map(control => control.disabled)") == [True] * 4
    assert not page.evaluate("""() => {
        const canvas = document.querySelector("div").shadowRoot.querySelectorAll("canvas")[1];
        return canvas.getContext("2d").getImageData(0, 0, 60, canvas.height).data.some(v => v > 0);
    }"""), "no numbers beside the frame"
    page.get_by_role("combobox", name="optimizer").first.select_option("SGD")
    settle(page)
    assert page.get_by_role("button", name="Play").is_enabled()

def test_whose_arrows(page):
    show(page)
    arrows = page.get_by_role("combobox", name="arrows of")
    note = page.locator(".note", has_text="against the gradient")
    assert arrows.locator("option:enabled").all_inner_texts() == ["none", "SGD", "momentum"]
    assert arrows.input_value() == "2" and "−v" in note.inner_text()
    arrows.select_option("SGD")
    settle(page)
    assert state(page)["arrows"] == 1 and "−v" not in note.inner_text()
    arrows.select_option("none")
    settle(page)
    assert note.count() == 0

@pytest.mark.parametrize("scheme, word", [("light", "Lighter"), ("dark", "Darker")])
def test_the_grey_is_said(browser, scheme, word):
    html = f"<!doctype html><style>html {{ background: {'#fff' if scheme == 'light' else '#111'} }}</style>"
    with driver.new_page(browser, {"/here": html}) as page:
        page.goto(driver.HOST + "/here")
        show(page)
        assert f"{word} is lower." in page.locator("section").inner_text()

RATES = {"SGD": (.001, .02, .2, 1.), "Adam": (.02, .5), "Lion": (.05,)}
RACES = [(kind, name, lr) for kind in SURFACES for name, rates in RATES.items() for lr in rates]

def test_it_ends_as_the_librarys_descent_does(page):
    script = """async (races) => {
        const { DEFAULTS, clean, ending, race, verdict } = await import("http://miniai.test/web/core/race.js");
        return races.map(([surface, name, lr]) => {
            const { runs: [run] } = race(clean({ ...DEFAULTS, surface, condition: 10, optimizers: [{ name, lr }] }));
            return [run.points, ending(run.losses, 100)];
        });
    }"""
    said = set()
    for (kind, name, lr), (points, end) in zip(RACES, page.evaluate(script, RACES), strict=True):
        surface = SURFACES[kind]()
        path = descend(surface, lambda p: getattr(optim, name)(p, lr=lr))
        words, there = verdict(surface, path, 100), arrival(surface, path)
        ends = "away" if there is None else "arrived"
        how = next((how for how in ("diverged", "climbed") if words.startswith(how)), ends)
        assert end == dict(how=how, step=len(path) - 1 if how == "diverged" else there), (kind, name, lr, words)
        torch.testing.assert_close(torch.tensor(points, dtype=torch.float64)[:50], path[:50], rtol=1e-6, atol=1e-8)
        said.add(how)
    assert said == {"diverged", "climbed", "arrived", "away"}

def test_the_condition_keeps_the_start_and_the_walk_by_hand(page):
    status = show(page, dict(hand=dict(surface="bowl", path=[[-4, 1], [0, .2]])), start=[2., 1.], condition=10.)
    assert "The walk by hand is not there yet: loss 0.2 after 1 step." in status.inner_text()
    for _ in range(7): page.get_by_label("condition number").press("ArrowRight")
    page.wait_for_function("handle.get().condition === 50")
    settle(page)
    assert state(page)["start"] == [2, 1]
    assert "The walk by hand is not there yet: loss 1 after 1 step." in status.inner_text()
    assert page.locator(".legend li").all_inner_texts() == ["by hand", "SGD", "momentum"]
    surfaces(page).select_option("beale")
    settle(page)
    assert "by hand" not in status.inner_text() and page.get_by_label("condition number").is_disabled()
    assert state(page)["start"] is None

def test_muon_leads_to_the_matrix_problem(page):
    status = show(page)
    third = page.get_by_role("combobox", name="optimizer").nth(2)
    third.select_option("Muon")
    settle(page)
    assert surfaces(page).input_value() == "matrix" and "Muon’s is" in status.inner_text()
    assert "only a matrix has these" in page.locator("section").inner_text()
    surfaces(page).select_option("bowl")
    settle(page)
    assert third.input_value() == "none" and "Muon" not in status.inner_text()

def test_each_optimizer_has_its_own_sliders(page):
    show(page, optimizers=["SGD"])
    panel, sliders = page.locator("fieldset").nth(1), {}
    for name in panel.locator("option").all_inner_texts():
        panel.get_by_role("combobox").select_option(name)
        settle(page)
        if state(page)["surface"] != "bowl": surfaces(page).select_option("matrix")
        sliders[name] = panel.locator(".slider > span:first-child").all_inner_texts()
    knobs = {name: [knob.split("\n")[0] for knob in found] for name, found in sliders.items()}
    assert knobs["SGD"] == ["learning rate"] and knobs["none"] == [] and len(knobs) == 13
    assert knobs["momentum"] == knobs["momentum (average)"] == knobs["Nesterov"] == ["learning rate", "momentum μ"]
    assert knobs["AdamW"] == ["learning rate", "β₁", "β₂", "weight decay"]

def test_every_control_changes_what_is_said(page):
    status = show(page, noise=1.)
    labels = "learning rate", "momentum μ", "number of steps", "gradient noise", "condition number", "step"
    for label in labels:
        before = status.inner_text()
        page.get_by_role("slider", name=label).last.press("ArrowRight")
        settle(page)
        assert status.inner_text() != before, label
    before = status.inner_text()
    page.get_by_role("button", name="Fresh noise").click()
    settle(page)
    assert status.inner_text() != before and "Seed 2." in page.locator("section").inner_text()

def test_play_step_scrub_and_reset(page):
    status = show(page, steps=20, step=18)
    def click(name, then):
        page.get_by_role("button", name=name, exact=True).click()
        page.wait_for_function(f"handle.get().step === {then}")
    click("Step back", 17)
    click("Step", 18)
    click("Play", 20)
    page.locator(".player input").fill("3")
    settle(page)
    assert status.inner_text().startswith("Step 3 of 20: ")
    first = page.locator("li", has_text="SGD: at")
    assert "gradient (" in first.inner_text() and "step (" in first.inner_text()
    click("Reset", 18)

def test_nothing_moves_by_itself_where_motion_is_reduced(browser):
    with driver.new_page(browser, reduced_motion="reduce") as page:
        show(page, step=0)
        page.get_by_role("button", name="Play").click()
        assert state(page)["step"] == 100

def test_a_link_holds_the_state(page):
    shown = show(page, surface="beale", optimizers=["Adam", "Lion"], start=[1., -1.], noise=.5, step=3).inner_text()
    links = []                                                 # a page without https has no clipboard: it asks
    page.on("dialog", lambda dialog: (links.append(dialog.default_value), dialog.dismiss()))
    page.get_by_role("button", name="Copy link").click()
    page.goto("about:blank")
    page.goto(links[0])
    assert show(page).inner_text() == shown

@pytest.mark.parametrize("width", [375, 1280])
def test_it_fits_the_window(browser, width):
    with driver.new_page(browser, viewport=dict(width=width, height=800)) as page:
        show(page, surface="matrix", optimizers=["AdamW", "Muon", "momentum (average)"])
        assert page.evaluate("document.documentElement.scrollWidth") == width
        heights = page.locator("button, select, input[type=range]").evaluate_all("all => all.map(e => e.offsetHeight)")
        assert min(heights) >= 28

FRAMES = """async () => {
    const ring = document.querySelector("div").shadowRoot.querySelector(".handle"), box = ring.getBoundingClientRect();
    ring.hasPointerCapture = () => true;
    for (let i = 0; i < 60; i++) {
        const [clientX, clientY] = [box.x + 15 + 2 * i, box.y + 14 + i % 3];
        ring.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY }));
        await new Promise(requestAnimationFrame);
    }
}"""

def test_a_drag_redraws_within_a_frame(page):
    "Time of the main thread: handlers, the race, style, layout and paint. What else the machine does is left out."
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable", dict(timeDomain="threadTicks"))
    def spent():
        metrics = {m["name"]: m["value"] for m in cdp.send("Performance.getMetrics")["metrics"]}
        return metrics["TaskDuration"] * 1e3
    before = spent()
    show(page, optimizers=["SGD", "momentum", "Adam"], steps=300)
    assert spent() - before < 2 * 200
    page.evaluate(FRAMES)
    before = spent()
    page.evaluate(FRAMES)
    assert (spent() - before) / 60 < 2 * 16
