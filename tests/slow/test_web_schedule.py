"The schedule designer: the Python that it shows makes the curves that it draws; presets are the classes they name."
from random import Random

import pytest
import torch

import browser as driver
from miniai import sched

DESIGN, WEB = "http://miniai.test/web/core/design.js", "http://miniai.test/web/schedule.js"
MOUNT = f"""async (state) => {{ const m = await import('{WEB}');
  window.designer = m.mount(document.body.appendChild(document.createElement('div')), {{ state }}); }}"""
CURVES = f"""async ([design, n]) => {{ const m = await import('{DESIGN}'), own = m.clean(design);
  const {{ lr, momentum }} = m.curves(own), ts = Array.from({{ length: n }}, (_, i) => i / (n - 1));
  return [m.code(own), ts, ts.map(lr), ts.map(momentum), own]; }}"""
REST = dict(peak=.1, steps=300)
PRESETS = ["1cycle (OneCycleLR)", "1cycle (one_cycle)", "cosine (CosineAnnealingLR)", "warm-up + cosine",
           "warm-up, stable, decay (WSD)", "steps (StepLR)", "restarts (CosineAnnealingWarmRestarts)"]

def preset(page, name):
    shape, names = page.evaluate(f"async (name) => {{ const {{ PRESETS }} = await import('{DESIGN}');"
                                 " return [PRESETS[name], Object.keys(PRESETS)]; }", name)
    assert names == PRESETS
    return REST | shape

def drawn(seed):
    "A design with all kinds of pieces, flat ones, and heights from 0 to the peak."
    r = Random(seed)
    height = lambda: r.choice([0, 1, r.random(), 10**r.uniform(-6, 0)])
    pieces = [dict(kind=r.choice(["linear", "hold", "cosine", "exponential", "polynomial", "step", "restarts"]),
                   share=r.random(), end=height(), power=r.choice([.5, 1, 1.5, 2, 3]), times=r.randint(1, 5))
              for _ in range(r.randint(1, 8))]
    return dict(start=height(), pieces=pieces, peak=10**r.uniform(-5, 1), cycle=r.random() < .8,
                high=r.uniform(.8, .99), low=r.uniform(.01, .8), steps=r.randint(10, 1000))

def optimizer(lr): return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=lr, momentum=.9)

def run(code):
    names = {}
    exec(code, names)
    return names

def same(page, design):
    code, ts, rates, momenta, own = page.evaluate(CURVES, [design, 1000])
    names = run(code)
    peak = own["peak"]
    assert (names["base_lr"], names["total_steps"]) == (peak, own["steps"])
    for t, rate, momentum in zip(ts, rates, momenta):
        assert abs(peak * names["lr"](t) - rate) <= 1e-9 * peak and abs(names["momentum"](t) - momentum) <= 1e-9, code

@pytest.mark.parametrize("name", PRESETS)
def test_the_code_of_a_preset_makes_its_curves(page, name): same(page, preset(page, name))

def test_the_code_of_any_design_makes_its_curves(page):
    for seed in range(60): same(page, drawn(seed))

def test_the_last_piece_ends_with_the_run(page):
    "0.7 + 0.2 + 0.1 is a little less than 1, and what is left of the time has no root below 0."
    kinds, shares = ["linear", "hold", "polynomial"], [.7, .2, .1]
    pieces = [dict(kind=kind, share=share, end=.3, power=.5, times=1) for kind, share in zip(kinds, shares)]
    same(page, REST | dict(start=0, pieces=pieces, cycle=True, high=.95, low=.85))

@pytest.mark.parametrize("name", PRESETS)
def test_the_code_sets_an_optimizer(page, name):
    code, _, rates, momenta, own = page.evaluate(CURVES, [preset(page, name), 301])
    opt = optimizer(own["peak"])
    schedule = run(code)["schedule"].sched_func(opt)
    for rate, momentum in zip(rates[:-1], momenta):
        group = opt.param_groups[0]
        assert abs(group["lr"] - rate) <= 1e-9 * own["peak"] and abs(group["momentum"] - momentum) <= 1e-9
        opt.step(), schedule.step()

