"Every exercise of every lesson: its solution, its wrong answers and its unwritten stub; and the harness that runs them."
import ast, contextlib, importlib, io, json, os, pkgutil, random, re, subprocess, sys
from pathlib import Path

import numpy as np
import pytest
import torch

import miniai.exercises
from miniai.exercises import Exercise, WrongAnswer, exercise, expect, numbers, same, show_solution

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "nbs").glob("[0-9][0-9]_*.ipynb"))

def exercises():
    "(module, name) → exercise, of all modules in miniai.exercises."
    names = sorted(m.name for m in pkgutil.iter_modules(miniai.exercises.__path__))
    modules = [importlib.import_module(f"miniai.exercises.{name}") for name in names]
    return {(m.__name__.rpartition(".")[2], k): v for m in modules for k, v in sorted(vars(m).items())
            if isinstance(v, Exercise) and v.__module__ == m.__name__}

@pytest.fixture(autouse=True)
def smoke(monkeypatch):
    "Exercises that train do so for an instant."
    monkeypatch.setenv("MINIAI_TIER", "smoke")

EXERCISES = exercises()
every_exercise = pytest.mark.parametrize("module, name", EXERCISES, ids=lambda v: v)

# -- the lessons' cells

def parsed(file):
    "The code cells of a notebook as (source, syntax tree), without the lines for IPython."
    for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code": continue
        source = re.sub(r"^(\s*)[%!].*$", r"\1pass", "".join(cell["source"]), flags=re.M)
        yield source, ast.parse(source)

CELLS = {file.stem: list(parsed(file)) for file in LESSONS}

def is_imports(tree): return bool(tree.body) and all(isinstance(s, (ast.Import, ast.ImportFrom)) for s in tree.body)

def imported(cells):
    "What the import cells of a lesson name: the name here → (module, the name there)."
    statements = [s for _, tree in cells if is_imports(tree) for s in tree.body if isinstance(s, ast.ImportFrom)]
    return {a.asname or a.name: (s.module, a.name) for s in statements for a in s.names}

def called(tree):
    "The name of the check that a cell's last statement calls."
    last = tree.body[-1] if tree.body else None
    call = last.value if isinstance(last, ast.Expr) else None
    return call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None

def stubs():
    "(module, name) of each exercise → the (lesson, cell) that call it."
    found = {key: [] for key in EXERCISES}
    for lesson, cells in CELLS.items():
        of = imported(cells)
        for source, tree in cells:
            module, name = of.get(called(tree), (None, None))
            key = (module or "").removeprefix("miniai.exercises."), name
            if key in found and (module or "").startswith("miniai.exercises."): found[key].append((lesson, source))
    return found

STUBS = stubs()

def defined_in(cells):
    "Name → the statement that defines this function or class in the lesson."
    return {s.name: s for _, tree in cells for s in tree.body if isinstance(s, (ast.FunctionDef, ast.ClassDef))}

def run_stub(lesson, source):
    "What is printed by a lesson's stub cell, after the lesson's imports and those of its classes that the stub builds on."
    space, cells = dict(__name__="__main__"), CELLS[lesson]
    for imports, tree in cells:
        if is_imports(tree): exec(compile(imports, lesson, "exec"), space)
    of_lesson, own = defined_in(cells), {s.name for s in ast.parse(source).body if hasattr(s, "name")}
    def supply(tree):
        for name in {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} & of_lesson.keys() - space.keys() - own:
            space[name] = None                                       # seen, so that a recursive one ends
            supply(of_lesson[name])
            exec(compile(ast.Module([of_lesson[name]], []), lesson, "exec"), space)
    supply(ast.parse(source))
    with contextlib.redirect_stdout(io.StringIO()) as out: exec(compile(source, f"{lesson}, stub", "exec"), space)
    return out.getvalue()

# -- every exercise

