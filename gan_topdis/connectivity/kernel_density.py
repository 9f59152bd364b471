"""Kernel density estimates: Gaussian with a bandwidth a coordinate, and the truncated exponential in l1."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def scott_bandwidth(sample: Float[Tensor, "n d"]) -> Float[Tensor, " d"]:
    """Scott's rule: the standard deviation (divisor n - 1) of each coordinate, times n^(-1 / (d + 4)).

    Best for one Gaussian; too wide where the sample falls into separate clusters.

    Raises:
        ValueError: not (n, d) with n >= 2, not finite, or a coordinate is constant.

    Source: Scott, Multivariate Density Estimation, 1992, section 6.3.
    """
    _require_points(sample, "sample", least=2)
    n, d = sample.shape
    spread = sample.std(dim=0)
    if not (spread > 0).all():
        raise ValueError("sample should vary in every coordinate for Scott's rule; give a bandwidth instead")
    return spread * n ** (-1 / (d + 4))


def gaussian_log_density(
    sample: Float[Tensor, "n d"], at: Float[Tensor, "m d"], bandwidth: float | Float[Tensor, " d"]
) -> Float[Tensor, " m"]:
    """Logarithm of the Gaussian kernel density estimate of a sample.

    Args:
        sample: (n, d), n >= 1, floating point.
        at: (m, d), where to estimate.
        bandwidth: standard deviation of the kernel, in the unit of the sample, > 0: one number, or one a
            coordinate.

    Returns:
        (m,), in nats per unit of volume; finite far away too, where the density itself would round to 0.

    Raises:
        ValueError: shapes do not fit, values are not finite, or a bandwidth is not > 0.

    Memory: n x m x d numbers.
    """
    _require_points(sample, "sample", least=1)
    _require_points(at, "at", least=0)
    d = sample.shape[1]
    if at.shape[1] != d:
        raise ValueError(f"sample and at should have as many columns, got {d} and {at.shape[1]}")
    h = torch.as_tensor(bandwidth, dtype=sample.dtype, device=sample.device)
    if h.shape not in ((), (d,)) or not ((h > 0) & torch.isfinite(h)).all():
        raise ValueError(f"bandwidth should be a number > 0 or {d} of them, got {bandwidth}")
    h = h.expand(d)
    exponents = -((at[:, None] - sample) / h).square().sum(dim=2) / 2  # (m, n)
    volume = h.log().sum() + d / 2 * math.log(2 * math.pi)
    return exponents.logsumexp(dim=1) - math.log(len(sample)) - volume


def truncated_exponential_density(
    sample: Float[Tensor, "n d"], at: Float[Tensor, "m d"], *, scale: float, radius: float
) -> Float[Tensor, " m"]:
    """Kernel density estimate with exp(-|x|_1 / scale) inside the closed l1 ball of the radius, 0 outside.

    The kernel integrates to (2 scale)^d P(d, radius / scale), P the regularised lower incomplete gamma
    function: an l1 sphere of radius t has 2^d t^(d - 1) / (d - 1)! of volume per unit of t. The authors'
    code divides by (2 scale (1 - exp(-radius / scale)))^d, which is that of a cube and right for d = 1 only.

    Args:
        sample, at: (n, d), n >= 1, and (m, d), floating point.
        scale, radius: > 0, in the unit of the sample; the scale may be infinite, which counts in balls.

    Returns:
        (m,) densities per unit of volume.

    Raises:
        ValueError: shapes do not fit, values are not finite, scale or radius not > 0.
    """
    _require_points(sample, "sample", least=1)
    _require_points(at, "at", least=0)
    d = sample.shape[1]
    if at.shape[1] != d:
        raise ValueError(f"sample and at should have as many columns, got {d} and {at.shape[1]}")
    if not scale > 0 or not (radius > 0 and math.isfinite(radius)):
        raise ValueError(f"scale and radius should be greater than 0, got {scale} and {radius}")
    distances = (at[:, None] - sample).abs().sum(dim=2)  # (m, n)
    kernel = torch.where(distances <= radius, (-distances / scale).exp(), 0.0)
    return kernel.mean(dim=1) / _volume(d, scale, radius)


def _volume(d: int, scale: float, radius: float) -> float:
    """Integral of the truncated exponential kernel; of the ball itself, (2 r)^d / d!, for scale infinity."""
    if math.isinf(scale):
        return (2 * radius) ** d / math.factorial(d)
    order, reach = torch.tensor([float(d), radius / scale], dtype=torch.float64)
    return (2 * scale) ** d * torch.special.gammainc(order, reach).item()


def _require_points(points: Tensor, name: str, *, least: int) -> None:
    if not isinstance(points, Tensor) or not points.is_floating_point():
        raise TypeError(f"{name} should be a floating-point torch.Tensor")
    if points.ndim != 2 or points.shape[1] == 0 or len(points) < least:
        raise ValueError(
            f"{name} should have shape (n, d) with n >= {least} and d >= 1, got {tuple(points.shape)}"
        )
    if not torch.isfinite(points).all():
        raise ValueError(f"{name} should be finite, got NaN or infinity")
