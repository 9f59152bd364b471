"""What each coordinate of a code does to a picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.vae.architectures import VAE


def latent_traversal(
    vae: VAE,
    image: Float[Tensor, "1 c h w"],
    spread: Float[Tensor, " d"],
    strengths: Sequence[float],
) -> Float[Tensor, "d s c h w"]:
    """Decoded codes of one image, each coordinate set to every strength in turn.

    Args:
        image: in [0, 1], on the device of the model.
        spread: standard deviation of each coordinate of the means over the data.
        strengths: in units of `spread`, from 0; the other coordinates stay those of the image.

    Raises:
        ValueError: not one image, or `spread` has not one number per coordinate.
    """
    if len(image) != 1 or spread.shape != (vae.latent,):
        raise ValueError(
            f"there should be one image and {vae.latent} spreads, got {len(image)} and {tuple(spread.shape)}"
        )
    with torch.no_grad():
        code = vae.encode(image)  # (1, d)
        rows = []
        for j in range(vae.latent):
            codes = code.repeat(len(strengths), 1)
            codes[:, j] = torch.tensor(strengths).to(codes) * spread[j].to(codes)
            rows.append(vae.decode(codes))
        return torch.stack(rows)


def encoded_means(vae: VAE, batches: Sequence[Tensor]) -> Float[Tensor, "n d"]:
    """Posterior means of all images of the batches, float32, on the CPU."""
    device = next(vae.parameters()).device
    with torch.no_grad():
        return torch.cat([vae.encode(images.to(device)).cpu() for images in batches])
