"""Draw the sample of Fashion-MNIST that travels in the package, for the tier `smoke`: stratified, by a fixed seed, in the
originals' format. `python tools/make_sample.py [folder]`; without a folder it writes miniai/sample/."""
import os, sys
from pathlib import Path

from miniai._files import FILES, write_idx
from miniai.data import ImageData, fashion_mnist, stratified_split


def make_sample(
    folder: Path,                # where the four files go
    data: ImageData,             # Fashion-MNIST, all of it
    n_train: int = 2000,         # images of the training set
    n_valid: int = 1000,         # images of the test set
):
    "Write the sample. Same input, same content."
    for part, n in (("train", n_train), ("valid", n_valid)):
        x, y = getattr(data, f"{part}_x"), getattr(data, f"{part}_y")
        held = stratified_split(y, n)[1]
        write_idx(Path(folder) / f"{FILES[f'{part}_x']}.gz", x[held, 0])
        write_idx(Path(folder) / f"{FILES[f'{part}_y']}.gz", y[held].byte())


if __name__ == "__main__":
    os.environ["MINIAI_TIER"] = "quick"
    root = Path(__file__).resolve().parents[1]
    make_sample(Path(sys.argv[1]) if len(sys.argv) > 1 else root / "miniai/sample", fashion_mnist())
