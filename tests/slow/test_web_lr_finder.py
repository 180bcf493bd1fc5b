"The LR-finder reader: what it says is what the ledger has, and mouse, finger and keys put the mark alike."
import math
from statistics import mean

import pytest
from playwright.sync_api import expect

import browser as driver
from miniai.lab.experiments import recorded
from miniai.lab.recorded import range_tests
from miniai.lab.statistics import paired

OPEN = """async ([state, data]) => { const m = await import('http://miniai.test/web/lr_finder.js');
    window.there = m.mount(document.body.appendChild(document.createElement('div')), {id: 'a', state, data}); }"""
CALL = """async ([f, ...given]) => (await import('http://miniai.test/web/core/rangetests.js'))[f](...given)"""

@pytest.fixture(scope="module")
def data(): return range_tests()

def accuracies(name):
    "By rate, what the ledger has for each seed; None where it diverged."
    runs = [run["rows"] for run in recorded(f"lr_trained_{name}")]
    return {rows[0]["lr"]: [row.get("valid_accuracy") for row in rows] for rows in zip(*runs)}

def counted(all): return [.1 if a is None else a for a in all]

def expected(found, rate):
    "Parts of what is said of a rate, from the ledger."
    each, lost = [f"{100 * a:.1f}" for a in found[rate] if a is not None], found[rate].count(None)
    best = max(found, key=lambda r: mean(counted(found[r])))
    d = paired([100 * (top - a) for top, a in zip(counted(found[best]), counted(found[rate]))])
    dead = sum(a is not None and a <= .1 for a in found[rate])
    if lost == 3: said = ["all 3 seeds diverged."]
    elif lost: said = [f"{lost} of 3 seeds diverged; the other"]
    else: said = [f"{100 * mean(found[rate]):.1f} % of the held-out", f"by seed {', '.join(each[:2])} and {each[2]} %."]
    if dead: said += [f" {dead} of 3 no better than chance"]
    if rate == best: return said + ["That is the best of the 13 recorded rates"]
    told = f" ± {d.high - d.mean:.1f}" if d.clear and not dead and not lost else ""
    said += [f"That is {d.mean:.1f}{told} points below the best recorded rate, {best:g} ("]
    return said if dead or lost or d.clear else said + ["but 3 seeds are too few to be sure that it is worse"]

def test_what_training_gave_is_what_the_ledger_has(page, data):
    for network in data["networks"]:
        found = accuracies(network["name"])
        for rate in found:
            mark = dict(network=network["name"], rate=rate)
            words = page.evaluate(CALL, ["words", data, mark | dict(seed=42, curve=False, marks=[mark])])
            parts = expected(found, rate)
            for part in parts: assert part in words, (rate, words)
            assert ("sure that it is worse" in words) == ("sure that it is worse" in parts[-1])

def test_the_readings_are_those_of_the_range_tests(page, data):
    for network in data["networks"]:
        found = accuracies(network["name"])
        best = max(mean(counted(all)) for all in found.values())
        for test in network["tests"]:
            state = dict(network=network["name"], seed=test["seed"], rate=.001, curve=True, marks=[])
            rows = page.evaluate(CALL, ["readings", data, state])
            for (_, rate, accuracy, lost), name in zip(rows, ("steepest", "tenth")):
                near = min(found, key=lambda r: abs(math.log(r / test[name])))
                assert rate.startswith(f"{test[name]:.3g}") and rate.endswith(f"{near:g}")
                lost_seeds = found[near].count(None)
                assert accuracy == (f"{lost_seeds} of 3 diverged" if lost_seeds else f"{100 * mean(found[near]):.1f} %")
                short = 100 * (best - mean(counted(found[near])))
                assert lost == "the best" if short == 0 else lost.startswith(f"{short:.1f}")

def test_what_is_said_after_all_networks_is_what_the_ledger_has(page, data):
    cost = dict(steepest=[], tenth=[])
    for network in data["networks"]:
        found = accuracies(network["name"])
        best = max(mean(counted(all)) for all in found.values())
        for test in network["tests"]:
            for rule, costs in cost.items():
                near = found[min(found, key=lambda r: abs(math.log(r / test[rule])))]
                costs.append((100 * (best - mean(counted(near))), network["label"], min(counted(near)) <= .1))
    marks = [dict(network=network["name"], rate=.01) for network in data["networks"]]
    told = page.evaluate(CALL, ["summary", data, dict(network="mlp", seed=42, rate=.01, curve=True, marks=marks)])
    for costs in cost.values():
        worst, where, _ = max(costs)
        failed = sum(dead for *_, dead in costs) or "none"
        assert f"failed in {failed} of 18 range tests and lost up to {worst:.1f} points ({where})" in told
        assert f" {mean(points for points, *_ in costs):.1f} " in told
    assert "the safer rule is a tenth of the minimum" in told

