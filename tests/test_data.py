"""What the notebook 01_data cannot hold: a server to download from, every way to damage a file, loaders of every kind.
Everything runs on the sample in the package; the originals are used only where they are at hand."""
import gzip, hashlib, os, pickle, runpy, shutil, sys
from itertools import permutations
from pathlib import Path

import matplotlib
import pytest
import torch
from PIL import Image
from hypothesis import HealthCheck, given, settings, strategies as st
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import CIFAR10

from fake_server import SAMPLE, SUMS, bare, copy_sample, server
from miniai import _files as F
from miniai import data as D
from miniai.core import set_seed
from miniai.data import Batches, DataLoaders, ImageData, cifar10, fashion_mnist, image_folder
from miniai.vis import show_image, show_images

matplotlib.use("Agg")


# ---- the download

def test_download_is_kept_and_used_again(server):
    data = fashion_mnist()
    assert len(data.train_x) == 2000 and len(data.valid_x) == 1000 and data.name == "fashion_mnist"
    kept = F.cache_dir() / "fashion_mnist"
    assert sorted(f.name for f in kept.iterdir()) == sorted(f"{name}.gz" for name in F.FILES.values())
    assert [f.name for f in F.cache_dir().iterdir() if not f.name.endswith(".lock")] == ["fashion_mnist"]
    asked = len(server.asked)
    assert torch.equal(fashion_mnist().train_x, data.train_x) and len(server.asked) == asked

def test_a_download_that_is_not_what_it_should_be_is_not_kept(server):
    file = server.folder / "t10k-labels-idx1-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(FileNotFoundError, match="fashion_mnist is not on this machine"): fashion_mnist()
    assert not (F.cache_dir() / "fashion_mnist").exists()

def test_offline_says_what_to_do():
    with pytest.raises(FileNotFoundError) as e: fashion_mnist()
    lines = str(e.value).splitlines()
    for way in "MINIAI_DATA", "apt-get install dataset-fashion-mnist", "MINIAI_TIER=smoke", "go online":
        assert sum(way in line for line in lines) == 1, way
    assert len(lines) == 5 and str(F.cache_dir()) in lines[-1]

def test_offline_cifar_says_what_to_do(monkeypatch):
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    says = "(.|\n)*".join(("cifar-10-batches-py", "<class>", "smoke", "go online"))
    with pytest.raises(FileNotFoundError, match=says): cifar10()

def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "a_file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a_file"))
    with pytest.raises(FileNotFoundError, match="a_file"): fashion_mnist()

# ---- where data is looked for

def test_order_of_places(tmp_path, monkeypatch):
    seen, read = [], D.read_checked
    monkeypatch.setattr(D, "read_checked", lambda folder, sums: seen.append(folder) or read(folder, sums))
    places = [tmp_path / "given", tmp_path / "env/fashion_mnist", tmp_path / "env/fashion-mnist",
              F.cache_dir() / "fashion_mnist", F.DEBIAN / "fashion-mnist"]
    for place in places: copy_sample(place)
    monkeypatch.setenv("MINIAI_DATA", str(tmp_path / "env"))
    fashion_mnist(path=places[0])
    for place in places[1:]:
        fashion_mnist()
        shutil.rmtree(place)
    assert seen == places

def test_an_empty_folder_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "env/fashion_mnist").mkdir(parents=True)
    copy_sample(F.DEBIAN / "fashion-mnist")
    monkeypatch.setenv("MINIAI_DATA", str(tmp_path / "env"))
    assert len(fashion_mnist().train_x) == 2000

