"What the notebook 02_learner cannot hold: every way out of every moment, loaders and metrics of others, an accelerator."
import sys, types
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from miniai import _recording
from miniai.core import Table
from miniai.data import DataLoaders
from miniai.learner import (
    EVENTS, STEPS, Callback, CancelBatchException, CancelEpochException, CancelFitException, DeviceCB, Learner,
    MetricsCB, MixedPrecisionCB, RecorderCB)
from miniai.metrics import accuracy

CANCELS = dict(fit=CancelFitException, epoch=CancelEpochException, batch=CancelBatchException)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


def batches(n, last=8):
    "n random batches of 8, the last one of `last`."
    torch.manual_seed(n)
    return [(torch.randn(size, 3), torch.randint(2, (size,))) for size in [8] * (n - 1) + [last]]


def learner(*cbs, **kwargs):
    torch.manual_seed(0)
    return Learner(nn.Linear(3, 2), DataLoaders(batches(4), batches(2)), cbs=cbs, **kwargs)


class Log(Callback):
    "Every event, in order; raises `error` the first time that `at` comes up."
    order = -200
    def __init__(self, at=None, error=None): self.events, self.at, self.error = [], at, error
    def note(self, event, learn):
        self.events.append(event)
        if event == self.at and self.error:
            error, self.error = self.error, None
            raise error
for event in EVENTS: setattr(Log, event, lambda self, learn, event=event: self.note(event, learn))


@pytest.mark.parametrize("at, error", [*product(EVENTS, [*CANCELS.values(), RuntimeError, KeyboardInterrupt])])
def test_every_way_out_of_every_moment(at, error):
    log, after = Log(at, error()), Log()
    after.order = 200
    learn = learner(log, after)
    replaced = type("Replaces", (), dict(backward=lambda self, learn: learn.loss.backward()))()
    try: learn.fit(2, cbs=[replaced])
    except (RuntimeError, KeyboardInterrupt, *CANCELS.values()): pass
    assert log.error is None, "the moment never came"
    assert log.events[0] == "before_fit"
    again = error is KeyboardInterrupt   # a cleanup that an interrupt cut runs once more
    for scope in CANCELS:
        assert log.events.count(f"cleanup_{scope}") == log.events.count(f"before_{scope}") + (again and at == f"cleanup_{scope}")
        assert after.events.count(f"cleanup_{scope}") == after.events.count(f"before_{scope}")
    assert not set(STEPS) & set(learn.__dict__), "a step is still replaced"
    assert all(p.grad is None for p in learn.model.parameters()), "a gradient was left"
    log.events.clear()
    learn.fit(1)
    assert log.events.count("after_step") == 4 and log.events.count("after_batch") == 6
    assert torch.is_grad_enabled()


def test_cancellation_of_each_scope_goes_on_where_it_should():
    log = Log("after_loss", CancelBatchException()); learner(log).fit(1, valid=False)
    assert log.events.count("after_batch") == 3 and log.events.count("after_epoch") == 1
    log = Log("after_loss", CancelEpochException()); learner(log).fit(2, valid=False)
    assert log.events.count("after_batch") == 4 and log.events.count("after_epoch") == 1
    log = Log("after_loss", CancelFitException()); learner(log).fit(2, valid=False)
    assert "after_batch" not in log.events and "after_fit" not in log.events and log.events[-1] == "cleanup_fit"


def test_cancelled_batch_leaves_no_gradient_for_the_next_step():
    "A batch left after backward is as if it had not been."
    class Skip(Callback):
        def after_backward(self, learn):
            if learn.iter == 1: raise CancelBatchException()
    skipped, without = learner(Skip()), learner()
    del without.dls.train[1]
    skipped.fit(1); without.fit(1)
    assert torch.equal(skipped.model.weight, without.model.weight)


def test_optimizer_state_starts_afresh_after_cancellation():
    learn = learner(opt_func=torch.optim.Adam)
    learn.fit(1, cbs=[Log("after_step", CancelFitException())])
    assert all(state["step"] == 1 for state in learn.opt.state.values())
    learn.fit(1, valid=False)
    assert all(state["step"] == 4 for state in learn.opt.state.values())


@pytest.mark.parametrize("scope", CANCELS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, CancelFitException])
def test_all_cleanups_run_when_one_fails(scope, error):
    first, second = Log(f"cleanup_{scope}", error("broken")), Log()
    second.order = 200
    try: learner(first, second).fit(1)
    except (error, RuntimeError): pass
    for each in CANCELS:
        again = error is KeyboardInterrupt and each == scope
        assert first.events.count(f"cleanup_{each}") == second.events.count(f"cleanup_{each}") + again


@pytest.mark.parametrize("step", STEPS)
def test_two_callbacks_cannot_replace_the_same_step(step):
    One, Two = (type(name, (Callback,), {step: lambda self, learn: None}) for name in ("One", "Two"))
    learn = learner()
    with pytest.raises(ValueError, match=f"`{step}`.*One, Two"): learn.fit(1, cbs=[One(), Two()])
    assert not set(STEPS) & set(learn.__dict__)
    learn.fit(1)


def test_torch_dataloader():
    x = torch.randn(20, 3)
    data = TensorDataset(x, (x.sum(1) > 0).long())
    metrics = MetricsCB(accuracy=accuracy)
    learn = Learner(nn.Linear(3, 2), DataLoaders(DataLoader(data, 8, shuffle=True), DataLoader(data, 8)), cbs=[metrics])
    learn.fit(30)
    with torch.no_grad(): right = accuracy(learn.model(x), data.tensors[1]).item()
    assert metrics.history[-1]["valid_accuracy"] == pytest.approx(right, abs=1e-6) and right > .9


