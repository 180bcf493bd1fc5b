"Loaders: epochs that go on where they were, copies, loaders of every kind, numbers of every kind."
import copy

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from fake_server import SAMPLE, bare
from miniai.data import Batches, DataLoaders, ImageData, fashion_mnist
from miniai.speed import AlternatingBatches
from test_data import good, x, y

def same(a, b): return len(a) == len(b) and all(torch.equal(u, v) for p, q in zip(a, b) for u, v in zip(p, q))

def small(kind=Batches, bs=4, shuffle=True):
    return kind(torch.arange(13 * 6).byte().view(13, 1, 2, 3), torch.arange(13), bs, shuffle, "cpu")

@pytest.mark.parametrize("kind", [Batches, AlternatingBatches])
@pytest.mark.parametrize("shuffle", [True, False])
def test_an_epoch_goes_on_where_it_was_saved(kind, shuffle):
    loader = small(kind, shuffle=shuffle)
    list(loader)                                 # so that flags of AlternatingBatches have turned once
    batches, states = [], [loader.state_dict()]
    for batch in loader:
        batches.append(batch)
        states.append(loader.state_dict())       # after batch i came, before the next is asked for
    after_epoch = loader.state_dict()
    assert [s["next_batch"] for s in states] == [0, 1, 2, 3, 4] and states[0]["order"] is None
    assert after_epoch["order"] is None and after_epoch["next_batch"] == 0
    for state in states[1:]:
        other = small(kind, shuffle=shuffle)
        other.load_state_dict(state)
        assert other.state_dict().keys() == state.keys() and other.state_dict()["next_batch"] == state["next_batch"]
        before = torch.get_rng_state()
        assert same(list(other), batches[state["next_batch"]:])
        assert torch.equal(before, torch.get_rng_state()), "no new order was drawn"
        if kind is AlternatingBatches: assert torch.equal(other.mirrored, after_epoch["mirrored"])
        assert sorted(torch.cat([y for _, y in other]).tolist()) == list(range(13)), "the epoch after it is whole"

def test_resume_is_for_one_epoch():
    loader, order = small(), torch.randperm(13)
    loader.resume(order, np.int64(2))
    assert torch.cat([y for _, y in loader]).tolist() == order[8:].tolist()
    assert len(torch.cat([y for _, y in loader])) == 13

def test_an_epoch_that_is_broken_off_is_over_and_looking_changes_no_place():
    loader = small()
    dls = DataLoaders(loader, loader)
    for i, _ in enumerate(loader):
        place = loader.state_dict()
        dls.one_batch()
        assert loader.next_batch == i + 1 and loader.order is place["order"]
        if i == 1: break
    assert loader.order is None and loader.next_batch == 0
    loader.load_state_dict(place)
    seen = dls.one_batch()
    assert same([seen], [next(iter(loader))])

def test_two_epochs_at_once_know_their_places():
    loader = small()
    first, second = iter(loader), iter(loader)
    next(first), next(second), next(second), next(first)
    order, place = loader.order, loader.next_batch
    del second
    assert place == 2 and loader.next_batch == 2 and loader.order is order
    assert len(list(first)) == 2

def test_a_state_that_does_not_fit_is_refused():
    state = next((loader.state_dict() for loader in [small()] for _ in loader))
    for change, says in ((dict(bs=5), "state has bs 5 and the loader 4"), (dict(next_batch=5), "start is 5.*0 to 4"),
                         (dict(order=torch.zeros(13).long()), r"order is torch.int64 \[13\].*0 to 12 once"),
                         (dict(order=torch.arange(12)), r"order is torch.int64 \[12\]"),
                         (dict(order=torch.arange(13.)), "order is torch.float32"),
                         (dict(more=1), "state has .*more: it must")):
        with pytest.raises(ValueError, match=says): small().load_state_dict(state | change)
    alternating = small(AlternatingBatches)
    with pytest.raises(ValueError, match="have bs, order, next_batch, mirrored"): alternating.load_state_dict(state)
    with pytest.raises(ValueError, match=r"mirrored \[12\], the loader \[13\]"):
        alternating.load_state_dict(alternating.state_dict() | dict(mirrored=torch.zeros(12)))

def test_a_copy_shares_the_bytes_and_nothing_else():
    dls = DataLoaders(small(AlternatingBatches), small(), iter("abc"))
    iterator = iter(dls.train)
    next(iterator)
    other = copy.deepcopy(dls)
    for name in "x", "y", "offset", "scale": assert getattr(other.train, name) is getattr(dls.train, name)
    assert other.train.state_dict()["next_batch"] == 1 and other.train.mirrored is not dls.train.mirrored
    flags = dls.train.mirrored.clone()
    list(other.train)
    assert torch.equal(dls.train.mirrored, flags) and torch.equal(other.train.mirrored, ~flags)
    assert dls.train.next_batch == 1
    assert other.classes == dls.classes == ["a", "b", "c"]
    twice = copy.deepcopy([dls.train, dls.train])
    assert twice[0] is twice[1]

class ByIndex:
    "A loader of the old kind: a length and numbered batches."
    def __len__(self): return 2
    def __getitem__(self, i):
        if i >= 2: raise IndexError
        return torch.zeros(1), torch.tensor([i])

def test_anything_with_a_length_is_a_loader():
    for loader in ByIndex(), [(1, 2)], {1: 2}.items(): assert DataLoaders(loader, loader).train is loader
    assert DataLoaders(ByIndex(), [1]).one_batch()[1].item() == 0
    for loader in iter([1]), 3, DataLoader(Endless()), iter(DataLoader([1])):
        with pytest.raises(ValueError, match=f"train is a {type(loader).__name__}: a loader"): DataLoaders(loader, [1])
    with pytest.raises(ValueError, match="train has no batch"): DataLoaders([], []).one_batch()

class Endless(IterableDataset):
    def __iter__(self): yield from iter(int, 1)

def test_numbers_of_numpy_and_iterators_will_do():
    data = ImageData(**(good | dict(classes=iter("abcd"))))
    assert data.classes == list("abcd")
    dls = data.dls(np.int64(8), np.int32(5), device="cpu")
    assert [len(y) for _, y in dls.train] == [8, 8, 4] and len(dls.valid) == 4
    assert len(fashion_mnist(np.int64(100), np.int64(3), SAMPLE).valid_y) == 100
    colours = x.expand(-1, 3, -1, -1)
    expected = Batches(colours, y, 4, device="cpu", mean=(.1, .2, .3), std=(.5, .6, .7)).batch(torch.arange(20))[0]
    for kind in np.array, lambda v: np.array(v[::-1])[::-1], iter, lambda v: np.array([v, v]).T[:, 0], torch.tensor:
        loader = Batches(colours, y, np.int16(4), device="cpu", mean=kind([.1, .2, .3]), std=kind([.5, .6, .7]))
        assert torch.allclose(loader.batch(torch.arange(20))[0], expected)
    for bad in "a", None, float("nan"), [[1, 2], [3]], float("inf"):
        with pytest.raises(ValueError, match="mean is "): Batches(x, y, 4, mean=bad)
