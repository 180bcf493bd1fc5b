"Momentum's plane: its numbers are those of `miniai.optim.SGD`, and mouse, finger and keys say the same."
import pytest, torch
from playwright.sync_api import expect

import browser as driver
from miniai.optim import SGD

KINDS = "heavy", "damped", "nesterov"
PAIRS = [(z, mu) for z in (.02, .3, .9, 1.2) for mu in (.05, .4, .8, .97)]
MODES = "http://miniai.test/web/core/modes.js"
OPEN = """async state => { const m = await import('http://miniai.test/web/momentum.js');
    window.there = m.mount(document.body.appendChild(document.createElement('div')), {id: 'a', state}); }"""

def walk(kind, rate, momentum, curvatures, n_steps):
    "The points that SGD goes through from 1, [n_steps + 1, directions]."
    lr = rate * (1 - momentum) if kind == "damped" else rate
    curvatures = torch.tensor(curvatures, dtype=torch.float64)
    p = torch.nn.Parameter(torch.ones_like(curvatures))
    opt, path = SGD([p], lr=lr, momentum=momentum, nesterov=kind == "nesterov"), [p.detach().clone()]
    for _ in range(n_steps):
        p.grad = curvatures * p.detach()
        opt.step()
        path.append(p.detach().clone())
    return torch.stack(path)

@pytest.mark.parametrize("kind", KINDS)
def test_the_path_is_that_of_SGD(page, kind):
    pairs = [(z / 2.5, mu) for z, mu in PAIRS]
    paths = page.evaluate(f"""async ([kind, pairs]) => {{ const m = await import('{MODES}');
        return pairs.map(([rate, momentum]) => m.path(kind, rate, momentum, [2.5, .1], 300)); }}""", [kind, pairs])
    for (rate, mu), path in zip(pairs, paths):
        ours = walk(kind, rate, mu, [2.5, .1], 300)
        torch.testing.assert_close(torch.tensor(path, dtype=torch.float64), ours, rtol=1e-9, atol=1e-9)

@pytest.mark.parametrize("kind", KINDS)
def test_the_factor_is_the_decay_of_SGD_and_the_matrix_has_these_eigenvalues(page, kind):
    found = page.evaluate(f"""async ([kind, pairs]) => {{ const m = await import('{MODES}');
        return pairs.map(([z, mu]) => [m.factor(kind, z, mu), m.matrix(kind, z, mu, 1), m.eigenvalues(kind, z, mu)]); }}""",
                          [kind, PAIRS])
    for (z, mu), (factor, matrix, pair) in zip(PAIRS, found):
        expected = torch.linalg.eigvals(torch.tensor(matrix, dtype=torch.float64))
        ours = torch.tensor([complex(e["re"], e["im"]) for e in pair])
        assert all((ours - e).abs().min() < 1e-7 for e in expected) and abs(expected.abs().max() - factor) < 1e-7
        n = 200 if factor < .8 else 1000                             # further down there is nothing left in float64
        p = walk(kind, z, mu, [1.], n)[n // 3:, 0]
        size = torch.hypot(p[1:], p[:-1]).log()                      # of two points: never 0 in the middle of a swing
        line = torch.stack([torch.arange(len(size)), torch.ones(len(size))], 1).double()
        slope = torch.linalg.lstsq(line, size[:, None])
        assert abs(slope.solution[0].exp() - factor) < 1e-3 * factor, (z, mu)

def test_mouse_finger_and_keys_move_the_point_alike(browser):
    def at(z, mu): return f"""() => {{
        const box = document.querySelector('div').shadowRoot.querySelector('canvas').getBoundingClientRect();
        return [box.left + 58 + {z} / 4 * (box.width - 72), box.top + 10 + (1 - {mu}) * (box.height - 50)]; }}"""
    said = []
    for how in "mouse", "touch", "click", "tap", "keys":
        with driver.new_page(browser, viewport=dict(width=400, height=900), has_touch=True) as page:
            page.evaluate(OPEN, {})
            handle, status = page.get_by_role("slider", name="rate and momentum"), page.locator("p.status")
            if how == "keys":
                for _ in range(5): handle.press("Shift+ArrowRight")
                for _ in range(2): handle.press("Shift+ArrowDown")
            else:
                page.wait_for_timeout(50)
                start, end = page.evaluate(at(.5, .6)), page.evaluate(at(1, .4))
                if how == "click": page.mouse.click(*end)
                elif how == "tap": page.touchscreen.tap(*end)
                elif how == "mouse":
                    page.mouse.move(*start)
                    page.mouse.down()
                    page.mouse.move(*end, steps=4)
                    page.mouse.up()
                else:
                    touch = page.context.new_cdp_session(page)
                    for kind, points in ("Start", [start]), ("Move", [end]), ("End", []):
                        touch.send("Input.dispatchTouchEvent",
                                   dict(type=f"touch{kind}", touchPoints=[dict(x=x, y=y) for x, y in points]))
            page.wait_for_timeout(100)
            state = page.evaluate("there.get()")
            assert abs(state["rate"] - 1) < .011 and abs(state["momentum"] - .4) < .006
            page.evaluate("""() => { const near = x => Math.round(x * 50) / 50, {rate, momentum} = there.get();
                there.set({rate: near(rate), momentum: near(momentum)}); }""")
            expect(status).to_contain_text("Rate 1 and momentum 0.4: it swings (complex)")
            said.append(status.inner_text())
    assert len(set(said)) == 1

def test_the_controls(page):
    page.evaluate(OPEN, {})
    page.get_by_role("button", name="Best momentum at this rate").click()
    expect(page.locator("p.status")).to_contain_text("the border of no swing")
    page.get_by_role("button", name="Best of all").click()
    expect(page.get_by_text("loss: 0 from step 1")).to_be_visible()
    page.evaluate("there.set({rate: 5})")
    expect(page.get_by_role("button", name="Best momentum at this rate")).to_be_disabled()
    expect(page.locator("p.status")).to_contain_text("No momentum settles at this rate.")
    page.get_by_role("slider", name="condition").fill("10")
    page.get_by_role("button", name="Best of all").click()
    condition = page.evaluate("there.get().condition")
    assert page.evaluate("there.get().momentum") == pytest.approx(((condition**.5 - 1) / (condition**.5 + 1))**2)
    page.get_by_label("velocity").select_option("damped")
    expect(page.locator("pre")).to_contain_text("(1 − μ)")
    page.get_by_role("button", name="Reset").click()
    assert page.evaluate("there.get()") == dict(kind="heavy", rate=.5, momentum=.6, curvature=1, condition=1)

@pytest.mark.parametrize("width", [375, 1000])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_fast(browser, width, scheme):
    with driver.new_page(browser, viewport=dict(width=width, height=900), color_scheme=scheme) as page:
        page.evaluate(OPEN, dict(condition=25, rate=5))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert "diverges" in page.locator("p.status").inner_text()
        ms = page.evaluate("""async () => { const times = [], frame = () => new Promise(requestAnimationFrame);
            for (let i = 0; i < 20; i++) {
                const t = performance.now();
                there.set({rate: .1 + i / 50});
                await frame(); await frame();
                times.push(performance.now() - t);
            }
            return times.sort((a, b) => a - b)[10]; }""")
        assert ms < 100                                              # two frames, and room for a busy machine
