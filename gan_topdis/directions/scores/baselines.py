"""The directions that any evaluated ones are compared with, on the same layers and pictures."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.ganspace import principal_axes
from gan_topdis.directions.latent_samples import LatentStatistics
from gan_topdis.directions.random_directions import random_unit
from gan_topdis.directions.result import Directions
from gan_topdis.directions.sefa import sefa_axes
from gan_topdis.generators import Generator


def random_baseline(
    generator: Generator, statistics: LatentStatistics, layers: Tensor, count: int, rng: torch.Generator
) -> Directions:
    """`count` independent unit directions, uniform in the latent space."""
    vectors = random_unit(torch.eye(generator.w_dim, dtype=torch.float64), count, rng)
    return _as_directions(vectors, "random", generator, statistics, layers)


def pca_baseline(
    generator: Generator, statistics: LatentStatistics, layers: Tensor, count: int
) -> Directions:
    """Principal axes of the latent, largest variance first.

    Raises:
        ValueError: the generator has no mapping network, so that its latent has no axes of its own.

    Source: Harkonen et al., GANSpace, arXiv:2004.02546, section 2.1 (StyleGAN: PCA of w).
    """
    if not generator.has_mapping:
        raise ValueError(
            f"{generator.name} has no mapping network: its latent is drawn alike in every direction"
        )
    axes = principal_axes(statistics.covariance)
    return _as_directions(axes[:count], "PCA", generator, statistics, layers)


def sefa_baseline(
    generator: Generator, statistics: LatentStatistics, layers: Tensor, count: int
) -> Directions:
    """The leading `sefa_axes` of the layers.

    Raises:
        ValueError: the family has no such weights.
    """
    return _as_directions(sefa_axes(generator, layers)[:count], "SeFa", generator, statistics, layers)


def _as_directions(
    vectors: Float[Tensor, "k w_dim"],
    name: str,
    generator: Generator,
    statistics: LatentStatistics,
    layers: Tensor,
) -> Directions:
    count = len(vectors)
    return Directions(
        vectors=vectors.numpy(),
        names=tuple(f"{name} {index}" for index in range(count)),
        scores=np.zeros(count),
        layers=layers.cpu().numpy()[None].repeat(count, axis=0),
        scale=statistics.standard_deviation(vectors).numpy(),
        w_mean=statistics.mean.float().numpy(),
        space=generator.latent_space,
        score_name="none",
    )
