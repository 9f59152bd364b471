"""The feature space in which pictures are compared: area-averaged pixels, or activations of a layer."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def image_features(images: Float[Tensor, "n c h w"], size: int) -> Float[Tensor, "n p"]:
    """Pictures (or feature maps) area-averaged to at most `size` pixels a side, flattened, in their unit."""
    height, width = images.shape[-2:]
    smaller = (min(height, size), min(width, size))
    if smaller != (height, width):
        images = torch.nn.functional.adaptive_avg_pool2d(images, smaller)
    return images.flatten(1)
