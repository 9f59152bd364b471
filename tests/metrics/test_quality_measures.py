"""Frechet distance, kernel distance, precision and recall: closed forms, brute force, laws."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group

from gan_topdis.metrics import frechet_distance, kernel_distance, precision_recall

MEASURES = [frechet_distance, kernel_distance, precision_recall]


@pytest.fixture
def small_blocks(monkeypatch):
    # by sys.modules: functions of the same names hide the modules
    for name in ("squared_distances", "kernel_distance"):
        monkeypatch.setattr(sys.modules[f"gan_topdis.metrics.{name}"], "BLOCK", 7)


def normal(n, d, seed):
    return np.random.default_rng(seed).normal(size=(n, d))


def white(n, d, seed):
    """A sample whose mean is 0 and whose covariance is 1, to rounding."""
    x = normal(n, d, seed)
    x = x - x.mean(axis=0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T


def numbers(result):
    return [value for value in vars(result).values() if isinstance(value, float)]


# --- Frechet distance


def test_frechet_distance_of_commuting_covariances():
    """S = diag(a^2), diag(b^2): |shift|^2 + sum (a - b)^2, also where a variance is 0."""
    a, b, shift = np.array([1, 2, 3, 0.0]), np.array([4, 2, 0.5, 1.0]), np.array([1, 0, -2, 0.5])
    found = frechet_distance(white(60, 4, 0) * a + shift, white(40, 4, 1) * b)
    assert found.mean_part == pytest.approx(5.25, abs=1e-12)
    # sqrt(1e-16) of an eigenvalue that should be 0
    assert found.covariance_part == pytest.approx(9 + 0 + 6.25 + 1, abs=1e-6)
    assert found.squared == found.mean_part + found.covariance_part
    assert (found.samples, found.dimension) == ((60, 40), 4)


def test_frechet_distance_of_any_covariances():
    """Against scipy's root of the product, which need not be symmetric."""
    mix = np.random.default_rng(2)
    x, y = normal(90, 5, 0) @ mix.normal(size=(5, 5)), normal(70, 5, 1) @ mix.normal(size=(5, 5)) + 0.3
    s1, s2 = np.cov(x.T), np.cov(y.T)
    mean = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    expected = mean + np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2).real)
    assert frechet_distance(x, y).squared == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(y, x).squared == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(x, y + 1).squared != pytest.approx(expected, rel=1e-3)


def test_frechet_distance_in_one_dimension_and_of_few_rows():
    found = frechet_distance(np.array([[0.0], [2.0]]), np.array([[5.0], [5.0], [5.0]]))
    assert found.squared == pytest.approx(16 + 2)  # variance 2 by n - 1
    x = normal(3, 10, 0)
    assert frechet_distance(x, x).squared == pytest.approx(0, abs=1e-6)


# --- kernel distance


