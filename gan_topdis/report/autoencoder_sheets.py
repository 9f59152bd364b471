"""Contact sheets of an autoencoder: what its codes do, and what it keeps of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from gan_topdis.report.grid import RowLabel, contact_sheet
from gan_topdis.report.picture import to_pixels
from gan_topdis.report.strengths import strength_label

if TYPE_CHECKING:  # importing it would import torch
    from gan_topdis.vae import VAE

STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""Columns of a sheet of codes, in standard deviations."""


def code_sheet(pictures: Any, spread: Any, strengths: Sequence[float], *, title: str) -> Image.Image:
    """A row for each coordinate of a code, most used first.

    Args:
        pictures: (d, strengths, C, H, W) in [0, 1], see `vae.latent_traversal`.
        spread: (d,), standard deviation of each coordinate.
        strengths: in units of `spread`.
    """
    order = spread.argsort(descending=True).tolist()
    return contact_sheet(
        np.stack([to_pixels(2 * row - 1) for row in pictures[order]]),
        [RowLabel(f"code {j}", (f"sd {spread[j]:.2f}",)) for j in order],
        [strength_label(strength) for strength in strengths],
        title=title,
        subtitle="each coordinate by itself, in standard deviations of its mean; most used first",
    )


def reconstruction_sheet(images: Any, again: Any, *, title: str, subtitle: str = "") -> Image.Image:
    """Images above their reconstructions, both (n, C, H, W) in [0, 1]."""
    return contact_sheet(
        np.stack([to_pixels(2 * part - 1) for part in (images, again)]),
        [RowLabel("images"), RowLabel("reconstructions")],
        [""] * len(images),
        title=title,
        subtitle=subtitle,
    )


def vae_sheets(vae: VAE, images: Any, spread: Any, *, trained: str) -> tuple[Image.Image, Image.Image]:
    """What codes do to the first image, and reconstructions of all.

    Args:
        images: (n, C, H, W) in [0, 1], on the device of the model.
        spread: (d,), standard deviation of each coordinate of the means over the data.
        trained: words about the model, for the titles.
    """
    import torch

    from gan_topdis.vae import latent_traversal

    pictures = latent_traversal(vae, images[:1], spread, STRENGTHS)
    with torch.no_grad():
        again = vae.decode(vae.encode(images))
    return (
        code_sheet(pictures, spread, STRENGTHS, title=f"Codes of {trained}"),
        reconstruction_sheet(images, again, title=f"Reconstructions of {trained}"),
    )
