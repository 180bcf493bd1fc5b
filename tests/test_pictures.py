"Pictures of every mode and format that Pillow knows, folders in folders, and what is left out."
import os, struct, warnings

import numpy as np
import pytest
from PIL import Image

from fake_server import bare
from miniai import _pictures as P
from miniai.data import image_folder
from test_data import pictures

RAMP = np.arange(64) * 4 + 2                     # 64 levels of 8 bits
COLOUR = np.stack([RAMP, RAMP[::-1], np.full(64, 77)], -1).astype(np.uint8).reshape(8, 8, 3)
GREY = RAMP.astype(np.uint8).reshape(8, 8)
SEEN = np.uint8(np.arange(64).reshape(8, 8) * 255 // 63)                      # opacity, from none to full
SIXTEEN = (RAMP * 257).astype(np.uint16).reshape(8, 8)
colour, grey = Image.fromarray(COLOUR), Image.fromarray(GREY)

def read(tmp_path, image, suffix, **options):
    "A picture as `image_folder` reads it, [h, w, 3]."
    for part in "train", "test":
        (tmp_path / part / "one").mkdir(parents=True)
        image.save(tmp_path / part / "one" / f"x{suffix}", **options)
    return image_folder(tmp_path).valid_x[0].permute(1, 2, 0).numpy().astype(int)

def on_white(rgb): return (rgb * (SEEN[..., None] / 255.) + 255 - SEEN[..., None]).round()
def with_alpha(image):
    image = image.copy()
    image.putalpha(Image.fromarray(SEEN))
    return image

paletted, sixteen = grey.convert("P"), Image.fromarray(SIXTEEN)
big_endian = Image.frombytes("I;16B", (8, 8), SIXTEEN.astype(">u2").tobytes())
EXACT = {"L": (grey, ".png", {}, GREY), "1": (Image.fromarray(GREY > 128), ".png", {}, (GREY > 128) * 255),
         "RGB": (colour, ".png", {}, COLOUR), "RGBX": (colour.convert("RGBX"), ".tif", {}, COLOUR),
         "P": (paletted, ".png", {}, GREY), "gif": (paletted, ".gif", {}, GREY),
         "P, transparent": (paletted, ".png", dict(transparency=130), np.where(GREY == 130, 255, GREY)),
         "L, transparent": (grey, ".png", dict(transparency=130), np.where(GREY == 130, 255, GREY)),
         "gif, transparent": (paletted, ".gif", dict(transparency=130), np.where(GREY == 130, 255, GREY)),
         "CMYK": (colour.convert("CMYK"), ".tif", {}, COLOUR), "bmp": (colour, ".BMP", {}, COLOUR),
         "webp": (colour, ".webp", dict(lossless=True), COLOUR), "tga": (colour, ".tga", {}, COLOUR),
         "I;16": (sixteen, ".png", {}, GREY), "I;16 tif": (sixteen, ".tiff", {}, GREY),
         "I;16 jp2": (sixteen, ".jp2", {}, GREY),
         "I of 16 bits": (sixteen, ".pgm", {}, GREY), "I;16B": (big_endian, ".tif", {}, GREY),
         "I;16, white is 0": (sixteen, ".tif", dict(tiffinfo={262: 0}), 255 - GREY.astype(int))}
CLOSE = {"LA": (with_alpha(grey), ".png", {}, on_white(GREY[..., None])),
         "RGBA": (with_alpha(colour), ".png", {}, on_white(COLOUR)),
         "RGBA tif": (with_alpha(colour), ".tif", {}, on_white(COLOUR)),
         "PA": (with_alpha(paletted), ".tif", {}, on_white(GREY[..., None])),
         "YCbCr": (colour.convert("YCbCr"), ".tif", {}, COLOUR)}

@pytest.mark.parametrize("mode", EXACT)
def test_the_pixels_are_right(tmp_path, mode):
    *how, expected = EXACT[mode]
    expected = expected if expected.ndim == 3 else np.stack([expected] * 3, -1)
    assert np.array_equal(read(tmp_path, how[0], how[1], **how[2]), expected)

@pytest.mark.parametrize("mode", CLOSE)
def test_the_pixels_are_right_up_to_rounding(tmp_path, mode):
    image, suffix, options, expected = CLOSE[mode]
    assert np.abs(read(tmp_path, image, suffix, **options) - expected).max() <= 3     # YCbCr is rounded too

def test_lab_is_converted_by_its_colours(tmp_path):
    lab = Image.merge("LAB", [Image.new("L", (8, 8), v) for v in (255, 128, 128)])              # white
    try: got = read(tmp_path, lab, ".tif")
    except ValueError as e: assert "x.tif cannot be decoded" in str(e)                         # without LittleCMS
    else: assert got.min() > 250

@pytest.mark.parametrize("image", [Image.fromarray(SIXTEEN.astype(np.int32)), Image.fromarray(GREY / np.float32(255))])
def test_numbers_of_unknown_scale_are_refused(tmp_path, image):
    with pytest.raises(ValueError, match=f"x.tif cannot be decoded .*scale .* mode {image.mode}, is unknown"):
        read(tmp_path, image, ".tif")

def test_twelve_bits_are_twelve_bits(tmp_path):
    "Pillow cannot write them: a TIFF of 12×8 bytes is made one of 8×8 numbers."
    bits = "".join(f"{v >> 4:012b}" for v in SIXTEEN.flatten().tolist())
    image = Image.frombytes("L", (12, 8), int(bits, 2).to_bytes(96, "big"))
    image.save(tmp_path / "x.tif")
    entry = lambda tag, kind, v: struct.pack("<HHLL", tag, kind, 1, v)
    raw = (tmp_path / "x.tif").read_bytes().replace(entry(256, 4, 12), entry(256, 4, 8))
    raw = raw.replace(entry(258, 3, 8), entry(258, 3, 12))
    (tmp_path / "x.tif").write_bytes(raw)
    with Image.open(tmp_path / "x.tif") as im: assert im.size == (8, 8) and im.mode == "I;16"
    assert np.abs(np.asarray(P._decode(tmp_path / "x.tif", None, []))[..., 0].astype(int) - GREY).max() <= 1

def test_a_16_bit_picture_with_a_transparent_value(tmp_path):
    got = read(tmp_path, sixteen, ".png", transparency=int(SIXTEEN[0, 0]))
    assert got[0, 0].tolist() == [255] * 3 and got[0, 1].tolist() == [6] * 3

def test_a_bomb_is_named(tmp_path, monkeypatch):
    for limit in 40, 20:                         # Pillow warns above the limit, and refuses above twice the limit
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(ValueError, match=f"x.png has more pixels than PIL.Image.MAX_IMAGE_PIXELS, {limit}"):
            read(tmp_path / str(limit), grey, ".png")

def test_no_other_program_is_started_for_a_picture(tmp_path):
    "Pillow goes by the content, and would hand PostScript to Ghostscript."
    with pytest.raises(ValueError, match="x.png cannot be decoded .*cannot identify"):
        read(tmp_path, grey, ".png", format="EPS")

def test_of_several_frames_the_first_is_taken_and_said(tmp_path):
    with pytest.warns(UserWarning, match="x.gif has several frames, of which the first is taken, as do 1 more"):
        got = read(tmp_path, grey, ".gif", save_all=True, append_images=[colour.convert("L").rotate(90)])
    assert np.array_equal(got[..., 0], GREY)

def test_folders_in_a_class_are_read_and_links_that_loop_are_not_followed_twice(pictures):
    inner = pictures / "train/dog/more/even more"
    inner.mkdir(parents=True)
    grey.save(inner / "x.PNG")
    (inner / "up").symlink_to(pictures / "train/dog", target_is_directory=True)
    (pictures / "train/dog/itself.png").symlink_to("itself.png")
    with pytest.warns(UserWarning, match=r"2 files were .*: (1 folder that was read already|1 no regular file|, ){3}$"):
        data = image_folder(pictures)
    assert data.train_y.tolist() == [0] * 6 + [1] * 7
    assert np.array_equal(data.train_x[-1, 0].numpy(), GREY)

def test_what_is_left_out_is_counted_by_reason(pictures):
    for name in "notes.txt", "labels.TXT", ".hidden.png", "README", "page.h5":
        (pictures / "train/cat" / name).write_text("")
    os.mkfifo(pictures / "test/dog/pipe.png")
    (pictures / "train/dog/.checkpoints").mkdir()
    (pictures / "train/list.csv").write_text("")
    with pytest.warns(UserWarning) as seen: image_folder(pictures)
    said, = (str(w.message) for w in seen)
    head, reasons = said.split(" files were left out: ")
    assert head == f"{pictures}: 8" and sorted(reasons.split(", ")) == [
        "1 no regular file", "1 outside the class folders", "1 without a suffix", "1 × .h5", "2 hidden", "2 × .txt"]

def test_nothing_left_out_nothing_said(pictures):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image_folder(pictures)

def test_a_class_of_which_nothing_can_be_read_says_why(pictures):
    for file in (pictures / "test/dog").iterdir(): file.rename(file.with_suffix(".heic"))
    with pytest.raises(ValueError, match=r"test.dog has no picture .*\(3 files were left out: 3 × .heic\)"):
        image_folder(pictures)

@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("what", ["train/dog/3.jpg", "train/dog", "train"])
def test_what_may_not_be_read_is_named(pictures, what):
    (pictures / what).chmod(0)
    with pytest.raises(ValueError, match=f"{what} cannot be .*Permission denied"): image_folder(pictures)
    (pictures / what).chmod(0o755)
