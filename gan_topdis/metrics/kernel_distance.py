"""Maximum mean discrepancy of two sets of features, with a Gaussian or the cubic kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from gan_topdis.metrics.squared_distances import BLOCK, squared_distance_blocks
from gan_topdis.metrics.two_samples import pair_of_samples

KERNELS = ("gaussian", "cubic")
MEDIAN_ROWS = 2_000
"""The median distance is that of the first so many rows of the reference."""


@dataclass(frozen=True)
class KernelDistance:
    """Squared maximum mean discrepancy.

    Attributes:
        unbiased: estimate without the terms of a row with itself; may be negative.
        biased: estimate with all terms, >= 0 up to rounding.
        kernel: gaussian or cubic.
        bandwidth: sigma of the Gaussian, in the unit of the features; None for the cubic kernel.
        samples: rows of generated and of reference features.
        dimension: of the features.
    """

    unbiased: float
    biased: float
    kernel: str
    bandwidth: float | None
    samples: tuple[int, int]
    dimension: int


def kernel_distance(
    generated: Any, reference: Any, *, kernel: str = "gaussian", bandwidth: float | None = None
) -> KernelDistance:
    """Squared MMD of two samples, E k(x, x') + E k(y, y') - 2 E k(x, y).

        gaussian  k(x, y) = exp(-|x - y|^2 / (2 sigma^2))
        cubic     k(x, y) = (x . y / d + 1)^3                 (unbiased: the "kernel Inception distance")

    Args:
        generated, reference: (n, d) and (m, d) features, numpy or torch; n, m >= 2.
        kernel: gaussian or cubic.
        bandwidth: sigma > 0 of the Gaussian; by default the median distance between two of the first 2,000
            rows of the reference, which does not depend on what is compared with it.

    Raises:
        ValueError: other shapes or names, values that are not finite, a bandwidth that is not positive, or a
            reference whose median distance is 0.

    Cost: n^2 + n m + m^2 kernel values, in blocks.
    Source: Gretton et al., A Kernel Two-Sample Test, JMLR 13 (2012), eqs. (3) and (5), section 8 for the
        median, there of both samples together; Binkowski et al., Demystifying MMD GANs, arXiv:1801.01401,
        section 4, for the cubic kernel.
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel should be one of {', '.join(KERNELS)}, got {kernel!r}")
    x, y = pair_of_samples(generated, reference, least=2)
    if kernel == "cubic":
        if bandwidth is not None:
            raise ValueError(f"bandwidth is for the gaussian kernel, got {bandwidth} with the cubic one")
        sums: Sums = _cubic_sums
    else:
        bandwidth = _median_distance(y) if bandwidth is None else float(bandwidth)
        if not bandwidth > 0:
            raise ValueError(f"bandwidth should be above 0, got {bandwidth}")
        sums = _gaussian_sums(bandwidth)
    n, m = len(x), len(y)
    (xx, own_x), (yy, own_y), (xy, _) = sums(x, x), sums(y, y), sums(x, y)
    cross = 2 * xy / (n * m)
    return KernelDistance(
        unbiased=(xx - own_x) / (n * (n - 1)) + (yy - own_y) / (m * (m - 1)) - cross,
        biased=xx / n**2 + yy / m**2 - cross,
        kernel=kernel,
        bandwidth=bandwidth,
        samples=(n, m),
        dimension=x.shape[1],
    )


Sums = Callable[[np.ndarray, np.ndarray], tuple[float, float]]
"""Rows (n, d) and (m, d) to the sum of all kernel values, and the sum of k(x_i, x_i)."""


def _gaussian_sums(sigma: float) -> Sums:
    def sums(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        total = sum(
            float(np.exp(block / (-2 * sigma**2)).sum()) for _, block in squared_distance_blocks(x, y)
        )
        return total, float(len(x))

    return sums


def _cubic_sums(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    d = x.shape[1]
    total = sum(
        float(((x[first : first + BLOCK] @ y.T / d + 1) ** 3).sum()) for first in range(0, len(x), BLOCK)
    )
    return total, float((((x * x).sum(axis=1) / d + 1) ** 3).sum())


def _median_distance(y: Float[np.ndarray, "m d"]) -> float:
    y = y[:MEDIAN_ROWS]
    squares = np.concatenate([block for _, block in squared_distance_blocks(y, y)])
    median = float(np.sqrt(np.median(squares[np.triu_indices(len(y), k=1)])))
    # below this, what is seen of a distance is the rounding of its square
    if median <= 1e-7 * float(np.abs(y - y.mean(axis=0)).max()):
        raise ValueError(
            "reference should have rows that differ, got a median distance of 0; give a bandwidth"
        )
    return median
