"""Rows of a data set drawn so that chosen factors are correlated.

Source: Traeuble et al., On Disentangled Representations Learned From Correlated Data, arXiv:2006.07886:
    weight exp(-(c1 - c2)^2 / (2 sigma^2)) of factors scaled to [0, 1]; one factor here for each
    listed pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
from jaxtyping import Float, Int

from gan_topdis.data.labelled_images import LabelledImages

Factor = int | str
"""A factor by its column or its name."""
Pair = tuple[Factor, Factor, float]
"""Two factors and sigma, in units of their range; the smaller, the closer they follow each other."""


def correlated_rows(
    dataset: LabelledImages, pairs: Sequence[Pair], count: int, seed: int
) -> Int[np.ndarray, " count"]:
    """Row numbers drawn with replacement, in proportion to `correlation_weights`.

    Args:
        dataset: rows with factors; draw k of a seed is the same for any `count` above k.
        pairs: (factor, factor, sigma > 0); an infinite sigma, or no pair at all, draws uniformly.
        count: how many rows.
        seed: >= 0.

    Raises:
        ValueError: see `correlation_weights`; a count or seed below 0.
    """
    if count < 0 or seed < 0:
        raise ValueError(f"count and seed should be >= 0, got {count} and {seed}")
    cumulative = correlation_weights(dataset, pairs).cumsum()
    uniform = np.random.default_rng(seed).random(count) * cumulative[-1]  # (count,)
    return np.searchsorted(cumulative, uniform, side="right").clip(max=len(dataset) - 1)


def correlation_weights(dataset: LabelledImages, pairs: Sequence[Pair]) -> Float[np.ndarray, " n"]:
    """Chance of each row to be drawn, up to a common constant: the largest is 1.

    A row's weight is the product of exp(-(c1 - c2)^2 / (2 sigma^2)) over the pairs. A factor is scaled to
    [0, 1] by its smallest and largest value in the data set.

    Raises:
        ValueError: an unknown factor, a factor paired with itself or of one value, sigma <= 0.
    """
    if not len(dataset):
        raise ValueError("dataset should have at least one row")
    exponent = np.zeros(len(dataset))
    for first, second, sigma in pairs:
        i, j = _column(dataset, first), _column(dataset, second)
        if i == j:
            raise ValueError(f"a pair should name two factors, got {dataset.factor_names[i]} twice")
        if not sigma > 0:
            raise ValueError(f"sigma should be > 0 (inf: no correlation), got {sigma}")
        if sigma < inf:
            exponent += (_scaled(dataset, i) - _scaled(dataset, j)) ** 2 / (2 * sigma**2)
    return np.exp(exponent.min() - exponent)  # (n,)  relative to the largest, so that none underflows to 0


def one_pair(first: Factor, second: Factor, *, sigma: float = 0.1) -> list[Pair]:
    """Two factors that follow each other."""
    return [(first, second, sigma)]


def two_pairs(
    narrow: tuple[Factor, Factor], wide: tuple[Factor, Factor], *, sigmas: tuple[float, float] = (0.1, 0.4)
) -> list[Pair]:
    """A pair that follows closely and one that follows loosely."""
    return [(*narrow, sigmas[0]), (*wide, sigmas[1])]


def confounder(dataset: LabelledImages, factor: Factor, *, sigma: float = 0.2) -> list[Pair]:
    """One factor with all others that have more than one value."""
    i = _column(dataset, factor)
    others = [j for j in range(len(dataset.factor_names)) if j != i and np.ptp(dataset.factors[:, j])]
    return [(i, j, sigma) for j in others]


def _column(dataset: LabelledImages, factor: Factor) -> int:
    names = dataset.factor_names
    if isinstance(factor, str) and factor in names:
        return names.index(factor)
    if isinstance(factor, int) and 0 <= factor < len(names):
        return factor
    raise ValueError(
        f"a factor should be one of {', '.join(names)} or in 0 .. {len(names) - 1}, got {factor!r}"
    )


def _scaled(dataset: LabelledImages, column: int) -> Float[np.ndarray, " n"]:
    values = dataset.factors[:, column].astype(np.float64)
    low, high = values.min(), values.max()
    if low == high:
        raise ValueError(f"{dataset.factor_names[column]} should have two values or more to be correlated")
    return (values - low) / (high - low)
