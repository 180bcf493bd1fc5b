"Every hyperparameter over its whole legal range against torch.optim: more draws than `tests/test_optim.py` has time for."
import pytest

from test_optim import OURS, float64, over_the_range


@pytest.mark.parametrize("name", OURS)
def test_equals_torch_over_the_whole_legal_range(name): over_the_range(name, 10)
