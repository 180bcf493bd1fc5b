"The spreadsheet of 05 against `miniai.optim`; `tests/slow/` has it computed by spreadsheet engines."
import json, math, re, zipfile
from functools import cache

import numpy as np, openpyxl, pytest, torch
from conftest import ROOT
from miniai.exercises.spreadsheet import spoiled_sheet
from miniai.lab.workbook import _DATA, PLAIN, RULES, START, expand, optimizer_workbook
from miniai.lab.workbook_cells import read_sheet
from miniai.optim import SGD, Adam, RMSprop

COMMITTED = ROOT / "nbs/workbook/optimizers.xlsx"
COLUMNS = {name: list(expand(START | rule)) for name, (_, _, rule) in RULES.items()}
STATE = {"momentum": {"v": "momentum_buffer"}, "RMSprop": {"s": "square_avg"},
         "Adam": {"m": "exp_avg", "v": "exp_avg_sq"}, "annealed": {"m": "exp_avg", "v": "exp_avg_sq"}}
OTHERS = dict(sgd_lr=.01, sgd_delta=.001, momentum_lr=.003, momentum_mu=.8, rmsprop_lr=.1, rmsprop_alpha=.9,
              rmsprop_eps=1e-3, adam_lr=.3, adam_beta1=.8, adam_beta2=.9, adam_eps=1e-2, annealed_lr=.4,
              annealed_lr_end=.05, annealed_T_max=11, annealed_beta1=.7, annealed_beta2=.95, annealed_eps=1e-3,
              line_slope=-1.5, line_intercept=8., noise=.5, start_a=0., start_b=4., limit=1e5)

@cache
def committed(values=False):
    "The committed workbook: its formulas, or the values beside them."
    return openpyxl.load_workbook(COMMITTED, data_only=values)

def cell(sheet, column, row):
    "The address of a column's cell; row 0 is the start."
    return f"{openpyxl.utils.get_column_letter(7 + COLUMNS[sheet].index(column))}{7 + row}"

def optim_steps(sheet, x, y, inputs):
    "Column → its value at each step, by `miniai.optim`."
    prefix = f"{sheet.lower()}_"
    given = {name: value for name, (_, cells, _) in RULES.items() if name == sheet for name, value in cells.items()}
    given |= {name.removeprefix(prefix): value for name, value in inputs.items() if name.startswith(prefix)}
    if "T_max" in given: given["T_max"] = inputs.get("annealed_T_max", len(x))
    start, lr, adam = _DATA | inputs, given["lr"], sheet in ("Adam", "annealed")
    p = [torch.tensor(float(start[f"start_{n}"]), dtype=torch.float64, requires_grad=True) for n in "ab"]
    opt = (SGD(p, lr, momentum=given.get("mu", 0)) if sheet in ("SGD", "momentum") else
           RMSprop(p, lr, given["alpha"], given["eps"]) if sheet == "RMSprop" else
           Adam(p, lr, (given["beta1"], given["beta2"]), given["eps"]))
    rows = []
    for i, (xi, yi) in enumerate(zip(x, y)):
        if sheet == "annealed":
            share = (1 + math.cos(math.pi * i / given["T_max"])) / 2
            opt.param_groups[0]["lr"] = given["lr_end"] + (lr - given["lr_end"]) * share
        error = p[0] * xi + p[1] - yi
        row = dict(x=xi, y=yi, a=p[0].item(), b=p[1].item(), prediction=(p[0] * xi + p[1]).item(), error=error.item(),
                   loss=error.item()**2, rate=opt.param_groups[0]["lr"])
        opt.zero_grad()
        (error**2).backward()
        opt.step()
        for name, q in zip("ab", p):
            row |= {f"grad_{name}": q.grad.item(), f"new_{name}": q.item()}
            row |= {f"{short}_{name}": opt.state[q][long].item() for short, long in STATE.get(sheet, {}).items()}
            for m, beta in (("m", "beta1"), ("v", "beta2")) if adam else ():
                row[f"{m}hat_{name}"] = row[f"{m}_{name}"] / (1 - given[beta]**(i + 1))
            s = row.get(f"vhat_{name}", row.get(f"s_{name}"))
            if s is not None: row[f"rate_{name}"] = row["rate"] / (s**.5 + given["eps"])
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}

