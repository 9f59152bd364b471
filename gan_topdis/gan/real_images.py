"""The real images of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor

from gan_topdis.gan.draws import FRESH_IMAGES
from gan_topdis.gan.fresh_images import FreshImages
from gan_topdis.seeding import seeded_generator
from gan_topdis.training import FINGERPRINT, Batches, Compute, image_source

RealImages = Callable[[int], Float[Tensor, "n c h w"]]
"""Step to this process' share of its images, in [0, 1], on the CPU."""


def image_sizes(images: Any) -> tuple[int, int, int | None, dict[str, str]]:
    """Channels, pixels a side, number (None: no end), and what a checkpoint says about the images.

    Raises:
        ValueError, TypeError: of `training.image_source`.
    """
    if isinstance(images, FreshImages):
        return images.channels, images.resolution, None, {"images": images.name}
    source = image_source(images)
    described = {"images": str(source.size), FINGERPRINT: source.fingerprint()}
    return source.channels, source.resolution, source.size, described


def real_images(images: Any, batch_size: int, seed: int, compute: Compute) -> RealImages:
    """Images by step: random orders of a data set, or fresh ones.

    Raises:
        ValueError: `batch_size` does not fit the images or the processes.
    """
    if isinstance(images, FreshImages):
        share = batch_size // compute.world_size

        def fresh(number: int) -> Tensor:
            return images.draw(share, seeded_generator(seed, FRESH_IMAGES, number, compute.rank))

        return fresh
    source = image_source(images)
    batches = Batches(source.size, batch_size, seed, rank=compute.rank, world_size=compute.world_size)
    return lambda number: source.batch(batches.at(number))
