"""Cramer distance: by hand, by loops, its expectation for Gaussians, gradient, refusals."""

from __future__ import annotations

import math
from itertools import combinations, product

import pytest
import torch

from gan_topdis.losses import CramerDistance
from gan_topdis.losses.cramer_distance import paired_critic_gain, paired_generator_loss


def cloud(*shape: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def by_loops(x: torch.Tensor, y: torch.Tensor) -> float:
    def mean(pairs: list) -> float:
        return sum(math.dist(a, b) for a, b in pairs) / len(pairs)

    first, second = x.tolist(), y.tolist()
    across = mean(list(product(first, second)))
    return 2 * across - mean(list(combinations(first, 2))) - mean(list(combinations(second, 2)))


def mean_distance(difference: float, variance: float) -> float:
    """E|z| of a Gaussian z."""
    deviation = math.sqrt(variance)
    near = deviation * math.sqrt(2 / math.pi) * math.exp(-(difference**2) / (2 * variance))
    return near + difference * math.erf(difference / (deviation * math.sqrt(2)))


# N(0, 1) and N(1.5, 4)
ACROSS, WITHIN_X, WITHIN_Y = mean_distance(1.5, 5.0), mean_distance(0.0, 2.0), mean_distance(0.0, 8.0)
DISTANCE = 2 * ACROSS - WITHIN_X - WITHIN_Y


def test_by_hand():
    """x = 0, 1 and y = 3, 7 on a line: distances 3, 7, 2, 6 across, 1 and 4 within."""
    x, y = torch.tensor([[0.0], [1]]), torch.tensor([[3.0], [7]])
    assert CramerDistance()(x, y) == 2 * 4.5 - 1 - 4
    assert CramerDistance(estimate="paired")(x, y) == 3 + 6 - 1 - 4
    assert paired_generator_loss(x, y) == 3 + 7 - 4
    assert paired_critic_gain(x, y) == (7 - 1) - (4 - 2)


@pytest.mark.parametrize(("n", "m", "d"), [(2, 2, 1), (7, 4, 3), (20, 31, 10)])
def test_equal_to_loops(n, m, d, generator):
    x, y = cloud(n, d, generator=generator), cloud(m, d, generator=generator) + 1
    assert CramerDistance()(x, y).item() == pytest.approx(by_loops(x, y), rel=1e-12)
    assert CramerDistance()(y, x).item() == pytest.approx(by_loops(x, y), rel=1e-12)
    assert CramerDistance()(x.float(), y.float()).item() == pytest.approx(by_loops(x, y), rel=1e-4)


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (CramerDistance(), DISTANCE),
        (CramerDistance(estimate="paired"), DISTANCE),
        (paired_critic_gain, DISTANCE),
        (paired_generator_loss, DISTANCE + WITHIN_X),
    ],
)
def test_expectation_for_two_gaussians(estimate, expected, generator):
    """Over 1500 batches of 20, within 4 standard errors; for one law twice it is 0."""
    values, equal = [], []
    for _ in range(1500):
        x, y, z = cloud(3, 20, 1, generator=generator)
        values.append(estimate(x, 1.5 + 2 * y))
        equal.append(estimate(x, z))
    for sample, mean in ((values, expected), (equal, WITHIN_X if estimate is paired_generator_loss else 0.0)):
        sample = torch.stack(sample)
        assert abs(sample.mean() - mean) < 4 * sample.std() / math.sqrt(1500)
        assert 4 * sample.std() / math.sqrt(1500) < 0.1  # narrow enough to tell


def test_all_pairs_has_the_smaller_variance(generator):
    values = {"all_pairs": [], "paired": []}
    for _ in range(200):
        x, y = cloud(2, 20, 2, generator=generator)
        for estimate, found in values.items():
            found.append(CramerDistance(estimate=estimate)(x, y))
    assert torch.stack(values["all_pairs"]).std() < 0.5 * torch.stack(values["paired"]).std()


@pytest.mark.parametrize(
    "estimate",
    [CramerDistance(), CramerDistance(estimate="paired"), paired_critic_gain, paired_generator_loss],
)
def test_gradcheck(estimate, generator):
    x, y = (cloud(6, 3, generator=generator).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(estimate, (x, y))


def test_coincident_points():
    """x = 0, 0 and y = 0, 1: each of the four distances across pulls or is 0."""
    x = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([[0.0], [1]], dtype=torch.float64, requires_grad=True)
    value = CramerDistance()(x, y)
    value.backward()
    assert value == 2 * 0.5 - 0 - 1
    torch.testing.assert_close(x.grad, torch.tensor([[-0.5], [-0.5]]).double(), rtol=0, atol=1e-15)
    torch.testing.assert_close(y.grad, torch.tensor([[1.0], [0]]).double(), rtol=0, atol=1e-15)
    same = torch.ones(4, 3, requires_grad=True)
    for estimate in ("all_pairs", "paired"):
        value = CramerDistance(estimate=estimate)(same, same.detach())
        value.backward()
        assert value == 0
        assert not same.grad.any()


def test_far_from_the_origin(generator):
    """Exact differences: a shift of both clouds by a power of 2 changes nothing but the points' rounding."""
    x, y = cloud(60, 5, generator=generator).float(), cloud(60, 5, generator=generator).float()
    x, y = ((points * 256).round() / 256 for points in (x, y))
    assert CramerDistance()(x + 1024, y + 1024) == CramerDistance()(x, y)


@pytest.mark.parametrize(
    ("x", "y", "estimate", "text"),
    [
        (
            torch.zeros(4),
            torch.zeros(4, 1),
            "all_pairs",
            r"x should have shape \(n, d\) with n >= 1, got \(4,\)",
        ),
        (torch.zeros(4, 2), torch.zeros(4, 1), "all_pairs", "x and y should have the same width, type and"),
        (
            torch.zeros(4, 2),
            torch.zeros(1, 2),
            "all_pairs",
            "x and y should hold at least 2 points each, got 4",
        ),
        (
            torch.zeros(4, 2),
            torch.zeros(6, 2),
            "paired",
            "paired batches should be of one even size, got 4 and",
        ),
        (
            torch.zeros(3, 2),
            torch.zeros(3, 2),
            "paired",
            "paired batches should be of one even size, got 3 and",
        ),
        (torch.tensor([[math.nan]]), torch.zeros(1, 1), "paired", "x should be finite, got NaN or infinity"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_refused(x, y, estimate, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        CramerDistance(estimate=estimate)(x, y)


def test_unknown_estimate():
    with pytest.raises(ValueError, match=r"^estimate should be one of all_pairs, paired, got 'halves'"):
        CramerDistance(estimate="halves")
