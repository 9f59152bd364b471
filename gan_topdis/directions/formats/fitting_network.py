"""Refusal of directions that are of another network than the one given."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_topdis.directions.result import Directions
from gan_topdis.generators import Generator


def require_network(directions: Directions, generator: Generator) -> None:
    """Refuse directions of another network than this one.

    Raises:
        ValueError: space, w_dim or num_ws do not fit, or the file names another fingerprint.
    """
    spaces = {"z": ("z",), "w": ("w", "w+")}[generator.latent_space]
    sizes = [
        ("space", " or ".join(spaces), directions.space, directions.space in spaces),
        ("w_dim", generator.w_dim, directions.w_dim, generator.w_dim == directions.w_dim),
        ("num_ws", generator.num_ws, directions.num_ws, generator.num_ws == directions.num_ws),
    ]
    for what, needed, got, fits in sizes:
        if not fits:
            raise ValueError(
                f"these directions do not fit {generator.name}: {what} should be {needed}, got {got}"
            )
    origin = directions.meta.get("generator")
    found_on = origin.get("fingerprint") if isinstance(origin, dict) else None
    if found_on not in (None, generator.fingerprint):
        raise ValueError(
            f"these directions are of another network (fingerprint {str(found_on)[:12]}) than "
            f"{generator.name} ({generator.fingerprint[:12]}); leave out the network to use them all the same"
        )


def require_sizes(vectors: np.ndarray, space: str, generator: Generator | None, path: Path) -> None:
    """Refuse vectors (K, d) or (K, L, d) of a file whose space or sizes are not those of the network."""
    if generator is None:
        return
    if space != "z" and generator.latent_space == "z":
        raise ValueError(
            f"{path} does not fit {generator.name}: it is of space {space}, and the network has no mapping, "
            "so its space is z"
        )
    needed, name = (generator.z_dim, "z_dim") if space == "z" else (generator.w_dim, "w_dim")
    if vectors.shape[-1] != needed:
        raise ValueError(
            f"{path} does not fit {generator.name}: {name} should be {needed}, got {vectors.shape[-1]}"
        )
    if vectors.ndim == 3 and vectors.shape[1] != generator.num_ws:
        raise ValueError(
            f"{path} does not fit {generator.name}: num_ws should be {generator.num_ws}, "
            f"got {vectors.shape[1]}"
        )
