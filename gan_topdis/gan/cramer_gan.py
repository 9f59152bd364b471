"""A trained GAN: generator, critic, and what both are made from."""

from __future__ import annotations

import math
import os
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_topdis.gan.critics import Critic28, HalvingCritic
from gan_topdis.gan.draws import SAMPLES, draw_latents
from gan_topdis.generators.cramer_networks import PUBLISHED
from gan_topdis.generators.stylegan2_training import StyleGAN2Critic, stylegan2_generator
from gan_topdis.seeding import seeded_generator

OBJECTIVES = ("cramer", "logistic")
NETWORKS = ("published", "stylegan2")
STYLEGAN2_LATENT = 64


@final
class CramerGAN(nn.Module):
    """Generator and critic.

    Networks work on images in a range of their own, [0, 1] at 28 pixels and [-1, 1] elsewhere; `sample` and
    `features` speak of images in [0, 1]. Initial weights come from torch's global generator.

    Args:
        channels: of the images.
        resolution: pixels a side: 28 or 32 for the published networks, a power of two from 8 for StyleGAN2.
        objective: `cramer`, whose critic maps to latents, or `logistic`, whose critic is StyleGAN2's
            discriminator.
        network: `published` (networks of the PPM-Reg paper) or `stylegan2`.
        latent: size of z; as published (64 at 28 pixels, 128 at 32), or 64 for StyleGAN2, when None.
        width, mapping_layers: feature maps at every resolution, and layers of the mapping, of StyleGAN2.

    Attributes:
        generator: z to images; after training the moving average of its weights.
        critic: images to latents (cramer) or logits (logistic).
        law: of z: `normal` or `uniform` on [-1, 1].
        low: lower end of the range of images; the upper one is 1.
        settings: these arguments by name; `CramerGAN(**gan.settings)` is the same model untrained.

    Raises:
        ValueError: sizes for which there are no networks, or an unknown name.
    """

    def __init__(
        self,
        channels: int,
        resolution: int,
        *,
        objective: str = "cramer",
        network: str = "published",
        latent: int | None = None,
        width: int = 48,
        mapping_layers: int = 2,
    ) -> None:
        super().__init__()
        if objective not in OBJECTIVES:
            raise ValueError(f"objective should be one of {', '.join(OBJECTIVES)}, got {objective!r}")
        if network not in NETWORKS:
            raise ValueError(f"network should be one of {', '.join(NETWORKS)}, got {network!r}")
        if objective == "logistic" and network != "stylegan2":
            raise ValueError("the logistic objective trains stylegan2; use network='stylegan2'")
        if channels < 1 or width < 1 or (latent is not None and latent < 1):
            raise ValueError(
                f"channels, width and latent should be at least 1, got {channels}, {width} and {latent}"
            )
        self.channels, self.resolution = channels, resolution
        self.objective, self.network = objective, network
        self.generator: nn.Module
        self.critic: Critic28 | HalvingCritic | StyleGAN2Critic
        if network == "stylegan2":
            latent = STYLEGAN2_LATENT if latent is None else latent
            self.law, self.low = "normal", -1.0
            self.generator = stylegan2_generator(
                resolution, channels, latent=latent, width=width, mapping_layers=mapping_layers
            )
        else:
            if resolution not in PUBLISHED:
                raise ValueError(
                    f"the published networks take images of {' or '.join(map(str, PUBLISHED))} pixels a "
                    f"side, got {resolution}; resize them, or use network='stylegan2' for a power of two"
                )
            made = PUBLISHED[resolution]
            latent = made.published_latent if latent is None else latent
            self.law, self.low = made.law, made.low
            self.generator = made(channels, latent)
        if objective == "logistic":
            self.critic = StyleGAN2Critic(resolution, channels, width)
        elif network == "published" and resolution == 28:
            self.critic = Critic28(channels)
        else:
            self.critic = HalvingCritic(resolution, channels)
        self.z_dim = latent
        self.settings: dict[str, Any] = {
            "channels": channels,
            "resolution": resolution,
            "objective": objective,
            "network": network,
            "latent": latent,
            "width": width,
            "mapping_layers": mapping_layers,
        }

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """The critic's latents of images in [0, 1]; for `logistic`, what its last layer reads.

        Raises:
            TypeError: images are not floating point.
            ValueError: they have not the shape this model was made for.
        """
        if not x.is_floating_point():
            raise TypeError(f"images should be floating point in [0, 1], got {x.dtype}; use x.float() / 255")
        shape = (self.channels, self.resolution, self.resolution)
        if x.ndim != 4 or x.shape[1:] != shape or len(x) == 0:
            raise ValueError(f"images should have shape (n, {str(shape)[1:-1]}), got {tuple(x.shape)}")
        images = self.to_range(x)
        if isinstance(self.critic, StyleGAN2Critic):
            return self.critic.features(images)
        return self.critic(images)

    def to_range(self, images: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Images in [0, 1] as the networks have them."""
        return images if self.low == 0 else 2 * images - 1

    @torch.no_grad()
    def sample(self, count: int, *, seed: int = 0) -> Float[Tensor, "n c h w"]:
        """Images in [0, 1] of random latents; the first latents are the same for any `count`.

        The generator should be in evaluation mode, as after `fit` and `load`. Noise of StyleGAN2 is that
        stored with its weights.
        """
        device = next(self.generator.parameters()).device
        # torch draws normal numbers in blocks of 16 and the last ones, if they fill no block, in another way
        together = 16 // math.gcd(16, self.z_dim)
        drawn = -(-count // together) * together
        z = draw_latents(self.law, drawn, self.z_dim, seeded_generator(seed, SAMPLES))[:count].to(device)
        images: Tensor
        if self.network == "stylegan2":
            images = self.generator(z, noise_mode="const")
        else:
            images = self.generator(z)
        return ((images - self.low) / (1 - self.low)).clamp(0, 1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write both networks and settings to one safetensors file, which `gan.load` opens.

        Raises:
            OSError: it cannot be written; an earlier file of the name is as it was.
        """
        from gan_topdis.gan.model_file import save  # it makes models, and so imports this module

        save(self, path)

    def save_generator(self, path: str | os.PathLike[str]) -> None:
        """Write the generator alone, as a file that `load_generator` and `--network` open.

        Raises:
            OSError: it cannot be written; an earlier file of the name is as it was.
        """
        from gan_topdis.gan.model_file import save_generator

        save_generator(self, path)
