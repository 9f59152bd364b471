"""Distances between diagrams: closed forms, the textbook assignment, Hera, laws, gradient, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gudhi.hera import wasserstein_distance
from scipy.optimize import linear_sum_assignment

from gan_topdis.shapes import diagram_distance

EMPTY = torch.zeros(0, 2, dtype=torch.float64)
KINDS = [(1, math.inf), (2, 2), (2, math.inf), (1, 2), (3, 2)]


def diagram(count: int, seed: int) -> torch.Tensor:
    """Bars of lengths 0 to 1, born in 0 to 1."""
    birth, length = torch.rand(2, count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.stack((birth, birth + length), dim=1)


def textbook(x: np.ndarray, y: np.ndarray, order: float, norm: float) -> float:
    """The assignment with k + m rows and columns, diagonal points for every bar of the other side."""
    k, m = len(x), len(y)
    to_diagonal = [
        (bars[:, 1] - bars[:, 0]) * (0.5 if norm == math.inf else 1 / math.sqrt(2)) for bars in (x, y)
    ]
    costs = np.zeros((k + m, k + m))
    costs[:k, :m] = np.linalg.norm(x[:, None] - y[None], ord=norm, axis=2)
    costs[:k, m:] = to_diagonal[0][:, None]
    costs[k:, :m] = to_diagonal[1][None]
    costs **= order
    return float(costs[linear_sum_assignment(costs)].sum() ** (1 / order))


def test_one_bar_goes_to_the_diagonal():
    bar = torch.tensor([[1.0, 3.0]], dtype=torch.float64)
    assert diagram_distance(bar, EMPTY, order=2, norm=2).item() == pytest.approx(math.sqrt(2))
    assert diagram_distance(EMPTY, bar, order=1, norm=math.inf).item() == pytest.approx(1.0)
    assert diagram_distance(EMPTY, EMPTY, order=1, norm=2).item() == 0


def test_far_bars_both_go_to_the_diagonal():
    """(0, 1) and (10, 11): the diagonal is nearer to each than the other."""
    near, far = (torch.tensor([[a, a + 1.0]]) for a in (0.0, 10.0))
    assert diagram_distance(near, far, order=2, norm=2).item() == pytest.approx(1.0)  # sqrt(1/2 + 1/2)
    shifted = torch.tensor([[0.3, 1.4]])
    assert diagram_distance(near, shifted, order=2, norm=2).item() == pytest.approx(0.5)  # (0.3, 0.4)
    assert diagram_distance(near, shifted, order=1, norm=math.inf).item() == pytest.approx(0.4)


@pytest.mark.parametrize(("order", "norm"), KINDS)
@pytest.mark.parametrize(("k", "m"), [(1, 1), (5, 9), (12, 4), (20, 20)])
def test_as_the_textbook_assignment(order, norm, k, m):
    x, y = diagram(k, 1), diagram(m, 2)
    found = diagram_distance(x, y, order=order, norm=norm).item()
    assert found == pytest.approx(textbook(x.numpy(), y.numpy(), order, norm), rel=1e-12)
    assert found == pytest.approx(diagram_distance(y, x, order=order, norm=norm).item(), rel=1e-12)
    assert found != pytest.approx(textbook(x.numpy() * 1.01, y.numpy(), order, norm), rel=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_as_hera(order):
    """Hera's relative error is asked to be 1e-3."""
    x, y = diagram(30, 3), diagram(25, 4)
    hera = wasserstein_distance(x.numpy(), y.numpy(), order=order, internal_p=math.inf, delta=1e-3)
    assert diagram_distance(x, y, order=order, norm=math.inf).item() == pytest.approx(hera, rel=2e-3)


@pytest.mark.parametrize(("order", "norm"), KINDS)
def test_gradient(order, norm):
    x, y = diagram(6, 5).requires_grad_(), diagram(4, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: diagram_distance(a, b, order=order, norm=norm), (x, y))


def test_gradient_of_equal_diagrams_is_zero():
    x = diagram(5, 7).requires_grad_()
    for order, norm in KINDS:
        value = diagram_distance(x, x.detach().clone(), order=order, norm=norm)
        (gradient,) = torch.autograd.grad(value, x)
        assert value == 0 and torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize(
    ("x", "order", "norm", "message"),
    [
        (torch.zeros(3, 3), 1, 2, r"x should hold bars \(k, 2\), got \(3, 3\)"),
        (torch.tensor([[0.0, math.inf]]), 1, 2, "x should hold finite bars; leave essential ones out"),
        (EMPTY, 0.5, 2, "order should be a finite number of at least 1, got 0.5"),
        (EMPTY, 1, 1, "norm should be 2 or inf, got 1"),
    ],
)
def test_refusals(x, order, norm, message):
    with pytest.raises(ValueError, match=message):
        diagram_distance(x, EMPTY, order=order, norm=norm)
