"""The demo network: a small StyleGAN2 trained on pictures of `scenes`, bundled with the package.

Trained as `configs/train_gan_demo.yaml` says; its settings, seed and log are in `docs/demo_network/`.
"""

from __future__ import annotations

from importlib.resources import as_file, files

import torch

from gan_topdis.generators.network_file import read_network_file
from gan_topdis.generators.safetensors_file import NamedTensors
from gan_topdis.generators.stylegan2_ada import StyleGAN2ADAGenerator
from gan_topdis.generators.stylegan2_file import stylegan2_from_file


def load_demo(*, device: str | torch.device = "cpu") -> StyleGAN2ADAGenerator:
    """The bundled StyleGAN2: 32x32 RGB, z and w of 64 dimensions, 8 latents."""
    with as_file(files("gan_topdis.generators") / "demo_network.safetensors") as path:
        tensors = read_network_file(path)
    assert isinstance(tensors, NamedTensors)
    return stylegan2_from_file(tensors, name="demo", device=torch.device(device))
