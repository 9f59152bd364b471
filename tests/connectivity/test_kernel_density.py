"""Kernel densities against SciPy and integrals; the toy against what it should show."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from gan_topdis.connectivity import (
    density_toy,
    gaussian_log_density,
    scott_bandwidth,
    truncated_exponential_density,
)


def points(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_scott_of_one_gaussian_is_that_of_scipy():
    """SciPy scales the covariance by n^(-2 / (d + 4)); in one dimension that is all."""
    sample, at = 3 * points(20, 1) + 1, points(50, 1, 1)
    oracle = stats.gaussian_kde(sample[:, 0].numpy(), bw_method="scott")
    h = scott_bandwidth(sample)
    assert h.item() == pytest.approx(oracle.covariance.item() ** 0.5, rel=1e-12)
    found = gaussian_log_density(sample, at, h)
    # rel: logarithms of sums of 20 terms
    assert found.exp().numpy() == pytest.approx(oracle(at[:, 0].numpy()), rel=1e-10)


def test_fixed_bandwidth_is_that_of_scipy():
    sample, at = points(20, 1), 4 * points(50, 1, 1)
    oracle = stats.gaussian_kde(sample[:, 0].numpy(), bw_method=2.0 / sample.std().item())
    found = gaussian_log_density(sample, at, 2.0)
    assert found.numpy() == pytest.approx(oracle.logpdf(at[:, 0].numpy()), rel=1e-10)


def test_two_dimensions_are_those_of_scipy():
    """SciPy uses the whole covariance: made diagonal, so that both kernels are one."""
    sample = points(30, 2)
    sample = torch.linalg.qr(sample - sample.mean(dim=0)).Q * torch.tensor([1.0, 7.0])
    at = sample[:10] * 1.5 + 0.1
    oracle = stats.gaussian_kde(sample.T.numpy())
    found = gaussian_log_density(sample, at, scott_bandwidth(sample))
    assert found.exp().numpy() == pytest.approx(oracle(at.T.numpy()), rel=1e-9)


def test_far_away_is_finite():
    found = gaussian_log_density(torch.zeros(3, 1), torch.tensor([[100.0]]), 1.0)
    assert found.item() == pytest.approx(-5000 - 0.5 * np.log(2 * np.pi), rel=1e-6)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize(("scale", "radius"), [(0.5, 1.0), (2.0, 0.7), (0.1, 3.0), (float("inf"), 0.8)])
def test_truncated_exponential_integrates_to_one(d, scale, radius):
    """Midpoints of cells of side h. Cells cut by the edge of the ball err by about h each way."""
    side = torch.linspace(-4, 4, 801, dtype=torch.float64)
    at = torch.cartesian_prod(*([side] * d)).reshape(-1, d) + 0.0013
    sample = torch.tensor([[0.0, 0.0], [0.5, -0.3]], dtype=torch.float64)[:, :d]
    density = truncated_exponential_density(sample, at, scale=scale, radius=radius)
    assert density.sum().item() * 0.01**d == pytest.approx(1, abs=0.02)


def test_the_norm_of_a_cube_is_wrong_in_the_plane():
    """What the authors divide by, (2 s (1 - exp(-r / s)))^d, against the value at the centre."""
    centre = torch.zeros(1, 2, dtype=torch.float64)
    s, r = 2.0, 0.7
    found = truncated_exponential_density(centre, centre, scale=s, radius=r).item()
    x = r / s
    assert 1 / found == pytest.approx((2 * s) ** 2 * (1 - np.exp(-x) * (1 + x)), rel=1e-12)
    assert 1 / found < 0.6 * (2 * s * (1 - np.exp(-x))) ** 2
    flat = truncated_exponential_density(centre, centre, scale=float("inf"), radius=r).item()
    assert flat == pytest.approx(1 / (2 * r**2))


@pytest.fixture(scope="module", params=[1, 2])
def toy(request):
    """Shorter training than the default, to be quick."""
    return density_toy(request.param, sizes=(5, 20), points=300, steps=600, repeats=3)


@pytest.mark.slow
def test_eta_suits_trained_codes_and_scott_does_not(toy):
    """Few samples of classes in two places: Scott's rule cannot tell a class from what lies between.

    Over seeds 0 .. 4, area of eta less that of Scott: .179 to .253 (5 samples) and .024 to .051 (20) for
    d = 1, .040 to .089 and .017 to .051 for d = 2; log likelihood at 20 samples .32 to 1.05, but at 5
    samples -1.06 at worst.
    """
    areas, likelihood = toy.areas.mean(axis=3), toy.log_likelihood.mean(axis=3)
    before, after, scott, eta = 0, 1, 0, 1
    assert areas[after, eta, 0] > areas[after, scott, 0] + 0.02
    assert areas[after, eta, 1] > areas[after, scott, 1]
    assert (areas[after, eta] > 0.8).all()
    assert likelihood[after, eta, 1] > likelihood[after, scott, 1] + 0.1
    # before training eta is far wider than the codes, whose tree edges are 100 times shorter
    assert toy.mean_death[before] < 0.05
    assert 1.0 < toy.mean_death[after] < 2.0
    assert likelihood[before, scott, 1] > likelihood[before, eta, 1] + 2
    assert (areas[before, eta] < areas[after, eta] - 0.02).all()
    assert (toy.scott[after] > 2).all()


def test_the_toy_is_seeded():
    options = {"sizes": (5,), "points": 20, "steps": 3, "batch_size": 10, "repeats": 2}
    before = torch.get_rng_state()
    first, same, other = (density_toy(2, seed=seed, **options) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first.areas, same.areas)
    assert not np.array_equal(first.areas, other.areas)
    assert first.areas.shape == (2, 2, 1, 2)
    assert first.codes.shape == (2, 60, 2)
    assert first.labels.bincount().tolist() == [20, 20, 20]
    assert first.settings["seed"] == 1
    still = density_toy(1, **(options | {"steps": 0}))
    assert np.array_equal(still.areas[0], still.areas[1])


ONE = torch.zeros(1, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scott_bandwidth(ONE), r"n >= 2 and d >= 1, got \(1, 1\)"),
        (lambda: scott_bandwidth(torch.zeros(5, 1)), "vary in every coordinate"),
        (lambda: gaussian_log_density(ONE, ONE, 0.0), "a number > 0 or 1 of them, got 0.0"),
        (lambda: gaussian_log_density(ONE, ONE, torch.ones(2)), "a number > 0 or 1 of them"),
        (lambda: gaussian_log_density(ONE, torch.zeros(1, 2), 1.0), "as many columns, got 1 and 2"),
        (lambda: gaussian_log_density(ONE / 0, ONE, 1.0), "sample should be finite"),
        (lambda: truncated_exponential_density(ONE, ONE, scale=0.0, radius=1.0), "greater than 0, got 0.0"),
        (lambda: truncated_exponential_density(ONE, torch.zeros(1, 2), scale=1.0, radius=1.0), "columns"),
        (lambda: density_toy(3), "dimension should be 1 or 2, got 3"),
        (lambda: density_toy(2, points=2), "points should be at least 3"),
        (lambda: density_toy(2, sizes=(1,)), "from 2 to points - 1 = 499"),
        (lambda: density_toy(2, batch_size=1), "batch_size should be from 2 to 1500"),
        (lambda: density_toy(2, repeats=0), "repeats at least 1"),
        (lambda: density_toy(2, eta=0.0), "eta should be finite"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_refused_types():
    with pytest.raises(TypeError, match="sample should be a floating-point"):
        scott_bandwidth(torch.zeros(3, 1, dtype=torch.int64))