@every_exercise
def test_the_solution_is_right(module, name):
    check = EXERCISES[module, name]
    assert check.answers, "no solution is declared"
    assert check.verdict(*check.answers) == ("right", f"✓ {check.name}")

@every_exercise
def test_each_wrong_answer_is_named(module, name):
    check = EXERCISES[module, name]
    assert check.mistakes, "no wrong answer is declared"
    for why, answers in check.mistakes:
        state, text = check.verdict(*answers)
        assert state == "wrong" and why in text, (why, text)
        assert len(why) > 3 and "\n" not in text and not re.search(r"tensor\(|array\(|\d\.\d+(, *-?\d+\.\d+){3}", text), text

@every_exercise
def test_the_exercise_stands_in_one_lesson_and_its_stub_is_not_written_yet(module, name):
    assert len(STUBS[module, name]) == 1, [lesson for lesson, _ in STUBS[module, name]]
    (lesson, source), = STUBS[module, name]
    assert run_stub(lesson, source) == f"{EXERCISES[module, name].name}: not written yet\n"

@every_exercise
def test_the_solution_can_be_shown(module, name, capsys):
    show_solution(EXERCISES[module, name])
    said = capsys.readouterr().out
    assert "@check" not in said and all(f" {n}(" in said or f" {n}:" in said for n in EXERCISES[module, name].name.split(" and "))

