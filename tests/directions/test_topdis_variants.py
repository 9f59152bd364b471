"""The plain and the joint variant of TopDis, and warm starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analytic_renderers import axis_recovery
from small_networks import planes, separate_pixels

from gan_topdis.directions import discover
from gan_topdis.directions.topdis_joint import nearest_orthonormal, tangent
from gan_topdis.generators.scenes import ScenesGenerator
from gan_topdis.seeding import seeded_generator

QUICK = {"points": 32, "evaluation_points": 64, "probes": 256, "second_steps": 10}


def test_plain_search_falls_into_the_trap_that_topdis_avoids():
    """z3 of `planes` does nothing, z0 is an isometry; z1 and z2 tear. Raw RTD cannot tell z0 from z3."""
    plain = discover(planes(), 1, method="topdis-plain", steps=60, seed=2, **QUICK).vectors[0]
    assert np.hypot(plain[0], plain[3]) > 0.95, plain
    assert abs(plain[3]) > 0.3, "a good part of it is dead"
    ours = discover(planes(), 1, steps=60, seed=2, **QUICK).vectors[0]
    assert abs(ours[0]) > 0.99, ours


def test_joint_search_recovers_axes_of_scenes():
    scenes = ScenesGenerator(resolution=16)
    found = discover(scenes, 6, method="topdis-joint", steps=40, restarts=2, **QUICK)
    recovery = axis_recovery(found.vectors, scenes.known_factors.axes)
    assert recovery.mean() > 0.85, recovery  # principal axes of the effect: 0.75 here
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(6), atol=2e-6)


def test_an_interrupted_joint_search_ends_alike():
    scenes = ScenesGenerator(resolution=16)
    partial = []
    whole = discover(scenes, 3, method="topdis-joint", steps=4, on_direction=partial.append, **QUICK)
    assert [len(part) for part in partial] == [1, 2, 3]
    resumed = discover(scenes, 3, method="topdis-joint", steps=4, found=partial[0], **QUICK)
    np.testing.assert_array_equal(resumed.vectors, whole.vectors)


def test_progress_counts_the_baseline_and_steps_that_patience_saves():
    seen = []
    options = {**QUICK, "steps": 6, "restarts": 1, "patience": 1, "warm_start": "ganspace-features"}
    discover(ScenesGenerator(resolution=16), 2, method="topdis-joint", on_progress=seen.append, **options)
    assert [p.done for p in seen] == list(range(1, seen[-1].total + 1))


def test_tangent_and_retraction():
    """A tangent X at Y has Y X^T antisymmetric; the retraction keeps points and is of first order."""
    y = nearest_orthonormal(torch.randn(2, 3, 5, generator=seeded_generator(0)).double())
    torch.testing.assert_close(y @ y.mT, torch.eye(3).double().expand(2, 3, 3))
    torch.testing.assert_close(nearest_orthonormal(y), y)
    x = tangent(y, torch.randn(2, 3, 5, generator=seeded_generator(1)).double())
    product = y @ x.mT
    torch.testing.assert_close(product, -product.mT)
    torch.testing.assert_close(tangent(y, x), x)
    moved = (nearest_orthonormal(y + 1e-4 * x) - y) / 1e-4
    torch.testing.assert_close(moved, x, atol=1e-3, rtol=0)  # second order: 1e-4 |x|^2


def test_a_warm_start_from_the_truth_needs_no_search():
    """The Jacobian's axes of `separate_pixels` are the factors; one step from elsewhere is not enough."""
    generator = separate_pixels([2.0, 1.4, 1.0, 0.7])
    few = {**QUICK, "steps": 1, "second_steps": 0, "restarts": 1}
    warm = discover(generator, 4, **few)
    cold = discover(generator, 4, warm_start="random", **few)
    assert axis_recovery(warm.vectors, np.eye(4)).min() > 0.98
    assert axis_recovery(cold.vectors, np.eye(4)).min() < 0.95


@pytest.mark.parametrize(
    ("options", "baseline"), [({}, "jacobian"), ({"warm_start": "ganspace"}, "ganspace")]
)
def test_the_gain_is_that_over_the_baseline_alone(options, baseline):
    scenes = ScenesGenerator(resolution=16)
    tiny = {"points": 16, "steps": 4, "second_steps": 0, "restarts": 2, "evaluation_points": 24}
    found = discover(scenes, 3, **tiny, **options)
    alone = discover(scenes, 3, method=baseline, **tiny)
    expected = np.log(alone.scores).mean() - np.log(found.scores).mean()
    assert found.meta["gain"][baseline] == pytest.approx(expected, abs=1e-4)  # float32 logarithms
    random = np.log(found.meta["random_baseline"]["geometric_mean"]) - np.log(found.scores).mean()
    assert found.meta["gain"]["random"] == pytest.approx(random, abs=1e-4)
    assert set(found.meta["gain"]) == {"random", baseline}
