"What is no file, too large or unreadable; servers that are slow, cut off or send rubbish; a cache that mends itself."
import gzip, hashlib, os, re, sys, tarfile, time
from pathlib import Path
from threading import Event, Thread

import pytest
import torch
from filelock import FileLock
from torchvision.datasets import CIFAR10, FashionMNIST

from fake_server import SAMPLE, bare, copy_sample, raw_server, server
from miniai import _files as F
from miniai.data import ImageData, cifar10, fashion_mnist, image_folder
from test_data import originals, rewrite

IMAGES = "train-images-idx3-ubyte.gz"
no_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")


# ---- what is no file, or too large

def pipe(file): os.mkfifo(file)
def folder(file): file.mkdir()

@pytest.mark.parametrize("make", [pipe, folder])
def test_only_files_are_opened(tmp_path, make, originals):
    data = copy_sample(tmp_path / "f")
    (data / IMAGES).unlink()
    make(data / IMAGES)
    with pytest.raises(ValueError, match=f"{IMAGES} is a folder, a pipe or a device"): fashion_mnist(path=data)
    with pytest.raises(ValueError, match=f"{IMAGES} is a folder, a pipe or a device"): F.read_idx(data / IMAGES)
    (originals / "test_batch").unlink()
    make(originals / "test_batch")
    with pytest.raises(ValueError, match="test_batch is a folder, a pipe or a device"): cifar10(path=originals)

@no_root
def test_a_file_without_permission_is_named(tmp_path, originals):
    data = copy_sample(tmp_path / "f")
    for file in data / IMAGES, originals / "test_batch": file.chmod(0)
    with pytest.raises(ValueError, match=f"{IMAGES} cannot be read .Permission denied"): fashion_mnist(path=data)
    with pytest.raises(ValueError, match="test_batch cannot be read .Permission denied"): cifar10(path=originals)
    data.chmod(0)
    with pytest.raises((ValueError, FileNotFoundError), match=str(data)): fashion_mnist(path=data)
    data.chmod(0o700)

HEADER = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (2000, 28, 28))

@pytest.mark.parametrize("head,says", [(b"", "no IDX file"),
                                       (b"\0\0\x08\x04" + b"\xff" * 16, "4294967295 × .* is the most"),
                                       (HEADER, "holds more numbers where its header says 2000 × 28 × 28")])
def test_a_small_file_that_unzips_to_gigabytes_is_refused_unread(tmp_path, monkeypatch, head, says):
    data = copy_sample(tmp_path / "f")
    (data / IMAGES).write_bytes(gzip.compress(head + bytes(100_000_000)))
    read = []
    counted = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, n: read.append(n) or counted(self, n))
    with pytest.raises(ValueError, match=f"{IMAGES} is .*{says}"): fashion_mnist(path=data)
    assert 0 < sum(read) <= 2000 * 28 * 28 + 17

def test_a_header_that_promises_too_much_costs_no_memory(tmp_path):
    (tmp_path / "x").write_bytes(b"\0\0\x08\x04" + b"\xff" * 16 + b"1234")
    with pytest.raises(ValueError, match="x is cut short .* it holds 4 numbers where"): F.read_idx(tmp_path / "x")

def test_only_bytes_are_written(tmp_path):
    with pytest.raises(ValueError, match=r"numbers is torch.float32 \[3\]"): F.write_idx(tmp_path / "x", torch.zeros(3))

def test_labels_and_grey_images_of_idx_files_come_with_a_hint():
    x, y = F.read_idx(SAMPLE / IMAGES), F.read_idx(SAMPLE / "train-labels-idx1-ubyte.gz")
    with pytest.raises(ValueError, match=r"train_x\[:, None\]"): ImageData(x, y, x, y, range(10), "mine")
    x = x[:, None]
    with pytest.raises(ValueError, match=r"uint8 .*train_y\.long"): ImageData(x, y, x, y, range(10), "mine")
    assert ImageData(x, y.long(), x, y.long(), range(10), "mine").train_y.sum() == 9000


# ---- where files lie

def test_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    copy_sample(tmp_path / "data/fashion_mnist")
    assert len(fashion_mnist(path="~/data/fashion_mnist").train_x) == 2000
    assert F.read_idx(f"~/data/fashion_mnist/{IMAGES}").shape == (2000, 28, 28)
    monkeypatch.setenv("MINIAI_DATA", "~/data")
    assert len(fashion_mnist().train_x) == 2000
    monkeypatch.setenv("XDG_CACHE_HOME", "~/kept")
    assert F.cache_dir() == tmp_path / "kept/miniai"

