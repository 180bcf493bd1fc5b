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
