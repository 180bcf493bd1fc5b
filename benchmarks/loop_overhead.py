"""What a training loop costs beside the bare PyTorch loop: miniai's Learner, ignite, skorch, fastai and Lightning train
the same tiny network on the same batches in memory, and all track loss and accuracy, for training and validation. Then
a small CNN, bare and with miniai. Run from the checkout:

    python benchmarks/loop_overhead.py

First all are shown to end with the same figures and the same weights. Then they take turns, in an order that rotates;
a ratio is the median over repeats of (its seconds / the bare loop's seconds in the same repeat). A library that is not
installed is left out. It ends with status 1 where miniai's ratio is above `--at-most`, for the CNN `--cnn-at-most`."""
import copy, gc, logging, sys, time, warnings
from functools import partial
from importlib import util
from statistics import median

from common import begin, end, faster, in_turns, paired, parser, takes

import torch
import torch.nn.functional as F
from torch import nn

from miniai.data import DataLoaders
from miniai.layers import plain_cnn
from miniai.learner import Learner, MetricsCB
from miniai.metrics import accuracy

LR = .05
KEYS = "train_loss", "train_accuracy", "valid_loss", "valid_accuracy"


def options():
    p = parser(__doc__)
    p.add_argument("--repeats", type=int, default=15, help="timed runs of each loop, after one to warm up (15)")
    p.add_argument("--steps", type=int, default=1000, help="training steps a run; a fifth to validate (1000)")
    p.add_argument("--cnn-steps", type=int, default=10, help="the same for the CNN (10)")
    p.add_argument("--only", nargs="*", help="just these contestants, beside the bare loop and miniai")
    p.add_argument("--at-most", type=float, default=1.05, help="the ratio to the bare loop asked for (1.05)")
    p.add_argument("--cnn-at-most", type=float, default=1.02, help="the same for the CNN (1.02)")
    o = p.parse_args()
    if o.quick: o.repeats, o.steps, o.cnn_steps = 3, 100, 2
    return o


def mlp(): return nn.Sequential(nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))


class InMemory:
    "Batches in a list, as a loader: Lightning takes a bare list for several loaders."
    def __init__(self, batches): self.batches = batches
    def __len__(self): return len(self.batches)
    def __iter__(self): return iter(self.batches)