def test_an_empty_path_is_not_the_current_folder(monkeypatch):
    monkeypatch.chdir(SAMPLE)
    with pytest.raises(FileNotFoundError, match="path is ''"): fashion_mnist(path="")
    assert len(fashion_mnist(path=".").train_x) == 2000

@pytest.fixture
def homeless(monkeypatch):
    def home(): raise RuntimeError("Could not determine home directory.")
    monkeypatch.setattr(F.Path, "home", home)

def test_the_cache_needs_no_home_where_a_variable_names_it(homeless, monkeypatch, tmp_path):
    assert F.cache_dir() == tmp_path / "cache/miniai"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr(sys, "platform", "win32")
    assert F.cache_dir() == tmp_path / "local/miniai"

def test_without_home_and_variables_the_rest_is_searched(homeless, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    with pytest.raises(FileNotFoundError, match="set MINIAI_DATA .* or XDG_CACHE_HOME"): fashion_mnist()
    copy_sample(F.DEBIAN / "fashion-mnist")
    assert len(fashion_mnist().train_x) == 2000

def test_a_relative_xdg_cache_home_is_ignored(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(sys, "platform", "linux")
    assert F.cache_dir() == Path.home() / ".cache/miniai"


# ---- servers

def drip(content):
    def answer(connection):
        for byte in content * 1000:
            connection.sendall(bytes([byte]))
            time.sleep(.05)
    return answer

def endless(connection):
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    while True: connection.sendall(bytes(2**16))

OK = b"HTTP/1.1 200 OK\r\n"
def at_once(*content): return lambda connection: connection.sendall(b"".join(content))
def length(n): return f"Content-Length: {n}\r\n\r\n".encode()

SLOW = "fewer than 5,000 bytes a second"
SERVERS = {"a byte now and then": (drip(OK + length(9999) + b"x" * 99), SLOW),
           "headers without end": (drip(OK), SLOW), "nothing": (lambda c: time.sleep(60), f"{SLOW}|[Tt]imed? ?out"),
           "chunks, cut": (at_once(OK, b"Transfer-Encoding: chunked\r\n\r\n1000\r\nabc"), "IncompleteRead|ended"),
           "shorter than it says": (at_once(OK, length(99), b"abc"), "IncompleteRead|MD5"),
           "rubbish": (at_once(b"rubbish\r\n\r\n"), "rubbish"), "a closed door": (lambda c: None, "closed|aborted"),
           "an error": (at_once(b"HTTP/1.1 404 Not here\r\n", length(0)), "404"),
           "another page": (at_once(OK, length(5), b"hello"), "MD5 differs"),
           "no end": (endless, "more than 1,000,000 bytes came")}

@pytest.mark.parametrize("how", SERVERS)
def test_a_bad_server_ends_as_the_documented_error(monkeypatch, how):
    answer, says = SERVERS[how]
    monkeypatch.setattr(F, "PATIENCE", .5)
    monkeypatch.setattr(F._Bar, "most", 1_000_000)
    url = raw_server(answer)
    monkeypatch.setattr(FashionMNIST, "mirrors", [url])
    monkeypatch.setattr(CIFAR10, "url", url + CIFAR10.filename)
    for load in fashion_mnist, cifar10:
        start = time.monotonic()
        with pytest.raises(FileNotFoundError) as e: load()
        first, *ways = str(e.value).splitlines()
        assert re.match(rf"\w+ is not on this machine, and the download failed \(.*({says})", first), first
        assert len(ways) == 4 and time.monotonic() - start < 10
    assert sorted(f.name for f in F.cache_dir().iterdir() if f.suffix != ".lock") == []

def test_the_next_mirror_is_asked(server, monkeypatch):
    monkeypatch.setattr(F, "PATIENCE", 1)
    slow = raw_server(drip(OK + length(9999) + b"x" * 9999))
    monkeypatch.setattr(FashionMNIST, "mirrors", [raw_server(at_once(b"rubbish")), slow, server.url])
    assert len(fashion_mnist().train_x) == 2000

def test_a_slow_but_steady_server_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(F, "PATIENCE", .2)
    content = (SAMPLE / IMAGES).read_bytes()
    def steady(connection):
        connection.sendall(OK + length(len(content)))
        for i in range(0, len(content), 60_000):
            connection.sendall(content[i:i + 60_000])
            time.sleep(.04)
    (tmp_path / "whole").mkdir()
    F._get_checked(file := tmp_path / "whole/got", [raw_server(steady)], hashlib.md5(content).hexdigest())
    assert file.read_bytes() == content


# ---- the cache

def test_what_is_missing_or_damaged_in_the_cache_is_fetched_again(server):
    kept, x = F.cache_dir() / "fashion_mnist", fashion_mnist().train_x
    for damage in Path.unlink, lambda f: rewrite(f, lambda raw: raw[:-9]), lambda f: f.write_bytes(b""):
        damage(kept / IMAGES)
        server.asked.clear()
        assert torch.equal(fashion_mnist().train_x, x) and server.asked == [f"/{IMAGES}"]

def test_what_is_damaged_in_the_cache_is_named_offline_and_looked_for_elsewhere(server, monkeypatch):
    fashion_mnist()
    rewrite(F.cache_dir() / "fashion_mnist" / IMAGES, lambda raw: raw[:-9])
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(FileNotFoundError, match=rf"(?s){IMAGES} is cut .*download failed.*MINIAI_DATA.*online"):
        fashion_mnist()
    copy_sample(F.DEBIAN / "fashion-mnist")
    assert len(fashion_mnist().train_x) == 2000

def test_what_is_damaged_elsewhere_is_left_alone(server, tmp_path, monkeypatch):
    rewrite(copy_sample(tmp_path / "env/fashion_mnist") / IMAGES, lambda raw: raw[:-9])
    monkeypatch.setenv("MINIAI_DATA", str(tmp_path / "env"))
    with pytest.raises(ValueError, match="cut short"): fashion_mnist()
    (tmp_path / "env/fashion_mnist" / IMAGES).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {IMAGES}: put the four original files there"): fashion_mnist()
    assert server.asked == []

def test_cifar_is_downloaded_kept_and_mended(originals, tmp_path, monkeypatch):
    served = tmp_path / "served"
    served.mkdir()
    with tarfile.open(served / CIFAR10.filename, "w:gz") as tar: tar.add(originals, CIFAR10.base_folder)
    archive = (served / CIFAR10.filename).read_bytes()
    monkeypatch.setattr(CIFAR10, "url", raw_server(at_once(OK, length(len(archive)), archive)))
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive).hexdigest())
    assert cifar10().train_y.tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    kept = F.cache_dir() / "cifar10"
    assert [f.name for f in kept.iterdir()] == [CIFAR10.base_folder]
    (kept / CIFAR10.base_folder / "data_batch_2").write_bytes(b"")
    (kept / CIFAR10.base_folder / "test_batch").unlink()
    assert cifar10().valid_y.tolist() == [0, 9]