@pytest.mark.parametrize("lesson", CELLS)
def test_a_lesson_holds_no_checker_and_no_solution(lesson):
    for source, tree in CELLS[lesson]:
        names = {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        assert not any(n.startswith("check_") for n in names), source
        assert not re.search(r"^#\s*Solution|^\s*@exercise|^\s*@check_|\.wrong\(|\.verdict\(", source, re.M | re.I), source

def test_the_lists_are_not_empty(): assert len(EXERCISES) > 30 and len(LESSONS) >= 17

OPTIMISED = """
import sys
sys.path.insert(0, "tests")
from test_exercises import EXERCISES, STUBS, run_stub
assert False, "this line is not run"
wrong, out = [], sys.stdout
sys.stdout = sys.stderr          # a checker may print beside its verdict
for key, check in EXERCISES.items():
    if check.verdict(*check.answers).state != "right": wrong.append((key, "solution"))
    wrong += [(key, why) for why, answers in check.mistakes
              if (found := check.verdict(*answers)).state != "wrong" or why not in found.text]
    wrong += [(key, lesson) for lesson, stub in STUBS[key] if "not written yet" not in run_stub(lesson, stub)]
print(len(EXERCISES), "exercises", *wrong, sep="\\n", file=out, flush=True)     # no longer sys.stdout: exit may not flush it
"""

def test_all_verdicts_are_the_same_without_asserts():
    run = subprocess.run([sys.executable, "-O", "-c", OPTIMISED], cwd=ROOT, capture_output=True, text=True,
                         env=os.environ | dict(PYTHONPATH=str(ROOT)))
    assert run.stdout.splitlines() == [str(len(EXERCISES)), "exercises"], f"exit status {run.returncode}\n{run.stdout}{run.stderr}"

# -- right answers in other words

def near(train, test, tolerance):
    both = np.concatenate([test.numpy(), test.numpy()[..., ::-1]]).astype(int)
    return np.array([i for i, x in enumerate(train.numpy().astype(int)) if (abs(x - both) <= tolerance).all((1, 2, 3)).any()])

@pytest.mark.parametrize("name, answer", [
    ("check_factors", lambda: (4.27, 4.59, 5.44)), ("check_factors", lambda: torch.tensor([31 / 15, 15 / 7, 7 / 3])**2),
    ("check_gains", lambda a, b: np.array([a[s] - b[s] for s in sorted(set(a).intersection(b))])),
    ("check_gains", lambda a, b: {s: v - b[s] for s, v in sorted(a.items()) if s in b}),
    ("check_choice", lambda: (np.array([-1.4, -1.3, -1.1]), "two epochs")), ("check_choice", lambda: ("can't tell", [.4, -.3, .1])),
    ("check_near_leaks", near), ("check_near_leaks", lambda *args: torch.tensor(near(*args))),
    ("check_near_leaks", lambda *args: tuple(near(*args)))])
def test_right_answers_in_other_words(name, answer): assert EXERCISES["challenge", name].verdict(answer).state == "right"

# -- the harness: what it accepts

TYPES = [list, tuple, np.array, np.float32, np.float16, torch.tensor, lambda v: torch.tensor(v).bfloat16(),
         lambda v: torch.tensor(v).half(), lambda v: torch.tensor(v, dtype=torch.float64, requires_grad=True),
         lambda v: [torch.tensor(x) for x in v], lambda v: [np.float32(x) for x in v]]

@pytest.mark.parametrize("kind", TYPES)
def test_numbers_of_any_kind_are_accepted_and_wrong_ones_are_not(kind):
    right = [.1, 1 / 3, 250., -7.]
    same(kind(right), right), same(kind(right), torch.tensor(right)), same(right, kind(right))
    for i in range(4):
        wrong = list(right)
        wrong[i] += 30.
        with pytest.raises(WrongAnswer, match=f"at {i}, where"): same(kind(wrong), right)

@pytest.mark.parametrize("dtype, off", [(torch.float64, 1e-4), (torch.float32, 1e-2), (torch.float16, .05), (torch.bfloat16, .2)])
def test_a_type_is_taken_as_closely_as_it_allows(dtype, off):
    x = torch.linspace(1, 2, 50, dtype=torch.float64)
    same(x.to(dtype), x)
    same((x.to(dtype) * 3) / 3, x)
    with pytest.raises(WrongAnswer): same((x * (1 + off)).to(dtype), x)

def test_the_answers_coarseness_does_not_excuse_float64():
    with pytest.raises(WrongAnswer): same([1 + 1e-5], torch.tensor([1.], dtype=torch.float64))

def test_special_numbers():
    same([float("nan"), float("inf")], [float("nan"), float("inf")])
    same(True, 1), same(3, 3.), same([], torch.zeros(0)), same([[5.]], 5.)
    for mine, right in [([float("nan")], [1.]), ([float("inf")], [-float("inf")]), (0., 1e-3), ([1., 2.], [1.])]:
        with pytest.raises(WrongAnswer): same(mine, right)

def test_right_comes_before_a_misconception_that_gives_the_same_numbers():
    same([1., 2.], [1., 2.], wrong={"a slip": [1., 2.]})
    with pytest.raises(WrongAnswer, match="^a slip$"): same([1., 3.], [1., 2.], wrong={"another": [9., 9.], "a slip": [1., 3.]})

def more_than_a_pair(text):
    "Whether a sentence holds more than a pair of measured numbers, or a list of them."
    return len(re.findall(r"-?\d+\.\d+(?:e[-+]\d+)?", text)) > 2 or bool(re.search(r"\d\s*,\s*-?\d+\.\d.*,\s*-?\d+\.\d", text))

@pytest.mark.parametrize("shape", [(), (1,), (7,), (30, 40), (3, 4, 5)])
def test_never_more_than_one_pair_of_numbers(shape):
    right = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for mine in (right + 1, (right + 1).tolist(), right.numpy() * 2, torch.zeros(9, 9), [[1.5] * 5] * 5, "1.5 2.5 3.5"):
        with pytest.raises(WrongAnswer) as e: same(mine, right, "it")
        assert not more_than_a_pair(str(e.value)) and len(str(e.value)) < 200

# -- the harness: what it says

@exercise
def check_half(half): same(half(torch.tensor([2., 4.])), [1., 2.], "half", {"that is twice": [4., 8.]})

@exercise
def check_counter(Counter):
    counter = Counter(2)
    counter.add(3)
    same(counter.total, 5, "the total")

@exercise
def check_pair(save, restore): same(restore(save(3)), 3, "what comes back")

class Base:
    "What a stub may inherit: `torch.optim.Optimizer.step` is of this kind."
    def __init__(self, start): self.total = start
    def add(self, n): raise NotImplementedError

def verdict(answer, check=check_half): return check.verdict(answer)

def divides(x):
    y = x + 1
    return y / len([]) if False else [][int(y[0])]

def helped(x): return helper(x)
def helper(x): return {}["key"]

def restores(x): return x.y

class Broken:
    def __init__(self, start): self.total = start
    def add(self, n):
        self.total += n.missing

def test_a_crash_is_one_sentence_with_the_line_that_failed():
    assert verdict(divides).text == "✗ half: it stops with IndexError: list index out of range, in the line " \
        "`return y / len([]) if False else [][int(y[0])]`"
    assert "KeyError: 'key', in the line `def helped(x): return helper(x)`" in verdict(helped).text
    assert "`self.total += n.missing`" in check_counter.verdict(Broken).text
    assert "`def restores(x): return x.y`" in check_pair.verdict(lambda x: x, restores).text

def test_a_crash_far_inside_of_a_library_is_told_at_the_readers_line():
    def multiplies(x): return torch.ones(3, 3) @ torch.ones(2) + x
    said = verdict(multiplies).text
    assert "RuntimeError" in said and "`def multiplies(x): return torch.ones(3, 3) @ torch.ones(2) + x`" in said

def test_a_crash_that_says_pages_is_cut():
    def shouts(x): raise ValueError("\n".join(["words"] * 500))
    assert len(verdict(shouts).text) < 400 and "\n" not in verdict(shouts).text

@pytest.mark.parametrize("answer", [lambda: 1, lambda x, y: 1, lambda x, *, y: 1])
def test_a_wrong_signature_is_said(answer):
    state, text = verdict(answer)
    assert state == "wrong" and "cannot call it" in text and "argument" in text

class Screams:
    def __repr__(self): raise RuntimeError("no repr")
    __str__ = __repr__
class Deep:
    def __getattr__(self, name): return Deep()
    def __len__(self): return 3
    def __iter__(self): raise OSError("no")
def endless():
    while True: yield 1.
nested = []
nested.append(nested)

JUNK = [None, "text", b"bytes", {}, {1: 2}, {1, 2}, object(), Screams(), Deep(), Screams, print, ..., (x for x in range(3)), [None],
        ["a", 1], [[1], [1, 2]], [1, [2]], 1j, torch.tensor([1j]), np.array(["a", "b"]), np.array([None]), range(0), [],
        torch.zeros(0), torch.zeros(2, 2, 2), float("nan"), 10**400, -10**400, nested, NotImplemented, Exception("x"),
        torch.nn.Linear(1, 1), np.datetime64("2020-01-01"), torch.empty(2, device="meta"), True, [True, False],
        torch.tensor([1, 2]).to_sparse() * 2]

@pytest.mark.parametrize("number", range(len(JUNK)))
def test_junk_gets_one_sentence(number):
    state, text = verdict(lambda x: JUNK[number])
    assert state == "wrong" and text.startswith("✗ half: ") and "\n" not in text and len(text) < 400
    assert not more_than_a_pair(text)

@pytest.mark.parametrize("answer", [3, "text", [1], torch.zeros(2), Screams(), dict(a=1), print, type, object])
def test_an_answer_that_is_no_function_is_wrong_and_raises_nothing(answer):
    assert verdict(answer).state == check_counter.verdict(answer).state == "wrong"

@pytest.mark.parametrize("error", [SystemExit(3), KeyError("x"), RecursionError("x"), AssertionError(), StopIteration(), OSError(2, "x"),
                                   Screams, type("Own", (Exception,), dict(__str__=lambda self: Screams().x))])
def test_whatever_an_answer_raises_stays_inside(error):
    def answer(x): raise error
    state, text = verdict(answer)
    assert state == "wrong" and text.startswith("✗ half: it stops with") and "`def answer(x): raise error`" in text

def test_a_recursion_without_end():
    def answer(x): return answer(x)
    assert verdict(answer).state == "wrong"

def test_an_interrupt_is_the_readers_own():
    def answer(x): raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): verdict(answer)

