"""How factors hide in a latent space: from z to w, and from w to one standard normal number per factor.

In all of them factor i is the normal distribution function of coordinate i, so that it is uniform in
[0, 1], and moving w along row i of `axes`, which are orthonormal, changes coordinate i and no other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

CORRELATION = 0.6
"""Of factors 0 and 1, 2 and 3, ... in `CorrelatedMixing`."""
SWIRLS, SWIRL = 3, 0.8
"""Swirls in a row and their strength, radians per squared standard deviation, in `CurvedMixing`."""
SKEW = 0.45
"""Of coordinates in `CurvedMixing`; their skewness is about +-0.7."""


def orthogonal(size: int, seed: int) -> Float[Tensor, "size size"]:
    """An orthogonal matrix, uniformly distributed, float64."""
    rng = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(size, size, dtype=torch.float64, generator=rng)).Q


class Mixing(ABC):
    """A hidden mixture of `factors` coordinates and of `size - factors` dead ones.

    Args:
        size: of z and w.
        factors: coordinates that something depends on.
        seed: draws the hidden rotation.
        device: of latents.
    """

    has_mapping = True
    """Whether w differs from z."""

    def __init__(self, size: int, factors: int, seed: int, device: torch.device) -> None:
        if size < factors:
            raise ValueError(f"size should be at least {factors}, the number of factors, got {size}")
        self._rotation64 = orthogonal(size, seed)
        self.axes = self._rotation64[:factors].numpy()
        self._rotation = self._rotation64.to(device, torch.float32)
        self._factors = factors

    @abstractmethod
    def w(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The mapping, of standard normal z."""

    @abstractmethod
    def coordinates(self, w: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Standard normal coordinates of the factors, when z is standard normal."""

    def centre(self) -> Float[Tensor, " d"]:
        """Mean of w."""
        return self._rotation.new_zeros(len(self._rotation))


class RotatedMixing(Mixing):
    """No mapping network: the axes are hidden by a rotation of z alone."""

    has_mapping = False

    def w(self, z: Tensor) -> Tensor:
        return z

    def coordinates(self, w: Tensor) -> Tensor:
        return w @ self._rotation[: self._factors].T


class CorrelatedMixing(Mixing):
    """A linear mapping: w is Gaussian, and factors 0 and 1, 2 and 3, ... are drawn correlated.

    Moving along an axis still changes one factor only, but the principal axes of w are sums and
    differences of two.
    """

    def __init__(self, size: int, factors: int, seed: int, device: torch.device) -> None:
        super().__init__(size, factors, seed, device)
        covariance = torch.eye(size, dtype=torch.float64)
        for first, second in zip(range(0, factors - 1, 2), range(1, factors, 2), strict=False):
            covariance[first, second] = covariance[second, first] = CORRELATION
        values, vectors = torch.linalg.eigh(covariance)
        root = vectors * values.sqrt() @ vectors.T
        self._mapping = (root @ self._rotation64).to(device, torch.float32)

    def w(self, z: Tensor) -> Tensor:
        return z @ self._mapping

    def coordinates(self, w: Tensor) -> Tensor:
        return w @ self._rotation[: self._factors].T


class CurvedMixing(Mixing):
    """A curved mapping: z is swirled, then every coordinate is skewed, then all are rotated.

    A swirl turns pairs of coordinates by an angle that grows with their radius. It keeps the normal
    distribution, but no straight line in z stays straight, so that the factors have axes in w only.
    There they are skewed, as coordinates in W of trained networks are (sinh(asinh(g) + skew); Jones and
    Pewsey, Biometrika 96 (2009) 761). All have one standard deviation: with different ones, the principal
    axes of w would be the factors' axes, and PCA would be handed the answer.
    """

    def __init__(self, size: int, factors: int, seed: int, device: torch.device) -> None:
        super().__init__(size, factors, seed, device)
        self._turns = [orthogonal(size, seed + 1 + i).to(device, torch.float32) for i in range(SWIRLS)]
        index = torch.arange(size)
        self._skew = (SKEW * (1 - 2.0 * (index % 2))).to(device)

    def w(self, z: Tensor) -> Tensor:
        normal = z
        for turn in self._turns:
            normal = _swirl(normal @ turn)
        return torch.sinh(torch.asinh(normal) + self._skew) @ self._rotation

    def coordinates(self, w: Tensor) -> Tensor:
        skewed = w @ self._rotation.T
        return torch.sinh(torch.asinh(skewed) - self._skew)[:, : self._factors]

    def centre(self) -> Tensor:
        # E sinh(asinh(g) + s) = sinh(s) E sqrt(1 + g^2); Gauss-Hermite quadrature of the latter
        nodes, weights = np.polynomial.hermite_e.hermegauss(64)
        mean = float((weights * np.sqrt(1 + nodes**2)).sum() / weights.sum())
        return torch.sinh(self._skew) * mean @ self._rotation


def _swirl(normal: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Coordinates (0, 1), (2, 3), ... turned by an angle proportional to their squared radius."""
    columns = list(normal.unbind(1))
    for first, second in list(pairwise(range(len(columns))))[::2]:
        a, b = columns[first], columns[second]
        angle = SWIRL * (a**2 + b**2)
        columns[first] = torch.cos(angle) * a - torch.sin(angle) * b
        columns[second] = torch.sin(angle) * a + torch.cos(angle) * b
    return torch.stack(columns, dim=1)
