"""Laws of the distortion: isometries cost nothing, scale and sign do not matter, gradients are right."""

import pytest
import torch
from small_networks import planes

from gan_topdis.directions.latent_samples import LatentSampler, LatentStatistics
from gan_topdis.directions.shift_objective import ShiftObjective
from gan_topdis.generators import from_callable
from gan_topdis.generators.scenes import ScenesGenerator
from gan_topdis.losses import PPMRegularizer
from gan_topdis.losses.quantile_shift import quantile_shift
from gan_topdis.losses.rtd_loss import distance_quantile
from gan_topdis.persistence import pairwise_distances
from gan_topdis.seeding import seeded_generator


def objective_of(generator, **changes):
    sampler = LatentSampler(
        generator,
        layers=torch.ones(generator.num_ws, dtype=torch.bool),
        class_index=None,
        feature_size=changes.pop("feature_size", 16),
        max_batch=changes.pop("max_batch", 512),
    )
    d = generator.w_dim
    statistics = LatentStatistics(torch.zeros(d).double(), torch.eye(d).double(), 1)
    return ShiftObjective(sampler, statistics, **changes)


AXES = torch.eye(4)


def unit(*coordinates):
    return torch.nn.functional.normalize(torch.tensor([coordinates]), dim=1)


def test_an_exact_isometry_costs_nothing_and_other_factors_do():
    objective = objective_of(planes())
    cloud = objective.cloud(64, seeded_generator(0))
    distortion = objective.costs(cloud, AXES[:3], 64).log_distortion.exp()
    assert distortion[0] < 1e-4
    assert (distortion[1:] > 0.05).all()
    mixed = objective.costs(cloud, torch.cat([unit(1.0, 1.0, 0.0, 0.0), unit(1.0, 0.0, 1.0, 0.0)]), 64)
    assert (mixed.log_distortion.exp() > 0.02).all()


def test_a_dead_direction_is_not_the_cheapest():
    """RTD alone would be 0 for z3; the quotient by a displacement of 0 is not."""
    objective = objective_of(planes())
    cost = objective.costs(objective.cloud(64, seeded_generator(0)), AXES, 64)
    assert cost.displacement[3] == 0
    assert cost.log_distortion[3] > cost.log_distortion[:3].max()


def test_cost_is_independent_of_scale_sign_and_company():
    generator, larger = planes(), planes(scale=1.4)
    vectors = torch.cat([unit(0.3, -0.5, 0.8, 0.1), unit(0.0, 1.0, 0.2, 0.0)])
    objective = objective_of(generator)
    cloud = objective.cloud(48, seeded_generator(1))
    together = objective.costs(cloud, vectors, 48).log_distortion
    alone = torch.cat([objective.costs(cloud, v[None], 48).log_distortion for v in vectors])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        objective.costs(cloud, -vectors, 48).log_distortion, together, atol=1e-5, rtol=0
    )
    scaled = objective_of(larger)
    other = scaled.costs(scaled.cloud(48, seeded_generator(1)), vectors, 48)
    torch.testing.assert_close(other.log_distortion, together, atol=1e-4, rtol=0)
    torch.testing.assert_close(other.displacement, objective.costs(cloud, vectors, 48).displacement)


def test_gradient_is_that_of_finite_differences():
    """Float32 pictures limit the difference quotient; its error is estimated from two step sizes."""
    objective = objective_of(ScenesGenerator(resolution=16))
    cloud = objective.cloud(24, seeded_generator(2))
    vector = torch.nn.functional.normalize(torch.randn(1, 10, generator=seeded_generator(3)), dim=1)
    along = torch.randn(1, 10, generator=seeded_generator(4))
    variable = vector.clone().requires_grad_()
    objective.costs(cloud, variable, 24).log_distortion.sum().backward()
    slope = float((variable.grad * along).sum())

    def quotient(h):
        with torch.no_grad():
            plus, minus = (objective.costs(cloud, vector + s * h * along, 24).log_distortion for s in (1, -1))
        return float(plus - minus) / (2 * h)

    quotients = [quotient(3e-3), quotient(1e-3)]
    assert slope == pytest.approx(quotients[1], abs=0.02 + 3 * abs(quotients[0] - quotients[1]))
    assert abs(slope) > 0.1, "the case is not flat"


def test_displacement_of_a_known_shift():
    """One pixel equal to Phi(z0): the quantile shift moves it by exactly 1/8, in both signs."""
    generator = from_callable(
        lambda z: torch.special.ndtr(z[:, :1])[:, :, None, None].expand(-1, 1, 2, 2), 2, name="pixel"
    )
    objective = objective_of(generator)
    cloud = objective.cloud(64, seeded_generator(0))
    cost = objective.costs(cloud, torch.tensor([[1.0, 0.0]]), 64)
    median = cloud.distances[torch.ones_like(cloud.distances).triu(1) > 0].median()
    # four equal pixels: distance 2 * 1/8; float32 rounding
    assert float(cost.displacement * median) == pytest.approx(0.25, rel=1e-4)
    assert float(cost.consistency) == pytest.approx(1.0, abs=1e-4)
    assert float(cost.log_distortion.exp()) < 1e-3, "a translation keeps all distances"


@pytest.mark.parametrize("amount", [0.0, -0.1, 0.6])
def test_amount_out_of_range_is_refused(amount):
    with pytest.raises(ValueError, match=r"amount should be in \(0, 0.5\]"):
        objective_of(planes(), amount=amount)


def test_the_ppm_penalty_is_the_regulariser_of_normalised_clouds():
    """Every candidate's, mean over signs, by calling it directly; the log distortion is untouched."""
    generator = planes()
    plain, weighted = objective_of(generator), objective_of(generator, ppm_weight=2.0)
    cloud = weighted.cloud(32, seeded_generator(1))
    cost = weighted.costs(cloud, AXES[:2], 32)
    expected = plain.costs(cloud, AXES[:2], 32)
    torch.testing.assert_close(cost.log_distortion, expected.log_distortion)
    assert (expected.penalty == 0).all()
    torch.testing.assert_close(cost.total, cost.log_distortion + cost.penalty)

    values = []
    for sign in (1.0, -1.0):
        standard = cloud.ws[:, 0, 1]
        moved, valid = quantile_shift(standard, sign * weighted.amount)
        rows = valid.nonzero()[:32, 0]
        ws = cloud.ws[rows].clone()
        ws[:, 0, 1] = moved[rows]
        x, y = weighted.sampler.features(ws), cloud.features[rows]
        x, y = (points / distance_quantile(pairwise_distances(points)) for points in (x, y))
        subsamples = torch.Generator().manual_seed(cloud.subsample_seed)
        values.append(PPMRegularizer()(x, y, generator=subsamples))
    assert float(cost.penalty[1]) == pytest.approx(float(torch.stack(values).mean()) * 2, rel=1e-3)
    assert cost.penalty[1] > 0.01, "the case is not flat"


def test_the_ppm_penalty_has_a_gradient_and_ignores_company():
    objective = objective_of(ScenesGenerator(resolution=16), ppm_weight=1.0)
    cloud = objective.cloud(24, seeded_generator(2))
    vectors = torch.nn.functional.normalize(torch.randn(2, 10, generator=seeded_generator(3)), dim=1)
    variable = vectors.clone().requires_grad_()
    together = objective.costs(cloud, variable, 24).penalty
    together.sum().backward()
    assert (variable.grad.norm(dim=1) > 1e-3).all()
    alone = torch.cat([objective.costs(cloud, v[None], 24).penalty for v in vectors])
    torch.testing.assert_close(together.detach(), alone, atol=1e-5, rtol=0)
