"""Bent stripes without objects: factors that move every pixel, and none of them along a straight line."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gan_topdis.generators.analytic.drawing import Scene, blend, grid


def render_waves(factors: Tensor) -> Tensor:
    """Angle, spacing, phase, bend, sharpness, dark colour, bright colour, vignette."""
    x, y = grid(factors)
    u = factors[:, :, None, None]
    angle = 1.0 * (u[:, 0] - 0.5)
    across = torch.cos(angle) * x + torch.sin(angle) * y
    along = -torch.sin(angle) * x + torch.cos(angle) * y
    bent = across + 0.5 * (u[:, 3] - 0.5) * (2 * along**2 - 1)
    height = torch.sin(math.pi * (1.1 + 0.7 * u[:, 1]) * bent + 2.4 * (u[:, 2] - 0.5))
    stripes = torch.sigmoid(height * torch.exp(2.5 * u[:, 4]))[:, None]  # (n, 1, 32, 32)
    dark = blend([0.35, 0.05, 0.1], [0.05, 0.1, 0.4], factors[:, 5])
    bright = blend([0.95, 0.85, 0.4], [0.45, 0.95, 0.9], factors[:, 6])
    shade = 1 - 0.6 * u[:, 7:8] * ((x**2 + y**2) / 2)[:, None]
    return (dark * (1 - stripes) + bright * stripes) * shade * 2 - 1


WAVES = Scene(
    render_waves,
    ("angle", "spacing", "phase", "bend", "sharpness", "dark colour", "bright colour", "vignette"),
)
