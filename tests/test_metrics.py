"What is counted: labels of any whole type are counted right, and what would be broadcast or rounded is refused."
import numpy as np
import pytest
import torch

from miniai.augment import Mixup
from miniai.data import stratified_split
from miniai.lab.attributes import (
    HEADS, FlipWithLabels, ViewedBatches, flipped_labels, head_accuracies, head_losses, mirror_and_turn, score_predictions,
    split_heads, write_predictions)
from miniai.metrics import accuracy, soft_accuracy
from miniai.predict import (
    average_predictions, confusion_matrix, ece, fit_temperature, mcnemar, mcnemar_p, plot_confusion, predicted_class_std,
    reliability)

WHOLE = torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16
both = pytest.mark.parametrize("metric", [accuracy, soft_accuracy])

def scores(n, k=None, right=None):
    "Scores and targets; the first `right` are right, the others off by one class."
    k, y = k or n, torch.arange(n) % (k or n)
    guess = torch.where(torch.arange(n) < (n if right is None else right), y, (y + 1) % k)
    return torch.nn.functional.one_hot(guess, k).float(), y

@both
@pytest.mark.parametrize("dtype", WHOLE)
def test_labels_of_any_whole_type_are_counted(metric, dtype):
    preds, y = scores(100, right=60)
    assert metric(preds, y.to(dtype)) == metric(preds, y.to(dtype).numpy()) == metric(preds, y.tolist()) == torch.tensor(.6)

@both
@pytest.mark.parametrize("shape", [(4, 1), (1, 4), (1,), (), (3,), (4, 4, 1), (0,)])
def test_shapes_are_not_broadcast(metric, shape):
    with pytest.raises(ValueError, match=r"preds has the shape \[4, 5\] and targets \[" + ", ".join(map(str, shape)) + r"\]"):
        metric(torch.eye(5)[:4], torch.zeros(shape, dtype=torch.int64))

@both
@pytest.mark.parametrize("y, says", [
    ([0., 1, 2, 3], "targets is torch.float32"), ([True, False, True, True], "targets is torch.bool"),
    ([0, 1, 2, 4], "targets has class numbers from 0 to 4: 4 classes are 0 to 3"), ([0, 1, 2, -1], "from -1 to 2"),
    ([0, 1, 2, 3j], "targets is torch.complex64")])
def test_what_is_no_class_number_is_refused(metric, y, says):
    with pytest.raises(ValueError, match=says): metric(torch.eye(4), torch.tensor(y))

@both
@pytest.mark.parametrize("several", [tuple, lambda p: dict(zip("ab", p)), list])
def test_several_outputs_are_refused_by_name(metric, several):
    preds = several([torch.eye(4), torch.eye(4)])
    with pytest.raises(TypeError, match=f"preds is a {type(preds).__name__}: .* several outputs"): metric(preds, torch.arange(4))
    with pytest.raises(TypeError, match="targets is a"): metric(torch.eye(4), several([torch.arange(4), torch.arange(4)]))

@both
def test_pixels_have_classes_too(metric):
    preds, y = torch.randn(3, 5, 4, 6), torch.randint(5, (3, 4, 6), dtype=torch.uint8)
    by_hand = sum(int(preds[i, :, r, c].argmax() == y[i, r, c]) for i in range(3) for r in range(4) for c in range(6)) / 72
    assert metric(preds, y).item() == pytest.approx(by_hand)
    with pytest.raises(ValueError, match="preds has the shape"): metric(preds, y[:, None])

def test_shares_count_by_the_greatest():
    preds, y = scores(10, right=7)
    assert soft_accuracy(preds, .8 * torch.eye(10) + .02) == soft_accuracy(preds, y) == torch.tensor(.7)

@both
def test_an_accelerator_is_not_waited_for(metric):
    "A meta tensor has no values: whoever reads one fails."
    assert metric(torch.empty(6, 4, device="meta"), torch.empty(6, dtype=torch.uint8, device="meta")).device.type == "meta"

# -- of whole data sets

@pytest.mark.parametrize("dtype", WHOLE)
def test_matrix_calibration_and_temperature_count_any_whole_type(dtype):
    z, y = torch.randn(90, 90, generator=torch.Generator().manual_seed(0)), torch.arange(90)
    z[:50] += 8 * torch.eye(90)[:50]
    for f in (confusion_matrix, reliability, ece, fit_temperature):
        right = torch.as_tensor(f(z, y)).nan_to_num()
        for given in (y.to(dtype), y.to(dtype).numpy()): assert torch.equal(torch.as_tensor(f(z, given)).nan_to_num(), right), f
    matrix = confusion_matrix(z.requires_grad_(), y.to(dtype))
    assert matrix.sum() == 90 and matrix.diag().sum() == (z.argmax(1) == y).sum()