CLASSES = {
    "1cycle (OneCycleLR)":       # ends in the batch `total_steps - 1`; the warm-up is a batch shorter than pct_start
        lambda opt: sched.OneCycleLR(opt, .1, total_steps=301, pct_start=(.3 * 300 + 1) / 301),
    "1cycle (one_cycle)": lambda opt: sched.ScheduleLR(opt, 300, *sched.one_cycle()),
    "cosine (CosineAnnealingLR)": lambda opt: sched.CosineAnnealingLR(opt, T_max=300),
    "steps (StepLR)": lambda opt: sched.StepLR(opt, step_size=100),
    "restarts (CosineAnnealingWarmRestarts)": lambda opt: sched.CosineAnnealingWarmRestarts(opt, T_0=75)}

@pytest.mark.parametrize("name", CLASSES)
def test_a_preset_is_the_class_that_it_names(page, name):
    _, _, rates, momenta, own = page.evaluate(CURVES, [preset(page, name), 301])
    scheduler = CLASSES[name](optimizer(own["peak"]))
    for x in range(300):
        assert abs(scheduler.lr_at(x, 0) - rates[x]) < 1e-10, x
        momentum = scheduler.momentum_at(x, 0) if scheduler.momentum_at else .9
        assert abs(momentum - momenta[x]) < 1e-10, x

SAID = "p.status"

def mounted(page, **state):
    page.evaluate(MOUNT, state)
    page.wait_for_function("document.querySelector('div').shadowRoot.querySelector('canvas').width > 300")
    return lambda: page.locator(SAID).inner_text()

