"Descend by hand: steps, arrival and the optimizers to beat are the library's; mouse, finger and keys say the same."
import pytest, torch
from playwright.sync_api import expect

import browser as driver
from miniai.lab.surface import SURFACES, arrival, descend
from miniai.optim import SGD

BYHAND = "http://miniai.test/web/core/byhand.js"
OPEN = """async state => { const m = await import('http://miniai.test/web/descend.js');
    window.there = m.mount(document.body.appendChild(document.createElement('div')), {id: 'a', state}); }"""

def rows(path): return torch.tensor(path, dtype=torch.float64)

@pytest.mark.parametrize("kind", SURFACES)
def test_steering_and_arrival_are_the_librarys(page, kind):
    surface, plan = SURFACES[kind](), [(.01, .0), (.02, .5), (.005, .9), (.03, .3)] * 5
    path, arrived = page.evaluate(f"""async ([kind, plan]) => {{ const m = await import('{BYHAND}');
        let s = {{...m.defaults, ...m.begin(kind, 10), way: 'steer'}};
        for (const [rate, momentum] of plan) s = {{...s, ...m.step({{...s, rate, momentum}})}};
        const shares = [.9, .5, .1, .01];
        return [s.path, shares.map(share => m.arrival(m.surfaceOf(s), s.path, share))]; }}""", [kind, plan])
    p = torch.nn.Parameter(torch.tensor(surface.start, dtype=torch.float64))
    opt, ours = SGD([p], lr=1., momentum=1e-300), [p.detach().clone()]            # with 0 it would keep no velocity
    for lr, momentum in plan[:len(path) - 1]:
        opt.param_groups[0].update(lr=lr, momentum=momentum or 1e-300)
        opt.zero_grad()
        surface(p).backward()
        opt.step()
        ours.append(p.detach().clone())
    torch.testing.assert_close(rows(path), torch.stack(ours), rtol=1e-9, atol=1e-9)
    assert arrived == [arrival(surface, rows(path), share) for share in (.9, .5, .1, .01)]

@pytest.mark.parametrize("kind", SURFACES)
def test_the_optimizers_to_beat_are_there_when_they_say(page, kind):
    surface = SURFACES[kind]()
    found = page.evaluate(f"""async kind => {{ const m = await import('{BYHAND}');
        const on = m.surfaceOf({{surface: kind, condition: 10}});
        return m.rivals(on, on.start); }}""", kind)
    for rival in found:
        def sgd(params): return SGD(params, lr=rival["rate"], momentum=rival["momentum"])
        path = descend(surface, sgd, rival["steps"])
        assert arrival(surface, path) == rival["steps"]
        torch.testing.assert_close(rows(rival["path"]), path, rtol=1e-7, atol=1e-9)

def pixel(page, x, y):
    "Where a point of the bowl lies on the page."
    return page.evaluate("""async ([x, y]) => { const m = await import('http://miniai.test/web/core/byhandview.js');
        const {surface} = await import('http://miniai.test/web/core/surfaces.js');
        const box = document.querySelector('div').shadowRoot.querySelector('canvas').getBoundingClientRect();
        const at = m.axesOf(surface('bowl'), box.width);
        return [box.left + at.x(x), box.top + at.y(y)]; }""", [x, y])

def touch(page, *points):
    session = page.context.new_cdp_session(page)
    for kind, place in zip(("Start", *["Move"] * (len(points) - 1)), points):
        session.send("Input.dispatchTouchEvent", dict(type=f"touch{kind}", touchPoints=[dict(x=place[0], y=place[1])]))
    session.send("Input.dispatchTouchEvent", dict(type="touchEnd", touchPoints=[]))