def brute_force(x, y, k):
    """(unbiased, biased) by loops over pairs."""
    xx, yy, xy = (
        np.array([[k(a, b) for b in right] for a in left]) for left, right in ((x, x), (y, y), (x, y))
    )
    n, m = len(x), len(y)
    return (
        (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean(),
        xx.mean() + yy.mean() - 2 * xy.mean(),
    )


@pytest.mark.parametrize(
    ("options", "kernel"),
    [
        ({"bandwidth": 1.3}, lambda a, b: np.exp(-((a - b) ** 2).sum() / (2 * 1.3**2))),
        ({"kernel": "cubic"}, lambda a, b: (a @ b / 3 + 1) ** 3),
    ],
    ids=["gaussian", "cubic"],
)
def test_kernel_distance_by_loops(small_blocks, options, kernel):
    x, y = normal(20, 3, 0), normal(15, 3, 1) + 0.5
    found = kernel_distance(x, y, **options)
    unbiased, biased = brute_force(x, y, kernel)
    assert found.unbiased == pytest.approx(unbiased, abs=1e-12)
    assert found.biased == pytest.approx(biased, abs=1e-12)
    assert (found.samples, found.dimension) == ((20, 15), 3)


def test_kernel_distance_of_shifted_normal_distributions():
    """E k = (s^2 / (s^2 + 2))^(d/2) exp(-|shift|^2 / (2 (s^2 + 2))) for N(0, 1) against N(shift, 1)."""
    d, s, shift, repeats = 4, 1.5, 0.6, 60
    factor = (s**2 / (s**2 + 2)) ** (d / 2)
    for moved in (0.0, shift):
        expected = 2 * factor * (1 - np.exp(-d * moved**2 / (2 * (s**2 + 2))))
        found = [
            kernel_distance(normal(80, d, 2 * i) + moved, normal(80, d, 2 * i + 1), bandwidth=s)
            for i in range(repeats)
        ]
        values = np.array([each.unbiased for each in found])
        assert abs(values.mean() - expected) < 4 * values.std(ddof=1) / repeats**0.5
        # the biased one is above it by the terms k(x, x) = 1 instead of the mean of the others
        assert min(each.biased for each in found) > 0
        assert np.mean([each.biased for each in found]) == pytest.approx(
            values.mean() + 2 * (1 - factor) / 80, abs=1e-3
        )


def test_default_bandwidth_is_the_median_distance_of_the_reference(small_blocks):
    y = normal(31, 3, 0)
    median = np.median(cdist(y, y)[np.triu_indices(31, k=1)])
    for x in (normal(9, 3, 1), 100 + normal(9, 3, 1)):
        assert kernel_distance(x, y).bandwidth == pytest.approx(median, rel=1e-12)
    assert kernel_distance(y, y, kernel="cubic").bandwidth is None


# --- precision and recall


def test_precision_and_recall_by_loops(small_blocks):
    x, y = normal(40, 3, 0) * 1.5, normal(30, 3, 1) + 0.7

    def inside(points, sample, k):
        radius = np.sort(cdist(sample, sample), axis=1)[:, k]  # 0 is the row itself
        return (cdist(points, sample) <= radius).any(axis=1).mean()

    for k in (1, 3, 5):
        found = precision_recall(x, y, neighbours=k)
        assert (found.precision, found.recall) == (inside(x, y, k), inside(y, x, k))
        assert 0 < found.precision < 1
    assert (found.neighbours, found.samples, found.dimension) == (5, (40, 30), 3)


def test_a_mode_left_out_costs_recall_and_noise_costs_precision():
    left, right = normal(50, 2, 0), normal(50, 2, 1) + 100
    both = np.concatenate([left, right])
    assert precision_recall(left, both).precision == 1
    assert precision_recall(left, both).recall == 0.5
    assert precision_recall(both, left).precision == 0.5
    assert precision_recall(both, left).recall == 1
    apart = precision_recall(left, right)
    assert (apart.precision, apart.recall) == (0, 0)


def test_balls_are_closed_and_do_not_count_the_row_itself():
    """Reference 0, 1 on a line, k = 1: both balls have radius 1 and meet the points -1 and 2."""
    reference = np.array([[0.0], [1.0]])
    on, off = np.array([[-1.0], [2.0]]), np.array([[-1.001], [2.001]])
    assert precision_recall(on, reference, neighbours=1).precision == 1
    assert precision_recall(off, reference, neighbours=1).precision == 0


def test_copies_of_one_row():
    same = np.full((8, 3), 0.1)
    found = precision_recall(same, same)
    assert (found.precision, found.recall) == (1, 1)
    assert precision_recall(same + 1e-3, same).precision == 0


# --- laws of all three


@pytest.mark.parametrize("measure", MEASURES)
def test_rotation_and_translation_change_nothing(measure):
    x, y = normal(60, 5, 0), 1.4 * normal(50, 5, 1) + 0.2
    rotation, shift = ortho_group.rvs(5, random_state=0), np.arange(5.0)
    expected = numbers(measure(x, y))
    assert numbers(measure(x @ rotation + shift, y @ rotation + shift)) == pytest.approx(expected, abs=1e-9)
    order = np.random.default_rng(0).permutation(60)
    assert numbers(measure(x[order], y)) == pytest.approx(expected, abs=1e-12)
    assert numbers(measure(2 * x, y)) != pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("measure", MEASURES)
def test_tensors_are_read(measure):
    x, y = normal(20, 3, 0), normal(20, 3, 1)
    assert measure(torch.tensor(x, requires_grad=True), torch.tensor(y)) == measure(x, y)


def test_a_sample_and_itself():
    x = normal(40, 4, 0)
    assert frechet_distance(x, x).squared == pytest.approx(0, abs=1e-12)
    assert kernel_distance(x, x).biased == 0
    assert kernel_distance(x, x).unbiased < 0  # the equal pairs of x and x are counted, those of x are not
    assert (precision_recall(x, x).precision, precision_recall(x, x).recall) == (1, 1)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros(3), np.zeros((3, 1)), r"generated should have shape \(n, d\)"),
        (np.full((9, 2), np.nan), np.zeros((9, 2)), "generated should be finite"),
        (np.zeros((9, 2)), np.zeros((9, 3)), "as many columns, got 2 and 3"),
        (np.zeros((1, 2)), np.zeros((9, 2)), "should have at least . rows, got 1 and 9"),
    ],
)
def test_refusals(measure, x, y, message):
    with pytest.raises(ValueError, match=message):
        measure(x, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "laplace"}, "kernel should be one of gaussian, cubic, got 'laplace'"),
        ({"bandwidth": 0}, "bandwidth should be above 0, got 0"),
        ({"kernel": "cubic", "bandwidth": 1.0}, "bandwidth is for the gaussian kernel"),
    ],
)
def test_refused_kernels(options, message):
    with pytest.raises(ValueError, match=message):
        kernel_distance(normal(5, 2, 0), normal(5, 2, 1), **options)
    with pytest.raises(ValueError, match="median distance of 0"):
        kernel_distance(normal(5, 2, 0), np.full((5, 2), 0.1))
    with pytest.raises(ValueError, match="neighbours should be at least 1, got 0"):
        precision_recall(normal(5, 2, 0), normal(5, 2, 1), neighbours=0)
