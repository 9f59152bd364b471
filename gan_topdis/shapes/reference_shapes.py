"""The clouds of the paper that others are to be matched to, point for point."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

POINTS = 512
NOISE = 0.01
"""Standard deviation of the noise on every coordinate; the circles have radius 1."""
_NOISE_SEED = 2


def circle(points: int = POINTS) -> Float[Tensor, "points 2"]:
    """A unit circle with noise: directions of Gaussian samples of seed 0, noise of seed 2."""
    return _noisy_circle(points, 0)


def two_circles(points: int = POINTS) -> Float[Tensor, "points 2"]:
    """Two overlapping unit circles with noise, centred at (0.5, 0) and (-0.5, 0): three loops.

    The first half of the points, of seed 0, is the right circle, the rest, of seed 1, the left one; both
    have the noise of seed 2.
    """
    right, left = _noisy_circle(points - points // 2, 0), _noisy_circle(points // 2, 1)
    shift = torch.tensor([0.5, 0.0])
    return torch.cat((right + shift, left - shift))


SHAPES: Mapping[str, Callable[[int], Tensor]] = {"circle": circle, "two-circles": two_circles}
"""Shapes by name; 512 points, the default, are the clouds of the paper."""


def reference_shape(name: str, points: int = POINTS) -> Float[Tensor, "points 2"]:
    """A shape of `SHAPES`, float32, the same on every machine.

    Raises:
        ValueError: an unknown name, or fewer than 4 points.

    Source: Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025, Fig. 2, and the
        seeds of its code.
    """
    if name not in SHAPES:
        raise ValueError(f"shape should be one of {', '.join(SHAPES)}, got {name!r}")
    if points < 4:
        raise ValueError(f"a shape should have at least 4 points, got {points}")
    return SHAPES[name](points)


def _noisy_circle(points: int, seed: int) -> Tensor:
    gaussian = torch.randn(points, 2, generator=torch.Generator().manual_seed(seed))
    noise = torch.randn(points, 2, generator=torch.Generator().manual_seed(_NOISE_SEED))
    return gaussian / gaussian.norm(dim=1, keepdim=True) + NOISE * noise
