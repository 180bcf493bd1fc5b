"benchmarks/: what its scripts share, and how they end. No script is run here; tests/slow/test_benchmark_scripts.py does."
import json, sys
from types import SimpleNamespace

import pytest
from conftest import ROOT

FOLDER = ROOT / "benchmarks"

@pytest.fixture
def common(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import common
    return common

@pytest.fixture
def run_module(common):
    import run
    return run

def test_recipe_ends_by_its_bounds(tmp_path, common, monkeypatch):
    "The accuracy counts as the time does. Training is put in for: the fast path has 92 %, the other 93."
    import recipe
    monkeypatch.setattr(recipe, "fast", lambda model, device, o: .92)
    monkeypatch.setattr(recipe, "lesson", lambda model, folder, transform, device, o: .93)
    monkeypatch.setattr(recipe, "timed", lambda way, model, seed: (30 if way(model) == .93 else 10, way(model)))
    monkeypatch.setenv("MINIAI_TIER", "smoke")
    for points, at_least, missed in (1.01, 2.9, False), (.99, 2.9, True), (2, 3.1, True):
        bounds = "--points", str(points), "--at-least", str(at_least)
        monkeypatch.setattr(sys, "argv", ["recipe.py", "--quick", "--threads", "1", *bounds])
        assert recipe.main() is missed, bounds

def test_scaling_fits_lines(common):
    import scaling
    a, b = scaling.line([1, 2, 4, 64], [3 + 2 * n for n in (1, 2, 4, 64)])
    assert abs(a - 3) < 1e-9 and abs(b - 2) < 1e-9
    assert scaling.fits(1) or common.memory_bytes() < 2**31
    assert not scaling.fits(10**6) or not common.memory_bytes()

def test_turns(common):
    order = []
    def contestant(name): return lambda: order.append(name) or len(order)
    results = common.in_turns({name: contestant(name) for name in "abc"}, 4)
    assert "".join(order) == "abcbcacababc" and results["a"] == [1, 6, 8, 10]

def test_paired(common):
    assert common.paired([2, 6, 3, 40, 5], [1, 2, 3, 4, 5]) == (2, 1, 3)
    with pytest.raises(ValueError): common.paired([1, 2], [1])

@pytest.mark.parametrize("seconds, text", [(1234, "1234 s"), (12.34, "12.3 s"), (.9996, "1.00 s"), (.5, "500 ms"),
                                           (9.996e-3, "10.0 ms"), (1.5e-6, "1.50 µs"), (2e-8, "0.02 µs")])
def test_shown(common, seconds, text): assert common.shown(seconds) == text

@pytest.mark.parametrize("bounds, missed, asked", [
    ({}, False, ""), (dict(at_least=2.), False, "at least 2"), (dict(at_least=2.1), True, "at least 2.1"),
    (dict(at_most=2.), False, "at most 2"), (dict(at_most=1.9), True, "at most 1.9")])
def test_bounds(common, capsys, tmp_path, bounds, missed, asked):
    row = common.Row("w", "o", "p", "t", 2., "× as fast", 3, **bounds)
    assert row.missed is missed and row.asked == asked
    for file in None, tmp_path / "o.json":
        assert common.end(SimpleNamespace(json=file), dict(torch="1"), [row], [1]) is missed
        assert ("asked" in capsys.readouterr().out) is bool(bounds)
    assert common.Row(**json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))["rows"][0]) == row

def test_a_bound_is_not_reached_by_no_number(common):
    assert common.Row("w", "o", "p", "t", float("nan"), "", 3, 1.).missed

def test_ratios(common):
    fast, slow = common.faster("w", 2., "p", 5., 3), common.takes("w", 2., "p", 5., 3)
    assert (fast.result, slow.result) == ("2.50× as fast", "0.40× the time") and fast.theirs == "5.00 s"
    assert common.Row("w", "", "p", "", .25, " points", 1).result == "+0.25 points"

def test_every_script_is_run(run_module):
    "All but the two that are no comparisons; each tells what it does and how to run it."
    assert {"augment", "data_pipeline", "loop_overhead", "optim_step", "recipe", "scaling"} <= set(run_module.SCRIPTS)
    assert {f.stem for f in FOLDER.glob("*.py")} - set(run_module.SCRIPTS) == {"common", "run"}
    for name in run_module.SCRIPTS: assert f"python benchmarks/{name}.py" in (FOLDER / f"{name}.py").read_text()
