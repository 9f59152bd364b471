"""Rows that share a factor, as indices into codes: complete grids and labelled pools."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from gan_topdis.metrics.arrays import factor_array


@runtime_checkable
class Sampler(Protocol):
    """What interventional metrics ask: rows at random, and groups that share one factor.

    Attributes:
        size: rows of the codes that belong to it.
        columns: (k,), where its factors stood in what it was made from; those of one value are left out.
        smallest_group: fewest rows that share a value of a factor.
    """

    size: int
    columns: tuple[int, ...]
    smallest_group: int

    def rows(self, count: int, rng: np.random.Generator) -> Int[np.ndarray, " count"]:
        """Random rows, with replacement."""
        ...

    def sharing(
        self, factors: Int[np.ndarray, " votes"], group: int, rng: np.random.Generator
    ) -> Int[np.ndarray, "votes group"]:
        """One group per entry of `factors` (positions in `columns`): rows alike in that factor."""
        ...


class FactorGrid:
    """Every combination of factors once; the row is the mixed-radix number, last factor fastest.

    Args:
        sizes: number of values of each factor; ones are left out, with all their combinations.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        if not sizes or min(sizes) < 1:
            raise ValueError(f"sizes should be at least 1 each, got {sizes}")
        if max(sizes) == 1:
            raise ValueError("at least one factor should have two values")
        self.sizes = tuple(int(size) for size in sizes)
        self.size = int(np.prod(self.sizes))
        self.columns = tuple(j for j, size in enumerate(self.sizes) if size > 1)
        self.smallest_group = self.size // max(self.sizes)
        self._strides = np.array([int(np.prod(self.sizes[j + 1 :])) for j in range(len(self.sizes))])

    @property
    def factors(self) -> Int[np.ndarray, "n k"]:
        """Values of all factors in every row."""
        return np.arange(self.size)[:, None] // self._strides % np.array(self.sizes)

    def rows(self, count: int, rng: np.random.Generator) -> Int[np.ndarray, " count"]:
        return rng.integers(self.size, size=count)

    def sharing(
        self, factors: Int[np.ndarray, " votes"], group: int, rng: np.random.Generator
    ) -> Int[np.ndarray, "votes group"]:
        digits = np.stack([rng.integers(size, size=(len(factors), group)) for size in self.sizes], axis=-1)
        column = np.array(self.columns)[factors]  # (votes,)
        vote = np.arange(len(factors))
        shared = rng.integers(np.array(self.sizes)[column])
        digits[vote, :, column] = shared[:, None]
        return digits @ self._strides


class FactorPool:
    """Any labelled rows: incomplete grids, correlated factors, attributes.

    A group is drawn from the rows that have the value of a random anchor row, with replacement.

    Args:
        factors: (n, k) integer classes, numpy or torch; columns of one value are left out.
    """

    def __init__(self, factors: Any) -> None:
        self._labels, self.columns, self.notes = factor_array(factors)
        self.size = len(self._labels)
        self._order = np.argsort(self._labels, axis=0, kind="stable")  # (n, k) rows by value
        self._counts = [np.bincount(column) for column in self._labels.T]
        self._starts = [np.cumsum(counts) - counts for counts in self._counts]
        self.smallest_group = int(min(counts.min() for counts in self._counts))

    def rows(self, count: int, rng: np.random.Generator) -> Int[np.ndarray, " count"]:
        return rng.integers(self.size, size=count)

    def sharing(
        self, factors: Int[np.ndarray, " votes"], group: int, rng: np.random.Generator
    ) -> Int[np.ndarray, "votes group"]:
        anchors = self.rows(len(factors), rng)
        result = np.zeros((len(factors), group), dtype=np.int64)
        uniform = rng.random((len(factors), group))
        for j in range(len(self.columns)):
            votes = np.flatnonzero(factors == j)
            value = self._labels[anchors[votes], j]
            rank = (uniform[votes] * self._counts[j][value][:, None]).astype(np.int64)
            result[votes] = self._order[self._starts[j][value][:, None] + rank, j]
        return result


def as_sampler(factors: Any) -> Sampler:
    """A sampler as it is; factors (n, k) as a pool."""
    return factors if isinstance(factors, Sampler) else FactorPool(factors)