def state(page): return page.evaluate("designer.get()")
def settled(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

def by_mouse(page, x, y, to_x, to_y):
    page.mouse.move(x, y), page.mouse.down(), page.mouse.move(to_x, to_y, steps=5), page.mouse.up()

def by_touch(page, x, y, to_x, to_y):
    touch = page.context.new_cdp_session(page)
    send = lambda kind, points: touch.send("Input.dispatchTouchEvent", dict(type=kind, touchPoints=points))
    send("touchStart", [dict(x=x, y=y)])
    for i in range(1, 6): send("touchMove", [dict(x=x + (to_x - x) * i / 5, y=y + (to_y - y) * i / 5)])
    send("touchEnd", [])

def centre(locator):
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

def moved(page, way):
    "The peak of 1cycle, 10 % later and 20 % lower: what the designer says then."
    said, handle = mounted(page), page.get_by_label("end of piece 1;")
    if way == "keys":
        handle.focus()
        for key in ["Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowDown"]: page.keyboard.press(key)
    else:
        x, y = centre(handle)
        left, right = (centre(page.get_by_label(name))[0] for name in ("first rate;", "end of piece 2;"))
        bottom, top = centre(page.get_by_label("end of piece 2;"))[1], y
        way(page, x, y, x + (right - left) / 10, y + (bottom - top) / 5)
    settled(page)
    return said()

def test_a_boundary_is_dragged_by_mouse_finger_and_keys(browser):
    said = []
    for way in (by_mouse, by_touch, "keys"):
        with driver.new_page(browser, has_touch=True, viewport=dict(width=1000, height=1400)) as page:
            said.append(moved(page, way))
            assert [(p["share"], p["end"]) for p in state(page)["pieces"]] == [(.4, .8), (.6, 4e-6)]
    assert said[0] == said[1] == said[2]
    assert "is highest (0.08) at 40 % of the run" in said[0]

def test_pieces_are_reordered_by_mouse_finger_and_keys(browser):
    for way in (by_mouse, by_touch, "keys"):
        with driver.new_page(browser, has_touch=True, viewport=dict(width=1000, height=1400)) as page:
            said = mounted(page)
            if way == "keys":
                page.get_by_role("group", name="piece 2").get_by_role("button", name="Up").focus()
                page.keyboard.press("Enter")
            else:
                first, second = (page.get_by_role("group", name=f"piece {i}").locator(".grip") for i in (1, 2))
                way(page, *centre(second), *centre(first))
            settled(page)
            assert [p["share"] for p in state(page)["pieces"]] == [.7, .3]
            assert "is highest (0.1) at 70 % of the run" not in said() and "at 100 % of the run" in said()
            focused = page.evaluate("document.querySelector('div').shadowRoot.activeElement?.textContent")
            assert way != "keys" or focused == "Down"

def test_pieces_are_added_changed_and_removed_by_name(page):
    said = mounted(page)
    page.get_by_label("start from").select_option("cosine (CosineAnnealingLR)")
    page.get_by_role("button", name="Add a warm-up").click()
    page.get_by_label("shape of piece 2").select_option("polynomial")
    settled(page)
    piece = lambda i: page.get_by_role("group", name=f"piece {i}")
    piece(2).get_by_label("power").fill("3")
    piece(1).get_by_label("share").fill("0.25")
    settled(page)
    code = page.locator("pre").inner_text()
    assert "shares = [0.25, 0.75]" in code and "lr = combine(shares, [linear(0, 1), polynomial(1, 0, 3)])" in code
    assert code.strip() == page.evaluate(CURVES, [state(page), 2])[0].strip()
    assert "at 25 % of the run" in said() and page.get_by_label("start from").input_value() == ""
    piece(1).get_by_role("button", name="Remove").click()
    settled(page)
    assert [p["share"] for p in state(page)["pieces"]] == [1] and piece(1).get_by_label("share").is_disabled()
    assert piece(1).get_by_label("share").evaluate("node => node.getAttribute('aria-valuetext')") == "1 of the run"
    page.get_by_role("button", name="Reset").click()
    settled(page)
    assert page.get_by_label("start from").input_value() == "1cycle (OneCycleLR)"

def test_it_fits_a_telephone(browser):
    with driver.new_page(browser, viewport=dict(width=375, height=800)) as page:
        mounted(page, pieces=[dict(kind="polynomial", share=1, end=i % 2, power=2, times=2) for i in range(8)])
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        small = page.evaluate("""() => [...document.querySelector('div').shadowRoot
            .querySelectorAll('button, select, input, .grip')].filter((e) => e.offsetParent && e.type !== 'checkbox'
                && e.getBoundingClientRect().height < 28).map((e) => e.outerHTML)""")
        assert small == []

def test_your_own_can_be_chosen_only_while_it_is(page):
    mounted(page)
    own = page.get_by_label("start from").locator("option").first
    assert own.is_disabled()
    page.get_by_label("falls where the rate rises").uncheck()
    settled(page)
    assert own.is_enabled() and page.get_by_label("start from").input_value() == ""

def test_on_a_logarithmic_axis_0_is_below_all_other_rates(page):
    mounted(page, start=0, log=True)
    y = lambda: centre(page.get_by_label("first rate;"))[1]
    nothing = y()
    page.evaluate("designer.set({ start: 1e-6 })")
    settled(page)
    assert nothing - y() > 8

@pytest.mark.parametrize("width", [375, 600, 900])
def test_buttons_of_all_pieces_stand_in_one_column(browser, width):
    kinds = ["linear", "hold", "polynomial", "restarts", "step", "cosine", "exponential"]
    with driver.new_page(browser, viewport=dict(width=width, height=900)) as page:
        mounted(page, pieces=[dict(kind=kind, share=.1, end=1.2e-6, power=2.5, times=8) for kind in kinds])
        rows = [page.get_by_role("group", name=f"piece {i + 1}").bounding_box() for i in range(len(kinds))]
        moves = [node.bounding_box() for node in page.locator(".moves").all()]
        assert len({move["x"] for move in moves}) == 1
        assert width < 900 or len({round(move["y"] - row["y"], 3) for move, row in zip(moves, rows)}) == 1
        wide = "nodes => nodes.filter(n => n.scrollWidth > n.clientWidth + 1).map(n => n.textContent)"
        assert page.locator(".piece .slider > span").evaluate_all(wide) == []

def test_long_code_wraps_and_is_copied_as_it_is(browser):
    with driver.new_page(browser, viewport=dict(width=375, height=800)) as page:
        mounted(page)
        code = page.locator("pre")
        assert code.evaluate("node => node.scrollWidth <= node.clientWidth")
        lines = code.inner_text().strip().splitlines()
        assert lines == page.evaluate(CURVES, [state(page), 2])[0].strip().splitlines()
