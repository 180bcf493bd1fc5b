"What 19_challenge promises of miniai.lab.challenge beyond the cells that show it."
import errno, html, json, os, re
from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from miniai.cost import count_parameters
from miniai.data import Batches, DataLoaders, fashion_mnist
from miniai.lab import challenge as C
from miniai.lab.challenge import (
    CALLBACKS, EPOCHS, MAX_PARAMETERS, RECIPES, REFERENCES, Entry, RuleBrokenError, board, fingerprints, in_tier, our_entries,
    plot_board, read_back, read_submissions, standings, submit, submitted_entries, train_recipe, try_recipe)
from miniai.lab.experiments import experiment, recorded, write_run
from miniai.layers import plain_cnn
from miniai.learner import Callback, DeviceCB, Learner, MetricsCB
from miniai.metrics import accuracy
from miniai.speed import Recipe, speed_net, speedrun

matplotlib.use("Agg")

@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    "The sample, an empty ledger, and a cache of its own."
    monkeypatch.setenv("MINIAI_TIER", "smoke")
    monkeypatch.setenv("MINIAI_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIAI_SEED", raising=False)

@pytest.fixture(scope="module")
def data():
    os.environ["MINIAI_TIER"] = "smoke"
    return fashion_mnist()

@pytest.fixture
def file(tmp_path): return tmp_path / "mine" / "challenge.json"

def make(data, model=None, cbs=(), dls=None, epochs=5):
    "A learner that has not trained, and says that it has."
    torch.manual_seed(0)
    learn = Learner(model or plain_cnn((1, 4, 4, 4, 4)), dls or data.dls(bs=500, device="cpu"), cbs=[DeviceCB("cpu"), *cbs])
    learn.n_epochs = epochs
    return learn

def with_train(data, train):
    return DataLoaders(train, data.dls(bs=500, device="cpu").valid)

def with_valid(data, valid):
    return DataLoaders(data.dls(bs=500, device="cpu").train, valid)

def loader(x, y, shuffle=False, scale=lambda x: x.float() / 255):
    return DataLoader(TensorDataset(scale(x), y), 500, shuffle=shuffle)

# -- what an entry must be

class Random(nn.Sequential):
    def forward(self, x): return super().forward(x) + torch.rand(len(x), 10)
class Nan(nn.Sequential):
    def forward(self, x):
        scores = super().forward(x)
        return scores.masked_fill((x.sum((1, 2, 3)) < -300)[:, None], float("nan"))
class Narrow(nn.Sequential):
    def forward(self, x): return super().forward(x)[:, :9]
class Stored(nn.Sequential):
    def __init__(self, *layers, n, dtype=torch.float32):
        super().__init__(*layers)
        self.register_buffer("table", torch.zeros(n, dtype=dtype))

def history(*rows):
    metrics = MetricsCB(accuracy=accuracy)
    metrics.history = [dict.fromkeys(row.split(), 0.) for row in rows]
    return metrics

def mixed(data, n=1, tfm=lambda x: x):
    return replace(data, train_x=torch.cat([data.train_x[n:], tfm(data.valid_x[:n])]))

