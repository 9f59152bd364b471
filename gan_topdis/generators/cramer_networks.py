"""The generators of the Cramer GANs of the PPM-Reg paper: 28 pixels and 32 pixels.

Source: Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025, appendices (networks of the
    semi-supervised experiments, 28 pixels; of image generation, 32 pixels).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Generator28(nn.Module):
    """z (n, latent), standard normal, to images (n, channels, 28, 28) in [0, 1].

    Linear to 128, ReLU, Linear to 64 maps of 3 x 3; resized to 6 x 6; transposed convolutions of kernel 3
    to 64 and 32 maps of 10 x 10; resized to 20 x 20; of kernel 5 to 32 maps and to the image, sigmoid.
    ReLU after each transposed convolution but the last. Published with latent 64 and one channel.
    """

    resolution: ClassVar = 28
    published_latent: ClassVar = 64
    law: ClassVar = "normal"
    low: ClassVar = 0.0

    def __init__(self, channels: int = 1, latent: int = 64) -> None:
        super().__init__()
        self.channels, self.z_dim = channels, latent
        self.dense = nn.Sequential(nn.Linear(latent, 128), nn.ReLU(), nn.Linear(128, 64 * 9))
        self.coarse = nn.Sequential(
            nn.ConvTranspose2d(64, 64, 3), nn.ReLU(), nn.ConvTranspose2d(64, 32, 3), nn.ReLU()
        )
        self.fine = nn.Sequential(
            nn.ConvTranspose2d(32, 32, 5), nn.ReLU(), nn.ConvTranspose2d(32, channels, 5)
        )

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c 28 28"]:
        x = self.dense(z).unflatten(1, (64, 3, 3))
        x = self.coarse(F.interpolate(x, size=6, mode="area"))  # (n, 32, 10, 10)
        x = self.fine(F.interpolate(x, size=20, mode="area"))  # (n, channels, 28, 28)
        return torch.sigmoid(x.float())


class UpsampledConvolution(nn.Module):
    """Convolution of kernel 3 behind a doubling that repeats pixels.

    The paper repeats each channel four times and shuffles pixels (PixelShuffle), which is the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c H W"]:
        result: Tensor = self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))
        return result


class ResidualUpBlock(nn.Module):
    """BN, ReLU, up-convolution, BN, ReLU, convolution; beside it an up-convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            UpsampledConvolution(channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.shortcut = UpsampledConvolution(channels)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c H W"]:
        result: Tensor = self.shortcut(x) + self.branch(x)
        return result


class Generator32(nn.Module):
    """z (n, latent), uniform in [-1, 1], to images (n, channels, 32, 32) in [-1, 1].

    Linear to 64 maps of 4 x 4, three residual blocks of 64 maps that double it, BN, ReLU, convolution of
    kernel 3, 2 sigmoid - 1. Published with latent 128 and three channels.
    """

    resolution: ClassVar = 32
    published_latent: ClassVar = 128
    law: ClassVar = "uniform"
    low: ClassVar = -1.0

    def __init__(self, channels: int = 3, latent: int = 128) -> None:
        super().__init__()
        self.channels, self.z_dim = channels, latent
        self.dense = nn.Linear(latent, 64 * 16)
        self.blocks = nn.Sequential(*(ResidualUpBlock(64) for _ in range(3)))
        self.to_image = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, channels, 3, padding=1))

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c 32 32"]:
        x = self.blocks(self.dense(z).unflatten(1, (64, 4, 4)))
        return 2 * torch.sigmoid(self.to_image(x).float()) - 1


PublishedGenerator = Generator28 | Generator32
PUBLISHED: dict[int, type[Generator28] | type[Generator32]] = {28: Generator28, 32: Generator32}
"""Generators by the pixels a side of their images."""
