"Writes the files of nbs/workbook/ that lesson 05 links and shows; the picture of a whole sheet where there is LibreOffice."
import shutil, subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from miniai.exercises.spreadsheet import spoiled_sheet
from miniai.lab.workbook import optimizer_workbook
from miniai.lab.workbook_cells import draw_cells, read_sheet

here = Path(__file__).resolve().parents[1] / "nbs/workbook"
optimizer_workbook(here / "optimizers.xlsx")
spoiled_sheet(here / "spoiled.xlsx")
draw_cells(read_sheet(here / "optimizers.xlsx", "Adam"), ["step", "a", "b", "grad_a", "grad_b", "new_a", "new_b"], [0, 1],
           new=["new_a", "new_b"], inputs=["adam_lr"], formulas=False).savefig(here / "adam_first_step.png", metadata={"Software": None})
if not (shutil.which("soffice") and shutil.which("pdftoppm")):
    print("   the picture of the sheet SGD stays: it needs LibreOffice (soffice) and poppler (pdftoppm)")
else:
    with TemporaryDirectory() as folder:
        subprocess.run(["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless", "--convert-to", "pdf",
                        "--outdir", folder, here / "optimizers.xlsx"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["pdftoppm", "-r", "220", "-f", "3", "-l", "3", "-png", "-singlefile", f"{folder}/optimizers.pdf",
                        f"{folder}/sgd"], check=True)
        left, top, right, bottom = 60, 60, 1446, 918          # of the third page, which is the sheet SGD
        Image.open(f"{folder}/sgd.png").crop((left, top, right, bottom)).quantize(
            64, Image.Quantize.FASTOCTREE).save(here / "sgd.png", optimize=True)