def random_batches(n_steps, bs, shape) -> DataLoaders:
    "Float batches in memory that can be learned: each class has its own mean."
    torch.manual_seed(0)
    centres = torch.randn(10, *shape) / 4
    def batch():
        y = torch.randint(10, (bs,))
        return centres[y] + torch.randn(bs, *shape), y
    return DataLoaders(*(InMemory([batch() for _ in range(n)]) for n in (n_steps, max(1, n_steps // 5))))


# Each contestant: (model, dls) → a function that trains for an epoch, validates, and returns the four figures of KEYS.
# What a user writes once, such as making a trainer, is not timed.

def bare(model, dls):
    "The loop by hand, and a fair one: sums stay tensors, nothing is read before the end of the epoch."
    def run():
        opt = torch.optim.SGD(model.parameters(), LR)
        figures = []
        for batches, train in (dls.train, True), (dls.valid, False):
            model.train(train)
            total_loss, correct, n = torch.zeros(()), torch.zeros((), dtype=torch.long), 0
            with torch.set_grad_enabled(train):
                for x, y in batches:
                    preds = model(x)
                    loss = F.cross_entropy(preds, y)
                    if train:
                        loss.backward()
                        opt.step()
                        opt.zero_grad()
                    total_loss += loss.detach() * len(y)
                    correct += (preds.detach().argmax(1) == y).sum()
                    n += len(y)
            figures += [total_loss.item() / n, correct.item() / n]
        return figures
    return run


def miniai(model, dls):
    metrics = MetricsCB(accuracy=accuracy)
    learn = Learner(model, dls, lr=LR, cbs=[metrics])
    def run():
        learn.fit(1)
        return [metrics.history[-1][key] for key in KEYS]
    return run


def ignite(model, dls):
    from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
    from ignite.metrics import Accuracy, Average, Loss
    opt = torch.optim.SGD(model.parameters(), LR)
    trainer = create_supervised_trainer(
        model, opt, F.cross_entropy, output_transform=lambda x, y, preds, loss: (preds.detach(), y, loss.detach()))
    Average(lambda out: out[2]).attach(trainer, "loss")
    Accuracy(lambda out: out[:2]).attach(trainer, "accuracy")
    evaluator = create_supervised_evaluator(model, dict(loss=Loss(F.cross_entropy), accuracy=Accuracy()))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(dls.valid))
    def run():
        trainer.run(dls.train, max_epochs=1)
        return [float(engine.state.metrics[key]) for engine in (trainer, evaluator) for key in ("loss", "accuracy")]
    return run


def skorch(model, dls):
    from skorch import NeuralNetClassifier
    from skorch.callbacks import EpochScoring
    from skorch.helper import predefined_split
    def as_is(batches, *args, **kwargs): return batches
    net = NeuralNetClassifier(
        model, criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, lr=LR, max_epochs=1, verbose=0,
        dataset=as_is, iterator_train=as_is, iterator_valid=as_is, train_split=predefined_split(dls.valid),
        classes=range(10), callbacks=[EpochScoring("accuracy", name="train_acc", on_train=True, lower_is_better=False)])
    net.initialize()
    def run():
        net.partial_fit(dls.train)
        return [float(net.history[-1][key]) for key in ("train_loss", "train_acc", "valid_loss", "valid_acc")]
    return run


def fastai(model, dls):
    from fastai.data.core import DataLoaders as FastaiLoaders
    from fastai.learner import Learner as FastaiLearner
    from fastai.metrics import accuracy as fastai_accuracy
    from fastai.optimizer import OptimWrapper
    import fastai.callback.progress  # adds no_bar
    learn = FastaiLearner(FastaiLoaders(dls.train, dls.valid, device=torch.device("cpu")), model, F.cross_entropy,
                          partial(OptimWrapper, opt=torch.optim.SGD), LR, metrics=fastai_accuracy)
    learn.recorder.train_metrics = True
    def run():
        with learn.no_bar(), learn.no_logging(): learn.fit(1)
        return [None, *map(float, learn.recorder.values[-1][1:])]  # its training loss is an exponential average
    return run


def lightning(model, dls):
    import lightning as L
    for name in "lightning", "lightning.pytorch", "lightning.fabric": logging.getLogger(name).setLevel(logging.ERROR)
    class Classifier(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = model
        def shared_step(self, batch, phase):
            x, y = batch
            preds = self.model(x)
            loss = F.cross_entropy(preds, y)
            self.log_dict({f"{phase}_loss": loss, f"{phase}_accuracy": accuracy(preds, y)},
                          on_step=False, on_epoch=True, batch_size=len(y))
            return loss
        def training_step(self, batch, i): return self.shared_step(batch, "train")
        def validation_step(self, batch, i): self.shared_step(batch, "valid")
        def configure_optimizers(self): return torch.optim.SGD(self.model.parameters(), LR)
    trainer = L.Trainer(accelerator="cpu", devices=1, max_epochs=1, logger=False, enable_checkpointing=False,
                        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0)
    classifier = Classifier()
    def run():
        trainer.fit(classifier, dls.train, dls.valid)
        return [float(trainer.callback_metrics[key]) for key in KEYS]
    return run


PEERS = dict(ignite="pytorch-ignite", skorch="skorch", fastai="fastai", lightning="lightning")


def timed(contestant, make_model, start, dls):
    "Seconds, figures and final weights of one run, always from the same weights."
    model = make_model()
    model.load_state_dict(start)
    run = contestant(model, dls)
    gc.collect()
    begin = time.perf_counter()
    figures = run()
    return time.perf_counter() - begin, figures, copy.deepcopy(model.state_dict())


def measure(contestants, make_model, dls, repeats):
    "Check that all end alike, then take turns: name → seconds of each repeat."
    start = make_model().state_dict()
    _, right, weights = timed(bare, make_model, start, dls)
    for name, contestant in contestants.items():
        _, figures, state = timed(contestant, make_model, start, dls)
        for key, a, b in zip(KEYS, figures, right, strict=True):
            assert a is None or abs(a - b) < 1e-4, f"{name}: {key} is {a:.6f}, the bare loop's {b:.6f}"
        for key, w in state.items(): torch.testing.assert_close(w, weights[key], rtol=1e-4, atol=1e-5)
    print("all end alike: " + ", ".join(f"{key} {v:.4f}" for key, v in zip(KEYS, right)))
    return in_turns({name: lambda contestant=contestant: timed(contestant, make_model, start, dls)[0]
                     for name, contestant in contestants.items()}, repeats)


def report(what, seconds, n_batches, at_most):
    "Print the table. Returns rows for a batch: miniai beside the bare loop and each library, ratios of pairs."
    print(f"{'loop':12s} {'µs a batch':>11s} {'least':>8s} {'ratio':>7s} {'middle half':>14s} {'of leasts':>10s}")
    rows, ours = [], seconds["miniai"]
    each = {name: median(t) / n_batches for name, t in seconds.items()}
    for name, t in seconds.items():
        ratio, low, high = paired(t, seconds["bare"])
        print(f"{name:12s} {1e6 * each[name]:11.1f} {1e6 * min(t) / n_batches:8.1f} {ratio:6.3f}× "
              f"{low:6.3f} – {high:.3f} {min(t) / min(seconds['bare']):9.3f}×")
        if name == "miniai":
            rows.insert(0, takes(what, each[name], "the bare loop", each["bare"], len(t), ratio, at_most))
        elif name != "bare": rows.append(faster(what, each["miniai"], name, each[name], len(t), paired(t, ours)[0]))
    return rows


def main():
    o = options()
    warnings.filterwarnings("ignore")
    contestants, packages = dict(bare=bare, miniai=miniai), []
    for name, package in PEERS.items():
        if o.only is not None and name not in o.only: continue
        if util.find_spec(name) is None: print(f"{name} is not installed: pip install -e '.[bench]'")
        else: contestants[name] = globals()[name]; packages.append(package)
    machine = begin(o, *packages)
    dls = random_batches(o.steps, 64, (784,))
    print(f"\nMLP 784-32-10, batches of 64, {len(dls.train)} steps, {len(dls.valid)} to validate, {o.repeats} repeats")
    mlp_seconds = measure(contestants, mlp, dls, o.repeats)
    rows = report("a batch of 64, tiny MLP", mlp_seconds, len(dls.train) + len(dls.valid), o.at_most)
    dls = random_batches(o.cnn_steps, 512, (1, 28, 28))
    print(f"\nplain_cnn, batches of 512, {len(dls.train)} steps, {len(dls.valid)} to validate, {o.repeats} repeats")
    cnn_seconds = measure(dict(bare=bare, miniai=miniai), plain_cnn, dls, o.repeats)
    rows += report("a batch of 512, plain_cnn", cnn_seconds, len(dls.train) + len(dls.valid), o.cnn_at_most)
    return end(o, machine, rows, dict(mlp=mlp_seconds, cnn=cnn_seconds))


if __name__ == "__main__": sys.exit(main())
