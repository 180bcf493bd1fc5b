"Pictures: what is drawn, what is refused, and figures that go when nobody holds them."
import gc, weakref

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from miniai._lr_found import LRFound
from miniai.data import DataLoaders, show_batch
from miniai.hooks import ActivationStats, plot_dead, plot_hist, plot_means_stds
from miniai.lab.challenge import REFERENCES, plot_board
from miniai.lab.experiments import Run, Runs, plot_curves, plot_effects
from miniai.lab.surface import bowl, plot_paths, plot_surface
from miniai.layers import plain_cnn
from miniai.learner import Learner, RecorderCB
from miniai.predict import confusion_matrix, plot_confusion, plot_reliability
from miniai.vis import class_titles, new_axes, show_image, show_images

X, Y = torch.rand(4, 1, 28, 28), torch.arange(4)
DLS = DataLoaders([(X, Y)], [(X, Y)], [f"c{i}" for i in range(10)])
RUNS = Runs([Run(dict(experiment="a", seed=i, device="cpu", rows=[dict(accuracy=.5), dict(accuracy=.6)])) for i in range(2)], "a")

def stats():
    if not hasattr(stats, "kept"):
        learn = Learner(plain_cnn(), DLS, lr=.01, cbs=[ActivationStats()])
        learn.fit(2, valid=False)
        stats.kept = learn.cbs[0]
    return stats.kept

HELPERS = dict(
    new_axes=lambda: new_axes(2, 3), show_image=lambda: show_image(X[0]), show_images=lambda: show_images(X),
    show_batch=lambda: show_batch(DLS), show_image_batch=lambda: Learner(plain_cnn(), DLS).show_image_batch(),
    lr_found=lambda: LRFound([.1, .2, .4], [3., 2., 4.], 1).plot(), plot_means_stds=lambda: plot_means_stds(stats()),
    recorder=lambda: RecorderCB(loss=lambda learn: learn.loss).plot(), plot_dead=lambda: plot_dead(stats()), plot_hist=lambda: plot_hist(stats()),
    plot_reliability=lambda: plot_reliability(torch.eye(4), Y),
    plot_confusion=lambda: plot_confusion(confusion_matrix(torch.eye(4), Y), "abcd"), plot_board=lambda: plot_board(REFERENCES),
    plot_curves=lambda: plot_curves({"a": RUNS}), plot_effects=lambda: plot_effects({"a": RUNS, "b": RUNS}),
    plot_surface=lambda: plot_surface(bowl()), plot_paths=lambda: plot_paths(bowl(), {"SGD": torch.zeros(3, 2)}))

def figure(drawn):
    drawn = drawn.flat[0] if isinstance(drawn, np.ndarray) else drawn
    return drawn if isinstance(drawn, Figure) else drawn.figure

@pytest.mark.parametrize("name", HELPERS)
def test_a_script_keeps_no_figure_open(name):
    "Beside those that it opened itself."
    own = plt.figure()
    before, drawn = plt.get_fignums(), weakref.ref(figure(HELPERS[name]()))
    HELPERS[name]()
    gc.collect()
    assert plt.get_fignums() == before and plt.gcf() is own and drawn() is None
    plt.close(own)

def test_thirty_grids_open_nothing():
    before = plt.get_fignums()
    for _ in range(30): new_axes(2, 2), show_image(X[0])
    assert plt.get_fignums() == before

def test_its_pictures_can_be_written_and_drawn(tmp_path):
    fig = show_images(X, list("abcd"))
    fig.canvas.draw()
    fig.savefig(tmp_path / "a.png"), fig.savefig(tmp_path / "a.pdf")
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG" and np.asarray(fig.canvas.buffer_rgba()).std() > 10

@pytest.mark.parametrize("n, squeeze, shape", [((1, 1), True, None), ((1, 3), True, (3,)), ((2, 1), True, (2,)), ((1, 1), False, (1, 1))])
def test_axes_are_those_of_pyplot(n, squeeze, shape):
    ours, theirs = new_axes(*n, squeeze, figsize=(3, 2), dpi=70), plt.subplots(*n, squeeze=squeeze, figsize=(3, 2), dpi=70)[1]
    assert getattr(ours, "shape", None) == getattr(theirs, "shape", None) == shape
    for f in map(figure, (ours, theirs)): assert f.dpi == 70 and f.get_size_inches().tolist() == [3, 2]
    plt.close("all")

@pytest.mark.parametrize("backend, kept", [("module://matplotlib_inline.backend_inline", 1), ("svg", 0), ("Agg", 0)])
def test_a_notebook_is_shown_its_figures(backend, kept):
    before = plt.get_backend()
    plt.switch_backend(backend)
    try:
        ax = new_axes()
        assert len(plt.get_fignums()) == kept and (not kept or plt.gca() is ax)
        plt.close("all")
    finally: plt.switch_backend(before)

def test_images_and_titles_from_iterators():
    fig = show_images((x for x in X), (f"t{i}" for i in range(4)), ncols=np.int64(2))
    assert [ax.get_title() for ax in fig.axes] == ["t0", "t1", "t2", "t3"]
    assert [np.asarray(ax.images[0].get_array()).tolist() for ax in fig.axes] == X[:, 0].tolist()
    assert len(show_images(X.numpy(), np.array(list("abcd"))).axes) == 4

@pytest.mark.parametrize("given, says", [
    (dict(ims=iter([])), "ims is empty"), (dict(ims=X, titles=iter("abc")), "titles has 3 entries for 4 images"),
    (dict(ims=X, ncols=0), "ncols is 0"), (dict(ims=X, ncols=1.5), "ncols is 1.5")])
def test_what_makes_no_grid(given, says):
    with pytest.raises(ValueError, match=says): show_images(**given)

def test_titles_name_classes_and_shares():
    names = list("abc")
    for dtype in (torch.uint8, torch.int64): assert class_titles(torch.tensor([2, 0], dtype=dtype), names) == ["c", "a"]
    assert class_titles(torch.tensor([7])) == ["7"] and class_titles(np.array([1], dtype="uint8"), names) == ["b"]
    assert class_titles(torch.tensor([[.25, .75, 0], [0, 1, 0]]), names) == ["75 % b\n25 % a", "100 % b"]
    assert class_titles(torch.rand(3), names) is None and class_titles(torch.zeros(3, 2, 2).long(), names) is None
    for bad in ([3], [-1]):
        with pytest.raises(ValueError, match="3 classes are 0 to 2"): class_titles(torch.tensor(bad), names)
