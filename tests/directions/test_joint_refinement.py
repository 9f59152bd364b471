"""Joint refinement: frames stay orthonormal, a bad order is repaired, and nothing gets worse."""

import numpy as np
import torch

from gan_topdis.directions.informative_subspace import informative_subspace, mean_effect
from gan_topdis.directions.joint_refinement import refine_jointly, symmetric_orthonormal
from gan_topdis.directions.latent_samples import LatentSampler
from gan_topdis.directions.shift_objective import ShiftObjective
from gan_topdis.generators.scenes import ScenesGenerator
from gan_topdis.seeding import seeded_generator


def test_symmetric_orthonormalisation_is_the_nearest_frame():
    """Second implementation: U V^T of the singular value decomposition (Procrustes)."""
    rows = torch.linalg.qr(torch.randn(6, 6, generator=seeded_generator(0)).double()).Q[:4]
    rows = rows + 0.1 * torch.randn(4, 6, generator=seeded_generator(1)).double()
    u, _, vh = torch.linalg.svd(rows, full_matrices=False)
    torch.testing.assert_close(symmetric_orthonormal(rows), u @ vh, atol=1e-10, rtol=0)
    variable = rows.clone().requires_grad_()
    assert torch.autograd.gradcheck(symmetric_orthonormal, (variable,))


def refined(start, generator, steps):
    sampler = LatentSampler(
        generator, layers=torch.ones(1, dtype=torch.bool), class_index=None, feature_size=16, max_batch=128
    )
    statistics = sampler.statistics(2000, seeded_generator(0))
    effect = mean_effect(sampler, seeded_generator(1), images=64, on_step=lambda: None)
    objective = ShiftObjective(sampler, statistics)
    evaluation = objective.cloud(96, seeded_generator(2))
    return refine_jointly(
        objective,
        informative_subspace(effect, statistics, 16),
        evaluation,
        torch.from_numpy(start),
        steps=steps,
        points=48,
        evaluation_points=96,
        seed=0,
        on_step=lambda: None,
    ).numpy()


def test_two_mixed_factors_are_separated():
    """Horizontal position and horizon, given as their sum and difference (|cosine| 0.71)."""
    generator = ScenesGenerator(resolution=16)
    axes = generator.known_factors.axes[[0, 5]].astype(np.float32)
    mixed = np.stack([axes[0] + axes[1], axes[0] - axes[1]]) / np.float32(np.sqrt(2))
    result = refined(mixed, generator, steps=60)
    np.testing.assert_allclose(result @ result.T, np.eye(2), atol=1e-5)
    assert np.abs(result @ axes.T).max(axis=1).min() > 0.93, result @ axes.T


def test_no_step_returns_what_was_given():
    generator = ScenesGenerator(resolution=16)
    axes = generator.known_factors.axes[:2].astype(np.float32)
    np.testing.assert_array_equal(refined(axes, generator, steps=0), axes)
