"Recorded runs as the figures without a kernel get them: the ledger's numbers, few and plain."
import json

import pytest

from miniai.lab.experiments import recorded
from miniai.lab.recorded import gradient_profiles, range_tests

def plain(value):
    "What JSON makes of it. A nan or an infinity is refused."
    return json.loads(json.dumps(value, allow_nan=False))

def numbers(value):
    if isinstance(value, (dict, list)):
        for v in value.values() if isinstance(value, dict) else value: yield from numbers(v)
    elif isinstance(value, float): yield value

@pytest.mark.parametrize("read", [range_tests, gradient_profiles])
def test_it_is_json_of_at_most_40_kB_and_four_digits(read):
    found = read()
    assert plain(found) == found and len(json.dumps(found)) <= 40_000
    assert all(v == float(f"{v:.4g}") for v in numbers(found))

def test_range_tests_are_the_recorded_ones():
    found = range_tests()
    longest = max(len(test["losses"]) for network in found["networks"] for test in network["tests"])
    assert found["rates"][0] == 1e-5 and len(found["rates"]) == longest
    for network in found["networks"]:
        tests, trained = (recorded(f"lr_{what}_{network['name']}") for what in ("range", "trained"))
        assert [run["seed"] for run in trained] == [t["seed"] for t in network["tests"]] == found["seeds"]
        for told, run in zip(network["tests"], tests, strict=True):
            assert len(told["smooth"]) == len(told["losses"])
            assert told["losses"] == pytest.approx(run.curve("loss"), rel=1e-3)
            assert found["rates"][:len(told["losses"])] == pytest.approx(run.curve("lr"), rel=1e-3)
            lowest = told["smooth"].index(min(told["smooth"]))
            assert told["tenth"] == pytest.approx(found["rates"][lowest] / 10, rel=1e-3)
            assert told["steepest"] in found["rates"]
        for i, told in enumerate(network["trained"]):
            rows = [run["rows"][i] for run in trained]
            assert {row["lr"] for row in rows} == {told["rate"]}
            for row, accuracy, loss in zip(rows, told["accuracy"], told["train_loss"], strict=True):
                assert (accuracy is None) == (loss is None) == bool(row["diverged"])
                assert accuracy is None or accuracy == pytest.approx(row["valid_accuracy"], abs=1e-4)

def test_some_runs_diverged_and_each_network_learned_at_some_rate():
    networks = range_tests()["networks"]
    assert any(None in at["accuracy"] for network in networks for at in network["trained"])
    for network in networks:
        assert max(min(at["accuracy"]) for at in network["trained"] if None not in at["accuracy"]) > .6

def test_gradient_profiles_are_the_recorded_ones():
    networks = gradient_profiles()["networks"]
    assert {(n["depth"], n["shortcuts"]) for n in networks} == {(d, s) for d in (10, 20, 30, 50) for s in (False, True)}
    for network in networks:
        runs = recorded(f"gradients_{'shortcuts' if network['shortcuts'] else 'plain'}_{network['depth']}")
        assert len(runs) >= 3
        for told, run in zip(network["runs"], runs, strict=True):
            assert told["seed"] == run["seed"]
            assert told["train_loss"] == pytest.approx(run.value("train_loss"), rel=1e-3)
            for when in ("before", "after"):
                assert len(told[when]) == network["depth"] and told[when] == pytest.approx(run.curve(when), rel=1e-3)

def test_without_shortcuts_the_gradient_grows_with_depth():
    ratio = {(n["depth"], n["shortcuts"]): [r["before"][0] / r["before"][-1] for r in n["runs"]]
             for n in gradient_profiles()["networks"]}
    assert min(ratio[50, False]) > 10 * max(ratio[10, False]) and max(ratio[50, True]) < 10

def test_a_ledger_without_them_is_told(tmp_path):
    with pytest.raises(KeyError, match="lr_range_mlp"): range_tests(tmp_path)
    with pytest.raises(KeyError, match="gradients_plain_10"): gradient_profiles(tmp_path)
