"Downloads by several processes, and by one that is killed."
import shutil, subprocess, sys, time

from torchvision.datasets import FashionMNIST

from fake_server import bare, server
from miniai import _files as F
from miniai.data import fashion_mnist

SCRIPT = """
import sys
from miniai import _files as F, data as D
F.DEBIAN, F.SHA256["fashion_mnist"] = F.Path("/nowhere"), F.SHA256["fashion_mnist_sample"]
D.FashionMNIST.mirrors, D.FashionMNIST.resources = [sys.argv[1]], eval(sys.argv[2])
print("start", flush=True)
print(len(D.fashion_mnist().train_x))
"""

def start(server):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, server.url, repr(FashionMNIST.resources)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

def test_two_processes_at_once(server):
    fashion_mnist()
    asked = len(server.asked)
    shutil.rmtree(F.cache_dir())
    server.delay = .1
    both = [start(server), start(server)]
    outs = [p.communicate(timeout=60) for p in both]
    assert [p.returncode for p in both] == [0, 0], outs
    assert all(out.split()[-1] == "2000" for out, err in outs)
    assert len(server.asked) == 2 * asked, "the second waits for the first, then finds its files"

def test_a_killed_download_leaves_nothing_half(server):
    server.delay = .5
    p = start(server)
    while len(server.asked) < 2: time.sleep(.02)
    p.kill(); p.communicate()
    assert not (F.cache_dir() / "fashion_mnist").exists()
    server.delay = 0
    assert len(fashion_mnist().train_x) == 2000

def test_who_waits_says_so_and_takes_over_when_the_first_is_killed(server):
    server.delay = F.PATIENCE * .8
    first = start(server)
    while not server.asked: time.sleep(.02)
    second = start(server)
    assert second.stdout.readline() == "start\n"
    time.sleep(F.QUIET + 2)
    server.delay = 0
    first.kill(); first.communicate()
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0 and out == "2000\n", err
    assert "waiting for another process, which is downloading fashion_mnist" in err
    assert [f.name for f in F.cache_dir().iterdir() if f.suffix != ".lock"] == ["fashion_mnist"]