@pytest.mark.parametrize("cheat, says", [
    (lambda d: make(d, nn.Sequential(plain_cnn(), nn.Linear(10, MAX_PARAMETERS // 10))), "at most 5,000,000 parameters: the model has 5,5"),
    (lambda d: make(d, Stored(plain_cnn(), n=MAX_PARAMETERS)), "at most 5,000,000 parameters: the model has 5,030,274"),
    (lambda d: make(d, Stored(plain_cnn(), n=MAX_PARAMETERS, dtype=torch.int8)), "the model has 5,030,274"),
    (lambda d: make(mixed(d)), "training set only: among the 2,000 images of dls.train are 1 of the test set"),
    (lambda d: make(mixed(d, 7)), "are 7 of the test set"),
    (lambda d: make(mixed(d, 3, lambda x: x.flip(-1))), "are 3 of the test set, as they are or mirrored"),
    (lambda d: make(mixed(d, 2, lambda x: 255 - x)), "2 of the 2,000 images of dls.train are no training images"),
    (lambda d: make(d, dls=with_train(d, loader(*(getattr(mixed(d, 2), k) for k in ("train_x", "train_y"))))), "are 2 of the test set"),
    (lambda d: make(replace(d, train_x=d.train_x.repeat(2, 1, 1, 1), train_y=d.train_y.repeat(2))),
     "an epoch is one pass over the training images: dls.train gives 4,000, and there are 2,000"),
    (lambda d: make(replace(d, train_x=torch.cat([d.train_x[:-5], d.train_x[:5]]))),
     "an epoch is one pass over the training images: 5 images of dls.train are there more than once"),
    (lambda d: make(replace(d, valid_x=d.valid_x[:900], valid_y=d.valid_y[:900])),
     "the whole test set: dls.valid gives 900 images, 900 of"),
    (lambda d: make(fashion_mnist(holdout=5000)), "0 of them from the 1,000 test images; train with fashion_mnist()"),
    (lambda d: make(replace(d, valid_x=d.valid_x.clone().index_copy_(0, torch.tensor([4]), d.valid_x[5:6]))), "gives 1,000 images, 999 of"),
    (lambda d: make(replace(d, valid_y=d.valid_y.index_fill(0, torch.tensor([0]), int(d.valid_y[0] + 1) % 10))),
     "1 labels of dls.valid are not those of the test set"),
    (lambda d: make(d, dls=with_valid(d, loader(d.valid_x, d.valid_y, shuffle=True))), "another order each time"),
    (lambda d: make(d, Random(plain_cnn())), "nothing random in evaluation"),
    (lambda d: make(d, Nan(plain_cnn())), "finite scores: those of"),
    (lambda d: make(d, Narrow(plain_cnn())), "a score for each class: the model gives [1000, 9]"),
    (lambda d: make(d, epochs=6), "5 epochs: the learner has counted 6"),
    (lambda d: make(d, cbs=[history(*["train_loss valid_loss"] * 7)]), "5 epochs: the learner has counted 7"),
    (lambda d: make(d, cbs=[history(*["train_loss"] * 3, *["valid_loss"] * 9), history(*["train_loss"] * 20)]), "has counted 20")])
def test_a_broken_rule_is_named_and_nothing_is_written(cheat, says, data, file):
    with pytest.raises(RuleBrokenError) as e: submit(cheat(data), 5, "cheat", path=file)
    assert says in str(e.value) and not file.exists()

def test_nan_of_the_test_is_in_some_images_only(data):
    scores, _ = make(data, Nan(plain_cnn())).capture_preds()
    assert 0 < scores.isnan().any(1).sum() < len(scores)

@pytest.mark.parametrize("kwargs, says", [
    (dict(epochs=6), "epochs is 6: the boards are for 5, 20 and 50"), (dict(name=""), "name is ''"),
    (dict(name="a|b"), "name is 'a|b'"), (dict(name="a\nb"), "name is"), (dict(name="x" * 61), "name is"),
    (dict(name=3), "name is 3"), (dict(seed=-1), "seed is -1"), (dict(seed="1"), "seed is '1'"), (dict(seed=True), "seed is True")])
def test_bad_arguments(kwargs, says, data, file):
    with pytest.raises(ValueError) as e: submit(**dict(learn=make(data), epochs=5, name="x", path=file) | kwargs)
    assert says in str(e.value) and not file.exists()

def test_images_of_another_shape_are_named(data, file):
    flat = with_train(data, loader(data.train_x.flatten(1), data.train_y))
    with pytest.raises(ValueError, match=r"shape \[2000, 784\]"): submit(make(data, dls=flat), 5, "x", path=file)

# -- what passes

@pytest.mark.parametrize("n_images", [2000, 500])
def test_all_or_a_part_of_the_training_images_pass(n_images, data, file):
    part = replace(data, train_x=data.train_x[:n_images], train_y=data.train_y[:n_images])
    submit(make(part), 5, "x", path=file)
    assert len(read_submissions(file)) == 1

def test_other_loaders_pass_and_are_told_when_they_change_images(data, file, capsys):
    changes = "where 2,000 of the 2,000 images come from: they are not the training images' bytes"
    submit(make(data, dls=with_train(data, loader(data.train_x, data.train_y, shuffle=True))), 5, "x", path=file)
    assert changes not in capsys.readouterr().out
    noisy = loader(data.train_x, data.train_y, scale=lambda x: x.float() + 9 * torch.rand(x.shape))
    submit(make(data, dls=with_train(data, noisy)), 5, "x", path=file)
    assert changes in capsys.readouterr().out

def test_what_was_not_checked_is_said(data, file, capsys):
    for learn, says in [(make(data), "fits before the last one"), (make(data, epochs=0), "never fitted"),
                        (make(data, cbs=[history(*["train_loss"] * 5, *["valid_loss"] * 9)]), "")]:
        submit(learn, 5, "x", path=file)
        said = capsys.readouterr().out.split("Not checked:")[1].strip().splitlines()
        assert len(said) == 2 + bool(says) and says in said[-1]

def test_fewer_epochs_than_allowed_pass(data, file):
    learn = make(data, cbs=[history("train_loss")], epochs=1)
    for epochs in EPOCHS: submit(learn, epochs, "x", path=file)
    assert [run.epochs for run in read_submissions(file)] == [5, 20, 50]

def test_a_run_keeps_what_it_reached_and_the_learner_is_as_it_was(data, file):
    learn = make(data)
    before, rng = {k: v.clone() for k, v in learn.model.state_dict().items()}, torch.get_rng_state()
    submit(learn, 5, "x", seed=3, path=file)
    assert torch.equal(torch.get_rng_state(), rng)
    assert all(torch.equal(v, before[k]) for k, v in learn.model.state_dict().items())
    run, = read_submissions(file)
    right = (learn.capture_preds()[0].argmax(1) == data.valid_y).float().mean().item()
    assert (run.name, run.epochs, run.seed, run.data) == ("x", 5, 3, "fashion_mnist_sample")
    assert run.accuracy == right and run.parameters == count_parameters(learn.model) and run.device.startswith("cpu")

def test_batchnorm_statistics_do_not_count_as_parameters(data):
    learn = make(data)
    assert C._check_model(learn) == count_parameters(learn.model)

@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_batches_store_is_read_back(channels_last, dtype, data):
    dls = data.dls(bs=300, device="cpu", channels_last=channels_last, dtype=dtype)
    for batches, x, y in ((dls.train, data.train_x, data.train_y), (dls.valid, data.valid_x, data.valid_y)):
        got = read_back(batches)
        assert torch.equal(got[0], x) and torch.equal(got[1], y)

def test_other_loaders_are_read_back_in_one_pass_that_leaves_the_random_state(data):
    state = torch.get_rng_state()
    x, y = read_back(loader(data.train_x, data.train_y, scale=lambda x: -3 + x / 77))
    assert torch.equal(x, data.train_x) and torch.equal(y, data.train_y)
    read_back(loader(data.train_x, data.train_y, shuffle=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(read_back([(data.train_x, data.train_y)])[0], data.train_x)
    colour = torch.randint(256, (50, 3, 9, 9)).byte()
    colour[0, :, 0, 0], colour[0, :, 0, 1] = 0, 255
    scale = lambda x: x * torch.tensor([1., 2., .1]).view(3, 1, 1) + torch.tensor([5., 0., -7.]).view(3, 1, 1)
    assert torch.equal(read_back(loader(colour, torch.zeros(50), scale=scale))[0], colour)

def test_fingerprints(data):
    a = fingerprints(data.train_x)
    assert a == fingerprints(data.train_x.contiguous(memory_format=torch.channels_last)) and len(set(a)) == len(a)
    other = data.train_x.clone()
    other[7, 0, 3, 3] ^= 1
    assert [i for i, (f, g) in enumerate(zip(a, fingerprints(other))) if f != g] == [7]
    for x in (data.train_x.float(), [1]):
        with pytest.raises(ValueError, match="as bytes"): fingerprints(x)

# -- the board

def e(accuracy, epochs=5, tta=False, name="x", **kwargs): return Entry(epochs, accuracy, name, tta, **kwargs)

def places(*entries): return [place for place, _ in standings(entries)]

def test_order_and_places():
    a, b, c = e(.94), e(.95), e(.93)
    assert standings([a, b, c]) == standings(iter([a, b, c])) == [(1, b), (2, a), (3, c)]
    d, f, g = e(.96, tta=True), e(.90, 20), e(.99, 50)
    assert standings([g, f, d, a, b, c]) == [(1, b), (2, a), (3, c), (1, d), (1, f), (1, g)]

def test_without_tta_counts_among_those_with_and_not_the_other_way():
    plain, tta = e(.95), e(.96, tta=True)
    other, longer = e(.94, tta=True, name="y"), e(.97, 20)
    assert standings([plain, tta, other, longer]) == [(1, plain), (1, tta), (3, other), (1, longer)]
    assert places(e(.95), e(.94, tta=True)) == [1, 1]           # an entry is not behind itself

def test_ties_share_a_place_and_the_next_is_left_out():
    assert places(e(.95), e(.95, name="y"), e(.94), e(.96)) == [1, 2, 2, 4]
    assert places(e(.95), e(.95, name="y"), e(.95, name="z")) == [1, 1, 1]
    assert places(e(.94812), e(.94814)) == [1, 1] and places(e(.9480), e(.9481)) == [1, 2]

def test_no_run_has_no_place():
    assert standings([e(None), e(.1)]) == [(1, e(.1)), (None, e(None))]

def test_the_board_shows_what_it_is_given():
    ours, yours = e(.94812, sd=.00123, n=3, who="ours", source="here"), e(.95, name="y", who="yours", tta=True)
    table = board([e(.942), ours, yours, e(None, 20), e(.99, 300)])
    assert table[1] == [1, 5, "no", "**x**", "94.81 ± 0.12", 3, "here"]
    assert table[2] == [2, 5, "no", "x", "94.2", 1, ""]
    assert table[3] == [1, 5, "yes", "→ **y**", "95.00", 1, ""]
    assert table[4][0] == table[4][4] == "–" and len(table) == 5
    assert [row[1] for row in board([e(.9), e(.9, 20)], (20,))[1:]] == [20]

def test_references():
    assert all(.9 < r.accuracy < .96 and "](https://" in r.source for r in REFERENCES)
    spread, = (r for r in REFERENCES if r.sd is not None)
    assert (spread.epochs, spread.accuracy, spread.sd, spread.n) == (300, .9555, .0004, None)
    assert all(r.n == 1 for r in REFERENCES if r is not spread)
    row, = (row for row in board(REFERENCES, (300,)) if "ResNet-20" in row[3])
    assert row[4:6] == ["95.55 ± 0.04", "not said"]
    best = {(r.epochs, r.tta): r for _, r in reversed(standings(REFERENCES))}
    assert {k: v.accuracy for k, v in best.items() if k[0] in EPOCHS} == {
        (5, False): .934, (20, False): .943, (20, True): .945, (50, False): .949}
    assert places(*REFERENCES).count(1) == 6

def fill(tmp_path, name, values, device="cpu", processor="x", **row):
    "Write runs into the ledger: accuracies, with 1 % more by TTA."
    for seed, value in enumerate(values):
        write_run(dict(experiment=name, config=None, seed=seed, seconds=9., device=device, processor=processor, threads=2,
                       rows=[dict(accuracy=value, tta_accuracy=round(value + .01, 6)) | row]), tmp_path / "results/19.jsonl")

def test_our_rows_come_from_the_ledger(tmp_path):
    assert [(x.accuracy, x.n, x.source) for x in our_entries()] == [(None, 0, "no run yet")] * 6
    fill(tmp_path, "record_5ep", [.94, .95, .96])
    fill(tmp_path, "record_5ep", [.90, .90], "cuda", "NVIDIA X")
    fill(tmp_path, "record_20ep", [.95], "cuda", "NVIDIA X", accuracy=None)
    fill(tmp_path, "record_50ep", [.91])
    fill(tmp_path, "record_50ep", [.95, .97], "cuda", "NVIDIA X")
    rows = {(x.epochs, x.tta): x for x in our_entries()}
    five, twenty = rows[5, False], rows[20, True]
    assert (round(five.accuracy, 6), five.n, round(five.sd, 6), five.source) == (.95, 3, .01, "x, 2 threads")
    assert round(rows[5, True].accuracy, 6) == .96
    assert (twenty.accuracy, twenty.n, twenty.sd, twenty.source) == (.96, 1, None, "NVIDIA X; 1 of 5 seeds")
    assert rows[20, False].accuracy is None and rows[20, False].source == "no run yet"
    assert (round(rows[50, False].accuracy, 6), rows[50, False].n) == (.96, 2)
    assert all(x.who == "ours" for x in rows.values())

@pytest.mark.parametrize("on, n, says", [
    (("cpu", None), 2, "cpu, 2 threads; 2 of 3 seeds, no record yet"), (("cpu", "x"), 3, "x, 2 threads"),
    (("cuda", "NVIDIA X"), 4, "NVIDIA X; 4 of 5 seeds, no record yet"), (("cuda", "NVIDIA X"), 5, "NVIDIA X")])
def test_a_record_takes_its_seeds(on, n, says, tmp_path):
    fill(tmp_path, "record_5ep", [.94] * n, *on)
    assert our_entries()[0].source == says

@pytest.mark.parametrize("epochs, n, floor", [(5, 5, .949), (20, 3, .955), (50, 3, .957)])
def test_the_recorded_entries_are_above_their_floor(epochs, n, floor, root):
    runs = recorded(f"record_{epochs}ep", root / "results")
    assert len(runs) >= n and min(runs.values()) >= floor and min(runs.values("tta_accuracy")) >= floor

@pytest.mark.parametrize("epochs", EPOCHS)
def test_the_recorded_entries_were_made_by_these_recipes(epochs, root, monkeypatch):
    "Config and code: else `make experiments` would train them anew."
    from miniai.lab.experiments import _code_hash, _plain
    config = dict(recipe=RECIPES[epochs], cbs=CALLBACKS[epochs])
    for run in recorded(f"record_{epochs}ep", root / "results"):
        assert run["config"] == json.loads(json.dumps(_plain(config))) and run["code"] == _code_hash(train_recipe, config)

def test_the_picture_has_a_mark_for_every_figure():
    entries = [e(.94), e(.95, 20, True, who="ours", sd=.01), e(.96, 50, who="yours"), e(None, 300)]
    ax = plot_board(iter(entries))
    drawn = sorted(tuple(map(float, xy)) for line in ax.lines for xy in line.get_xydata())
    assert [round(y, 6) for _, y in drawn] == [94, 95, 96] and [round(x, 1) for x, _ in drawn] == [5, 20.8, 50]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["reference", "miniai, TTA", "yours"]
    bar, = ax.collections                                        # only where a spread is known, and not in the legend
    assert [[round(y, 6) for y in ends[:, 1]] for ends in bar.get_segments()] == [[94, 96]]
    plt.close("all")

# -- your own file

def test_places_in_your_own_file(data, file, capsys, monkeypatch):
    def enter(plain, tta, name, seed=0, epochs=5):
        monkeypatch.setattr(C, "score", lambda learn: (plain, tta))
        return submit(make(data), epochs, name, seed, file)
    above = sum(r.epochs == 5 and not r.tta for r in REFERENCES) + 1
    assert enter(.5, .6, "a") == (above, above)
    assert enter(.4, .7, "b") == (above + 1, above)
    assert enter(.4, .6, "c") == (above + 1, above + 1)
    assert enter(.99, .1, "d") == (1, above + 6)
    assert enter(.9401, .944, "e", epochs=20) == (2, 2)
    said = capsys.readouterr().out
    assert said.count("→ **") == 2 * (1 + 2 + 3 + 4 + 1) and "e, 20 epochs, with TTA: 94.40 % (n=1), place 2" in said

def test_seeds_of_a_name_count_as_one_entry(data, file, monkeypatch):
    for seed, plain in ((0, .5), (1, .6), (1, .7)):
        monkeypatch.setattr(C, "score", lambda learn: (plain, plain + .1))
        submit(make(data), 5, "a", seed, file)
    runs = read_submissions(file)
    assert [(r.seed, r.accuracy) for r in runs] == [(0, .5), (1, .7)]
    plain, tta = submitted_entries(file, "fashion_mnist_sample")
    assert round(plain.accuracy, 9) == .6 and round(tta.accuracy, 9) == .7 and plain.n == tta.n == 2 and plain.sd > .1
    assert plain.who == "yours" and "rehearsal" in plain.source and submitted_entries(file) == []

def test_an_interrupt_prints_the_run_and_leaves_the_file(data, file, monkeypatch, capsys):
    submit(make(data), 5, "a", np.int64(1), file)
    before = file.read_bytes()
    def interrupt(*args): raise KeyboardInterrupt
    monkeypatch.setattr(C.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt): submit(make(data), 5, "b", 2, file)
    assert '"name": "b"' in capsys.readouterr().out and file.read_bytes() == before
    assert not list(file.parent.glob("*.tmp")) and read_submissions(file)[0].seed == 1

def test_the_file_is_in_the_cache_and_never_in_the_ledger(data, tmp_path):
    submit(make(data), 5, "x")
    assert (tmp_path / "cache/miniai/challenge.json").exists() and not (tmp_path / "results").exists()
    assert [run.seed for run in read_submissions()] == [42] and not list((tmp_path / "cache/miniai").glob("*.tmp"))

NAMES = ["<script>alert(1)</script>", "<b>bold</b> & 'more'", "**bold** _x_ `y`", "[a](javascript:alert(1))", r"$\frac$",
         r"back\slash", "![x](http://x.invalid/y.png)", "# a ~~b~~"]

@pytest.mark.parametrize("name", NAMES)
def test_a_name_stands_for_itself_on_the_board(name, data, file, capsys):
    submit(make(data), 5, name, path=file)
    capsys.readouterr()
    row, = (r for r in board(submitted_entries(file, "fashion_mnist_sample"))[1:] if r[2] == "no")
    shown = row[3].removeprefix("→ **").removesuffix("**")
    assert html.unescape(shown.replace("<span>$</span>", "$")) == name
    assert not set("<>*_`[]\\|$~#") & set(re.sub(r"&#\d+;", "", shown.replace("<span>$</span>", "")))
    assert read_submissions(file)[0].name == name                # the file keeps it as it was given

def test_a_device_in_an_edited_file_is_escaped_too(file):
    file.parent.mkdir()
    file.write_text(json.dumps(dict(runs=[RUN | dict(device="cpu <img src=x onerror=alert(1)>")])))
    assert all("<img" not in e.source and "&lt;img" in e.source for e in submitted_entries(file))

def test_the_lock_lies_beside_the_file(data, file, monkeypatch):
    seen = []
    class Seen(C.FileLock):
        def __init__(self, path, *args, **kwargs):
            seen.append(path)
            super().__init__(path, *args, **kwargs)
    monkeypatch.setattr(C, "FileLock", Seen)
    submit(make(data), 5, "x", path=file)
    assert {p.parent for p in map(type(file), seen)} == {file.parent}

@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_file_that_cannot_be_written_stays_as_it_was_and_the_run_is_printed(broken, data, file, monkeypatch, capsys):
    submit(make(data), 5, "x", 1, file)
    before = file.read_bytes()
    def full(*args): raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(os, broken, full)
    monkeypatch.setattr(C, "score", lambda learn: (.8125, .875))
    capsys.readouterr()
    with pytest.raises(OSError, match="No space left") as e: submit(make(data), 5, "y", 2, file)
    said = capsys.readouterr().out
    assert str(file) in str(e.value) and '"accuracy": 0.8125, "accuracy_tta": 0.875' in said
    assert file.read_bytes() == before and not list(file.parent.glob("*.tmp"))

RUN = dict(name="x", epochs=5, seed=0, accuracy=.5, accuracy_tta=.5, parameters=1, data="fashion_mnist", device="cpu")

@pytest.mark.parametrize("text", ["", "{", "[]", '{"runs": 3}', '{"runs": [3]}', '{"run": []}', b"\xff\xfe\x00",
    json.dumps(dict(runs=[{k: v for k, v in RUN.items() if k != "seed"}])), json.dumps(dict(runs=[RUN | dict(more=1)])),
    json.dumps(dict(runs=[RUN | dict(device=3)])), "[" * 100_000,
    json.dumps(dict(runs=[RUN | dict(accuracy="high")])), json.dumps(dict(runs=[RUN | dict(accuracy=94.5)])),
    json.dumps(dict(runs=[RUN | dict(accuracy_tta=float("nan"))])), json.dumps(dict(runs=[RUN | dict(epochs=6)]))])
def test_a_damaged_file_is_named_and_kept(text, data, file, monkeypatch):
    raw = text if isinstance(text, bytes) else text.encode()
    file.parent.mkdir()
    file.write_bytes(raw)
    monkeypatch.setattr(C, "score", lambda learn: pytest.fail("evaluated before the file was read"))
    with pytest.raises(ValueError) as e: submit(make(data), 5, "x", path=file)
    assert str(file) in str(e.value) and "damaged" in str(e.value) and file.read_bytes() == raw
    assert [f.name for f in file.parent.iterdir()] == [file.name]

# -- our entries

def test_recipes_keep_the_rules():
    x = torch.randn(64, 1, 28, 28)
    assert tuple(RECIPES) == EPOCHS
    for epochs, recipe in RECIPES.items():
        learn = Learner(speed_net(x, recipe.widths), DataLoaders([(x, x)], [(x, x)]))
        learn.n_epochs = epochs
        for make_cb in CALLBACKS[epochs]: make_cb().before_fit(learn)
        assert recipe.epochs == epochs and count_parameters(learn.model) <= MAX_PARAMETERS
        assert [isinstance(block[-1], nn.MaxPool2d) for block in learn.model[2:5]] == [True, True, False]
    assert [len(CALLBACKS[epochs]) for epochs in EPOCHS] == [1, 1, 2]

@pytest.mark.parametrize("tier, epochs, widths", [("smoke", 1, (12, 48, 48)), ("quick", 20, (96, 384, 384)),
                                                  ("full", 20, (96, 384, 384))])
def test_what_of_a_recipe_is_run(tier, epochs, widths, monkeypatch):
    monkeypatch.setenv("MINIAI_TIER", tier)
    recipe = Recipe(widths=(96, 384, 384), epochs=20, lr=.1)
    assert in_tier(recipe) == replace(recipe, epochs=epochs, widths=widths)

def fake_run(seen):
    "In place of a training: notes the call, and gives a learner that scores .96 and .97."
    def speedrun(data, recipe, seed, device, compile, cbs=()):
        seen.append((len(data.train_x), recipe, seed))
        assert all(isinstance(cb, Callback) for cb in cbs)
        learn = make(data)
        learn.seconds = dict(load=1., compile=0., train=9.)
        return learn
    return speedrun

@pytest.fixture
def calls(monkeypatch):
    seen = []
    monkeypatch.setattr(C, "speedrun", fake_run(seen))
    monkeypatch.setattr(C, "score", lambda learn: (.96, .97))
    return seen

def test_an_entry_in_the_smoke_tier_is_tiny_and_writes_nothing(tmp_path):
    runs = experiment("record_5ep", train_recipe, 3, recipe=RECIPES[5], cbs=CALLBACKS[5])
    assert [(r["seed"], r.value("epochs")) for r in runs] == [(42, 1)] and not (tmp_path / "results").exists()
    assert train_recipe(42, RECIPES[5], cbs=CALLBACKS[5])["accuracy"] == pytest.approx(runs[0].value(), abs=1e-7)       # a seed repeats a run

def test_a_recipe_is_an_entry_that_submit_takes(file):
    learn = speedrun(fashion_mnist(), in_tier(RECIPES[20]), seed=1, cbs=[make_cb() for make_cb in CALLBACKS[20]])
    submit(learn, 20, "ours", 1, file)
    run, = read_submissions(file)
    assert (run.accuracy, run.accuracy_tta) == C.score(learn)

def test_an_entry_in_the_full_tier_is_recorded(calls, monkeypatch, tmp_path, data):
    monkeypatch.setenv("MINIAI_TIER", "full")
    monkeypatch.setenv("FORCE", "1")
    monkeypatch.setenv("MINIAI_LESSON", "19_challenge")
    monkeypatch.setattr(C, "fashion_mnist", lambda holdout, seed: data if holdout == 0 else None)
    experiment("record_20ep", train_recipe, [3], recipe=RECIPES[20], cbs=CALLBACKS[20])
    assert calls == [(2000, RECIPES[20], 3)]
    line, = map(json.loads, (tmp_path / "results/19_challenge.jsonl").read_text().splitlines())
    assert line["rows"] == [dict(epochs=20, accuracy=.96, tta_accuracy=.97, seconds=9.)] and line["seed"] == 3
    assert line["config"]["cbs"] == [{"of": "PoolLaterCB", "args": [[0, 1]]}]
    assert line["config"]["recipe"]["augmentation"][0].startswith("RandErase(")   # strengths are part of what was run
    assert [e.accuracy for e in our_entries() if e.epochs == 20] == [.96, .97]

def test_try_recipe_holds_images_out_and_writes_nothing(calls, tmp_path, capsys):
    assert try_recipe(Recipe(), [1, 2]) == [dict(epochs=1, accuracy=.96, tta_accuracy=.97, seconds=9.)] * 2
    assert [(n, seed) for n, _, seed in calls] == [(2000 - round(2000 / 12), 1), (2000 - round(2000 / 12), 2)]
    assert not (tmp_path / "results").exists()
    assert capsys.readouterr().out.splitlines()[0] == "seed 1: 96.00 % held out, with TTA 97.00 %, 9 s"

@pytest.mark.parametrize("seed", ["abc", "-1", "1.5"])
def test_a_seed_in_the_environment_that_is_none_is_named(seed, data, file, monkeypatch):
    monkeypatch.setenv("MINIAI_SEED", seed)
    with pytest.raises(ValueError, match=f"MINIAI_SEED is '{seed}'"): submit(make(data), 5, "x", path=file)

def test_the_first_board_that_fits(data, file):
    for n, epochs in ((5, 5), (6, 20), (50, 50)):
        learn = make(data)
        learn.n_epochs = n
        submit(learn, path=file)
        assert read_submissions(file)[-1].epochs == epochs
    learn.n_epochs = 51
    with pytest.raises(RuleBrokenError, match="50 epochs"): submit(learn, path=file)
