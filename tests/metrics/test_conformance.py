"""Published values: unit tests of disentanglement_lib, exact matrices, codes of the shape of dSprites.

Numbers are those of the project's notes on metrics, section 5: there from disentanglement_lib's unmodified
metric code. Tolerances are the notes'.
"""

from __future__ import annotations

import numpy as np
import pytest

from gan_topdis.metrics import (
    FactorGrid,
    beta_vae_score,
    dci,
    explicitness,
    factor_vae_score,
    mig,
    modularity,
    sap,
)
from gan_topdis.metrics.dci import completeness_of_matrix, disentanglement_of_matrix
from gan_topdis.metrics.modularity import modularity_of_matrix
from gan_topdis.metrics.mutual_information import binned, entropy, mutual_information

DSPRITES = (3, 6, 40, 32, 32)
FIVE = 5.0 * np.eye(5)
SHARED = 1 - np.log(2) / np.log(10)


def uniform_factors(n, sizes=(10,) * 10, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(size, size=n) for size in sizes], axis=1)


def ideal(factors, sizes=DSPRITES):
    """One standardised code per factor."""
    sizes = np.array(sizes)
    return (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12)


@pytest.mark.parametrize(
    ("matrix", "d", "c", "m"),
    [
        (FIVE, 1, 1, 1),
        (np.array([[1.0, 0], [0, 1], [0, 0]]), 1, 1, 2 / 3),
        (np.zeros((10, 10)), 0, 0, 0),
        (np.vstack([FIVE, FIVE]), 1, SHARED, 1),
        (FIVE[:2], 1, 1, 1),
        (np.hstack([FIVE, FIVE]), SHARED, 1, 1 - 1 / 9),
    ],
)
def test_exact_matrices(matrix, d, c, m):
    # the floor of 1e-11 leaves some 1e-9
    assert disentanglement_of_matrix(matrix) == pytest.approx(d, abs=1e-8)
    assert completeness_of_matrix(matrix) == pytest.approx(c, abs=1e-8)
    assert modularity_of_matrix(matrix).mean() == pytest.approx(m, abs=1e-8)


def test_bins_and_information():
    values = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]]).T
    labels = binned(values, 3)
    assert labels[:, 0].tolist() == [0, 0, 1, 1, 2, 2]
    assert entropy(labels[:, 0]) == pytest.approx(np.log(3))
    codes, factors = np.array([[1, 2, 1, 2], [1, 1, 2, 2]]).T, np.array([[1, 2, 1, 2], [2, 2, 1, 1]]).T
    np.testing.assert_allclose(mutual_information(codes, factors), np.log(2) * np.eye(2), atol=1e-12)
    assert binned(np.zeros((4, 1)), 20).tolist() == [[0]] * 4


def test_mig_of_identity_zeros_and_duplicates():
    factors = uniform_factors(3_000)
    assert mig(factors, factors) == pytest.approx(0.9922, abs=0.002)
    assert mig(np.zeros((3_000, 10)), factors) == 0
    assert mig(np.hstack([factors, factors]), factors) == pytest.approx(0, abs=1e-12)


def test_factor_vae_score_of_identity_and_zeros():
    grid_free = uniform_factors(20_000)
    few = {"group": 5, "train_votes": 3_000, "eval_votes": 2_000, "variance_points": 2_500, "min_std": 0}
    score = factor_vae_score(grid_free, grid_free, **few)
    assert score.train_accuracy > 0.99 and score.eval_accuracy > 0.99  # 0.9993, 0.9995
    zeros = factor_vae_score(np.zeros((20_000, 10)), grid_free, **few)
    assert zeros == 0 and not zeros.active.any()
    assert "no code has" in zeros.notes[0]


def test_sap_of_identity_zeros_and_duplicates():
    factors = uniform_factors(3_000)
    assert sap(factors, factors, continuous=True) == pytest.approx(0.9991, abs=0.002)
    assert sap(np.zeros((3_000, 10)), factors, continuous=True) == 0
    assert sap(np.hstack([factors, factors]), factors, continuous=True) == pytest.approx(0, abs=1e-12)


def test_discrete_sap_of_identity():
    """The penalty of the intercept counts the codes' offset: .1885 for values 1..10, .10 once centred."""
    factors = uniform_factors(6_000, sizes=(10,) * 3)
    score = sap(factors + 1, factors)
    assert score == pytest.approx(0.1885, abs=0.02)
    assert score.ceiling == pytest.approx(0.10, abs=0.02)
    assert score.ceiling == score.ceiling_per_factor.mean()
    assert sap(np.zeros((6_000, 3)), factors) == 0


def test_dci_of_identity_permutations_and_duplicates():
    factors = uniform_factors(750, sizes=(5,) * 3)
    score = dci(factors, factors, protocol="fast")
    assert score.disentanglement == score > 0.999
    assert score.completeness > 0.999 and score.informativeness > 0.99
    mixed = np.random.default_rng(1).permuted(factors, axis=1)
    bad = dci(mixed, factors, protocol="fast")
    assert bad.disentanglement < 0.1 and bad.completeness < 0.1  # few rows: .002 with more
    twice = dci(np.hstack([factors, factors]), factors, protocol="fast")
    assert twice.disentanglement > 0.99
    assert twice.completeness == pytest.approx(1 - np.log(2) / np.log(6), abs=0.1)