def test_mouse_finger_and_keys_put_the_mark_alike(browser, data):
    point = """rate => { const canvas = document.querySelector('div').shadowRoot.querySelector('canvas');
        const box = canvas.getBoundingClientRect(), low = Math.log(1e-5 / 1.4), high = Math.log(14);
        return [box.left + 54 + (Math.log(rate) - low) / (high - low) * (box.width - 66), box.top + 60]; }"""
    start, goal = data["rates"].index(.001), len(data["rates"]) // 2
    said = []
    for how in "mouse", "click", "touch", "keys":
        with driver.new_page(browser, viewport=dict(width=400, height=900), has_touch=True) as page:
            page.evaluate(OPEN, [{}, data])
            page.wait_for_timeout(50)
            handle = page.get_by_role("slider", name="learning rate")
            box, to = handle.bounding_box(), page.evaluate(point, data["rates"][goal])
            here = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
            if how == "keys":
                handle.press("Shift+ArrowRight")
                for _ in range(abs(goal - start - 10)): handle.press("ArrowRight" if goal > start + 10 else "ArrowLeft")
            elif how == "click": page.mouse.click(*to)
            elif how == "mouse":
                page.mouse.move(*here)
                page.mouse.down()
                page.mouse.move(*to, steps=4)
                page.mouse.up()
            else:
                touch = page.context.new_cdp_session(page)
                for kind, points in ("Start", [here]), ("Move", [to]), ("End", []):
                    touch.send("Input.dispatchTouchEvent",
                               dict(type=f"touch{kind}", touchPoints=[dict(x=x, y=y) for x, y in points]))
            page.wait_for_timeout(100)
            assert page.evaluate("there.get().rate") == data["rates"][goal], how
            said.append(page.locator("p.status").inner_text())
            assert handle.get_attribute("aria-valuetext") in said[-1]
    assert len(set(said)) == 1

def test_training_shows_what_was_hidden(page, data):
    page.evaluate(OPEN, [dict(network="mlp", rate=.0285), data])
    status, press = page.locator("p.status"), page.get_by_role("button", name="Train at this rate")
    pictures, marks = page.locator("canvas:visible"), page.locator("table:visible", has_text="Your marks so far")
    expect(status).to_contain_text("Train to see what this rate gives.")
    assert pictures.count() == 1 and page.locator("table:visible").count() == 0
    press.press("Enter")
    expect(status).to_contain_text("trained at 0.03, the recorded rate nearest to your 0.0285: 82.0 %")
    expect(marks).to_contain_text("the best")
    assert pictures.count() == 2 and press.evaluate("b => b.getRootNode().activeElement === b")
    expect(page.locator("canvas").nth(1)).to_have_attribute("aria-label", "Held-out accuracy over learning rate. "
        "1×10⁻⁵: 8.8 %; 3×10⁻⁵: 10.7 %; 0.0001: 17.8 %; 0.0003: 39.7 %; 0.001: 65.4 %; 0.003: 74.8 %; 0.01: 81.0 %; "
        "0.03: 82.0 %; 0.1: 79.3 %; 0.3: 15.7 %; 1: 2 of 3 diverged; 3: 3 of 3 diverged; 10: 3 of 3 diverged.")
    page.get_by_label("show all recorded rates").uncheck()
    expect(page.locator("canvas").nth(1)).to_have_attribute("aria-label",
                                                            "Held-out accuracy over learning rate. 0.03: 82.0 %.")
    page.get_by_label("network").select_option("resnet")
    expect(status).to_contain_text("Train to see what this rate gives.")
    assert pictures.count() == 1
    page.get_by_role("combobox", name="range test").select_option("seed 44")
    page.evaluate("there.set({rate: 1.1})")
    press.click()
    expect(status).to_contain_text("1 of 3 seeds diverged; the others: 62.5 and 46.9 %.")
    expect(page.get_by_text("On average over 2 networks")).to_contain_text("points below the best")
    expect(page.get_by_text("On these 6 networks")).to_have_count(0)
    assert page.evaluate("there.get().marks.map(m => m.network)") == ["mlp", "resnet"]
    page.get_by_role("button", name="Reset").click()
    expect(status).to_contain_text("Train to see what this rate gives.")
    assert page.evaluate("there.get()") == dict(network="mlp", seed=42, rate=.02848, marks=[], curve=True)

@pytest.mark.parametrize("width", [375, 1000])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_fast(browser, data, width, scheme):
    with driver.new_page(browser, viewport=dict(width=width, height=900), color_scheme=scheme) as page:
        marks = [dict(network=network["name"], rate=1) for network in data["networks"]]
        page.evaluate(OPEN, [dict(network="resnet", marks=marks), data])
        page.wait_for_timeout(50)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        ms = page.evaluate("""async rates => { const times = [], frame = () => new Promise(requestAnimationFrame);
            for (const rate of rates.slice(0, 20)) {
                const t = performance.now();
                there.set({rate});
                await frame(); await frame();
                times.push(performance.now() - t);
            }
            return times.sort((a, b) => a - b)[10]; }""", data["rates"])
        assert ms < 100                                              # two frames, and room for a busy machine
