"Checks of arguments: NumPy's numbers are numbers, and what went through comes back as Python's."
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from miniai._check import check_choice, check_labels, check_number, check_whole

WHOLE = [f(3) for f in (int, np.int8, np.uint8, np.int32, np.int64, np.uint64, np.array)]
REAL = [f(.5) for f in (float, np.float16, np.float32, np.float64, np.array, Fraction)]

@pytest.mark.parametrize("value", WHOLE, ids=lambda v: type(v).__name__)
def test_whole_numbers(value):
    got = check_whole("n", value, 1, 3)
    assert got == 3 and type(got) is int and type(check_number("n", value, 0)) is int

@pytest.mark.parametrize("value", REAL, ids=lambda v: type(v).__name__)
def test_numbers(value):
    got = check_number("p", value, 0, 1)
    assert got == .5 and type(got) is float and check_number("p", value) == .5

@pytest.mark.parametrize("value", [True, np.True_, 1.5, np.float64(3), "3", None, 4, 0, math.nan, 10**400])
def test_what_is_no_whole_number_from_1_to_3(value):
    with pytest.raises(ValueError, match="^n is .*: it must be a whole number, from 1 to 3"): check_whole("n", value, 1, 3)

@pytest.mark.parametrize("value", [True, np.True_, "0.5", None, math.nan, np.float32("inf"), 10**400, -10**400, 1j, np.array([.5])])
def test_what_is_no_number(value):
    for limits, allowed in (((0, 1), "number from 0 to 1"), ((0,), "number ≥ 0"), ((), "finite number")):
        with pytest.raises(ValueError, match=f"^p is .*: it must be a {allowed}"): check_number("p", value, *limits)

@pytest.mark.parametrize("allowed", [["a", "b"], {"a": 1, "b": 2}, "ab", "iterator"])
def test_choices(allowed):
    make = lambda: iter("ab") if allowed == "iterator" else allowed
    check_choice("kind", "b", make())
    for value in ("c", ["a"], {"a": 1}, None, 1, np.array(["a", "b"])):
        with pytest.raises(ValueError, match="(?s)^kind is .*: it must be one of a, b$"): check_choice("kind", value, make())

def test_labels_of_a_shape():
    assert check_labels("y", np.array([[1, 2]], dtype=">i8").astype("uint8"), 3, [1, 2]).tolist() == [[1, 2]]
    assert check_labels("y", torch.empty(0, dtype=torch.int32), 3).dtype == torch.int64
    with pytest.raises(ValueError, match=r"y is torch.uint8 \[2\]: it must be class numbers \[3\]"):
        check_labels("y", torch.zeros(2, dtype=torch.uint8), shape=[3])
    with pytest.raises(TypeError, match="y is a str: it must be a tensor of class numbers"): check_labels("y", "12")
