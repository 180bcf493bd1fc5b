"Two processes on the CPU, by torchrun, beside one: the same training, checkpoints, ends."
import os, re, signal, subprocess, sys, sysconfig, time
from pathlib import Path

import pytest
import torch

pytest.importorskip("accelerate")
import accelerated
from accelerated import KINDS, SAME, fitted, goes_on, plain, stops

def start(*args):
    "Two processes of a script."
    torchrun = Path(sysconfig.get_path("scripts")) / "torchrun"
    env = os.environ | dict(OMP_NUM_THREADS="1", PYTHONUNBUFFERED="1")
    return subprocess.Popen([torchrun, "--standalone", "--nproc_per_node", "2", *map(str, args)], env=env, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

def end(process, seconds):
    "Its output; it must end in time."
    try: return process.communicate(timeout=seconds)[0]
    finally:
        if process.poll() is None: os.killpg(process.pid, signal.SIGKILL)

@pytest.fixture(scope="module")
def both(tmp_path_factory):
    "What both processes found, what they printed, and their folder."
    folder = tmp_path_factory.mktemp("both")
    stops(plain, folder / "one")
    said = end(start(accelerated.__file__, folder), 300)
    assert (folder / "1.pt").exists(), said
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)], said, folder

@pytest.fixture
def each(both):
    "Of a name, what each process found."
    def of(name):
        for result in both[0]: assert not isinstance(result[name], str), result[name]
        return [result[name] for result in both[0]]
    return of

def alike(a, b, exact=False):
    "Equal; floats that are no accuracy to 1e-6, unless `exact`."
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for name in a: alike(a[name], b[name], exact or "accuracy" in name or "counts" in name)
    elif isinstance(a, list): assert len(a) == len(b) and all(alike(x, y, exact) is None for x, y in zip(a, b))
    else: torch.testing.assert_close(torch.as_tensor(a), torch.as_tensor(b), rtol=0, atol=0 if exact else 1e-6)

@pytest.mark.parametrize("name", SAME)
def test_as_one_process(name, each):
    mine, first, second = SAME[name](), *each(name)
    alike(mine, first)
    if name == "capture_preds": second["preds"] = first["preds"]      # which the second did not ask for
    alike(first, second, exact=True)

@pytest.mark.parametrize("kind", KINDS)
def test_every_example_once_in_an_epoch(kind, each):
    result = each(f"sees, {kind}")[0]
    orders = []
    for epoch in range(3):
        parts = [[ids for e, ids, *_ in seen if e == epoch] for seen in result["seen"]]
        assert [[len(ids) for ids in part] for part in parts] == [[4, 4, 4, 1], [3, 3, 3, 0]]
        orders.append(sum((a + b for a, b in zip(*parts)), []))
        assert sorted(orders[-1]) == [*range(22)]
    assert (orders[0] == orders[1]) is (kind == "list")
    drawn = [of_batch for seen in result["seen"] for *_, of_batch in seen]
    assert len({*drawn}) == len(drawn) == 24, "each process draws its own numbers, for each batch others"
    if kind in "02":
        drawn = [x for seen in result["seen"] for _, ids, of_data, _ in seen if ids for x in of_data]
        assert len({*drawn}) == len(drawn) == 66
    assert len({*result["weights"]}) == len({*result["alike"]}) == 1

def test_the_model_is_prepared_once_and_stays_itself(each):
    for result in each("begins_with_other_weights"):
        assert torch.equal(*result["weights"]) and result["own"]
    learn = accelerated.learner()
    learn.fit(1)
    alike(result["weights"][0], fitted(learn, 1)["weights"])

def test_all_stop_where_one_loss_is_no_number(each):
    errors = each("is_not_finite")[0]
    assert errors[0] == errors[1] and "epoch 0, batch 3 (train)" in errors[0]

def test_all_stop_where_one_wants_to(each): assert each("agrees")[0] == [3, 3]

def test_batchnorm_has_the_same_statistics_in_all(each): alike(*each("has_batchnorm")[0], exact=True)

def test_half_precision(each):
    results = each("half_precision")[0]
    alike(*results, exact=True)
    assert abs(results[0]["rows"][1]["train_loss"] - SAME["recorder"]()["rows"][1]["train_loss"]) < .05

def test_what_cannot_be_divided_is_refused(each):
    errors = each("refuses")[0]
    expected = "divided among the processes", r"float32 \[8, 5\], int64 \[7\]", r"\[str, str\]", "prepared already"
    for error, said in zip(errors, expected, strict=True): assert re.search(said, error)

def test_rows_are_shown_once(both, each):
    each("shows")
    assert len(re.findall("epoch [01] .*valid_accuracy", both[1])) == 2, both[1]

def test_the_main_process_writes_and_names_are_the_models(each):
    for result in each("saves"):
        assert result["writers"] == [True, False] and result["names"] == [*accelerated.small().state_dict()]
        assert result["lines"] == 3

def test_two_processes_resume_bit_for_bit(each):
    each("stops")
    for whole, resumed in zip(each("whole"), each("goes on")): alike(whole, resumed, exact=True)

def test_one_process_goes_on_where_two_stopped_and_two_where_one_did(each, both, tmp_path):
    whole = fitted(plain(tmp_path))
    for resumed in (goes_on(plain, both[2] / "two"), *each("goes on with one's")): alike(whole, resumed)

SCRIPT = """
import os, sys, time, torch
from torch import nn
from miniai._accelerate import AccelerateCB
from miniai._checkpoint import CheckpointCB
from miniai.data import DataLoaders
from miniai.learner import Callback, Learner
accelerate = AccelerateCB()
batches = [(torch.randn(8, 3), torch.randint(2, (8,)))] * 5000
class Here(Callback):
    def after_step(self, learn):
        if learn.total_steps == 5: print("process", accelerate.rank, "is", os.getpid())
        if sys.argv[1] == "dies" and learn.total_steps == 20 and accelerate.rank == 1: os._exit(7)
        time.sleep(.002 * accelerate.rank)
cbs = [accelerate, Here()] + [CheckpointCB(sys.argv[2])] * (sys.argv[1] == "asked")
learn = Learner(nn.Linear(3, 2), DataLoaders(batches, batches[:1]), cbs=cbs)
try: learn.fit(100)
finally: print("process", accelerate.rank, "left after step", learn.total_steps)
"""

@pytest.fixture
def script(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path / "script.py"

def test_a_process_that_dies_ends_the_others(script, tmp_path):
    process = start(script, "dies", tmp_path)
    said = end(process, 100)
    assert process.returncode and "exitcode" in said and re.search(r"rank *: 1 ", said), said
    assert "step 100" not in said

def test_both_stop_after_the_same_step_where_they_are_asked_to_end(script, tmp_path):
    process, said = start(script, "asked", tmp_path), ""
    while said.count("process") < 2: said += process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    said += end(process, 60)
    steps = re.findall(r"left after step (\d+)", said)
    assert len(steps) == 2 and steps[0] == steps[1], said
    assert [f.name for f in tmp_path.glob("step_*.pt")] == [f"step_{int(steps[0]):08d}.pt"]
