"""What the renderers have in common: the pixel grid, colours, soft edges.

The frame is the square [-1, 1]^2 with y pointing down; factors are (n, k) in [0, 1]; colours are RGB in
[0, 1]. Everything is differentiable in the factors and stays on their device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

SIZE = 32
"""Pixels a side of every renderer here."""
EDGE = 1.2 / SIZE
"""Half-width of soft edges in units of the frame, 0.6 pixels: no steps, so that gradients exist."""


class Render(Protocol):
    """Factors (n, k) in [0, 1] to pictures (n, 3, 32, 32) in about [-1, 1]."""

    def __call__(self, factors: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Scene:
    """Attributes: the renderer, and the names of its factors in the order of their columns."""

    render: Render
    factors: tuple[str, ...]


def grid(factors: Tensor) -> tuple[Float[Tensor, "1 1 32"], Float[Tensor, "1 32 1"]]:
    """x and y of the pixel centres, on the device of the factors."""
    middles = (torch.arange(SIZE, device=factors.device) + 0.5) / SIZE * 2 - 1
    return middles[None, None, :], middles[None, :, None]


def colour(values: Sequence[float], like: Tensor) -> Float[Tensor, "1 3 1 1"]:
    return torch.tensor(values, device=like.device)[None, :, None, None]


def blend(first: Sequence[float], last: Sequence[float], share: Float[Tensor, " n"]) -> Tensor:
    """The colour (n, 3, 1, 1) that lies `share` of the way from the first to the last."""
    a, b = colour(first, share), colour(last, share)
    return a + (b - a) * share[:, None, None, None]


def box(
    x: Tensor, y: Tensor, centre: tuple[Tensor | float, Tensor | float], half: tuple[Tensor | float, float]
) -> Float[Tensor, "n 1 32 32"]:
    """Soft indicator of an upright rectangle: centre and half sides, numbers or (n, 1, 1)."""
    across = torch.sigmoid((half[0] - (x - centre[0]).abs()) / EDGE)
    along = torch.sigmoid((half[1] - (y - centre[1]).abs()) / EDGE)
    return (across * along)[:, None]


def disc(
    x: Tensor, y: Tensor, centre: tuple[Tensor | float, Tensor | float], radius: Tensor | float
) -> Tensor:
    """Soft indicator (n, 1, 32, 32) of a disc."""
    distance = torch.sqrt((x - centre[0]) ** 2 + (y - centre[1]) ** 2 + 1e-6)
    return torch.sigmoid((radius - distance) / EDGE)[:, None]


def over(picture: Tensor, mask: Tensor, paint: Tensor) -> Tensor:
    """The picture with paint where the mask is 1."""
    return picture * (1 - mask) + paint * mask
