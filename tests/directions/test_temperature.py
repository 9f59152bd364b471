"""Temperature: truncated latents for the search, untruncated ones for scales."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_networks import stylegan2_network

from gan_topdis.directions import discover
from gan_topdis.directions.latent_samples import LatentSampler
from gan_topdis.generators.scenes import ScenesGenerator
from gan_topdis.seeding import seeded_generator


def sampler_of(generator, temperature):
    return LatentSampler(
        generator,
        layers=torch.ones(generator.num_ws, dtype=torch.bool),
        class_index=None,
        feature_size=8,
        max_batch=64,
        temperature=temperature,
    )


@pytest.mark.parametrize("generator", [stylegan2_network(), ScenesGenerator(resolution=16)], ids=["w", "z"])
def test_drawn_latents_have_the_statistics_that_are_predicted(generator):
    sampler = sampler_of(generator, 0.6)
    untruncated = sampler.statistics(4000, seeded_generator(0))
    predicted = sampler.drawn_statistics(untruncated)
    w = sampler.latent(sampler.draw(4000, seeded_generator(0))).double()
    # the same seeds: affine images of the same latents, float32 rounding; 2048 seeds are drawn at a time
    again = sampler_of(generator, 1.0)
    rng = seeded_generator(0)
    parts = torch.cat([again.latent(again.draw(n, rng)) for n in (2048, 1952)]).double()
    centre = generator.truncation_centre().double()
    torch.testing.assert_close(w, centre + 0.6 * (parts - centre), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(w.mean(dim=0), predicted.mean, atol=1e-5, rtol=0)
    torch.testing.assert_close(w.T.cov(), predicted.covariance, atol=1e-4, rtol=0)
    assert not torch.allclose(untruncated.covariance, predicted.covariance, atol=1e-2)


def test_one_changes_nothing_and_scales_stay_untruncated():
    tiny = {"points": 16, "steps": 2, "second_steps": 0, "restarts": 1, "evaluation_points": 24}
    scenes = ScenesGenerator(resolution=16)
    default = discover(scenes, 1, **tiny)
    np.testing.assert_array_equal(default.vectors, discover(scenes, 1, temperature=1.0, **tiny).vectors)
    cold = discover(scenes, 1, temperature=0.5, **tiny)
    assert cold.scores[0] != default.scores[0]
    np.testing.assert_allclose(cold.scale, 1, atol=0.05)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_out_of_range_is_refused(temperature):
    with pytest.raises(ValueError, match="temperature should be greater than 0"):
        discover(ScenesGenerator(resolution=16), 1, temperature=temperature)
