"""Squared distances of many rows, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

BLOCK = 1024
"""Rows of x at a time: memory is BLOCK * m numbers."""


def squared_distance_blocks(
    x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"]
) -> Iterator[tuple[slice, Float[np.ndarray, "b m"]]]:
    """Rows of x, and their squared Euclidean distances to all rows of y, at least 0.

    By |a|^2 - 2 a.b + |b|^2 around the mean of y, in float64: exact up to some 1e-15 of the largest squared
    norm there, so that equal rows may come out apart by that much.
    """
    centre = y.mean(axis=0)
    x, y = x - centre, y - centre
    norms = (y * y).sum(axis=1)
    for first in range(0, len(x), BLOCK):
        rows = slice(first, min(first + BLOCK, len(x)))
        block = (x[rows] ** 2).sum(axis=1)[:, None] - 2 * x[rows] @ y.T + norms  # (b, m)
        yield rows, np.maximum(block, 0.0)
