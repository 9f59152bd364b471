"""Frechet distance of normal distributions fitted to two sets of features: FID on features of choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from gan_topdis.metrics.two_samples import pair_of_samples


@dataclass(frozen=True)
class FrechetDistance:
    """Attributes: the squared distance, which is what tables of FID list; its two parts; rows of generated
    and of reference features; their dimension."""

    squared: float
    mean_part: float
    covariance_part: float
    samples: tuple[int, int]
    dimension: int


def frechet_distance(generated: Any, reference: Any) -> FrechetDistance:
    """Squared Frechet (2-Wasserstein) distance of the normal distributions with the samples' means and
    covariances:

        |m1 - m2|^2 + tr(S1 + S2 - 2 (S1^(1/2) S2 S1^(1/2))^(1/2))

    Covariances have n - 1 below the sum. Both roots are those of symmetric matrices, by eigenvalues in
    float64, negative ones of rounding set to 0. Biased upwards for finite samples, the more so the higher the
    dimension: compare only results with the same numbers of rows.

    Args:
        generated, reference: (n, d) and (m, d) features, numpy or torch; n, m >= 2.

    Raises:
        ValueError: other shapes, or values that are not finite.

    Source: Dowson and Landau, The Frechet distance between multivariate normal distributions, J. Multivariate
        Analysis 12 (1982); as a measure of generators, Heusel et al., GANs Trained by a Two
        Time-Scale Update Rule, arXiv:1706.08500, section 3, there on Inception features.
    """
    x, y = pair_of_samples(generated, reference, least=2)
    difference = x.mean(axis=0) - y.mean(axis=0)
    s1, s2 = np.atleast_2d(np.cov(x.T)), np.atleast_2d(np.cov(y.T))
    root = _root(s1)
    eigenvalues = np.linalg.eigvalsh(_symmetric(root @ s2 @ root))
    mixed = np.sqrt(np.maximum(eigenvalues, 0.0)).sum()
    mean_part = float(difference @ difference)
    covariance_part = max(float(np.trace(s1) + np.trace(s2) - 2 * mixed), 0.0)
    return FrechetDistance(
        mean_part + covariance_part, mean_part, covariance_part, (len(x), len(y)), x.shape[1]
    )


def _root(matrix: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    """The positive semidefinite square root of a covariance."""
    values, vectors = np.linalg.eigh(_symmetric(matrix))
    root: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root


def _symmetric(matrix: np.ndarray) -> np.ndarray:
    half: np.ndarray = (matrix + matrix.T) / 2
    return half
