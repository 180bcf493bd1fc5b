"The browser fixture itself: it serves `web/`, and a page's errors and requests are failures."
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
