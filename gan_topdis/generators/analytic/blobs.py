"""Two soft lights: everything is smooth, and factors of different objects act on the same pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from gan_topdis.generators.analytic.drawing import Scene, blend, colour, grid


def render_blobs(factors: Tensor) -> Tensor:
    """x of one, y of the other, size and brightness of one, hue of the other, background."""
    x, y = grid(factors)
    u = factors[:, :, None, None]
    one = torch.exp(-((x + 0.6 - 0.8 * u[:, 0]) ** 2 + (y + 0.4) ** 2) / (2 * (0.12 + 0.15 * u[:, 2]) ** 2))
    one = one[:, None] * (0.4 + 0.6 * factors[:, 3])[:, None, None, None]
    two = torch.exp(-((x - 0.3) ** 2 + (y + 0.1 - 0.8 * u[:, 1]) ** 2) / (2 * 0.22**2))[:, None]
    hue = blend([1.0, 0.4, 0.1], [0.1, 0.5, 1.0], factors[:, 4])
    background = blend([0.1, 0.1, 0.1], [0.1, 0.25, 0.3], factors[:, 5])
    return (background + one * colour([0.9, 0.9, 0.8], factors) + two * hue).clamp(0, 1.5) * 2 - 1


BLOBS = Scene(render_blobs, ("x of one", "y of two", "size", "brightness", "hue", "background"))
