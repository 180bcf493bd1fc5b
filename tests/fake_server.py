"A machine without data or network, and a server that has the sample: for the tests of downloads and files."
import hashlib, shutil, socket, time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from torchvision.datasets import FashionMNIST

from miniai import _files as F
from miniai import data as D

SAMPLE = F.Path(D.__file__).parent / "sample"
SUMS = F.SHA256["fashion_mnist_sample"]


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    "A machine without any data or network, on which the sample passes for the originals."
    monkeypatch.setenv("MINIAI_TIER", "quick")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("MINIAI_DATA", raising=False)
    monkeypatch.setattr(F, "DEBIAN", tmp_path / "debian")
    monkeypatch.setitem(F.SHA256, "fashion_mnist", SUMS)
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])


def copy_sample(folder):
    folder.mkdir(parents=True)
    for file in SAMPLE.glob("*.gz"): shutil.copy(file, folder)
    return folder


class Server:
    "Serves a folder on 127.0.0.1, counts what is asked for, and can be slow."
    def __init__(self, folder):
        self.folder, self.asked, self.delay = folder, [], 0
        class Handler(SimpleHTTPRequestHandler):
            def do_GET(handler):
                self.asked.append(handler.path)
                time.sleep(self.delay)
                super().do_GET()
            def log_message(handler, *args): pass
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.http.handle_error = lambda *args: None
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server(tmp_path, monkeypatch):
    server = Server(copy_sample(tmp_path / "server"))
    md5 = [(f"{name}.gz", hashlib.md5((SAMPLE / f"{name}.gz").read_bytes()).hexdigest()) for name in F.FILES.values()]
    monkeypatch.setattr(FashionMNIST, "mirrors", [server.url])
    monkeypatch.setattr(FashionMNIST, "resources", md5)
    yield server
    server.http.shutdown()


def raw_server(answer):
    "The address of a server that gives each connection, once a request has come, to `answer(connection)`."
    listener = socket.create_server(("127.0.0.1", 0))
    def serve(connection):
        with connection:
            try: connection.recv(4096), answer(connection)
            except OSError: pass         # nobody listens any more
    def accept():
        while True: Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
    Thread(target=accept, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"
