"""The convolutional autoencoder of the connectivity experiments, with branches in its latent space."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_topdis.connectivity.branched_linear import BranchedLinear
from gan_topdis.seeding import seeded_generator

WIDTHS = (32, 64, 128)
"""Channels after each halving of the picture."""
SLOPE = 0.01
"""Of the encoder's leaky rectifiers."""


class ConnectivityAutoencoder(nn.Module):
    """Three strided convolutions and a branched linear layer, and their mirror image.

    Branch k of the code is columns k * branch_dim .. (k + 1) * branch_dim - 1. It is an affine map of its
    own share of the features, whole channels where `branches` divides 128, and the same share of the
    decoder's first features is an affine map of it. The convolutions mix branches.

    There is no normalisation, no activation at the code, none behind the decoder's linear layer and none at
    the end: reconstructions may leave [0, 1].

    Args:
        channels: of the images: 1 grey, 3 colour, any other number >= 1.
        resolution: pixels, one number or (height, width); multiples of 8.
        branches: divides the 128 * height * width / 64 features of the last convolution.
        branch_dim: dimension of one branch, >= 1.
        block_init: start of the branched layers, `published` or `block`, see `BranchedLinear`.
        seed: of all weights, on the CPU; torch's global generator draws them when None.

    Attributes:
        settings: these arguments but the seed, by name.

    Raises:
        ValueError: a size does not fit; the message names the sizes that do.

    Source: Hofer et al., Connectivity-Optimized Representation Learning via Persistent Homology, ICML
        2019, architecture of the authors' experiments. Sizes other than 3 x 32 x 32 and `block` are ours.
    """

    def __init__(
        self,
        channels: int,
        resolution: int | Sequence[int],
        *,
        branches: int = 16,
        branch_dim: int = 10,
        block_init: str = "published",
        seed: int | None = None,
    ) -> None:
        super().__init__()
        height, width = _size(resolution)
        for name, value in (("channels", channels), ("branches", branches), ("branch_dim", branch_dim)):
            if value < 1:
                raise ValueError(f"{name} should be at least 1, got {value}")
        low = (WIDTHS[-1], height // 8, width // 8)
        features = low[0] * low[1] * low[2]
        if features % branches:
            raise ValueError(
                f"branches should divide the {features} features of a {height} x {width} picture, "
                f"got {branches}"
            )
        self.channels = channels
        self.resolution = (height, width)
        self.branches = branches
        self.branch_dim = branch_dim
        self.block_init = block_init
        self.settings: dict[str, Any] = {
            "channels": channels,
            "resolution": [height, width],
            "branches": branches,
            "branch_dim": branch_dim,
            "block_init": block_init,
        }
        with _weights_from(seed):
            layers: list[nn.Module] = []
            for before, after in zip((channels, *WIDTHS), WIDTHS, strict=False):
                layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            self.encoder = nn.Sequential(*layers, nn.Flatten())
            self.to_code = BranchedLinear(features, self.code_dim, branches, block_init=block_init)
            self.from_code = BranchedLinear(self.code_dim, features, branches, block_init=block_init)
            layers = [nn.Unflatten(1, low)]
            for before, after in zip(WIDTHS[::-1], (*WIDTHS[-2::-1], channels), strict=True):
                layers += [nn.ConvTranspose2d(before, after, 3, 2, padding=1, output_padding=1), nn.ReLU()]
            self.decoder = nn.Sequential(*layers[:-1])

    @property
    def code_dim(self) -> int:
        """Width of the codes, branches * branch_dim."""
        return self.branches * self.branch_dim

    def encode(self, images: Float[Tensor, "n channels height width"]) -> Float[Tensor, "n code"]:
        """Codes of images in [0, 1], (n, branches * branch_dim).

        Raises:
            ValueError: of another size than the network's.
        """
        if images.ndim != 4 or images.shape[1:] != (self.channels, *self.resolution):
            raise ValueError(
                f"images should have shape {('n', self.channels, *self.resolution)}, "
                f"got {tuple(images.shape)}".replace("'", "")
            )
        codes: Tensor = self.to_code(self.encoder(images))
        return codes

    def decode(self, codes: Float[Tensor, "n code"]) -> Float[Tensor, "n channels height width"]:
        """Images of codes (n, branches * branch_dim), about [0, 1] but not clamped to it.

        Raises:
            ValueError: codes of another width.
        """
        if codes.ndim != 2 or codes.shape[1] != self.code_dim:
            raise ValueError(f"codes should have shape (n, {self.code_dim}), got {tuple(codes.shape)}")
        images: Tensor = self.decoder(self.from_code(codes))
        return images

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights and settings to one safetensors file, which `connectivity.load` opens.

        Raises:
            OSError: it cannot be written; an earlier file of the name is as it was.
        """
        from gan_topdis.connectivity.model_file import save  # it makes models, and so imports this module

        save(self, path)

    def forward(
        self, images: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n channels height width"]:
        """Reconstructions; a loss that needs the codes too calls `encode` and `decode`."""
        return self.decode(self.encode(images))


def _size(resolution: int | Sequence[int]) -> tuple[int, int]:
    sizes = (resolution, resolution) if isinstance(resolution, int) else tuple(resolution)
    if len(sizes) != 2:
        raise ValueError(f"resolution should be one number or (height, width), got {resolution}")
    height, width = sizes
    for size in sizes:
        if size < 8 or size % 8:
            above = max(8, -(-size // 8) * 8)
            raise ValueError(
                f"resolution should be a multiple of 8, since pictures are halved three times, got {size}; "
                f"pad or resize to {above}"
            )
    return height, width


@contextmanager
def _weights_from(seed: int | None) -> Iterator[None]:
    """Let layers draw from a seed, and give torch's global generator back as it was."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seeded_generator(seed).initial_seed())
        yield