@pytest.mark.parametrize("f", [ece, reliability, fit_temperature, confusion_matrix])
def test_they_refuse_what_is_no_class(f):
    for y in (torch.arange(4.), torch.arange(1, 5), torch.arange(-1, 3)):
        with pytest.raises(ValueError, match="targets"): f(torch.eye(4), y)
    with pytest.raises(TypeError, match="scores is a tuple"): f((torch.eye(4),), torch.arange(4))

def test_two_networks_by_arrays_and_lists():
    first, second = [True, True, False, True], [True, False, True, False]
    right = (2, 1, 1.)
    for make in (torch.tensor, np.array, list): assert mcnemar(make(first), make(second)) == right
    assert mcnemar_p(np.int64(40), np.int32(60)) == mcnemar_p(40, 60) == pytest.approx(.0568879)
    for bad in ([1, 0], (True, False), "ab", None):
        with pytest.raises((TypeError, ValueError), match="first is"): mcnemar(bad, bad)

@pytest.mark.parametrize("f", [average_predictions, predicted_class_std])
def test_samples_by_arrays(f):
    z = torch.randn(3, 5, 4)
    assert torch.equal(f(z.numpy()), f(z))
    with pytest.raises(TypeError, match="logits is a tuple"): f((z, z))

def test_names_from_an_iterator():
    ax = plot_confusion(np.eye(3, dtype=int), (name for name in "abc"))
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]

# -- where labels are used to index, to blend and to turn

@pytest.mark.parametrize("dtype", WHOLE)
def test_labels_blend_split_and_turn(dtype):
    x, y = torch.arange(10.).view(10, 1, 1, 1).expand(-1, -1, 4, 4), torch.arange(10)
    torch.manual_seed(0); right = Mixup()((x, y))
    torch.manual_seed(0); assert all(map(torch.equal, right, Mixup()((x, y.to(dtype)))))
    labels = torch.arange(90) % 9
    assert all(map(torch.equal, stratified_split(labels, 18), stratified_split(labels.to(dtype), 18)))
    assert labels[stratified_split(labels.to(dtype).numpy(), 18)[1]].bincount().tolist() == [2] * 9
    groups = torch.arange(10) % 5
    _, seen = next(iter(ViewedBatches([(x, y.to(dtype))], groups, seed=0)))
    assert torch.equal(seen[:, 0], y) and torch.equal(seen[:, 3], groups)
    m, t = y % 2, y % 4
    assert torch.equal(mirror_and_turn(x, m.to(dtype), t.to(dtype)), mirror_and_turn(x, m, t))
    assert all(map(torch.equal, flipped_labels(m.to(dtype), t.to(dtype)), (1 - m, -t % 4)))
    torch.manual_seed(1); right = FlipWithLabels()((x, seen))
    torch.manual_seed(1); assert all(map(torch.equal, right, FlipWithLabels()((x, seen.to(dtype)))))

@pytest.mark.parametrize("dtype", WHOLE)
def test_heads_count_any_whole_type(dtype, tmp_path):
    y = torch.stack([torch.arange(8) % k for k in HEADS.values()], 1)
    z = torch.cat([torch.eye(k)[y[:, i]] for i, k in enumerate(HEADS.values())], 1)
    assert torch.equal(head_losses(z, y.to(dtype)), head_losses(z, y))
    assert all(f(z, y.to(dtype)) == 1 for f in head_accuracies().values())
    write_predictions(tmp_path / "a.csv", y.to(dtype))
    assert set(score_predictions(tmp_path / "a.csv", y.to(dtype)).values()) == {1.}

def test_heads_are_not_broadcast(tmp_path):
    y, z = torch.zeros(6, 4, dtype=torch.int64), torch.zeros(6, sum(HEADS.values()))
    write_predictions(tmp_path / "a.csv", y)
    for f in (lambda y: head_losses(z, y), lambda y: head_accuracies()["turn"](z, y)):
        for wrong in (y[:1], y[:, :1], y[0], y[None], y.float(), y + 10):
            with pytest.raises(ValueError, match="targets"): f(wrong)
    for wrong in (y[:, :1], y[0], y.float()):
        with pytest.raises(ValueError, match="answers"): score_predictions(tmp_path / "a.csv", wrong)
        with pytest.raises(ValueError, match="answers"): write_predictions(tmp_path / "b.csv", wrong)
    with pytest.raises(ValueError, match=r"scores has the shape \[21\]"): split_heads(z[0])

@pytest.mark.parametrize("bad", [torch.arange(8.), torch.arange(8)[:, None], torch.arange(8) - 1])
def test_labels_of_another_shape_or_kind(bad):
    x = torch.zeros(8, 1, 4, 4)
    for name, f in dict(labels=lambda: stratified_split(bad, 2), y=lambda: Mixup()((x, bad)), mirrored=lambda: mirror_and_turn(x, bad, bad)).items():
        with pytest.raises(ValueError, match=name): f()
