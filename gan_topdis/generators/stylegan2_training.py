"""StyleGAN2 to be trained: a generator of one width, and the discriminator of the logistic objective."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from third_party import stylegan2_ada_pytorch as stylegan2
from third_party.stylegan2_ada_pytorch.discriminator import Discriminator, minibatch_deviation

SMALLEST = 8


def stylegan2_generator(
    resolution: int, channels: int, *, latent: int, width: int, mapping_layers: int
) -> stylegan2.Generator:
    """An untrained generator, z (n, latent) to images (n, channels, resolution, resolution) in about [-1, 1].

    Args:
        resolution: a power of two from 8.
        latent: size of z and of w.
        width: feature maps at every resolution.

    Raises:
        ValueError: a size is out of range.
    """
    if resolution < SMALLEST or resolution & (resolution - 1):
        raise ValueError(
            f"images for stylegan2 should have a power of two pixels a side, from {SMALLEST}, "
            f"got {resolution}; resize them"
        )
    return stylegan2.Generator(
        stylegan2.GeneratorConfiguration(
            z_dim=latent,
            c_dim=0,
            w_dim=latent,
            img_resolution=resolution,
            img_channels=channels,
            synthesis=stylegan2.SynthesisConfiguration(channels=widths(resolution, width)),
            mapping=stylegan2.MappingConfiguration(num_layers=mapping_layers),
        )
    )


def widths(resolution: int, width: int) -> tuple[int, ...]:
    """Feature maps at 4, 8, ..., resolution."""
    return (width,) * (resolution.bit_length() - 2)


class StyleGAN2Critic(nn.Module):
    """The residual discriminator: images (n, channels, r, r) in [-1, 1] to logits (n, 1).

    Source: arXiv:1912.04958, section 4.1.
    """

    def __init__(self, resolution: int, channels: int, width: int) -> None:
        super().__init__()
        self.features_dim = width
        self.discriminator = Discriminator(widths(resolution, width), img_channels=channels)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1"]:
        logits: Tensor = self.discriminator(images)
        return logits

    def features(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n width"]:
        """What the last layer reads, of each image by itself: its group in the minibatch deviation is 1."""
        network = self.discriminator
        x = network.blocks(network.fromrgb(images))
        features: Tensor = network.fc(network.conv(minibatch_deviation(x, 1)).flatten(1))
        return features


def mixed_latents(
    generator: stylegan2.Generator,
    z: Float[Tensor, "n d"],
    other: Float[Tensor, "n d"],
    cut: Tensor,
) -> Float[Tensor, "n num_ws d"]:
    """Style mixing: ws of z up to position `cut` (n, 1), those of another z from there on.

    Source: arXiv:1812.04948, section 3.1.
    """
    first: Tensor = generator.mapping(z)
    second: Tensor = generator.mapping(other, skip_w_avg_update=True)
    places = torch.arange(generator.num_ws, device=cut.device)
    return torch.where((places < cut)[:, :, None], first, second)