def test_a_check_may_say_that_an_answer_is_not_written():
    @exercise
    def check(guesses):
        if None in guesses: raise NotImplementedError
    assert check.verdict([1, None]) == ("unwritten", "guesses: not written yet") and check.verdict([1]).state == "right"

def test_not_written_yet_in_all_its_forms():
    def dots(x): ...
    def passes(x): pass
    def documented(x): "Half of x."
    def documented_dots(x):
        "Half of x."
        ...
    def raises(x): raise NotImplementedError
    def says(x): raise NotImplementedError("your turn")
    def inside(x):
        def step(y): raise NotImplementedError
        return step(x)
    class Stub:
        def __init__(self, start): raise NotImplementedError
    class Half:
        def __init__(self, start): self.total = start
        def add(self, n): raise NotImplementedError
    for answer in (dots, passes, documented, documented_dots, raises, says, inside, None, ...):
        assert verdict(answer) == ("unwritten", "half: not written yet")
    class Empty(Base): ...
    for answer in (Stub, Half, Empty): assert check_counter.verdict(answer) == ("unwritten", "Counter: not written yet")
    assert check_pair.verdict(lambda x: x, dots) == ("unwritten", "save and restore: not written yet")

def test_what_a_library_has_not_implemented_is_a_crash():
    def on_meta(x): return torch.empty(2, device="meta").cpu()
    assert verdict(on_meta).state == "wrong" and "NotImplementedError" in verdict(on_meta).text