def test_torchmetrics_equal_the_plain_function_on_an_uneven_last_batch():
    torchmetrics = pytest.importorskip("torchmetrics")
    metrics = MetricsCB(plain=accuracy, tm=torchmetrics.Accuracy("multiclass", num_classes=2))
    learn = Learner(nn.Linear(3, 2), DataLoaders(batches(4, last=3), batches(3, last=1)), cbs=[metrics])
    learn.fit(2)
    x, y = map(torch.cat, zip(*learn.dls.valid))
    with torch.no_grad(): whole = learn.model(x)
    for row in metrics.history:
        for phase in "train", "valid": assert row[f"{phase}_plain"] == pytest.approx(row[f"{phase}_tm"], abs=1e-6)
    assert metrics.history[-1]["valid_plain"] == pytest.approx(accuracy(whole, y).item(), abs=1e-6)
    assert metrics.history[-1]["valid_loss"] == pytest.approx(F.cross_entropy(whole, y).item(), abs=1e-5)


@needs_cuda
def test_no_host_sync_per_step():
    class Strict(Callback):
        order = 300
        def before_batch(self, learn): torch.cuda.set_sync_debug_mode("error" if learn.iter else "default")
        def cleanup_epoch(self, learn): torch.cuda.set_sync_debug_mode("default")
    # after_epoch reads the figures once, so the mode is off again when the last batch ends
    class Off(Callback):
        order = -300
        def cleanup_batch(self, learn): torch.cuda.set_sync_debug_mode("default")
    metrics = MetricsCB(accuracy=accuracy)
    pinned = [tuple(t.pin_memory() for t in batch) for batch in batches(6)]
    Learner(nn.Linear(3, 2), DataLoaders(pinned, pinned), cbs=[
        DeviceCB("cuda"), metrics, RecorderCB(loss=lambda learn: learn.loss), Strict(), Off()]).fit(2)
    assert len(metrics.history) == 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision(dtype):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    seen = set()
    class See(Callback):
        def after_predict(self, learn): seen.add(learn.preds.dtype)
    mixed, plain = learner(DeviceCB(device), MixedPrecisionCB(dtype), See()), learner(DeviceCB(device))
    try: mixed.fit(3)
    except (RuntimeError, NotImplementedError) as e:
        if dtype is torch.float16 and device == "cpu": pytest.skip(f"no float16 here: {e}")
        raise
    plain.fit(3)
    assert seen == {dtype} and mixed.model.weight.dtype is torch.float32
    torch.testing.assert_close(mixed.model.weight, plain.model.weight, rtol=.05, atol=.02)
    assert not torch.is_autocast_enabled(device)

# -- what reaches a page

def test_a_table_cell_cannot_end_its_column_or_be_html():
    text = Table([["a|b", "c"], ["<script>x</script>", "1 < 2\n3"]])._repr_markdown_()
    assert text == "| a\\|b | c |\n| --- | --- |\n| &lt;script>x&lt;/script> | 1 < 2 3 |"

def test_metric_names_are_escaped_in_the_progress_table():
    page = types.SimpleNamespace(table=types.SimpleNamespace(value=""))
    _recording._Page.show(page, Table([["<b>&"], ["1"]]))
    assert page.table.value == "<table><tr><th>&lt;b&gt;&amp;</th></tr><tr><td>1</td></tr></table>"

def test_progress_does_without_ipywidgets(monkeypatch):
    shell = types.SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert _recording._in_notebook()
    monkeypatch.setattr(_recording, "find_spec", lambda name: None)
    assert not _recording._in_notebook()


def test_the_weights_are_those_of_a_bare_loop():
    learn, bare = learner(lr=.3), learner()
    opt = torch.optim.SGD(bare.model.parameters(), .3)
    for x, y in bare.dls.train:
        F.cross_entropy(bare.model(x), y).backward()
        opt.step()
        opt.zero_grad()
    learn.fit(1)
    assert torch.equal(learn.model.weight, bare.model.weight) and torch.equal(learn.model.bias, bare.model.bias)


def test_channels_last_changes_where_numbers_lie_and_not_which():
    x, y = torch.randn(4, 3, 8, 8), torch.zeros(4)
    learn = Learner(nn.Conv2d(3, 8, 3), DataLoaders([(x, y)], []), loss_func=lambda preds, targets: preds.mean(),
                    cbs=[DeviceCB("cpu", channels_last=True)])
    learn.fit(1, valid=False, lr=0.)
    assert learn.preds.stride(1) == 1 and learn.preds.shape == (4, 8, 6, 6)
    assert torch.allclose(F.conv2d(x, learn.model.weight.contiguous(), learn.model.bias), learn.preds, atol=1e-5)


def test_the_stop_button_says_where_and_leaves_a_learner_that_can_fit():
    class Stop(Callback):
        def after_predict(self, learn):
            if learn.iter == 3: raise KeyboardInterrupt
    learn = learner(RecorderCB(loss=lambda learn: learn.loss))
    with pytest.raises(KeyboardInterrupt, match="stopped in epoch 0, batch 3 .train.; weights and records are kept"):
        learn.fit(1, cbs=[Stop()])
    assert len(learn.cbs[0]["loss"]) == 3
    learn.fit(1)
    assert len(learn.cbs[0]["loss"]) == 7
