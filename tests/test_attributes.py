"Views and their labels, losses, the leaderboard's score."
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st
from torch import nn

from miniai.augment import RandomFlip
from miniai.data import fashion_mnist
from miniai.lab.attributes import (
    GROUPS, HEADS, FlipWithLabels, HeadsLoss, ManyHeads, UncertaintyLoss, ViewedBatches, blind_set, flipped_labels,
    group_of, head_accuracies, head_losses, mirror_and_turn, percentile, read_predictions, score_predictions,
    split_heads, viewed_dls, write_predictions)
from miniai.learner import Learner, MixedPrecisionCB

every = torch.arange(8)
M, T = every // 4, every % 4

@pytest.fixture(scope="module")
def data():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIAI_TIER", "smoke")
        return fashion_mnist()

DTYPES = torch.uint8, torch.float32, torch.bfloat16
@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 7), st.sampled_from(DTYPES), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_views_are_torchs_flip_and_rot90(n, channels, size, dtype, seed):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randint(256, (n, channels, size, size), generator=rng).to(dtype)
    m, t, before = torch.randint(2, (n,), generator=rng), torch.randint(4, (n,), generator=rng), x.clone()
    got = mirror_and_turn(x, m, t)
    assert got.dtype == dtype and torch.equal(x, before)
    for i in range(n): assert torch.equal(got[i], (x[i].flip(2) if m[i] else x[i]).rot90(int(t[i]), (1, 2)))

def marks(n=8): return torch.arange(9.).view(1, 1, 3, 3).expand(n, -1, -1, -1)

def test_eight_views_differ_and_flips_lead_from_one_to_another():
    assert len({tuple(v.flatten().tolist()) for v in mirror_and_turn(marks(), M, T)}) == 8
    assert torch.equal(mirror_and_turn(marks(), *flipped_labels(M, T)), mirror_and_turn(marks(), M, T).flip(3))
    again = flipped_labels(*flipped_labels(M, T))
    assert torch.equal(again[0], M) and torch.equal(again[1], T)

