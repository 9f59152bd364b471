"""PPM-Reg as the paper's GANs have it."""

from __future__ import annotations

from collections.abc import Sequence

from gan_topdis.losses import PPMRegularizer

_DIMENSIONS = 2


def published_regularizer(
    resolution: int,
    *,
    weights: Sequence[float] | None = None,
    bandwidth: float | None = None,
    subsamples: int = 1024,
) -> PPMRegularizer:
    """PPM-Reg in the convention of the authors' code, with the numbers of the networks of a size.

    Points of a tuple are distinct; tuples come from a pool of 4 s at 28 pixels, 8 s elsewhere.

    Args:
        resolution: pixels a side of the images; 28 has numbers of its own, all else those of 32.
        weights: (lambda_0, lambda_1); (1, 90) at 28 pixels, (0.001, 0.6) elsewhere when None.
        bandwidth: width of the kernel; 0.5 at 28 pixels, 1 elsewhere when None: what was published for
            Fashion-MNIST and AnimeFace.
        subsamples: s.

    Raises:
        ValueError: not two weights, or errors of `PPMRegularizer`.
    """
    small = resolution == 28
    if weights is None:
        weights = (1.0, 90.0) if small else (0.001, 0.6)
    if len(weights) != _DIMENSIONS:
        raise ValueError(f"ppm_weights should be two numbers, lambda_0 and lambda_1, got {len(weights)}")
    if bandwidth is None:
        bandwidth = 0.5 if small else 1.0
    return PPMRegularizer(
        weights=weights,
        bandwidth=bandwidth,
        subsamples=subsamples,
        convention="reference",
        replacement=False,
        pool=(4 if small else 8) * subsamples,
    )