def assert_equal_to_optim(read, epochs, points, inputs={}):
    "`read(sheet, address)` gives what an engine computed: every row, column and sheet, and the summaries, are equal."
    for sheet in RULES:
        steps = range(1, epochs * points + 1)
        got = {c: np.array([float(read(sheet, cell(sheet, c, i))) for i in steps]) for c in COLUMNS[sheet]}
        assert np.array_equal(got["step"], steps)
        assert np.array_equal(got["epoch"], np.repeat(np.arange(1, epochs + 1), points))
        assert np.array_equal(got["row"], np.tile(np.arange(1, points + 1), epochs))
        want = optim_steps(sheet, got["x"], got["y"], inputs)
        rest = {"step", "epoch", "row"} | ({"check_a", "check_b"} if sheet == "SGD" else set())
        assert set(got) == set(want) | rest, "a column is not compared"
        for c in want: np.testing.assert_allclose(got[c], want[c], rtol=1e-9, atol=0, err_msg=f"{sheet}, {c}")
        if sheet == "SGD":
            delta = inputs.get("sgd_delta", .01)
            np.testing.assert_allclose(got["check_a"] - got["grad_a"], delta * got["x"]**2, atol=1e-8)
            np.testing.assert_allclose(got["check_b"] - got["grad_b"], delta, atol=1e-8)
        x, y = got["x"][:points], got["y"][:points]
        a, b = (np.r_[(_DATA | inputs)[f"start_{n}"], want[f"new_{n}"][points - 1::points]] for n in "ab")
        line = np.polyfit(x, y, 1)
        summary = np.c_[np.arange(epochs + 1), a, b, np.sqrt(((np.outer(a, x) + b[:, None] - y)**2).mean(1)),
                        np.full(epochs + 1, np.sqrt(((np.polyval(line, x) - y)**2).mean()))]
        read_summary = [[float(read(sheet, f"{c}{19 + e}")) for c in "ABCDE"] for e in range(epochs + 1)]
        np.testing.assert_allclose(read_summary, summary, rtol=1e-9)

def input_cells():
    "Name → 'sheet!B5' of the coloured cells, by the committed workbook."
    book = committed()
    places = {name: d.attr_text.replace("'", "").replace("$", "") for name, d in book.defined_names.items()}
    at = lambda place: book[place.split("!")[0]][place.split("!")[1]]
    return {name: place for name, place in places.items() if ":" not in place and at(place).data_type == "n"}

def test_values_beside_the_formulas_equal_optim():
    "What a viewer shows that does not compute."
    book = committed(values=True)
    assert_equal_to_optim(lambda sheet, address: book[sheet][address].value, 8, 30)

# -- what stands in the file

def relative(formula, row):
    "A formula with its rows counted from its own, so that copies of it are equal."
    return re.sub(r"(?<![\w$])([A-Z]{1,2})(\d+)\b", lambda m: f"{m[1]}[{int(m[2]) - row}]", formula)

def test_all_rows_are_copies_of_one(tmp_path):
    "Of the row that the engine computed, also where one epoch ends and the next begins."
    optimizer_workbook(tmp_path / "small.xlsx", points=6, epochs=3)
    small, whole = openpyxl.load_workbook(tmp_path / "small.xlsx"), committed()
    for sheet, columns in COLUMNS.items():
        for c in columns:
            one = relative(small[sheet][cell(sheet, c, 1)].value, 8)
            assert {relative(whole[sheet][cell(sheet, c, i)].value, 7 + i) for i in range(1, 241)} == {one}, (sheet, c)