def test_channels_last_and_gradients():
    x = torch.randn(8, 2, 4, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    w = torch.randn_like(x)
    (mirror_and_turn(x, M, T) * w).sum().backward()
    turned_back = mirror_and_turn(w.detach(), torch.zeros_like(M), -T % 4)
    assert torch.equal(x.grad, mirror_and_turn(turned_back, M, torch.zeros_like(T)))

@pytest.mark.parametrize("x, m, t, says", [
    (torch.zeros(8, 1, 3, 4), M, T, "x is"), (torch.zeros(8, 3, 3), M, T, "x is"), (marks(), M[:4], T, "mirrored is"),
    (marks(), M, T.float(), "turn is"), (marks(), M.bool(), T, "mirrored is")])
def test_bad_views(x, m, t, says):
    with pytest.raises(ValueError, match=says): mirror_and_turn(x, m, t)

@pytest.mark.parametrize("n, c, size, dtype", [(1, 1, 5, torch.float32), (7, 3, 8, torch.bfloat16), (6, 2, 3, torch.float64)])
def test_flip_with_labels_keeps_what_it_is_given(n, c, size, dtype):
    x = torch.randn(n, c, size, size).to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = torch.randint(2, (n, 4))
    before = x.detach().clone(), y.clone()
    torch.manual_seed(3); new_x, new_y = FlipWithLabels()((x, y))
    torch.manual_seed(3); again, labels = FlipWithLabels()((x, y))
    assert torch.equal(new_x, again) and torch.equal(new_y, labels), "the seed decides"
    assert (new_x.shape, new_x.dtype, new_y.shape, new_y.dtype) == (x.shape, x.dtype, y.shape, y.dtype)
    assert torch.equal(x.detach(), before[0]) and torch.equal(y, before[1]), "the caller's batch stays"
    w = torch.randn_like(x)
    (new_x * w).sum().backward()
    flipped = (new_y[:, 1] != y[:, 1]).view(-1, 1, 1, 1)
    assert torch.equal(x.grad, torch.where(flipped, w.flip(3), w))

@pytest.mark.parametrize("p, flipped", [(0, 0), (1, 1000), (.5, None)])
def test_flip_with_labels(p, flipped):
    x, y = torch.arange(9.).view(1, 1, 3, 3).repeat(1000, 1, 1, 1), torch.randint(8, (1000,))
    y = torch.stack([torch.randint(10, (1000,)), y // 4, y % 4, torch.randint(5, (1000,))], 1)
    seen = mirror_and_turn(x, y[:, 1], y[:, 2])
    before = seen.clone(), y.clone()
    new_x, new_y = FlipWithLabels(p)((seen, y))
    assert torch.equal(mirror_and_turn(x, new_y[:, 1], new_y[:, 2]), new_x)
    assert torch.equal(new_y[:, [0, 3]], y[:, [0, 3]]) and torch.equal(seen, before[0]) and torch.equal(y, before[1])
    changed = (new_y[:, 1] != y[:, 1]).sum().item()
    assert changed == flipped if flipped is not None else 400 < changed < 600

def test_a_flip_that_tells_nobody_makes_labels_false():
    x, y = marks(800), every.repeat(100)
    y = torch.stack([y, y // 4, y % 4, y], 1)
    true = lambda images: sum(torch.equal(*pair) for pair in zip(images, mirror_and_turn(x, y[:, 1], y[:, 2])))
    seen = mirror_and_turn(x, y[:, 1], y[:, 2])
    assert true(seen) == 800 and 300 < true(RandomFlip()(seen)) < 500

@pytest.mark.parametrize("p", [-.1, 1.1, float("nan")])
def test_bad_p(p):
    with pytest.raises(ValueError, match="p is"): FlipWithLabels(p)

def test_groups(data):
    found = group_of(data.classes)
    names = "top trousers top dress top shoe top shoe bag shoe".split()
    assert [list(GROUPS)[g] for g in found] == names
    assert sum(map(len, GROUPS.values())) == len(data.classes) and HEADS["group"] == len(GROUPS)
    with pytest.raises(ValueError, match="'frog'"): group_of(["Bag", "frog"])

def labels(loader): return torch.cat([y for _, y in loader])

def test_training_views_are_fresh_and_validation_views_fixed(data):
    dls = viewed_dls(data, bs=300, device="cpu")
    assert len(dls.train) == 7 and torch.equal(labels(dls.valid), labels(dls.valid))
    assert not torch.equal(labels(dls.train)[:, 1:3], labels(dls.train)[:, 1:3])
    counts = (4 * labels(dls.train)[:, 1] + labels(dls.train)[:, 2]).bincount(minlength=8)
    assert ((counts - 250).square() / 250).sum() < 29.9      # chi-square of 7 degrees of freedom, p = 1e-4
    state = torch.get_rng_state()
    labels(dls.valid)
    assert torch.equal(state, torch.get_rng_state())

def test_fixed_views_depend_neither_on_the_batch_size_nor_on_the_global_seed(data):
    found = []
    for bs in 128, 1000:
        torch.manual_seed(bs)
        found.append(labels(viewed_dls(data, bs=100, valid_bs=bs, device="cpu").valid))
    assert torch.equal(*found)

def test_one_seed_one_order(data):
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(labels(viewed_dls(data, bs=500, device="cpu").train))
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])

def test_pixels_fit_labels(data):
    dls = viewed_dls(data, device="cpu")
    x, y = next(iter(dls.valid))
    plain, category = next(iter(dls.valid.loader))
    assert torch.equal(mirror_and_turn(plain, y[:, 1], y[:, 2]), x) and torch.equal(y[:, 0], category)
    assert torch.equal(y[:, 3], group_of(data.classes)[category])

def test_a_seed_needs_an_order(data):
    shuffled = data.dls(device="cpu").train
    with pytest.raises(ValueError, match="shuffles"): ViewedBatches(shuffled, group_of(data.classes), 0)

def net(): return ManyHeads(nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU()), 8)

def test_scores_are_the_heads_side_by_side():
    model, x = net(), torch.randn(5, 1, 4, 4)
    parts = split_heads(model(x))
    assert list(parts) == list(HEADS) and [p.shape[1] for p in parts.values()] == list(HEADS.values())
    for name, part in parts.items(): assert torch.equal(part, model.heads[name](model.body(x)))
    with pytest.raises(ValueError, match="scores has 20 columns"): split_heads(torch.zeros(3, 20))

@pytest.mark.parametrize("heads", [{}, [3, 4], dict(a=1), dict(a=2.5)])
def test_bad_heads(heads):
    for make in (partial(ManyHeads, nn.Identity(), 3), HeadsLoss, UncertaintyLoss):
        with pytest.raises(ValueError, match="heads"): make(heads)

def batch(n=40):
    rng = torch.Generator().manual_seed(0)
    y = torch.stack([torch.randint(k, (n,), generator=rng) for k in HEADS.values()], 1)
    return torch.randn(n, sum(HEADS.values()), generator=rng), y

def test_losses():
    scores, y = batch()
    single = [F.cross_entropy(part, y[:, i]) for i, part in enumerate(split_heads(scores).values())]
    assert torch.allclose(head_losses(scores, y), torch.stack(single))
    for loss in HeadsLoss(), UncertaintyLoss(): assert torch.allclose(loss(scores, y), sum(single))
    weights = dict(group=.5, turn=0., mirrored=1., category=2.)
    goal = 2 * single[0] + single[1] + .5 * single[3]
    assert torch.allclose(HeadsLoss(weights=weights)(scores, y), goal)

@pytest.mark.parametrize("weights", [dict(category=1.), dict.fromkeys(HEADS, -1.), dict.fromkeys([*HEADS, "other"], 1.),
                                     dict.fromkeys(HEADS, float("nan"))])
def test_bad_weights(weights):
    with pytest.raises(ValueError, match="weights"): HeadsLoss(weights=weights)

@pytest.mark.parametrize("y", [torch.zeros(40, dtype=torch.int64), torch.zeros(40, 3, dtype=torch.int64),
                               torch.zeros(39, 4, dtype=torch.int64)])
def test_bad_targets(y):
    with pytest.raises(ValueError, match="targets is"): head_losses(batch()[0], y)

def test_learned_weights_end_at_one_over_twice_the_loss():
    (scores, y), loss = batch(), UncertaintyLoss()
    opt = torch.optim.SGD(loss.parameters(), lr=.5)
    for _ in range(300): loss(scores, y).backward(), opt.step(), opt.zero_grad()
    assert torch.allclose((-loss.log_vars).exp(), 1 / (2 * head_losses(scores, y)), rtol=1e-4)

def test_losses_keep_their_precision_under_autocast():
    scores, y = batch()
    with torch.autocast("cpu", torch.bfloat16):
        for loss in (HeadsLoss(), UncertaintyLoss()):
            assert torch.allclose(loss(scores, y), head_losses(scores, y).sum(), rtol=1e-6)

def test_a_learner_trains_what_the_loss_learns():
    model, x, y = net(), torch.randn(40, 1, 4, 4), batch()[1]
    model.loss = UncertaintyLoss()
    Learner(model, type("", (), dict(train=[(x, y)], valid=[(x, y)])), model.loss, cbs=[MixedPrecisionCB()]).fit(2)
    assert model.loss.log_vars.all() and "loss.log_vars" in model.state_dict()

def test_head_accuracies():
    y = batch()[1]
    scores = torch.cat([F.one_hot(y[:, i], n) for i, n in enumerate(HEADS.values())], 1).float()
    y[:10, 2] = (y[:10, 2] + 1) % 4
    found = {name: f(scores, y).item() for name, f in head_accuracies().items()}
    assert found == dict(category=1, mirrored=1, turn=.75, group=1)

def test_blind_set(data):
    (x, y), (again, _), (other, _) = (blind_set(data, seed) for seed in (1, 1, 2))
    assert x.dtype == torch.uint8 and x.shape == data.valid_x.shape
    assert torch.equal(x, again) and not torch.equal(x, other)
    assert torch.equal(y[:, 0].bincount(), data.valid_y.bincount())
    assert torch.equal(y[:, 3], group_of(data.classes)[y[:, 0]])

def test_blind_pictures_belong_to_their_answers(data):
    x, y = blind_set(data, 3)
    still = torch.zeros_like(y[:, 1])
    upright = mirror_and_turn(mirror_and_turn(x, still, -y[:, 2] % 4), y[:, 1], still)
    pairs = lambda pictures, categories: sorted((int(c), p.numpy().tobytes()) for p, c in zip(pictures, categories))
    assert pairs(upright, y[:, 0]) == pairs(data.valid_x, data.valid_y)

@pytest.fixture
def entry(tmp_path):
    y = batch(20)[1]
    write_predictions(tmp_path / "e.csv", y)
    return tmp_path / "e.csv", y

def test_score(entry):
    file, y = entry
    assert torch.equal(read_predictions(file, 20), y) and set(score_predictions(file, y).values()) == {1.}
    wrong = y.clone()
    wrong[:5, 1] = 1 - wrong[:5, 1]
    assert score_predictions(file, wrong) == dict(category=1, mirrored=.75, turn=1, group=1, mean=.9375)

def test_order_blank_lines_and_a_mark_at_the_start_do_not_matter(entry):
    file, y = entry
    lines = file.read_text().splitlines()
    file.write_text("\ufeff" + "\r\n".join([lines[0], *lines[:0:-1], ""]), encoding="utf-8")
    assert torch.equal(read_predictions(file, 20), y)

BAD = [("", "the first line"), ("id,category,turn,mirrored,group\n", "the first line"),
       ("0,1,0,0,0\n", "the first line")]
HEADER = "id,category,mirrored,turn,group\n"
ROWS = [("0,1,0,0\n", "line 2: it has 4 values"), ("0,1,0,0,0,0\n", "line 2: it has 6"),
        ("0,Bag,0,0,0\n", "category is 'Bag'"),
        ("0,10,0,0,0\n", "from 0 to 9"), ("0,1,2,0,0\n", "mirrored is '2'"), ("0,1,0,4,0\n", "turn is '4'"),
        ("0,1,0,0,5\n", "group is '5'"), ("0,1,0,0,-1\n", "group is '-1'"), ("0,1.0,0,0,0\n", "category is '1.0'"),
        ("20,1,0,0,0\n", "id is '20'"), ("0,1,0,0,0\n0,1,0,0,0\n", "line 3: id 0 was answered before"),
        ("0,,0,0,0\n", "category is ''"), ('0,"1,0,0,0\n' + "1,1,0,0,0\n" * 20_000, "line 2: category is"),
        ("0,²,0,0,0\n", "category is '²'"), ("0,1_0,0,0,0\n", "category is '1_0'"),
        ("0," + "9" * 9999 + ",0,0,0\n", "category is"),
        ("1,1,0,0,0\n", "19 of 20 pictures have no line, the first is id 0"), ("", "20 of 20")]
@pytest.mark.parametrize("text, says", BAD + [(HEADER + rows, says) for rows, says in ROWS])
def test_bad_files(tmp_path, text, says):
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError) as e: read_predictions(tmp_path / "bad.csv", 20)
    assert says in str(e.value) and "bad.csv" in str(e.value)

def test_no_file_and_no_text(tmp_path):
    with pytest.raises(FileNotFoundError, match="path is"): read_predictions(tmp_path / "none.csv", 20)
    (tmp_path / "bad.csv").write_bytes(bytes(range(128, 256)))
    with pytest.raises(ValueError, match="the first line"): read_predictions(tmp_path / "bad.csv", 20)

def test_percentile():
    assert [percentile(s, [.2, .5, .5, .9]) for s in (.1, .2, .5, .9, 1)] == [0, 12.5, 50, 87.5, 100]
    with pytest.raises(ValueError, match="entries is empty"): percentile(.5, [])
    for score, entries in ((float("nan"), [1.]), (.5, [float("nan")])):
        with pytest.raises(ValueError, match="nan"): percentile(score, entries)
