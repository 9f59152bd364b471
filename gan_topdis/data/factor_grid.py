"""The complete grid of factors: every combination once, last factor fastest."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from jaxtyping import Int


def grid_size(sizes: Sequence[int]) -> int:
    """Rows of the grid. Raises: ValueError: no sizes, or one below 1."""
    if not len(sizes) or min(sizes) < 1:
        raise ValueError(f"factor_sizes should be at least 1 each, got {tuple(sizes)}")
    return prod(sizes)


def grid_factors(sizes: Sequence[int], rows: Int[np.ndarray, " m"] | None = None) -> Int[np.ndarray, "m k"]:
    """Values 0 .. size - 1 of all factors in the given rows of the grid, in all of them by default."""
    if rows is None:
        rows = np.arange(grid_size(sizes))
    return np.stack(np.unravel_index(rows, tuple(sizes)), axis=1)


def is_grid(factors: Int[np.ndarray, "n k"], sizes: Sequence[int]) -> bool:
    """Whether row r of the factors is the mixed-radix number r, last factor fastest."""
    return factors.shape == (grid_size(sizes), len(sizes)) and np.array_equal(factors, grid_factors(sizes))


def thinned_values(sizes: Sequence[int], every: Sequence[int]) -> tuple[Int[np.ndarray, " _"], ...]:
    """Values 0, step, 2 step, .. of each factor.

    Raises:
        ValueError: not one step of at least 1 per factor.
    """
    if len(every) != len(sizes) or min(every, default=0) < 1:
        raise ValueError(f"every should be {len(sizes)} steps of at least 1, got {tuple(every)}")
    return tuple(np.arange(0, size, step) for size, step in zip(sizes, every, strict=True))
