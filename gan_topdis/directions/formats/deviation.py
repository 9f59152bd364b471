"""How far latents spread along a direction: what turns raw latent units into standard deviations."""

from __future__ import annotations

import numpy as np
import torch

from gan_topdis.directions.latent_samples import LatentSampler
from gan_topdis.generators import Generator
from gan_topdis.seeding import seeded_generator

SAMPLES = 10_000
_STATISTICS = 0  # the purpose for which `discover` draws its latents, so that both have one scale


def measured_deviation(
    generator: Generator,
    vectors: np.ndarray,
    layers: np.ndarray,
    *,
    space: str,
    class_index: int | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation of untruncated latents along directions, and their mean.

    Along a W+ direction with rows n_l on m layers it is sqrt(m sum_l Var(n_l . w)): that of a W direction
    when all rows are equal, and positive also where rows cancel.

    Args:
        vectors: (K, d), or (K, L, d) in space `w+`; unit rows.
        layers: bool (K, L), at least one in each row.
        space: `z`, `w` or `w+`. For `z` in front of a mapping network nothing is measured: z is standard
            normal.
        class_index: of the latents.
        seed: of the latents; that of a call of `discover` gives the scale of its result.

    Returns:
        (K,) and (d,), float64.

    Raises:
        ValueError: a class is missing or out of range.
    """
    if space == "z" and generator.has_mapping:
        return np.ones(len(vectors)), np.zeros(vectors.shape[-1])
    sampler = LatentSampler(
        generator,
        layers=torch.from_numpy(layers[0].copy()),
        class_index=class_index,
        feature_size=1,
        max_batch=1,
    )
    with torch.no_grad():
        statistics = sampler.statistics(SAMPLES, seeded_generator(seed, _STATISTICS))
    covariance = statistics.covariance.numpy()
    rows = vectors.reshape(len(vectors), -1, vectors.shape[-1])  # (K, 1 or L, d)
    moved = (np.abs(rows).max(axis=2) > 0).sum(axis=1)  # (K,)
    variance = np.einsum("kli,ij,klj->k", rows, covariance, rows)
    return np.sqrt(np.maximum(moved * variance, 1e-24)), statistics.mean.numpy()
