"What miniai.lab.search promises: the best mean, a grid that goes on at its ends, and the simplest of those that tie."
import pytest

from miniai.lab.experiments import Run, Runs
from miniai.lab.search import best_mean, extended_grid, simplest

def runs(*values, metric="accuracy", device="cpu"):
    return Runs([Run(dict(experiment="x", seed=i, device=device, rows=[{metric: v}])) for i, v in enumerate(values)], "x")

def test_best_mean_is_of_the_mean_and_of_the_metric():
    found = dict(steady=runs(.7, .7, .7), one_lucky=runs(.9, .5, .5), short=runs(.71))
    assert best_mean(found) == "short" and best_mean({k: found[k] for k in ("one_lucky", "steady")}) == "steady"
    both = dict(a=Runs([Run(dict(seed=0, rows=[dict(accuracy=.1, other=.9)]))]), b=runs(.5))
    assert best_mean(both) == "b" and best_mean(both, "other") == "a"

def test_best_mean_of_equal_ones_is_the_first_and_of_none_the_answer_given():
    assert best_mean(dict(b=runs(.5), a=runs(.5))) == "b"
    assert best_mean(dict(a=runs(), b=runs()), otherwise="c") == "c" and best_mean({}) is None

def tried(scores, values, **kwargs):
    "The grid that was tried, in order, where `scores` tells what is found."
    order = []
    def runs_at(x):
        order.append(x)
        return runs(*scores(x))
    found = extended_grid(runs_at, values, **kwargs)
    assert list(found) == order
    return order

@pytest.mark.parametrize("top, values, order", [
    (.2, (.1, .2, .4), [.1, .2, .4]),                      # in the middle: nothing is added
    (.4, (.1, .2, .4), [.1, .2, .4, .8]),                  # at the upper end: one more shows that it falls
    (1.6, (.1, .2, .4), [.1, .2, .4, .8, 1.6, 3.2]),
    (.05, (.1, .2, .4), [.1, .2, .4, .05, .025]),
    (.4, (.4, .1, .2), [.4, .1, .2, .8]),                  # the order of the grid does not matter
    (5., (.1,), [.1])])                                    # a single value is no grid
def test_a_grid_goes_on_where_its_best_lies_at_an_end(top, values, order):
    assert tried(lambda x: [-abs(x - top)], values) == order

def test_a_grid_ends_where_nothing_is_recorded():
    assert tried(lambda x: [x] if x < 1 else [], (.2, .4)) == [.2, .4, .8, 1.6]
    assert tried(lambda x: [], (.2, .4)) == [.2, .4]

@pytest.mark.parametrize("value", [0, -.1, float("nan")])
def test_a_grid_of_wrong_values_is_refused_before_anything_runs(value):
    with pytest.raises(ValueError, match="value is"): extended_grid(lambda x: pytest.fail("it ran"), (.1, value))

IDEAS = dict(best=3, tie=2, tie_too=2, behind=0, unsure=1)

def test_simplest_takes_the_fewest_ideas_among_those_that_tie():
    found = dict(best=runs(.90, .91, .92), tie=runs(.9001, .9101, .9185), behind=runs(.80, .81, .82))
    assert simplest(found, IDEAS) == "tie"
    found["tie_too"] = runs(.9003, .9095, .9199)                        # as few ideas, the better mean
    assert simplest(found, IDEAS) == "tie_too"

def test_a_tie_needs_a_small_distance_and_an_interval_that_holds_0():
    clear = dict(best=runs(.9, .91, .92), unsure=runs(.8991, .9091, .9191))       # .0009 behind, each time
    assert simplest(clear, IDEAS) == "best"
    far = dict(best=runs(.9, .95, .92), unsure=runs(.93, .90, .91))     # 1 point behind, and not clear
    assert simplest(far, IDEAS) == "best" and simplest(far, IDEAS, margin=.02) == "unsure"

def test_simplest_compares_only_what_shares_seeds():
    found = dict(best=runs(.9, .9), tie=runs(.8999, .8999, device="cuda"))
    assert simplest(found, IDEAS) == "best"
    with pytest.raises(ValueError, match="no run with accuracy"): simplest(dict(a=runs()), IDEAS)
