"Writes nbs/workbook/optimizers.xlsx, and where there is LibreOffice the pictures of it that lesson 05 shows."
import shutil, subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from miniai.lab.workbook import optimizer_workbook

here = Path(__file__).resolve().parents[1] / "nbs/workbook"
optimizer_workbook(here / "optimizers.xlsx")
if not (shutil.which("soffice") and shutil.which("pdftoppm")):
    print("   the pictures stay: they need LibreOffice (soffice) and poppler (pdftoppm)")
else:
    with TemporaryDirectory() as folder:
        subprocess.run(["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", "pdf",
                        "--outdir", folder, here / "optimizers.xlsx"], check=True, stdout=subprocess.DEVNULL)
        # page, dots per inch, and what to cut out of it: left, top, right, bottom
        for name, page, dpi, box in ("sgd", 3, 150, (30, 30, 1610, 900)), ("annealed", 7, 210, (30, 40, 1240, 1060)):
            subprocess.run(["pdftoppm", "-r", str(dpi), "-f", str(page), "-l", str(page), "-png", "-singlefile",
                            f"{folder}/optimizers.pdf", f"{folder}/{name}"], check=True)
            Image.open(f"{folder}/{name}.png").crop(box).quantize(64, Image.Quantize.FASTOCTREE).save(here / f"{name}.png", optimize=True)