def test_a_folder_that_is_not_there_is_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="path is .*nowhere"): fashion_mnist(path=tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="path is .*nowhere"): image_folder(tmp_path / "nowhere")
    monkeypatch.setenv("MINIAI_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="MINIAI_DATA is .*nowhere"): fashion_mnist()

def test_cache_dir(monkeypatch):
    assert F.cache_dir() == Path(os.environ["XDG_CACHE_HOME"]) / "miniai"
    monkeypatch.delenv("XDG_CACHE_HOME")
    for platform, place in (("linux", ".cache"), ("darwin", "Library/Caches")):
        monkeypatch.setattr(sys, "platform", platform)
        assert F.cache_dir() == Path.home() / place / "miniai"

def test_smoke_tier_looks_nowhere(monkeypatch):
    monkeypatch.setenv("MINIAI_TIER", "smoke")
    monkeypatch.setenv("MINIAI_DATA", "/nowhere")
    data, cifar = fashion_mnist(), cifar10()
    assert (data.name, len(data.train_x), len(data.valid_x)) == ("fashion_mnist_sample", 2000, 1000)
    assert cifar.name == "cifar10_smoke" and cifar.train_x.shape == (2000, 3, 32, 32)
    assert torch.equal(cifar.train_x[:, 1, 2:-2, 2:-2], data.train_x[:, 0])
    assert [len(fashion_mnist(5000).valid_y), len(cifar10(5000).valid_y)] == [167, 200]
    for load in fashion_mnist, cifar10:
        with pytest.raises(FileNotFoundError): load(path="/nowhere")


# ---- damaged files

def rewrite(file, change): file.write_bytes(change(file.read_bytes()))
def inside(change): return lambda raw: gzip.compress(change(gzip.decompress(raw)))
def flip(raw, at=-1):
    raw = bytearray(raw)
    raw[at] ^= 1
    return bytes(raw)

DAMAGE = {"zip cut short": (lambda raw: raw[:len(raw) // 2], "cut short or damaged"),
          "zip flipped in the middle": (lambda raw: flip(raw, len(raw) // 2), "cut short or damaged"),
          "zip with another checksum": (lambda raw: flip(raw, -6), "cut short or damaged"),
          "content cut short": (inside(lambda raw: raw[:-1]), "cut short or damaged"),
          "content too long": (inside(lambda raw: raw + b"\0"), "cut short or damaged"),
          "one bit": (inside(flip), "altered"),
          "plain, one bit": (lambda raw: flip(gzip.decompress(raw)), "altered"),
          "header only": (inside(lambda raw: raw[:4]), "cut short or damaged"),
          "empty": (lambda raw: b"", "no IDX file.*begins with nothing"),
          "a web page": (lambda raw: b"<!DOCTYPE html>", "no IDX file.*3c 21 44 4f"),
          "floats": (inside(lambda raw: raw[:2] + b"\x0d" + raw[3:]), "no IDX file")}

@pytest.mark.parametrize("name", F.FILES.values())
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_named(tmp_path, name, how):
    change, says = DAMAGE[how]
    rewrite(copy_sample(tmp_path / "f") / f"{name}.gz", change)
    with pytest.raises(ValueError, match=f"{name}.gz (is|was) .*{says}"): fashion_mnist(path=tmp_path / "f")

@pytest.mark.parametrize("name", F.FILES.values())
def test_a_missing_file_is_named(tmp_path, name):
    (copy_sample(tmp_path / "f") / f"{name}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=f"no {name}.gz"): fashion_mnist(path=tmp_path / "f")

@pytest.mark.parametrize("here,there", list(permutations(F.FILES, 2)))
def test_a_swapped_file_is_named(tmp_path, here, there):
    folder = copy_sample(tmp_path / "f")
    shutil.copy(SAMPLE / f"{F.FILES[there]}.gz", folder / f"{F.FILES[here]}.gz")
    with pytest.raises(ValueError, match=f"{F.FILES[here]}.gz holds the {F.ROLES[there]} where the {F.ROLES[here]}"):
        fashion_mnist(path=folder)

def test_plain_files_are_read_too(tmp_path):
    folder = copy_sample(tmp_path / "f")
    for file in list(folder.iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    assert torch.equal(fashion_mnist(path=folder).valid_x[:, 0], F.read_idx(SAMPLE / "t10k-images-idx3-ubyte.gz"))

@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.booleans())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_idx_round_trip(tmp_path, shape, zipped):
    numbers = torch.randint(0, 256, shape, dtype=torch.uint8)
    F.write_idx(file := tmp_path / f"x{'.gz' * zipped}", numbers)
    assert torch.equal(F.read_idx(file), numbers)


# ---- the sample

def test_sample_in_the_package():
    assert sum(f.stat().st_size for f in SAMPLE.iterdir()) < 2_000_000
    assert "MIT License" in (SAMPLE / "LICENSE").read_text(encoding="utf-8")
    data = fashion_mnist(path=SAMPLE)
    assert data.train_y.bincount().tolist() == [200] * 10 and data.valid_y.bincount().tolist() == [100] * 10

ORIGINALS = Path("/usr/share/datasets/fashion-mnist")

@pytest.mark.skipif(not ORIGINALS.is_dir(), reason="needs the original Fashion-MNIST")
def test_sample_can_be_made_again(tmp_path, monkeypatch, root):
    monkeypatch.undo()
    monkeypatch.setenv("MINIAI_TIER", "quick")
    data = fashion_mnist(path=ORIGINALS)
    assert abs(data.mean[0] - .2860) < 5e-5 and abs(data.std[0] - .3530) < 5e-5
    runpy.run_path(str(root / "tools/make_sample.py"))["make_sample"](tmp_path, data)
    for role, name in F.FILES.items():
        assert hashlib.sha256(gzip.decompress((tmp_path / f"{name}.gz").read_bytes())).hexdigest() == SUMS[role]


# ---- folders of pictures

@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    for part, n in (("train", 6), ("test", 3)):
        for c in ("cat", "dog"):
            (folder / part / c).mkdir(parents=True)
            for i in range(n):
                grey = 30 * i + 60 * (c == "dog")
                Image.new("RGB", (8, 8), (grey,) * 3).save(folder / part / c / f"{i}.jpg", quality=100)
    return folder

def test_image_folder(pictures):
    (pictures / "train/cat/.hidden.jpg").write_bytes(b"")
    (pictures / "train/cat/notes.txt").write_text("no picture")
    (pictures / "train/.git").mkdir()
    data = image_folder(pictures)
    assert data.classes == ["cat", "dog"] and data.train_x.shape == (12, 3, 8, 8) and data.name == "pictures"
    assert data.train_y.tolist() == [0] * 6 + [1] * 6 and len(data.valid_y) == 6
    assert (data.train_x[:, 2, 3, 4].int() - torch.tensor([*range(0, 180, 30), *range(60, 240, 30)])).abs().max() <= 2

def test_image_folder_turns_photos_upright(pictures):
    photo, exif = Image.new("RGB", (8, 8)), Image.Exif()
    photo.paste((255, 255, 255), (0, 0, 8, 4))
    exif[0x0112] = 6
    photo.save(pictures / "test/cat/0.jpg", exif=exif)
    upright = image_folder(pictures).valid_x[0, 0]
    assert upright[:, -1].min() > 240 and upright[:, 0].max() < 15

def test_image_folder_without_test_set(pictures):
    with pytest.raises(ValueError, match="holdout is 0"): image_folder(pictures / "train")
    data = image_folder(pictures / "train", holdout=4)
    assert len(data.train_y) == 8 and data.valid_y.tolist() == [0, 0, 1, 1]
    assert len(image_folder(pictures, holdout=4).valid_y) == 4

def test_image_folder_resizes(pictures):
    Image.new("L", (30, 20)).save(pictures / "train/dog/odd.png")
    with pytest.raises(ValueError, match=r"odd.png is 30×20 and .*cat/0.jpg 8×8.*size=8"): image_folder(pictures)
    assert image_folder(pictures, size=16).train_x.shape == (13, 3, 16, 16)
    with pytest.raises(ValueError, match="size is 0"): image_folder(pictures, size=0)

@pytest.mark.parametrize("damage", [lambda raw: raw[:len(raw) // 3], lambda raw: b"", lambda raw: b"no picture at all",
                                    lambda raw: raw[:2] + bytes(len(raw) - 2)])
def test_a_corrupt_picture_is_named(pictures, damage):
    rewrite(pictures / "test/dog/1.jpg", damage)
    with pytest.raises(ValueError, match="dog.1.jpg cannot be decoded as a picture"): image_folder(pictures)

def test_folders_that_do_not_fit_are_named(pictures):
    for f in (pictures / "train/dog").iterdir(): f.unlink()
    with pytest.raises(ValueError, match="train.dog has no picture"): image_folder(pictures)
    (pictures / "train/dog").rmdir()
    with pytest.raises(ValueError, match="test has the folders cat, dog; the classes are cat"): image_folder(pictures)
    (pictures / "none").mkdir()
    with pytest.raises(ValueError, match="none has no folders"): image_folder(pictures / "none")


# ---- CIFAR-10

@pytest.fixture
def originals(tmp_path, monkeypatch):
    "A CIFAR-10 of 10 + 2 images, in the original format, with checksums to match."
    folder = tmp_path / "cifar" / CIFAR10.base_folder
    folder.mkdir(parents=True)
    def put(name, content):
        (folder / name).write_bytes(raw := pickle.dumps(content))
        return name, hashlib.md5(raw).hexdigest()
    image = lambda n: torch.arange(n * 3072).remainder(251).byte().view(n, 3072).numpy()
    batches = [put(f"data_batch_{i}", dict(data=image(2), labels=[i, i])) for i in range(1, 6)]
    monkeypatch.setattr(CIFAR10, "train_list", batches)
    monkeypatch.setattr(CIFAR10, "test_list", [put("test_batch", dict(data=image(2), labels=[0, 9]))])
    name, md5 = put("batches.meta", dict(label_names=[f"class {i}" for i in range(10)]))
    monkeypatch.setattr(CIFAR10, "meta", dict(filename=name, key="label_names", md5=md5))
    return folder

def test_cifar_originals(originals, tmp_path, monkeypatch):
    data = cifar10(path=originals.parent)
    assert data.name == "cifar10" and data.train_x.shape == (10, 3, 32, 32) and data.classes[9] == "class 9"
    assert torch.equal(data.train_x[0].flatten(), torch.arange(3072).remainder(251).byte())
    assert data.train_x.is_contiguous()
    assert data.train_y.tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5] and data.valid_y.tolist() == [0, 9]
    assert len(cifar10(path=originals).train_x) == 10
    originals.parent.rename(tmp_path / "cifar10")
    monkeypatch.setenv("MINIAI_DATA", str(tmp_path))
    assert len(cifar10(holdout=3).valid_x) == 3

@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_cifar_damaged(originals, name):
    rewrite(originals / name, flip)
    with pytest.raises(ValueError, match=f"{name} is cut short or altered"): cifar10(path=originals.parent)
    (originals / name).unlink()
    with pytest.raises(ValueError, match=f"{name} is missing"): cifar10(path=originals.parent)

def test_cifar_pictures(pictures, monkeypatch):
    says = r"holds \(12, 6\) pictures, CIFAR-10 has \(50000, 10000\)"
    with pytest.raises(ValueError, match=says): cifar10(path=pictures)
    monkeypatch.setattr(D, "CIFAR10_SIZE", (12, 6))
    assert cifar10(path=pictures).name == "cifar10_jpeg"


# ---- batches

@given(n=st.integers(1, 60), bs=st.integers(1, 70), c=st.sampled_from([1, 3]), shuffle=st.booleans(),
       last=st.booleans(), dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float64]),
       seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_batches(n, bs, c, shuffle, last, dtype, seed):
    draw = torch.Generator().manual_seed(seed)
    x, y = torch.randint(0, 256, (n, c, 4, 5), dtype=torch.uint8, generator=draw), torch.arange(n)
    mean, std = torch.rand(c, generator=draw).tolist(), (torch.rand(c, generator=draw) + .1).tolist()
    loader = Batches(x, y, bs, shuffle, "cpu", mean, std, dtype, last)
    set_seed(seed)
    batches = list(loader)
    order = torch.cat([yb for _, yb in batches])
    set_seed(seed)
    assert torch.equal(order, torch.randperm(n) if shuffle else torch.arange(n))
    assert len(batches) == len(loader) and [len(yb) for _, yb in batches] == [min(bs, n - i) for i in range(0, n, bs)]
    got = torch.cat([xb for xb, _ in batches])
    expected = (x[order].double() / 255 - torch.tensor(mean).view(c, 1, 1)) / torch.tensor(std).view(c, 1, 1)
    atol, rtol = (2e-2, 1e-2) if dtype == torch.bfloat16 else (2e-6, 1e-6)
    assert got.dtype == dtype and torch.allclose(got.double(), expected, atol=atol, rtol=rtol)
    assert not last or all(xb.is_contiguous(memory_format=torch.channels_last) for xb, _ in batches)
    assert last or all(xb.is_contiguous() for xb, _ in batches)
    assert (loader.undo(got) * 255 - x[order]).abs().max() < (3 if dtype == torch.bfloat16 else 1e-2)

def test_the_data_survive_an_epoch():
    data = fashion_mnist(path=SAMPLE)
    before = data.train_x.clone()
    for x, y in data.dls(64, device="cpu").train: x.zero_(), y.zero_()
    assert torch.equal(before, data.train_x) and data.train_y.bincount().tolist() == [200] * 10

@pytest.mark.skipif(not torch.accelerator.is_available(), reason="needs a second device")
def test_one_seed_one_order_on_every_device():
    data, orders = fashion_mnist(path=SAMPLE), []
    for device in "cpu", torch.accelerator.current_accelerator():
        set_seed(5)
        orders.append(torch.cat([y.cpu() for x, y in data.dls(64, device=device).train]))
    assert torch.equal(*orders)

def test_dls():
    data = fashion_mnist(path=SAMPLE)
    dls = data.dls(300, device="cpu")
    assert len(dls.train) == 7 and len(dls.valid) == 2 and dls.valid.bs == 600 and dls.classes == data.classes
    assert torch.equal(torch.cat([y for x, y in dls.valid]), data.valid_y), "validation images come in order"
    x = torch.cat([x for x, y in dls.train])
    assert abs(x.mean()) < 1e-4 and abs(x.std() - 1) < 1e-4
    x = torch.cat([x for x, y in data.dls(300, device="cpu", normalize=False).valid])
    assert x.min() == 0 and x.max() == 1

def test_looking_changes_nothing():
    dls = fashion_mnist(path=SAMPLE).dls(64, device="cpu")
    set_seed(1)
    seen, again = dls.one_batch(), next(iter(dls.train))
    assert torch.equal(seen[0], again[0]) and torch.equal(seen[1], again[1])

def test_a_torch_loader_will_do():
    loader = DataLoader(TensorDataset(torch.rand(10, 1, 4, 4), torch.arange(10)), batch_size=4)
    dls = DataLoaders(loader, loader)
    assert dls.one_batch()[0].shape == (4, 1, 4, 4)
    D.show_batch(dls)

x, y = torch.zeros(20, 1, 4, 4, dtype=torch.uint8), torch.arange(20) % 4
x[0, 0, 0, 0] = 255
good = dict(train_x=x, train_y=y, valid_x=x, valid_y=y, classes=list("abcd"), name="mine")
BAD_DATA = [(dict(train_x=x.float()), "train_x is torch.float32"), (dict(train_x=x.numpy()), "train_x is ndarray"),
            (dict(valid_x=x[0]), r"valid_x is torch.uint8 \[1, 4, 4\]"),
            (dict(train_x=x[:0], train_y=y[:0]), "train_x is .*not empty"),
            (dict(train_y=y.int()), "train_y is torch.int32"),
            (dict(valid_y=y[:, None]), r"valid_y is torch.int64 \[20, 1\]"),
            (dict(train_y=y[:-1]), "train_x has 20 images and train_y has 19 labels"),
            (dict(valid_y=y + 1), "valid_y has labels 1 to 4: 4 classes are 0 to 3"),
            (dict(train_y=y - 1), "train_y has labels -1 to 2"), (dict(classes=[]), "train_y has labels 0 to 3"),
            (dict(valid_x=x[..., 1:]), r"valid_x has images \[1, 4, 3\], train_x has \[1, 4, 4\]")]

@pytest.mark.parametrize("change,says", BAD_DATA)
def test_bad_data_is_named(change, says):
    ImageData(**good)
    with pytest.raises(ValueError, match=says): ImageData(**(good | change))

BAD_ARGUMENTS = [(dict(bs=21), "bs is 21.*1 to 20"), (dict(bs=0), "bs is 0"), (dict(bs=-1), "bs is -1"),
                 (dict(bs=2.), "bs is 2.0"), (dict(bs=True), "bs is True"), (dict(bs="4"), "bs is '4'"),
                 (dict(bs=4, valid_bs=0), "valid_bs is 0"), (dict(bs=4, dtype=torch.uint8), "dtype is torch.uint8"),
                 (dict(bs=4, dtype="float32"), "dtype is float32"),
                 (dict(bs=4, device="gpu"), "device is 'gpu'.*cpu"),
                 (dict(bs=4, device="cuda:99"), "device is 'cuda:99'.*cpu")]

@pytest.mark.parametrize("change,says", BAD_ARGUMENTS)
def test_bad_arguments_are_named(change, says):
    ImageData(**good).dls(4, device="cpu")
    with pytest.raises(ValueError, match=says): ImageData(**good).dls(**change)

def test_other_bad_arguments_are_named():
    flat = ImageData(**(good | dict(train_x=torch.full_like(x, 7))))
    with pytest.raises(ValueError, match="std is .*normalize=False"): flat.dls(4)
    assert len(flat.dls(4, normalize=False).train) == 5
    with pytest.raises(ValueError, match="mean has 2 values"): Batches(x, y, 4, mean=(.1, .2))
    with pytest.raises(ValueError, match="std is"): Batches(x, y, 4, std=0.)
    with pytest.raises(ValueError, match="valid is a generator"): DataLoaders([], (b for b in []))
    with pytest.raises(ValueError, match="im has the shape"): show_image(torch.zeros(2, 4, 4))
    with pytest.raises(ValueError, match="titles has 1 entries for 2"): show_images([x[0], x[1]], ["one"])
    for holdout in (-1, 2000, 1.5):
        with pytest.raises(ValueError, match=f"holdout is {holdout}"): fashion_mnist(holdout, path=SAMPLE)
    with pytest.raises(ValueError, match="n_valid is 20"): D.stratified_split(y, 20)

@given(st.lists(st.integers(0, 4), min_size=2, max_size=80), st.data(), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_stratified_split(labels, data, seed):
    labels = torch.tensor(labels)
    n = data.draw(st.integers(0, len(labels) - 1))
    kept, held = D.stratified_split(labels, n, seed)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(labels))) and len(held) == n
    share = labels.bincount(minlength=5) * n / len(labels)
    assert (labels[held].bincount(minlength=5) - share).abs().max() < 1
    assert torch.equal(D.stratified_split(labels, n, seed)[1], held)
