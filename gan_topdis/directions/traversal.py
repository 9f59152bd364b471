"""Moving latents along directions: the one place where strength becomes a shift of ws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.directions.result import Directions
from gan_topdis.generators import Generator


def require_compatible(generator: Generator, directions: Directions) -> None:
    """Refuse directions of another latent space than the generator's; those of w+ fit a generator of w.

    Raises:
        ValueError: space, w_dim or num_ws differ.
    """
    space = "w" if directions.space == "w+" else directions.space
    for what, needed, got in (
        ("space", generator.latent_space, space),
        ("w_dim", generator.w_dim, directions.w_dim),
        ("num_ws", generator.num_ws, directions.num_ws),
    ):
        if needed != got:
            raise ValueError(
                f"these directions do not fit {generator.name}: {what} should be {needed}, got {got}"
            )


def shifted_latents(
    ws: Float[Tensor, "n num_ws w_dim"], directions: Directions, index: int, strength: float
) -> Float[Tensor, "n num_ws w_dim"]:
    """ws moved along one direction, on its layers only.

    Args:
        ws: latents, after truncation.
        index: which direction.
        strength: in standard deviations of the latent along the direction; 0 returns equal latents.
    """
    step = strength * float(directions.scale[index]) * torch.from_numpy(directions.vectors[index]).to(ws)
    mask = torch.from_numpy(directions.layers[index]).to(ws)
    return ws + mask[:, None] * step


def traverse(
    generator: Generator,
    directions: Directions,
    ws: Float[Tensor, "n num_ws w_dim"],
    *,
    index: int,
    strengths: Sequence[float],
    noise_mode: str = "const",
    max_batch: int | None = None,
) -> Float[Tensor, "n strengths channels height width"]:
    """Pictures of latents moved along one direction: rows are latents, columns strengths.

    Args:
        strengths: in standard deviations; 0 gives the unedited pictures.
        max_batch: images synthesized at a time; by the resolution when None.

    Returns:
        Images in about [-1, 1], on the CPU, without gradient.

    Raises:
        ValueError: the directions do not fit the generator.
        IndexError: there is no such direction.
    """
    require_compatible(generator, directions)
    if not 0 <= index < len(directions):
        raise IndexError(f"direction should be in 0 .. {len(directions) - 1}, got {index}")
    moved = torch.stack(
        [shifted_latents(ws, directions, index, strength) for strength in strengths], dim=1
    )  # (n, strengths, num_ws, w_dim)
    with torch.no_grad():
        images = [
            generator.synthesize(chunk, noise_mode=noise_mode).cpu()
            for chunk in moved.flatten(0, 1).split(max_batch or generator.images_at_once)
        ]
    return torch.cat(images).unflatten(0, (len(ws), len(strengths)))


def symmetric_strengths(max_strength: float, steps: int) -> list[float]:
    """An odd number of strengths from -max_strength to max_strength, 0 in the middle."""
    if steps < 3 or steps % 2 == 0:
        raise ValueError(f"steps should be odd and at least 3, so that strength 0 is shown, got {steps}")
    if not max_strength > 0:
        raise ValueError(f"max_strength should be greater than 0, got {max_strength}")
    return [float(s) for s in np.linspace(-max_strength, max_strength, steps)]
