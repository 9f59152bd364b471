"""A rounded rectangle on black: one object, six factors of comparable size."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_topdis.generators.analytic.drawing import EDGE, Scene, blend, colour, grid


def render_sprites(factors: Tensor) -> Tensor:
    """x, y, size, aspect, angle, colour."""
    x, y = grid(factors)
    u = factors[:, :, None, None]
    dx, dy = x - 0.45 * (2 * u[:, 0] - 1), y - 0.45 * (2 * u[:, 1] - 1)
    size, aspect = 0.2 + 0.2 * u[:, 2], torch.exp(0.5 * (2 * u[:, 3] - 1))
    angle = 0.7 * (2 * u[:, 4] - 1)
    a = (torch.cos(angle) * dx + torch.sin(angle) * dy) / (size * aspect)
    b = (-torch.sin(angle) * dx + torch.cos(angle) * dy) / (size / aspect)
    inside = torch.sigmoid((1 - (a**6 + b**6 + 1e-9) ** (1 / 6)) * size / EDGE)[:, None]
    paint = blend([0.2, 0.8, 0.3], [0.9, 0.2, 0.8], factors[:, 5])
    return (colour([0.1, 0.1, 0.15], factors) * (1 - inside) + paint * inside) * 2 - 1


SPRITES = Scene(render_sprites, ("x", "y", "size", "aspect", "angle", "colour"))
