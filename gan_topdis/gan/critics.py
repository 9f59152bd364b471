"""The critics of the Cramer GANs of the PPM-Reg paper: images to the latents that distances are taken in.

Source: Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025, appendices.
"""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

LATENTS_28, LATENTS_32 = 64, 128
"""Width of the critic's latents."""
_WIDTHS = (16, 32, 64, 128, 256)


class Critic28(nn.Module):
    """Images (n, channels, 28, 28) in [0, 1] to latents (n, 64).

    Convolutions of kernel 5 to 32 and 32 maps, mean of 2 x 2, of kernel 3 to 64 and 64 maps, mean of 2 x 2,
    Linear 576 to 128 to 64; LeakyReLU 0.1 after all but the last; no bias in the second and fourth
    convolution and in both Linear layers.
    """

    features_dim = LATENTS_28

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 32, 5),
            nn.LeakyReLU(0.1),
            nn.Conv2d(32, 32, 5, bias=False),
            nn.LeakyReLU(0.1),
            nn.AvgPool2d(2),
            nn.Conv2d(32, 64, 3),
            nn.LeakyReLU(0.1),
            nn.Conv2d(64, 64, 3, bias=False),
            nn.LeakyReLU(0.1),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(576, 128, bias=False),
            nn.LeakyReLU(0.1),
            nn.Linear(128, LATENTS_28, bias=False),
        )

    def forward(self, images: Float[Tensor, "n c 28 28"]) -> Float[Tensor, "n 64"]:
        latents: Tensor = self.layers(images)
        return latents


class HalvingCritic(nn.Module):
    """Images (n, channels, r, r) in [-1, 1], r a power of two, to latents (n, 128).

    Convolutions of kernel 4, stride 2, LeakyReLU 0.2, down to one pixel, and a Linear layer. At 32 pixels
    maps are 16, 32, 64, 128, 256 as published; at other sizes stages next to the image are added (16 maps)
    or left out, which is ours.
    """

    features_dim = LATENTS_32

    def __init__(self, resolution: int, channels: int) -> None:
        super().__init__()
        stages = resolution.bit_length() - 1
        missing = stages - len(_WIDTHS)
        widths = (_WIDTHS[0],) * missing + _WIDTHS if missing >= 0 else _WIDTHS[-stages:]
        layers: list[nn.Module] = []
        for inside, outside in pairwise((channels, *widths)):
            layers += [nn.Conv2d(inside, outside, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1], LATENTS_32))

    def forward(self, images: Float[Tensor, "n c r r"]) -> Float[Tensor, "n 128"]:
        latents: Tensor = self.layers(images)
        return latents