def test_pictures_that_somebody_put_into_the_cache_are_not_replaced(monkeypatch):
    (F.cache_dir() / "cifar10/train/cat").mkdir(parents=True)
    with pytest.raises(ValueError, match="holdout is 0"): cifar10()

def test_what_killed_downloads_left_is_removed(server):
    names = "tmpabcd_123", ".fashion_mnist-abcd_123", ".cifar10-abcd_123"
    old, mine, others = (F.cache_dir() / name for name in names)
    for place in old, mine, others:
        place.mkdir(parents=True)
        (place / "half").write_bytes(b"half")
    os.utime(old, (0, 0))
    fashion_mnist()
    assert sorted(f.name for f in F.cache_dir().iterdir() if f.suffix != ".lock") == [others.name, "fashion_mnist"]

def test_who_waits_for_another_process_says_so(server, monkeypatch):
    monkeypatch.setattr(F, "QUIET", .1)
    F.cache_dir().mkdir(parents=True)
    held = Event()
    def other():
        with FileLock(F.cache_dir() / ".fashion_mnist.lock"):
            held.set()
            time.sleep(.5)
    Thread(target=other).start()
    held.wait()
    with pytest.warns(UserWarning, match="waiting for another process, which is downloading fashion_mnist"):
        assert len(fashion_mnist().train_x) == 2000
