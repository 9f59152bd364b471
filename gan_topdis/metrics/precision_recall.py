"""Precision and recall of generated images: are they like real ones, and is every real one covered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from gan_topdis.metrics.squared_distances import squared_distance_blocks
from gan_topdis.metrics.two_samples import pair_of_samples

ROUNDING = 1e-12
"""Squared distances above a squared radius by this share of the largest squared norm count as within it."""


@dataclass(frozen=True)
class PrecisionRecall:
    """Attributes: shares in [0, 1]; k; rows of generated and of reference features; their dimension."""

    precision: float
    recall: float
    neighbours: int
    samples: tuple[int, int]
    dimension: int


def precision_recall(generated: Any, reference: Any, *, neighbours: int = 3) -> PrecisionRecall:
    """How much of each sample lies in the manifold of the other.

    Precision is the share of generated rows inside the manifold of the reference, recall the share of
    reference rows inside the manifold of the generated ones.

    The manifold of a sample is the union of closed balls around its rows, each out to the k-th nearest other
    row. Both shares depend on the numbers of rows: compare results with the same.

    Args:
        generated, reference: (n, d) and (m, d) features, numpy or torch; n, m > k.
        neighbours: k >= 1.

    Raises:
        ValueError: other shapes, values that are not finite, or k below 1.

    Cost: n^2 + n m + m^2 distances, in blocks.
    Source: Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative Models,
        arXiv:1904.06991, eqs. (1) and (2), k = 3 as there.
    """
    if neighbours < 1:
        raise ValueError(f"neighbours should be at least 1, got {neighbours}")
    x, y = pair_of_samples(generated, reference, least=neighbours + 1)
    return PrecisionRecall(
        precision=float(_inside(x, y, neighbours).mean()),
        recall=float(_inside(y, x, neighbours).mean()),
        neighbours=neighbours,
        samples=(len(x), len(y)),
        dimension=x.shape[1],
    )


def _inside(
    points: Float[np.ndarray, "n d"], sample: Float[np.ndarray, "m d"], k: int
) -> Bool[np.ndarray, " n"]:
    """Which points are in a ball of the sample. # eq. (1)"""
    radii = np.empty(len(sample))
    for rows, block in squared_distance_blocks(sample, sample):
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = (
            np.inf
        )  # a row is no neighbour of its own
        radii[rows] = np.partition(block, k - 1, axis=1)[:, k - 1]
    radii += ROUNDING * float(((sample - sample.mean(axis=0)) ** 2).sum(axis=1).max())
    inside = np.empty(len(points), dtype=bool)
    for rows, block in squared_distance_blocks(points, sample):
        inside[rows] = (block <= radii).any(axis=1)
    return inside
