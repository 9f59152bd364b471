"""A generator of a Cramer GAN in one file, and the adapter around it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.cramer_networks import PUBLISHED, PublishedGenerator
from gan_topdis.generators.fingerprint import tensor_fingerprint
from gan_topdis.generators.protocol import Generator, LayerRow
from gan_topdis.generators.safetensors_file import NamedTensors
from gan_topdis.generators.torch_storage import StoredTensor

SETTINGS_KEY = "gan_topdis.cramer_generator"
"""Key of the metadata whose value is the JSON of `resolution`, `channels` and `latent`."""
MAX_LATENT = 65_536
MAX_CHANNELS = 256


class CramerGANGenerator(Generator):
    """A generator that `gan.fit` trained with the published networks, in evaluation mode, frozen.

    Latents are standard normal, whatever the network was trained on: where it takes uniform numbers in
    [-1, 1], each coordinate goes through 2 Phi - 1 first. Images are in [-1, 1].

    Args:
        network: taken over: it is frozen and moved to `device`.
        name: what the user called it.
        device: where it computes.
    """

    family = "cramer-gan"
    load_mode = "safe"
    c_dim = 0
    num_ws = 1

    def __init__(self, network: PublishedGenerator, *, name: str, device: torch.device) -> None:
        self.network = network.eval().requires_grad_(False).to(device)
        self.name = name
        self.device = device
        self.z_dim = self.w_dim = network.z_dim
        self.resolution = (network.resolution, network.resolution)
        self.channels = network.channels
        self.fingerprint = tensor_fingerprint(network.state_dict())

    @property
    def has_mapping(self) -> bool:
        return False

    def _map(self, z: Tensor, c: Tensor | None) -> Tensor:
        return z.to(self.device, torch.float32).unsqueeze(1)  # (n, 1, z_dim)

    def _synthesize(self, ws: Tensor, noise_mode: str) -> Tensor:
        z = ws[:, 0].to(self.device, torch.float32)
        if self.network.law == "uniform":
            z = torch.erf(z / math.sqrt(2))  # 2 Phi(z) - 1
        images: Tensor = self.network(z)
        return 2 * images - 1 if self.network.low == 0 else images

    def truncation_centre(self) -> Tensor:
        """The mean of the input noise: 0, (z_dim,)."""
        return torch.zeros(self.z_dim, device=self.device)

    def layer_table(self) -> list[LayerRow]:
        return [LayerRow(index=0, resolution=self.network.resolution, kind="dense", modules=("dense",))]

    def style_weights(self) -> list[Tensor]:
        """The first layer's weight (outputs, z_dim), for the single position of ws.

        Source: Shen and Zhou, SeFa, arXiv:2007.06600, section 3.1.
        """
        dense = self.network.dense
        first = dense[0] if isinstance(dense, torch.nn.Sequential) else dense
        assert isinstance(first, torch.nn.Linear)
        return [first.weight.detach()]


def generator_settings(network: PublishedGenerator) -> dict[str, int]:
    """What the file says beside the weights."""
    return {"resolution": network.resolution, "channels": network.channels, "latent": network.z_dim}


def cramer_generator_from_file(
    tensors: NamedTensors, *, name: str, device: torch.device
) -> CramerGANGenerator:
    """The generator in a file of `CramerGAN.save_generator`.

    Raises:
        CheckpointError: the settings are none, or the tensors are not those of the network they name.
    """
    resolution, channels, latent = _settings(tensors.metadata[SETTINGS_KEY])
    with torch.device("meta"):  # names and shapes only: no memory, no random numbers
        network = PUBLISHED[resolution](channels, latent)
    network.load_state_dict(_state(network.state_dict(), tensors), assign=True)
    return CramerGANGenerator(network, name=name, device=device)


def _settings(text: str) -> tuple[int, int, int]:
    try:
        values = json.loads(text)
        resolution, channels, latent = (values[key] for key in ("resolution", "channels", "latent"))
        if any(type(value) is not int for value in (resolution, channels, latent)):
            raise ValueError("sizes should be whole numbers")
        if resolution not in PUBLISHED or not 1 <= channels <= MAX_CHANNELS or not 1 <= latent <= MAX_LATENT:
            raise ValueError("a size is not one of these networks'")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CheckpointError(
            f"its settings under {SETTINGS_KEY} are damaged ({type(error).__name__}: {str(error)[:80]}); "
            "save the network again"
        ) from None
    return resolution, channels, latent


def _state(expected: Mapping[str, Tensor], tensors: NamedTensors) -> dict[str, Tensor]:
    """The tensors that the network has, checked for name, shape and finiteness."""
    if set(expected) != set(tensors):
        differing = sorted({str(key) for key in tensors} ^ set(expected))
        raise CheckpointError(f"its tensors are not those of its settings: {differing[0][:120]!a}")
    state = {}
    for key, reference in expected.items():
        stored = tensors[key]
        if not isinstance(stored, StoredTensor) or stored.shape != tuple(reference.shape):
            raise CheckpointError(f"tensor {key} should have shape {tuple(reference.shape)}")
        values = stored.float32()
        if not torch.isfinite(values).all():
            raise CheckpointError(f"{key} holds NaN or infinity: the training diverged")
        state[key] = values.to(reference.dtype)
    return state
