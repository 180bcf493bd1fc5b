"Signals to a process that trains, and progress in a terminal and in a Jupyter kernel."
import os, signal, subprocess, sys, textwrap, time

import pytest


def python(code, **kwargs):
    "A process that runs `code`."
    env = dict(os.environ, PYTHONUNBUFFERED="1", MPLBACKEND="Agg")
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=env, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **kwargs)


TINY = """
    import time, torch
    from torch import nn
    from miniai.data import DataLoaders
    from miniai.learner import Callback, Learner, MetricsCB, ProgressCB, RecorderCB
    from miniai.metrics import accuracy
    batch = torch.randn(8, 3), torch.randint(2, (8,))
    dls, model = DataLoaders([batch] * 5, [batch]), nn.Linear(3, 2)
"""


def test_interrupt_of_a_process():
    process = python(TINY + """
    import signal
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell has put the tests in the background
    class Slow(Callback):
        def after_batch(self, learn):
            if learn.iter == 2: print("ready")
            if learn.iter == 3: time.sleep(20)
        def cleanup_fit(self, learn): print("cleaned up")
    recorder = RecorderCB(loss=lambda learn: learn.loss)
    learn = Learner(model, dls, cbs=[recorder])
    try: learn.fit(1, cbs=[Slow()])
    except KeyboardInterrupt as e: print("stopped:", e)
    print(len(recorder["loss"]), "recorded")
    learn.fit(1)
    print(len(recorder["loss"]), "then")
    """)
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally: process.kill()
    kept = 4  # Slow and the recorder: the fourth step was taken, and recorded after Slow or not at all
    assert process.returncode == 0, err
    assert "cleaned up" in out and "stopped: stopped in epoch 0, batch 3 (train)" in out
    n = int(out.split(" recorded")[0].split()[-1])
    assert n in (kept - 1, kept) and f"{n + 5} then" in out


def test_progress_in_a_terminal():
    out, err = python(TINY + """
    Learner(model, dls, cbs=[MetricsCB(accuracy=accuracy), ProgressCB(plot=True)]).fit(2)
    """).communicate(timeout=60)
    lines = [line.strip() for line in out.splitlines() if "valid_accuracy" in line]
    assert len(lines) == 2 and lines[1].startswith("epoch 1"), out + err
    assert "/12" in err
    assert "Traceback" not in err and "<table" not in out


def test_progress_in_a_kernel():
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    fit = "Learner(model, dls, cbs=[MetricsCB(accuracy=accuracy), ProgressCB(plot=True)]).fit(2)"
    code = textwrap.dedent(TINY) + fit
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(nb, timeout=60, kernel_name="python3", store_widget_state=False).execute()
    outputs = nb.cells[0].outputs
    html = "".join(o.data.get("text/html", "") for o in outputs if "data" in o)
    assert html.count("<tr>") == 3 and "valid_accuracy" in html and "data:image/png;base64," in html, outputs
    assert not any("widget" in kind for o in outputs if "data" in o for kind in o.data), outputs
    assert "widgets" not in nb.metadata
