"The spreadsheet of 05, computed by spreadsheet engines, against `miniai.optim`."
import math, re, shutil, subprocess, zipfile

import formulas, openpyxl, pytest
from miniai.core import tier
from miniai.lab.workbook import RULES, optimizer_workbook
from test_workbook import GONE, OTHERS, assert_equal_to_optim, input_cells

# An engine needs some 4 ms a formula, and the whole book has 25,000. Its rows are all alike: there is a test for that.
SIZE = dict(points=5, epochs=3) if tier() == "smoke" else dict(points=30, epochs=8)

@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    "The workbook in a spreadsheet engine, which is not told the values that stand beside the formulas."
    path = tmp_path_factory.mktemp("engine") / "book.xlsx"
    optimizer_workbook(without_values(path), **SIZE)
    return formulas.ExcelModel().loads(str(without_values(path))).finish()

def without_values(path):
    "Take the value out of every formula cell of a workbook, if it is there yet; gives the path."
    if not path.exists(): return path
    with zipfile.ZipFile(path) as book: parts = {name: book.read(name) for name in book.namelist()}
    with zipfile.ZipFile(path, "w") as book:
        for name, data in parts.items():
            if "worksheets/sheet" in name: data = re.sub(rb"</f><v>[^<]*</v>", b"</f>", data)
            book.writestr(name, data)
    return path

def reader(solution):
    values = {re.sub(r"^'\[.*\](.*)'!", r"\1!", str(k)): v for k, v in solution.items() if "!" in str(k)}
    return lambda sheet, address: values[f"{sheet.upper()}!{address}"].value[0, 0]

def test_engine_equals_optim(engine):
    assert_equal_to_optim(reader(engine.calculate()), SIZE["epochs"], SIZE["points"])

def test_every_input_cell_is_live(engine):
    "All of them changed in the engine, as a reader would: every row follows."
    where = {name: str(ref) for name, ref in input_cells().items()}
    assert set(where) == set(OTHERS), "an input cell is not tried"
    book = "'[book.xlsx]{}'!{}".format
    solution = engine.calculate(inputs={book(*where[name].upper().split("!")): value for name, value in OTHERS.items()})
    assert_equal_to_optim(reader(solution), SIZE["epochs"], SIZE["points"], OTHERS)

@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
@pytest.mark.parametrize("size, inputs", [(dict(points=30, epochs=8), {}), (dict(points=6, epochs=3), OTHERS)],
                         ids=["whole", "other inputs"])
def test_libreoffice_equals_optim(tmp_path, size, inputs):
    "The book has no values to begin with, so LibreOffice must compute them all."
    source = tmp_path / "book.xlsx"
    optimizer_workbook(source, **size, **inputs)
    subprocess.run(["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "xlsx",
                    "--outdir", tmp_path / "out", without_values(source)], check=True, capture_output=True, timeout=300)
    book = openpyxl.load_workbook(tmp_path / "out/book.xlsx", data_only=True)
    assert_equal_to_optim(lambda sheet, address: book[sheet][address].value, **size, inputs=inputs)

@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
@pytest.mark.parametrize("inputs", GONE, ids=lambda inputs: "_".join(inputs))
def test_libreoffice_shows_what_has_diverged_as_the_file_does(inputs, tmp_path):
    source = tmp_path / "book.xlsx"
    optimizer_workbook(source, **inputs)
    shown = openpyxl.load_workbook(source, data_only=True)
    subprocess.run(["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "xlsx",
                    "--outdir", tmp_path / "out", without_values(source)], check=True, capture_output=True, timeout=300)
    computed = openpyxl.load_workbook(tmp_path / "out/book.xlsx", data_only=True)
    for sheet in shown:
        for cell in (c for row in sheet.iter_rows() for c in row if c.value is not None):
            there = computed[sheet.title][cell.coordinate].value
            assert there == (pytest.approx(cell.value, rel=1e-9) if isinstance(cell.value, (int, float)) else cell.value), (sheet.title, cell.coordinate)
