"""Directions that know the factors: what fixed directions of a generator's latent space can reach at best."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_topdis.directions.ground_truth_factors import FactorMeter
from gan_topdis.directions.latent_samples import LatentSampler
from gan_topdis.directions.ranking import canonical
from gan_topdis.directions.result import Directions
from gan_topdis.generators import Generator
from gan_topdis.seeding import seeded_generator

SAMPLES = 4096
_PURPOSE = 41  # of the random generator, apart from those of searches and responses
_SMALLEST_VARIANCE = 1e-9
"""Latent dimensions of less than this share of the largest variance do not vary."""


def supervised_directions(
    generator: Generator, meter: FactorMeter, *, seed: int = 0, samples: int = SAMPLES
) -> Directions:
    """For each factor, the direction that moves it and, to first order, none of the others.

    With B the least-squares regression of the standardised factors on the whitened latent, the columns of
    the pseudo-inverse of B: the smallest whitened steps that move one factor alone. No method without labels
    is expected to do better with one direction per factor; where the latents carry factors nonlinearly, even
    these disturb the others.

    Args:
        generator: unconditional.
        meter: from `factor_meter`; it is what no other method sees.
        seed: draws the latents.
        samples: latents, more than latent dimensions.

    Returns:
        One direction per factor, named after it, in the meter's order; `scores` are R^2 of the regression.

    Raises:
        ValueError: too few samples.
    """
    if samples <= generator.w_dim:
        raise ValueError(f"samples should be more than {generator.w_dim} (w_dim), got {samples}")
    layers = torch.ones(generator.num_ws, dtype=torch.bool)
    sampler = LatentSampler(
        generator,
        layers=layers,
        class_index=None,
        feature_size=generator.resolution[0],
        max_batch=generator.images_at_once,
    )
    ws = sampler.draw(samples, seeded_generator(seed, _PURPOSE))
    with torch.no_grad():
        factors = torch.cat(
            [
                meter.measure(part, generator.synthesize(part)).cpu().double()
                for part in ws.split(generator.images_at_once)
            ]
        )
    latent = sampler.latent(ws).cpu().double()
    mean = latent.mean(dim=0)
    covariance = (latent - mean).T @ (latent - mean) / (samples - 1)
    variances, axes = torch.linalg.eigh(covariance)
    varying = variances > _SMALLEST_VARIANCE * variances[-1]
    scaled = axes[:, varying] * variances[varying].sqrt()  # (w_dim, m): whitened to latent units
    whitened = (latent - mean) @ (axes[:, varying] / variances[varying].sqrt())
    standard = (factors - factors.mean(dim=0)) / factors.std(dim=0).clamp_min(1e-12)
    regression = whitened.T @ standard / (samples - 1)  # (m, f)
    vectors = torch.nn.functional.normalize(torch.linalg.pinv(regression) @ scaled.T, dim=1).float()
    return _as_directions(generator, meter, vectors, regression.square().sum(dim=0), covariance, mean)


def _as_directions(
    generator: Generator,
    meter: FactorMeter,
    vectors: Tensor,
    explained: Tensor,
    covariance: Tensor,
    mean: Tensor,
) -> Directions:
    rows = torch.stack([canonical(vector) for vector in vectors])
    spread = torch.einsum("ki,ij,kj->k", rows.double(), covariance, rows.double()).sqrt()
    return Directions(
        vectors=rows.numpy(),
        names=meter.names,
        scores=explained.numpy(),
        layers=torch.ones(len(rows), generator.num_ws, dtype=torch.bool).numpy(),
        scale=spread.numpy(),
        w_mean=mean.float().numpy(),
        space=generator.latent_space,
        score_name="r2",
        meta={"method": "supervised", "generator": generator.description(), "complete": True},
    )
