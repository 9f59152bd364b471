"""Which positions of ws a text such as `0-6,9`, `middle` or `4x4-32x32` chooses."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from gan_topdis.generators import LayerRow

NAMED = {"coarse": (4, 8), "middle": (16, 32), "fine": (64, 1 << 30)}
"""Resolutions in pixels, inclusive, as stylegan3-fun has them."""
_INDEX = re.compile(r"(\d+)(?:-(\d+))?", re.ASCII)
_PIXELS = re.compile(r"(\d+)x(\d+)(?:-(\d+)x(\d+))?", re.ASCII)


def resolve_layers(text: str, table: Sequence[LayerRow]) -> np.ndarray:
    """The positions of ws that a comma-separated list chooses.

    Args:
        text: any of `all`; `coarse` (4-8 pixels), `middle` (16-32), `fine` (64 and up); positions and
            inclusive ranges of positions, `0-6`; resolutions and inclusive ranges of them, `4x4-32x32`.
        table: of the generator, `layer_table()`.

    Returns:
        bool (num_ws,).

    Raises:
        ValueError: a token is none of these or chooses no position of this network; the message lists
            its layers.
    """
    chosen = np.zeros(len(table), dtype=bool)
    for token in (part.strip() for part in text.split(",")):
        chosen |= _chosen_by(token, table)
    return chosen


def describe_layers(table: Sequence[LayerRow]) -> str:
    """The layer table in one line: `0-1 4x4, 2-3 8x8`."""
    runs: list[tuple[int, int, int]] = []
    for row in table:
        if runs and runs[-1][2] == row.resolution:
            runs[-1] = (runs[-1][0], row.index, row.resolution)
        else:
            runs.append((row.index, row.index, row.resolution))
    return ", ".join(
        f"{first if first == last else f'{first}-{last}'} {side}x{side}" for first, last, side in runs
    )


def _chosen_by(token: str, table: Sequence[LayerRow]) -> np.ndarray:
    resolutions = np.array([row.resolution for row in table])
    if token == "all":
        return np.ones(len(table), dtype=bool)
    if len(table) == 1 and (token in NAMED or _PIXELS.fullmatch(token)):
        raise ValueError(f"this network has one layer, so layers should be all, got {token!r}")
    if token in NAMED:
        lowest, highest = NAMED[token]
        chosen = (lowest <= resolutions) & (resolutions <= highest)
    elif match := _PIXELS.fullmatch(token):
        lowest = max(int(match[1]), int(match[2]))
        highest = lowest if match[3] is None else max(int(match[3]), int(match[4]))
        if highest < lowest:
            raise ValueError(f"a range of resolutions should ascend, got {token!r}")
        chosen = (lowest <= resolutions) & (resolutions <= highest)
    elif match := _INDEX.fullmatch(token):
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first:
            raise ValueError(f"a range of layers should ascend, got {token!r}")
        if last >= len(table):
            raise ValueError(
                f"layers should be in 0 .. {len(table) - 1}, got {token!r}; "
                f"there are {describe_layers(table)}"
            )
        chosen = np.zeros(len(table), dtype=bool)
        chosen[first : last + 1] = True
    else:
        raise ValueError(
            f"layers should be all, coarse, middle, fine, positions such as 0-6,9 or resolutions such as "
            f"4x4-32x32, got {token!r}; there are {describe_layers(table)}"
        )
    if not chosen.any():
        raise ValueError(f"layers {token!r} chooses none of this network's: {describe_layers(table)}")
    return chosen
