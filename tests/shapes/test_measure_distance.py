"""Distance between principal persistence measures: closed forms, the full assignment, gradient, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from gan_topdis.persistence import principal_persistence
from gan_topdis.shapes import measure_distance


def sample(s: int, share: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bars of s tuples, of which about a share has one; births of the others are of no meaning."""
    rng = torch.Generator().manual_seed(seed)
    birth, lifetime, present = torch.rand(3, s, generator=rng, dtype=torch.float64)
    return birth, lifetime * (present < share)


def full_assignment(x, y, order: float) -> float:
    """All s tuples on both sides, costs tuple by tuple."""
    s = len(x[0])
    costs = np.zeros((s, s))
    for i, (b, l) in enumerate(zip(*(part.tolist() for part in x), strict=True)):  # noqa: E741
        for j, (c, m) in enumerate(zip(*(part.tolist() for part in y), strict=True)):
            direct = math.hypot(b - c, l - m) if l > 0 and m > 0 else math.inf
            costs[i, j] = min(direct, l + m) ** order
    return float((costs[linear_sum_assignment(costs)].sum() / s) ** (1 / order))


def bars(*pairs: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    birth, lifetime = torch.tensor(pairs, dtype=torch.float64).unbind(1)
    return birth, lifetime


@pytest.mark.parametrize("order", [1.0, 2.0])
def test_two_bars_by_hand(order):
    """Against no bar it costs its lifetime, wherever it is born; against another, the shorter way."""
    assert measure_distance(bars((7, 0.5)), bars((0, 0)), order=order).item() == pytest.approx(0.5)
    assert measure_distance(bars((1, 5)), bars((4, 1)), order=order).item() == pytest.approx(5)
    assert measure_distance(bars((1, 0.5)), bars((4, 0.25)), order=order).item() == pytest.approx(0.75)
    assert measure_distance(bars((1, 0)), bars((9, 0)), order=order).item() == 0


@pytest.mark.parametrize("order", [1.0, 2.0])
@pytest.mark.parametrize("shares", [(0.1, 0.2), (0.5, 0.5), (0.9, 0.7), (1.0, 1.0), (0.0, 0.4)])
def test_as_the_full_assignment(order, shares):
    x, y = (sample(24, share, seed) for seed, share in enumerate(shares))
    found = measure_distance(x, y, order=order).item()
    assert found == pytest.approx(full_assignment(x, y, order), rel=1e-12)
    assert found == pytest.approx(measure_distance(y, x, order=order).item(), rel=1e-12)
    assert found != pytest.approx(full_assignment(x, (y[0], 1.01 * y[1]), order), rel=1e-12)


@pytest.mark.parametrize("order", [1.0, 2.0])
def test_dimension_0_on_a_line(order):
    points = torch.rand(2, 9, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x, y = (
        principal_persistence(cloud, 0, 20, generator=torch.Generator().manual_seed(2)) for cloud in points
    )
    assert measure_distance(x, y, order=order).item() == pytest.approx(
        full_assignment(x, y, order), rel=1e-12
    )


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_gradient(share):
    (b, l), (c, m) = sample(12, share, 3), sample(12, share, 4)  # noqa: E741
    x, y = [t.requires_grad_() for t in (b, l)], [t.requires_grad_() for t in (c, m)]
    present = [t > 0 for t in (l, m)]  # a tuple without bar stays one

    def value(b, l, c, m):  # noqa: E741
        lengths = [torch.where(there, t, 0.0) for there, t in zip(present, (l, m), strict=True)]
        return measure_distance((b, lengths[0]), (c, lengths[1]))

    assert torch.autograd.gradcheck(value, (*x, *y))


def test_equal_samples_have_no_gradient():
    birth, lifetime = (part.requires_grad_() for part in sample(10, 0.5, 5))
    value = measure_distance((birth, lifetime), (birth.detach(), lifetime.detach()))
    gradients = torch.autograd.grad(value, (birth, lifetime))
    assert value == 0 and all(torch.equal(g, torch.zeros_like(g)) for g in gradients)


def test_refusals():
    one, two = bars((0, 1)), bars((0, 1), (1, 2))
    with pytest.raises(ValueError, match=r"births and lifetimes of as many tuples, \(s,\) each, got \(1,\)"):
        measure_distance(one, two)
    with pytest.raises(ValueError, match="should be finite"):
        measure_distance(one, bars((0, float("nan"))))
    with pytest.raises(ValueError, match="order should be a finite number of at least 1, got 0"):
        measure_distance(one, one, order=0)
