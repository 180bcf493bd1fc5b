"The browser fixture itself: it serves `web/`, and a page's errors and requests are failures."
from urllib.parse import quote

import pytest

import browser as driver

def test_it_imports_the_sources(page):
    assert page.evaluate("async () => Object.keys(await import('http://miniai.test/web/core/random.js'))")

@pytest.mark.parametrize("script, said", [("console.error('no')", "no"),
                                          ("fetch('http://elsewhere.test/').catch(() => 0)", "elsewhere"),
                                          ("setTimeout(() => { throw Error('late') })", "late")])
def test_what_goes_wrong_fails(browser, script, said):
    with pytest.raises(AssertionError, match=said):
        with driver.new_page(browser) as page:
            page.evaluate(f"() => {{ {script} }}")
            page.wait_for_timeout(100)

MOUNT = """async ([name, id, state]) => {
    const { mount } = await import(`http://miniai.test/web/${name}.js`);
    globalThis.handle = mount(document.body.appendChild(document.createElement("div")), { id, state });
    return handle.get();
}"""

def test_an_output_that_is_made_anew_keeps_its_state(page):
    opens = page.evaluate(MOUNT, ["momentum", "a", {}])
    page.evaluate("handle.set({ rate: 2 }), document.body.replaceChildren()")
    assert page.evaluate(MOUNT, ["momentum", "a", {}]) == opens | dict(rate=2)
    assert page.evaluate(MOUNT, ["momentum", "b", {}]) == opens

@pytest.mark.parametrize("name, held", [
    ("schedule", '{"pieces":[{"kind":["step"],"share":1,"end":0}]}'), ("schedule", '{"pieces":null,"peak":"x"}'),
    ("playground", '{"optimizers":null,"start":[1e999,{}],"step":-5}'), ("descend", '{"path":null,"velocities":[[1]]}'),
    ("momentum", '{"rate":1e9,"kind":"<img onerror=alert(1)>"}'), ("momentum", "{"), ("descend", "[[[[[[]]]]]]")])
def test_a_link_can_hold_anything(page, name, held):
    page.goto(f"{driver.HOST}/#miniai-{name}={quote(held)}")
    page.reload()
    page.evaluate(MOUNT, [name, "here", {}])
    assert page.locator(".status").first.inner_text()

def test_reset_ends_the_play(page):
    opens = page.evaluate(MOUNT, ["playground", "here", {}])
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("handle.get().step > 12")
    page.get_by_role("button", name="Reset").click()
    page.wait_for_timeout(300)
    assert page.evaluate("handle.get()") == opens
