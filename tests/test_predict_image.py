"One picture from elsewhere is predicted as those of the loaders are."
import copy, io
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from miniai.callbacks import EMACB
from miniai.data import ImageData, image_folder
from miniai.learner import BatchTransformCB, DeviceCB, Learner, MixedPrecisionCB
from miniai.predict import predict_image

def net(channels, h, w, n=3):
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(.5), nn.Flatten(),
                         nn.Linear(4 * (h - 2) * (w - 2), n))

def learner(channels=3, h=6, w=8, cbs=(), **kwargs):
    torch.manual_seed(0)
    x, y = torch.randint(256, (40, channels, h, w), dtype=torch.uint8), torch.arange(40) % 3
    data = ImageData(x[:30], y[:30], x[30:], y[30:], ["a", "b", "c"], "made up")
    learn = Learner(net(channels, h, w).to(kwargs.get("dtype", torch.float32)), data.dls(10, device="cpu", **kwargs), cbs=cbs)
    learn.pictures = x[30:]
    learn.fit(1)
    return learn

def pil(t): return Image.fromarray((t[0] if len(t) == 1 else t.movedim(0, -1).contiguous()).numpy())

def check(found, scores, classes=("a", "b", "c")):
    name, shares = found
    assert list(shares) == list(classes) and name == classes[scores.argmax()]
    torch.testing.assert_close(torch.tensor([*shares.values()]), scores.softmax(0), rtol=1e-5, atol=1e-6)

@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kwargs", [{}, dict(channels_last=True), dict(normalize=False), dict(dtype=torch.float64)])
def test_a_picture_gets_the_scores_that_it_has_in_the_loader(channels, kwargs, tmp_path):
    learn = learner(channels, **kwargs)
    pictures, scores = learn.pictures, learn.capture_preds()[0].float()
    pil(pictures[4]).save(tmp_path / "four.png")
    p, file = pictures[4], tmp_path / "four.png"
    for form in [p, p / 255, p.double() / 255, pil(p), file, str(file)] + [p[0]] * (channels == 1):
        check(predict_image(learn, form), scores[4])

def test_grey_and_colour_become_what_the_model_expects():
    grey, colour = learner(1), learner(3)
    p = colour.pictures[0]
    assert predict_image(grey, p) == predict_image(grey, pil(p).convert("L"))
    assert predict_image(colour, grey.pictures[0]) == predict_image(colour, grey.pictures[0].expand(3, -1, -1))
    with_alpha = pil(p).convert("RGBA")
    assert predict_image(colour, with_alpha) == predict_image(colour, p)

def test_it_is_brought_to_the_size_of_the_training_pictures(tmp_path):
    torch.manual_seed(0)
    for c in "ab":
        (tmp_path / "all" / c).mkdir(parents=True)
        for i, (w, h) in enumerate([(40, 20), (20, 31), (17, 17), (64, 50)]):
            pil(torch.randint(256, (3, h, w), dtype=torch.uint8)).save(tmp_path / "all" / c / f"{i}.png")
    dls = image_folder(tmp_path / "all", holdout=2, size=12).dls(3, device="cpu")
    learn = Learner(net(3, 12, 12, 2), dls)
    scores = learn.capture_preds(dls.train)[0]
    found = [list(predict_image(learn, f)[1].values()) for f in sorted((tmp_path / "all").rglob("*.png"))]
    known = torch.cat([scores, learn.capture_preds()[0]]).softmax(1)
    distance = (torch.tensor(found)[:, None] - known).abs().amax(2).amin(0)
    assert distance.max() < 1e-6         # each picture of the folder has the scores of one of these

def test_it_is_turned_upright():
    learn, buffer = learner(3, 6, 6), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6                     # a camera held on its side
    p = pil(learn.pictures[0])
    p.rotate(90, expand=True).save(buffer, "png", exif=exif)
    assert predict_image(learn, Image.open(buffer)) == predict_image(learn, p)

def test_nothing_changes_and_nothing_is_augmented():
    def forbidden(batch): raise AssertionError("augmented")
    learn = learner(cbs=[DeviceCB("cpu"), MixedPrecisionCB(torch.bfloat16)])
    learn.cbs += [BatchTransformCB(forbidden)]
    learn.model.train()
    rng, state, attributes = torch.get_rng_state(), copy.deepcopy(learn.model.state_dict()), set(vars(learn))
    first = predict_image(learn, learn.pictures[0])
    assert predict_image(learn, learn.pictures[0]) == first and learn.model.training and set(vars(learn)) == attributes
    assert torch.equal(rng, torch.get_rng_state())
    for name, t in learn.model.state_dict().items(): assert torch.equal(t, state[name])

def test_transforms_that_validation_needs_are_made():
    learn = learner(cbs=[BatchTransformCB(lambda batch: (batch[0] - 3, batch[1]), on_valid=True)])
    check(predict_image(learn, learn.pictures[2]), learn.capture_preds()[0][2])

def test_a_moving_average_predicts_where_it_is_the_model():
    ema = EMACB(.5)
    learn = learner(cbs=[ema])
    mine = predict_image(learn, learn.pictures[0])
    learn.model = ema.average
    check(predict_image(learn, learn.pictures[0]), learn.capture_preds()[0][0])
    assert predict_image(learn, learn.pictures[0]) != mine

def test_other_loaders_need_size_mean_and_std():
    own = learner()
    stats = dict(size=(6, 8), mean=own.dls.train.mean.flatten().tolist(), std=own.dls.train.std.flatten().tolist())
    learn = Learner(own.model, SimpleNamespace(train=DataLoader([0]), valid=[]))
    name, shares = predict_image(learn, own.pictures[0], **stats)
    torch.testing.assert_close([*shares.values()], [*predict_image(own, own.pictures[0])[1].values()], rtol=1e-5, atol=1e-6)
    assert shares[name] == max(shares.values())
    assert list(shares) == ["0", "1", "2"]
    for missing in stats:
        with pytest.raises(ValueError, match=f"{missing} is None.*DataLoader"):
            predict_image(learn, own.pictures[0], **stats | {missing: None})

@pytest.mark.parametrize("picture, error, told", [
    ("nowhere.png", FileNotFoundError, "nowhere.png.*no such file"), (__file__, ValueError, "image.py cannot be decoded"),
    (7, TypeError, "picture is a int"), (torch.zeros(4, 6, 8), ValueError, r"shape \[4, 6, 8\].*1 or 3 channels"),
    (torch.zeros(2, 3, 6, 8), ValueError, r"\[2, 3, 6, 8\]"), (torch.zeros(3, 0, 8), ValueError, r"\[3, 0, 8\]"),
    (torch.full((3, 6, 8), 2.), ValueError, "numbers from 2 to 2"), (torch.full((3, 6, 8), torch.nan), ValueError, "numbers from nan"),
    (torch.zeros(3, 6, 8).long(), ValueError, "torch.int64")])
def test_what_is_no_picture(picture, error, told):
    with pytest.raises(error, match=told): predict_image(learner(), picture)

@pytest.mark.parametrize("kwargs, told", [
    (dict(size=0), "size is 0"), (dict(size=(3, 4, 5)), "size is"), (dict(mean=[0, 0]), "mean has 2 values")])
def test_arguments_that_do_not_fit(kwargs, told):
    learn = learner()
    with pytest.raises(ValueError, match=told): predict_image(learn, learn.pictures[0], **kwargs)

def test_a_model_of_something_else():
    learn = learner()
    learn.dls.classes = ["a", "b"]
    with pytest.raises(ValueError, match=r"float32 \[1, 3\].*there are 2"): predict_image(learn, learn.pictures[0])