@pytest.mark.parametrize("how", ["mouse", "click", "touch", "tap", "keys"])
def test_the_next_point_by_mouse_finger_and_keys(browser, how):
    with driver.new_page(browser, viewport=dict(width=400, height=1000), has_touch=True) as page:
        page.evaluate(OPEN, dict(next=[-3, .5]))
        page.wait_for_timeout(100)
        ring, start, end = page.get_by_role("slider", name="next point"), pixel(page, -3, .5), pixel(page, -1, 0)
        if how == "keys":
            for _ in range(2): ring.press("Shift+ArrowRight")
            for _ in range(5): ring.press("ArrowDown")
            ring.press("Enter")
        elif how == "mouse":
            page.mouse.move(*start)
            page.mouse.down()
            page.mouse.move(*end, steps=4)
            page.mouse.up()
        elif how == "click": page.mouse.click(*end)
        elif how == "touch": touch(page, start, end)
        else: page.touchscreen.tap(*end)
        if how != "keys": page.get_by_role("button", name="Step", exact=True).click()
        page.wait_for_timeout(100)
        path = page.evaluate("there.get().path")
        assert path[0] == [-4, 1.5] and path[1] == pytest.approx([-1, 0], abs=.04)
        page.evaluate("there.set({path: [[-4, 1.5], there.get().path[1].map(x => Math.round(10 * x) / 10)]})")
        expect(page.locator("p.status")).to_contain_text(
            "Step 1: loss 0.5, 2.6 % of the start's height; gradient (−1, 0).")

def test_a_descent_to_the_end_and_what_python_reads(page):
    page.evaluate(OPEN, dict(next=[-.2, 0]))
    status, step = page.locator("p.status"), page.get_by_role("button", name="Step", exact=True)
    expect(status).to_contain_text("To beat:\nSGD (rate 0.15): 12 steps\n"
                                      "SGD with momentum (rate 0.2, momentum 0.4): 5 steps")
    step.click()
    expect(status).to_contain_text("You are there, in 1 step.\nSGD (rate 0.15): 12 steps")
    expect(step).to_be_disabled()
    expect(page.get_by_text("momentum at its best")).to_be_visible()
    assert not page.get_by_role("slider", name="next point").is_visible()
    path = page.evaluate("there.get().path")
    assert arrival(SURFACES["bowl"](), path) == 1
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("combobox", name="by").select_option("steer")
    page.get_by_role("slider", name="learning rate").fill("30")
    rate = page.evaluate("there.get().rate")
    step.click()
    assert page.evaluate("there.get().path") == [[-4, 1.5], pytest.approx([-4 + 4 * rate, 1.5 - 15 * rate])]
    page.get_by_role("combobox", name="surface").select_option("saddle")
    assert page.evaluate("there.get().path") == [[-1.5, 1e-6]]
    page.get_by_role("slider", name="start x").fill("100")
    assert page.evaluate("there.get().path") == [[2, 1e-6]]

def test_the_keyboard_goes_on_after_the_end_and_the_bottom_is_not_told_before(page):
    page.evaluate(OPEN, dict(next=[-.2, 0]))
    ring = page.get_by_role("slider", name="next point")
    assert ring.get_attribute("aria-valuetext") == "3.8 right, 1.5 down"
    expect(page.get_by_role("slider", name="start x")).to_have_attribute("aria-valuetext", "10 %")
    ring.press("Enter")
    expect(page.get_by_role("button", name="Begin again")).to_be_focused()
    expect(page.get_by_role("slider", name="start x")).to_have_attribute("aria-valuetext", "−4")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Step", exact=True)).to_be_focused()
    assert page.evaluate("there.get().path.length") == 1 and page.evaluate("there.get().seen")

@pytest.mark.parametrize("width", [375, 1000])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_is_fast(browser, width, scheme):
    with driver.new_page(browser, viewport=dict(width=width, height=900), color_scheme=scheme) as page:
        page.evaluate(OPEN, dict(surface="beale", map=True, path=[[.5, -1.5]]))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        ms = page.evaluate("""async () => { const times = [], frame = () => new Promise(requestAnimationFrame);
            for (let i = 0; i < 20; i++) {
                const t = performance.now();
                there.set({next: [i / 10, 0]});
                await frame(); await frame();
                times.push(performance.now() - t);
            }
            return times.sort((a, b) => a - b)[10]; }""")
        assert ms < 100                                              # two frames, and room for a busy machine
