"""Real images that are made afresh at every step, instead of a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.generators.scenes import FACTORS, render


@dataclass(frozen=True)
class FreshImages:
    """Attributes: `draw`, a number n and a generator of the CPU to images (n, C, H, W) in [0, 1], which
    depend on nothing else; channels; pixels a side; a name, which is kept with checkpoints."""

    draw: Callable[[int, torch.Generator], Tensor]
    channels: int
    resolution: int
    name: str


def fresh_scenes(resolution: int = 32) -> FreshImages:
    """Pictures of `scenes`, a lit ball over a floor, whose six factors are uniform in [0, 1]."""

    def draw(count: int, generator: torch.Generator) -> Float[Tensor, "n 3 r r"]:
        pictures = render(torch.rand(count, len(FACTORS), generator=generator), resolution)
        return (pictures + 1) / 2

    if resolution < 8:
        raise ValueError(f"resolution should be at least 8 pixels, got {resolution}")
    return FreshImages(draw, 3, resolution, f"scenes {resolution}")
