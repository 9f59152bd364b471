"""The network of a command, and pictures of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from gan_topdis.config import DiscoverConfig, TraverseConfig
from gan_topdis.directions import Directions
from gan_topdis.directions import traverse as pictures_along
from gan_topdis.generators import Generator, load_generator
from gan_topdis.report import printable, require_picture_channels, thumbnails, to_pixels
from gan_topdis.run.provenance import network_file


def open_network(source: str, *, device: str, trust_pickle: bool, stylegan_repo: str | None) -> Generator:
    """`load_generator`, with a line on stderr before code from a file runs.

    Raises:
        ValueError: as `load_generator`.
    """
    if trust_pickle:
        warn(f"--trust-pickle: running code from {printable(source)}")
    return load_generator(source, device=device, trust_pickle=trust_pickle, stylegan_repo=stylegan_repo)


def describe_network(generator: Generator, source: str) -> dict[str, Any]:
    """What records say about a network: its name, sizes, fingerprint, and the file it came from."""
    return {**generator.description(), "file": network_file(source)}


def class_of(generator: Generator, class_index: int | None) -> int | None:
    """The class to use; one given to an unconditional network is ignored with a warning."""
    if class_index is not None and generator.c_dim == 0:
        warn(f"--class is ignored: {printable(generator.name)} is unconditional")
        return None
    return class_index


def latents_of_pictures(
    generator: Generator, config: DiscoverConfig | TraverseConfig, class_index: int | None
) -> Tensor:
    """ws (n, num_ws, w_dim) of the pictures that a command shows.

    Raises:
        ValueError: a class is missing or out of range, or the truncation cutoff is.
    """
    require_picture_channels(generator.channels)
    with torch.no_grad():
        return generator.map(
            generator.latents(config.seeds),
            generator.label(class_index, len(config.seeds)),
            truncation_psi=config.trunc,
            truncation_cutoff=config.trunc_cutoff,
        )


def pixels_along(
    generator: Generator,
    directions: Directions,
    ws: Tensor,
    *,
    index: int,
    strengths: Sequence[float],
    noise_mode: str,
    max_batch: int | None,
    largest: int,
) -> np.ndarray:
    """Pictures along one direction, made and shrunk a few rows at a time.

    Returns:
        uint8 (n, strengths, H, W, C), the longer side at most `largest` pixels.
    """
    at_once = max_batch or generator.images_at_once
    rows = max(1, at_once // len(strengths))
    return np.concatenate(
        [
            thumbnails(
                to_pixels(
                    pictures_along(
                        generator,
                        directions,
                        part,
                        index=index,
                        strengths=strengths,
                        noise_mode=noise_mode,
                        max_batch=at_once,
                    )
                ),
                largest,
            )
            for part in ws.split(rows)
        ]
    )


def warn(message: str) -> None:
    """One line on stderr."""
    click.echo(f"Warning: {message}", err=True)
