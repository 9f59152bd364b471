"""The contact sheet of directions: one row each, best first, for one seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from gan_topdis.report.grid import RowLabel, contact_sheet
from gan_topdis.report.strengths import strength_label
from gan_topdis.report.summary import known_factor

if TYPE_CHECKING:  # the report needs no torch
    from gan_topdis.directions import Directions


def direction_sheet(
    directions: Directions, pixels: np.ndarray, *, seed: int, strengths: Sequence[float]
) -> Image.Image:
    """A sheet with the names and scores of directions.

    Args:
        pixels: uint8 (count, strengths, H, W, C), of one seed.
    """
    network = directions.meta.get("generator", {}).get("name", "")
    method = directions.meta.get("method", "")
    return contact_sheet(
        pixels,
        [direction_label(directions, index) for index in range(len(directions))],
        [strength_label(strength) for strength in strengths],
        title=f"Latent directions of {network}" if network else "Latent directions",
        subtitle=" · ".join(
            [
                *([method] if method else []),
                f"seed {seed}",
                "best first",
                "strength in standard deviations (sd)",
            ]
        ),
        marked_column=len(strengths) // 2,
    )


def direction_label(directions: Directions, index: int) -> RowLabel:
    """Name, score, and the nearest known factor of a direction."""
    details = [f"{directions.score_name} {directions.scores[index]:.3g}"]
    if "rtd_to_random" in directions.table:
        details.append(f"{directions.table['rtd_to_random'][index]:.2f} of random")
    factor = known_factor(directions, index)
    if factor is not None:
        details.append(f"{factor[0]} (cos {factor[1]:+.2f})")
    name = directions.names[index]
    return RowLabel(name if str(index) in name.split() else f"{index}  {name}", tuple(details))