def test_numbers_are_formulas_but_for_inputs():
    book, inputs = committed(), set(input_cells().values())
    inputs |= {f"data!{c}{row}" for c in "GH" for row in range(7, 37)}
    numbers = {f"{sheet.title}!{cell.coordinate}" for sheet in book for row in sheet.iter_rows() for cell in row
               if cell.data_type == "n" and cell.value is not None and cell.value != 0}
    assert numbers == {i for i in inputs if book[i.split("!")[0]][i.split("!")[1]].value != 0}
    zeros = {f"{sheet.title}!{cell.coordinate}" for sheet in book for row in sheet.iter_rows() for cell in row
             if cell.data_type == "n" and cell.value == 0} - inputs
    starts = {f"{sheet}!{cell(sheet, c, 0)}" for sheet in RULES for c in COLUMNS[sheet]}
    assert zeros < starts, "only the start row may hold zeros"
    text = [cell.value for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    assert len(text) > 24_000

def test_no_errors_no_macros_and_charts_in_every_sheet():
    book = committed(values=True)
    assert book.sheetnames == ["Read me", "data", *RULES, "compare"]
    values = [cell.value for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [v for v in values if isinstance(v, str) and re.match(r"#[A-Z/0]+[!?]?$", v)]
    with zipfile.ZipFile(COMMITTED) as z:
        assert not [n for n in z.namelist() if "vba" in n.lower()]
        charts = [z.read(n).decode() for n in z.namelist() if n.startswith("xl/charts/chart")]
    titles = [re.search(r"<a:t>([^<]*)", chart)[1] for chart in charts]
    assert titles.count("Error over all points") == len(RULES) + 1
    assert titles.count("Parameters") == len(RULES)
    assert titles.count("Learning rate") == titles.count("Above the best line") == 1      # where it changes; on compare
    assert all(len(re.findall(r"<c:title>", chart)) == 3 for chart in charts), "a chart or an axis has no name"

def test_functions_are_known_everywhere():
    book = committed()
    used = {name for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"
            for name in re.findall(r"([A-Z]+)\(", cell.value)}
    assert used <= {"ABS", "COS", "COUNT", "IF", "IFERROR", "INDEX", "INT", "INTERCEPT", "ISNUMBER", "MAX", "MOD", "NA", "PI",
                    "SLOPE", "SQRT", "SUMPRODUCT"}

def test_committed_file_is_what_make_workbook_writes(tmp_path):
    "The same bytes from the same versions; else at least the same cells."
    paths = tmp_path / "one.xlsx", tmp_path / "two.xlsx"
    for path in paths: optimizer_workbook(path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    if paths[0].read_bytes() == COMMITTED.read_bytes(): return
    equal = lambda x, y: math.isclose(x, y, rel_tol=1e-9) if isinstance(x, float) else x == y
    for values in (False, True):
        new, old = openpyxl.load_workbook(paths[0], data_only=values), committed(values)
        for a, b in zip(new, old, strict=True):
            for row_a, row_b in zip(a.iter_rows(values_only=True), b.iter_rows(values_only=True), strict=True):
                assert all(map(equal, row_a, row_b)), f"{a.title}: make workbook, and commit"

# -- arguments

@pytest.mark.parametrize("bad, said", [
    (dict(epochs=0), "epochs is 0"), (dict(points=1), "points is 1"), (dict(epochs=2.5), "epochs is 2.5"),
    (dict(adam_rate=.1), "no input cell adam_rate: there are line_slope"), (dict(adam_lr=math.nan), "adam_lr is nan"),
    (dict(noise="much"), "noise is 'much'"), (dict(annealed_T_max=0), "annealed_T_max is 0: it must be a number from 1 to 100000"),
    (dict(annealed_T_max=None), "annealed_T_max is None"), (dict(momentum_mu=1.5), "momentum_mu is 1.5: it must be a number from 0 to 1"),
    (dict(rmsprop_alpha=-.1), "rmsprop_alpha is -0.1"), (dict(adam_beta1=1), "adam_beta1 is 1: it must be a number from 0 to 0.9999"),
    (dict(annealed_beta2=1.), "annealed_beta2 is 1.0"), (dict(adam_eps=-1e-9), "adam_eps is -1e-09: it must be a number from 1e-12 to 1"),
    (dict(sgd_delta=0), "sgd_delta is 0: it must be a number from 1e-06 to 1"), (dict(sgd_lr=10**400), "sgd_lr is 1000"),
    (dict(sgd_lr=True), "sgd_lr is True"), (dict(rules={"Mine": ("", dict(beta1=2.), PLAIN)}), "mine_beta1 is 2.0")])
def test_bad_arguments_are_named_and_nothing_is_written(tmp_path, bad, said):
    with pytest.raises(ValueError, match=re.escape(said)): optimizer_workbook(tmp_path / "book.xlsx", **bad)
    assert not list(tmp_path.iterdir())

def test_an_error_in_a_rule_writes_nothing(tmp_path):
    with pytest.raises(NameError): optimizer_workbook(tmp_path / "book.xlsx", rules={"mine": ("", dict(lr=.1), PLAIN | {"new_?": "{unknown}"})})
    assert not list(tmp_path.iterdir())

def test_numpys_numbers_are_numbers(tmp_path):
    given, plain = (optimizer_workbook(tmp_path / f"{i}.xlsx", 2, 3, **inputs) for i, inputs in enumerate(
        (dict(sgd_lr=np.float32(.5), annealed_T_max=np.int64(4)), dict(sgd_lr=.5, annealed_T_max=4))))
    for sheet in plain: assert all(np.array_equal(given[sheet][c], plain[sheet][c]) for c in plain[sheet])

# -- runs that diverge

GONE = [dict(sgd_lr=1., momentum_lr=.5), dict(momentum_mu=1., momentum_lr=.1, noise=0., limit=1000)]

def texts(book): return [(s.title, c) for s in book for row in s.iter_rows() for c in row if isinstance(c.value, str)]

@pytest.mark.parametrize("inputs", GONE, ids=lambda inputs: "_".join(inputs))
def test_a_run_that_diverges_says_so_once_and_shows_dashes_below(inputs, tmp_path):
    path = tmp_path / "book.xlsx"
    values = optimizer_workbook(path, **inputs)
    shown = openpyxl.load_workbook(path, data_only=True)
    assert not [c for _, c in texts(shown) if re.match(r"#(NUM|VALUE|DIV)", c.value)]
    gone = {name for name in RULES if np.isnan(values[name]["new_a"]).any()}
    assert gone
    for name in RULES:
        sheet, step = shown[name], int((~np.isnan(values[name]["new_a"])).sum())
        assert sheet["B15"].value == (f"diverged in step {step}: try a smaller lr" if name in gone else "ok")
        assert sum(c.value == "diverged" for t, c in texts(shown) if t == name) == 2 * (name in gone)
        for i in range(1, 241):
            for column in COLUMNS[name]:
                there, value = sheet[cell(name, column, i)].value, values[name][column][i - 1]
                if math.isnan(value): assert there == ("diverged" if column in "ab" and i == step + 1 else "–")
                else: assert math.isclose(there, value, rel_tol=1e-14)

def test_it_has_diverged_where_a_parameter_has_passed_the_limit(tmp_path):
    sgd = optimizer_workbook(tmp_path / "book.xlsx", sgd_lr=1., limit=5e4)["SGD"]
    past = np.flatnonzero(np.maximum(abs(sgd["new_a"]), abs(sgd["new_b"])) >= 5e4)
    assert np.array_equal(past, [np.isnan(sgd["a"]).argmax() - 1])

# -- what a reader meets

def test_each_input_cell_refuses_what_python_refuses(tmp_path):
    book, inputs = committed(), input_cells()
    for name, place in inputs.items():
        sheet, at = place.split("!")
        rule, = [r for r in book[sheet].data_validations.dataValidation if at in r.sqref]
        assert rule.type == "decimal" and rule.prompt and rule.error and book[sheet][at].fill.fgColor.rgb == "FFFFF2CC"
        low, high = float(rule.formula1), float(rule.formula2)
        assert low <= book[sheet][at].value <= high
        for wrong in (low - 1, high + 1):
            with pytest.raises(ValueError, match=name): optimizer_workbook(tmp_path / "no.xlsx", **{name: wrong})

def test_rows_of_the_first_sheet_are_tall_enough():
    sheet = committed()["Read me"]
    for row in sheet.iter_rows(min_row=3):
        need = max((math.ceil(len(c.value) / (130 if c.column == 2 else 90)) for c in row if isinstance(c.value, str)), default=1)
        assert (sheet.row_dimensions[row[0].row].height or 15) >= 15 * need, row[0].value

def test_what_the_first_sheet_promises_is_so(tmp_path):
    tried = lambda **inputs: optimizer_workbook(tmp_path / "book.xlsx", **inputs)
    last = lambda values, name: values[name]["rmse"][-1]
    plain = tried()
    faster = tried(sgd_lr=.04, sgd_delta=.001, momentum_mu=0., annealed_lr_end=.7, rmsprop_alpha=.5, adam_lr=.15)
    check = lambda values: abs(values["SGD"]["check_a"] - values["SGD"]["grad_a"])[0]
    assert math.isclose(check(plain), 10 * check(faster), rel_tol=1e-3)
    assert last(faster, "SGD") < last(plain, "SGD") and np.isnan(last(tried(sgd_lr=.2), "SGD"))
    assert np.array_equal(faster["momentum"]["v_a"], faster["momentum"]["grad_a"])
    assert np.array_equal(tried(momentum_mu=0., momentum_lr=.02)["momentum"]["new_a"], plain["SGD"]["new_a"])
    back, wider, late = (tried(**i) for i in (dict(momentum_mu=.97), dict(momentum_mu=.99), dict(adam_lr=.1)))
    assert last(back, "momentum") < back["momentum"]["rmse"][1] < last(wider, "momentum") < 100
    assert back["momentum"]["new_a"].max() > 8 and back["momentum"]["new_a"].min() < -4
    assert last(faster, "Adam") < last(plain, "Adam") and np.diff(late["Adam"]["rmse"])[-1] < -.1
    assert np.array_equal(faster["annealed"]["new_a"], plain["Adam"]["new_a"])
    jumps = lambda values: abs(np.diff(np.log(values["RMSprop"]["rate_a"]))).mean()
    assert jumps(faster) > 10 * jumps(plain)

def test_the_lessons_first_numbers_are_the_files():
    text = json.loads((ROOT / "nbs/05_spreadsheet.ipynb").read_text())["cells"][0]["source"]
    adam = read_sheet(COMMITTED, "Adam")
    for column in ("grad_a", "grad_b"): assert f"{adam.value(column, 1):.1f}".replace("-", "−") in "".join(text)
    for column in ("new_a", "new_b"): assert math.isclose(adam.value(column, 1) - 1, adam.cells[adam.inputs["adam_lr"]][0], rel_tol=1e-8)

# -- cells read from a file

def test_cells_are_read_as_openpyxl_reads_them():
    for name in RULES:
        sheet = read_sheet(COMMITTED, name)
        assert list(sheet.columns) == COLUMNS[name]
        for column in COLUMNS[name]:
            for step in (1, 2, 240):
                assert sheet.formula(column, step) == committed()[name][cell(name, column, step)].value
                assert sheet.value(column, step) == committed(True)[name][cell(name, column, step)].value

def test_the_spoiled_workbook_differs_in_one_formula(tmp_path):
    spoiled_sheet(tmp_path / "one.xlsx")
    for path in (tmp_path / "one.xlsx", COMMITTED.with_name("spoiled.xlsx")):
        book = openpyxl.load_workbook(path)
        changed = [f"{s.title}!{c.coordinate}" for s in committed() for row in s.iter_rows() for c in row
                   if c.value != book[s.title][c.coordinate].value]
        assert changed == ["momentum!U84"]
