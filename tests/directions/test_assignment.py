"""The assignment against scipy and brute force."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from gan_topdis.directions.assignment import least_cost_assignment


@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (3, 8), (8, 3), (12, 12)])
def test_total_is_that_of_scipy(shape):
    rng = np.random.default_rng(0)
    for _ in range(20):
        costs = rng.normal(size=shape)
        rows, columns = least_cost_assignment(costs)
        assert len(rows) == len(set(rows)) == len(set(columns)) == min(shape)
        assert (np.diff(rows) > 0).all()
        expected = costs[linear_sum_assignment(costs)].sum()
        assert costs[rows, columns].sum() == pytest.approx(expected, abs=1e-12)


def test_ties_and_small_matrices_by_brute_force():
    rng = np.random.default_rng(1)
    for _ in range(50):
        costs = rng.integers(0, 3, size=(4, 4)).astype(float)
        least = min(costs[range(4), list(order)].sum() for order in itertools.permutations(range(4)))
        assert costs[least_cost_assignment(costs)].sum() == least


def test_greedy_is_not_enough():
    """Taking the cheapest pair first costs 0 + 10; the assignment costs 1 + 1."""
    _, columns = least_cost_assignment(np.array([[0.0, 1.0], [1.0, 10.0]]))
    assert columns.tolist() == [1, 0]


def test_nan_is_refused():
    with pytest.raises(ValueError, match="finite matrix"):
        least_cost_assignment(np.array([[np.nan]]))
