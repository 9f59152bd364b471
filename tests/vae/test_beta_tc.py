"""The KL split in three: two samples by hand, a Gaussian with known parts, weights row by row."""

from __future__ import annotations

import math

import pytest
import torch
from small_vaes import rng, small_objective, small_vae, squares

from gan_topdis.vae.objectives.beta_tc import BetaTCVAE, importance_weights, kl_decomposition
from gan_topdis.vae.objectives.objective import kl_divergence, sampled


def float64(values):
    return torch.tensor(values, dtype=torch.float64)


def test_two_samples_by_hand():
    """Posteriors N((0, 0), I) and N((2, 2), I), codes at the means, weights 1/4 (B = 2, N = 2).

    Density of a code per coordinate, in units of c = 1 / sqrt(2 pi): own image 1, the other e = exp(-2).
    log q(z) = log((c^2 + c^2 e^2) / 4), log prod q(z_d) = 2 log((c + c e) / 4).
    """
    mu = float64([[0, 0], [2, 2]])
    parts = kl_decomposition(mu, mu, torch.zeros_like(mu), importance_weights(2, 2, "weighted").double())
    e, log_c = math.exp(-2), -math.log(2 * math.pi) / 2
    aggregate = 2 * log_c + math.log((1 + e * e) / 4)
    marginals = 2 * (log_c + math.log((1 + e) / 4))
    prior = 2 * log_c - (0 + 8 / 2) / 2  # mean over (0, 0) and (2, 2) of |z|^2 / 2
    # weights pass through float32, where 1/4 is exact
    assert float(parts.mutual_information) == pytest.approx(2 * log_c - aggregate, abs=1e-12)
    assert float(parts.total_correlation) == pytest.approx(aggregate - marginals, abs=1e-12)
    assert float(parts.dimension_wise_kl) == pytest.approx(marginals - prior, abs=1e-12)


def correlated(count, seed=0):
    """x in R^2 with correlation .8 coded as N(x, diag(.3, .4)): every part has a closed form."""
    covariance = float64([[1.0, 0.8], [0.8, 1.0]])
    noise = torch.randn(count, 2, generator=rng(seed), dtype=torch.float64)
    mu = noise @ torch.linalg.cholesky(covariance).T
    logvar = float64([0.3, 0.4]).log().expand(count, 2)
    aggregate = covariance + torch.diag(float64([0.3, 0.4]))
    return mu, logvar, sampled(mu, logvar, rng(seed + 1)), aggregate


def test_parts_of_a_gaussian():
    """MI = log det(A) / det(S) / 2, TC = -log det corr(A) / 2, marginals N(0, A_dd) from N(0, 1)."""
    mu, logvar, codes, aggregate = correlated(1500)
    parts = kl_decomposition(codes, mu, logvar, importance_weights(1500, 10**6, "stratified"))
    variances = aggregate.diagonal()
    information = (aggregate.det() / (0.3 * 0.4)).log() / 2
    correlation = -(aggregate.det() / variances.prod()).log() / 2
    marginal = ((variances - 1 - variances.log()) / 2).sum()
    assert float(correlation) > 0.2
    # 1500 points: standard errors of the means about .02, of the density estimates less
    assert float(parts.mutual_information) == pytest.approx(float(information), abs=0.1)
    assert float(parts.total_correlation) == pytest.approx(float(correlation), abs=0.06)
    assert float(parts.dimension_wise_kl) == pytest.approx(float(marginal), abs=0.1)


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_parts_sum_to_the_kl_in_expectation(sampling):
    """Mean over 60 draws of codes within 5 standard errors; the weights cancel in the sum."""
    mu, logvar, _, _ = correlated(50)
    weights = importance_weights(50, 1000, sampling)
    sums = []
    for seed in range(60):
        parts = kl_decomposition(sampled(mu, logvar, rng(seed)), mu, logvar, weights)
        sums.append(parts.mutual_information + parts.total_correlation + parts.dimension_wise_kl)
    values = torch.stack(sums)
    error = float(values.std()) / 60**0.5
    assert float(values.mean()) == pytest.approx(float(kl_divergence(mu, logvar)), abs=5 * error)
    assert error < 0.05  # the check can fail


def test_independent_coordinates_have_no_total_correlation():
    mu, logvar, codes, _ = correlated(1500)
    order = torch.randperm(1500, generator=rng(9))
    mu, codes = (torch.stack([x[:, 0], x[order, 1]], dim=1) for x in (mu, codes))
    parts = kl_decomposition(codes, mu, logvar, importance_weights(1500, 10**6, "stratified"))
    # standard error of the mean log ratio about 1 / sqrt(n)
    assert abs(float(parts.total_correlation)) < 0.06


def test_stratified_weights():
    """B = 4, N = 10, M = 3: 1/10 on the diagonal, 7/30 right of it, 1/3 elsewhere."""
    own, next_, other = 1 / 10, 7 / 30, 1 / 3
    expected = float64(
        [
            [own, next_, other, other],
            [other, own, next_, other],
            [other, other, own, next_],
            [next_, other, other, own],
        ]
    )
    weights = importance_weights(4, 10, "stratified")
    assert torch.allclose(weights.double(), expected, atol=1e-7)  # float32
    assert torch.allclose(weights.sum(dim=1), torch.ones(4))


def test_stratified_weights_of_the_whole_data_set_are_those_of_the_mixture():
    """B = N: every image counts 1 / N but one of each row, so q(z) is exact up to the weight of that one."""
    weights = importance_weights(5, 5, "stratified")
    assert torch.allclose(weights.diagonal(), torch.full((5,), 0.2))
    assert torch.allclose(weights[range(5), [1, 2, 3, 4, 0]], torch.tensor(1 / 20))


def test_weighted_weights():
    assert torch.equal(importance_weights(4, 8, "weighted"), torch.full((4, 4), 1 / 32))


def test_beta_weighs_the_total_correlation():
    vae, images = small_vae(), squares()
    rests = {}
    for beta in (1.0, 3.0):
        terms = small_objective("beta_tc", vae, beta=beta).terms(vae, images, None, rng())
        rests[beta] = terms.logs["rest"]
        parts = [terms.logs[k] for k in ("mutual_information", "total_correlation", "dimension_wise_kl")]
        assert terms.logs["rest"] == pytest.approx(parts[0] + beta * parts[1] + parts[2], rel=1e-5)
    assert rests[3.0] - rests[1.0] == pytest.approx(2 * parts[1], rel=1e-4)


def test_refusals():
    with pytest.raises(ValueError, match="dataset_size should be >= 1, got 0"):
        BetaTCVAE(0)
    with pytest.raises(ValueError, match="at most dataset_size = 3 images, got 4"):
        importance_weights(4, 3, "weighted")
    with pytest.raises(ValueError, match="stratified sampling needs batches of at least 2 images, got 1"):
        importance_weights(1, 3, "stratified")
    vae = small_vae()
    with pytest.raises(ValueError, match="at most dataset_size = 20 images, got 64"):
        BetaTCVAE(20).terms(vae, squares(), None, rng())