def test_an_error_that_names_a_cause_that_was_never_raised():
    def answer(x): raise ValueError("no") from NotImplementedError()
    assert "ValueError: no" in verdict(answer).text

def test_an_answer_that_gives_nothing_is_not_taken_for_a_stub():
    def forgets(x): y = x / 2                                        # noqa: F841
    assert "is there a `return`" in verdict(forgets).text and verdict(lambda x: None).state == "wrong"

def test_calling_prints_one_line_and_returns_nothing(capsys):
    for answer, said in [(lambda x: x / 2, "✓ half\n"), (lambda x: x * 2, "✗ half: that is twice\n"), (None, "half: not written yet\n")]:
        assert check_half(answer) is None and capsys.readouterr().out == said

@pytest.mark.parametrize("answer", [lambda x: x / 2, lambda x: x * 2, divides])
def test_random_numbers_go_on_as_if_nothing_had_been_checked(answer):
    @exercise
    def check(half):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        random.random(), np.random.rand(), torch.rand(1)
        check_half.check(half)
    states = lambda: (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist())
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    before = states()
    check.verdict(answer)
    assert states() == before

def test_expect_holds_under_python_O_and_numbers_says_what_it_got():
    with pytest.raises(WrongAnswer, match="^why$"): expect(False, "why")
    with pytest.raises(WrongAnswer, match="the mean is a str: numbers are asked for"): numbers("x", "the mean")

def test_a_declared_mistake_may_be_a_decorator_and_have_parts():
    @exercise
    def check(f): expect(f() == 1, "it is two")
    @check.wrong("it is two")
    def two(): return 2
    check.wrong("it is two", lambda: 3)
    assert two() == 2 and [why for why, _ in check.mistakes] == ["it is two"] * 2
    check_pair.wrong("what comes back is 4", lambda x: x, lambda x: x + 1)
    assert check_pair.verdict(*check_pair.mistakes[-1][1]).text == "✗ save and restore: what comes back is 4: it must be 3"

def test_a_verdict_does_not_depend_on_the_state_of_the_generators():
    drawn = []
    @exercise
    def check(f): drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
    for seed in 1, 2:
        random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
        check.verdict(lambda: None)
    assert drawn[0] == drawn[1]
