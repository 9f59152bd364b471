"""The six factors of a picture of `scenes`, read off by a small convolutional network.

For generators trained on pictures of `scenes` (the demo StyleGAN2), whose latents have no formula for the
factors. Trained on rendered pictures by benchmarks/train_scene_factors.py, which reports R^2 on pictures
it has not seen; the weights lie beside this file.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.network_file import read_network_file
from gan_topdis.generators.safetensors_file import NamedTensors
from gan_topdis.generators.scenes import FACTORS
from gan_topdis.generators.torch_storage import StoredTensor

RESOLUTION = 32
"""Pixels a side of the pictures it was trained on; others are averaged or refused."""
WEIGHTS = Path(__file__).with_name("scene_factors.safetensors")
ACCURACY_KEY = "held_out_r2"
"""Of the file's metadata: JSON, R^2 by name of the factor."""
_WIDTHS = (24, 32, 48, 48)
_HIDDEN = 64


class SceneFactorNetwork(nn.Sequential):
    """Pictures (n, 3, 32, 32) in [-1, 1] to factors (n, 6), in the order of `scenes.FACTORS`, not clamped.

    Four 3x3 convolutions, the last three of stride 2, and two dense layers: positions of things are kept
    to the end, as they are factors.
    """

    def __init__(self) -> None:
        layers: list[nn.Module] = []
        inputs = 3
        for index, width in enumerate(_WIDTHS):
            layers += [nn.Conv2d(inputs, width, 3, stride=1 if index == 0 else 2, padding=1), nn.SiLU()]
            inputs = width
        side = RESOLUTION // 2 ** (len(_WIDTHS) - 1)
        layers += [nn.Flatten(), nn.Linear(inputs * side * side, _HIDDEN), nn.SiLU()]
        super().__init__(*layers, nn.Linear(_HIDDEN, len(FACTORS)))


def scene_factors(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 6"]:
    """Factors of pictures of `scenes`, in [0, 1], in the order of `scenes.FACTORS`.

    Args:
        images: square, in about [-1, 1]; a multiple of 32 pixels a side, averaged to 32.

    Returns:
        On the device of the images, clamped to [0, 1]: outside, nothing was ever rendered.

    Raises:
        ValueError: another shape.
    """
    if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
        raise ValueError(f"images should have shape (n, 3, h, h), got {tuple(images.shape)}")
    if images.shape[2] % RESOLUTION:
        raise ValueError(
            f"images should have a multiple of {RESOLUTION} pixels a side, got {images.shape[2]}"
        )
    factor = images.shape[2] // RESOLUTION
    if factor > 1:
        images = nn.functional.avg_pool2d(images, factor)
    factors: Tensor = _network(str(images.device))(images.float())
    return factors.clamp(0, 1)


def scene_factor_accuracy() -> dict[str, float]:
    """R^2 of each factor on rendered pictures that training has not drawn, by name of the factor."""
    return {str(name): float(value) for name, value in json.loads(_contents().metadata[ACCURACY_KEY]).items()}


def _contents() -> NamedTensors:
    contents = read_network_file(WEIGHTS)
    if not isinstance(contents, NamedTensors):
        raise CheckpointError(f"{WEIGHTS.name} should be a safetensors file; install gan_topdis again")
    return contents


@cache
def _network(device: str) -> SceneFactorNetwork:
    """The trained network, read once per device."""
    state = {
        str(name): value.float32() for name, value in _contents().items() if isinstance(value, StoredTensor)
    }
    network = SceneFactorNetwork()
    network.load_state_dict(state)
    return network.eval().requires_grad_(False).to(torch.device(device))