def test_beta_vae_score_and_modularity_of_identity():
    factors = uniform_factors(5_000)
    score = beta_vae_score(factors, factors, group=5, train_points=2_000, eval_points=2_000)
    assert 0.9 <= score <= 1
    noise = np.random.default_rng(1).normal(size=(5_000, 5))
    few = {"group": 5, "train_points": 1_000, "eval_points": 1_000}
    assert beta_vae_score(noise, factors, **few) < 0.2  # chance is .1
    assert modularity(factors[:3_000], factors[:3_000]) > 0.9
    assert modularity(np.hstack([factors, factors]), factors) > 0.9
    many = uniform_factors(20_000)
    # every factor in every code: 0 for endless rows; .202 at 10,000, whose information is biased
    assert modularity(np.random.default_rng(1).permuted(many, axis=1), many) < 0.22


def test_dsprites_shaped_codes():
    factors = uniform_factors(60_000, DSPRITES)
    codes = ideal(factors)
    score = mig(codes, factors)
    assert score == pytest.approx(0.8957, abs=0.01)
    assert score.ceiling == pytest.approx(0.9024, abs=0.002)
    np.testing.assert_allclose(score.ceiling_per_factor, [1, 1, 0.8121, 0.85, 0.85], atol=0.003)
    np.testing.assert_allclose(
        score.per_factor + score.mutual_information[score.runner_up, range(5)] / score.entropies,
        [1, 1, 0.8121, 0.85, 0.85],
        atol=0.003,
    )
    assert factor_vae_score(codes, factors, train_votes=2_000, eval_votes=2_000) > 0.999
    assert sap(codes, factors, continuous=True) == pytest.approx(0.9996, abs=0.001)
    assert modularity(codes, factors) == pytest.approx(1.0, abs=0.002)

    rotation = np.linalg.qr(np.random.RandomState(3).normal(size=(5, 5)))[0]
    rotated = codes @ rotation
    assert mig(rotated, factors) == pytest.approx(0.1447, abs=0.01)
    assert factor_vae_score(rotated, factors) == pytest.approx(0.9026, abs=0.03)
    # squared entries of the rotation, exactly; 10,000 rows leave .01
    squares = np.sort(rotation**2, axis=1)
    assert (squares[:, -1] - squares[:, -2]).mean() == pytest.approx(0.3162, abs=0.015)
    assert sap(rotated, factors, continuous=True) == pytest.approx(0.3162, abs=0.015)
    assert modularity(rotated, factors) == pytest.approx(0.894, abs=0.01)

    noise = np.random.default_rng(1).normal(size=(60_000, 10))
    assert mig(noise, factors) == pytest.approx(0.0002, abs=0.001)
    assert factor_vae_score(noise, factors, train_votes=4_000) == pytest.approx(0.2, abs=0.03)
    assert sap(noise, factors, continuous=True) < 0.002
    assert modularity(noise, factors) == pytest.approx(0.677, abs=0.05)


def test_small_codes_are_pruned():
    factors = uniform_factors(20_000, DSPRITES)
    extra = 0.01 * np.random.default_rng(2).normal(size=(20_000, 5))
    score = factor_vae_score(np.hstack([ideal(factors), extra]), factors, train_votes=2_000, eval_votes=1_000)
    assert score.active.sum() == 5 and score > 0.999
    all_in = factor_vae_score(
        np.hstack([ideal(factors), extra]), factors, train_votes=2_000, eval_votes=1_000, min_std=0
    )
    assert all_in.active.sum() == 10


@pytest.mark.slow
def test_discrete_sap_and_dci_of_dsprites_shaped_codes():
    factors = uniform_factors(60_000, DSPRITES)
    codes = ideal(factors)
    score = sap(codes, factors)
    assert score == pytest.approx(0.2436, abs=0.01)
    assert score.ceiling == pytest.approx(0.25, abs=0.015)
    # by number of values: 3, 6, 40, 32, 32
    np.testing.assert_allclose(score.ceiling_per_factor, [0.67, 0.50, 0.025, 0.03, 0.03], atol=0.02)
    rotation = np.linalg.qr(np.random.RandomState(3).normal(size=(5, 5)))[0]
    assert sap(codes @ rotation, factors) == pytest.approx(0.0704, abs=0.01)
    fast = dci(codes @ rotation, factors, protocol="fast")
    assert fast.disentanglement == pytest.approx(0.185, abs=0.03)
    assert fast.completeness == pytest.approx(0.190, abs=0.03)
    assert explicitness(codes, factors) == pytest.approx(0.987, abs=0.01)
    paper = dci(codes, factors)
    assert (paper.disentanglement, paper.completeness) == pytest.approx((1, 1), abs=0.01)


def test_a_grid_and_the_pool_of_its_rows_agree():
    grid = FactorGrid((3, 4, 1, 5))
    codes = ideal(grid.factors[:, [0, 1, 3]], (3, 4, 5)) + 0.8 * np.random.default_rng(0).normal(size=(60, 3))
    by_grid = factor_vae_score(codes, grid, group=16, train_votes=4_000, eval_votes=4_000)
    by_rows = factor_vae_score(codes, grid.factors, group=16, train_votes=4_000, eval_votes=4_000)
    assert by_grid.factors == by_rows.factors == (0, 1, 3)
    assert by_grid == pytest.approx(by_rows, abs=0.03)
    assert any("12 rows share" in note for note in by_grid.notes), by_grid.notes
