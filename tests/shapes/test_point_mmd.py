"""Maximum mean discrepancy of points: the plain formula, laws, gradient, refusals."""

from __future__ import annotations

import math

import pytest
import torch

from gan_topdis.shapes import point_mmd_squared


def clouds(n: int = 7, m: int = 5, d: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return tuple(torch.randn(size, d, generator=rng, dtype=torch.float64) for size in (n, m))


def plain(x, y, width: float) -> float:
    def mean(a, b) -> float:
        terms = [math.exp(-float((p - q).square().sum()) / width) for p in a for q in b]
        return sum(terms) / len(terms)

    return mean(x, x) - 2 * mean(x, y) + mean(y, y)


@pytest.mark.parametrize("width", [0.1, 2.0])
def test_as_the_plain_formula(width):
    x, y = clouds()
    assert point_mmd_squared(x, y, width=width).item() == pytest.approx(plain(x, y, width), rel=1e-12)
    assert plain(x, 1.01 * y, width) != pytest.approx(plain(x, y, width), rel=1e-12)


def test_two_points_and_laws():
    a, b = torch.zeros(1, 2), torch.tensor([[0.3, 0.4]])
    expected = 2 - 2 * math.exp(-0.25 / 0.1)
    assert point_mmd_squared(a, b, width=0.1).item() == pytest.approx(expected, rel=1e-6)  # float32
    assert point_mmd_squared(b, b.clone(), width=0.1) == 0
    far = torch.tensor([[1e3, 0.0]])
    assert point_mmd_squared(a, far, width=0.1).item() == 2  # exponents below the cut


def test_gradient():
    x, y = (cloud.requires_grad_() for cloud in clouds())
    assert torch.autograd.gradcheck(lambda a, b: point_mmd_squared(a, b, width=1.5), (x, y))
    same = torch.zeros(4, 2, dtype=torch.float64, requires_grad=True)  # coincident points
    (gradient,) = torch.autograd.grad(point_mmd_squared(same, x.detach()[:, :2], width=1.0), same)
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


def test_refusals():
    with pytest.raises(ValueError, match=r"\(n, d\) and \(m, d\), got \(2, 2\) and \(2, 3\)"):
        point_mmd_squared(torch.zeros(2, 2), torch.zeros(2, 3), width=1)
    with pytest.raises(ValueError, match="width should be a finite number > 0, got 0"):
        point_mmd_squared(torch.zeros(2, 2), torch.zeros(2, 2), width=0)
