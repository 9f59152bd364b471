"""Which tuples of points PPM-Reg compares, as indices into the points of x and, after them, those of y."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Int64
from torch import Tensor

from gan_topdis.persistence.subsamples import Key, derived_key, random_numbers, random_tuples

LARGEST_TABLE = 2**16
"""Tuples of a pool that is kept as a table, 4 MB for q = 1; those of a larger one are made where drawn."""


@dataclass(frozen=True)
class DrawnTuples:
    """Attributes: `indices` (tuples, 2 q + 2), those of x first; `of_x`, how many these are."""

    indices: Int64[Tensor, "tuples corners"]
    of_x: int


@dataclass(frozen=True)
class TupleDraw:
    """How tuples are drawn; see `PPMRegularizer`.

    Called with a key, the orders q, the sizes (n, m) of x and y, and the device of the result, it returns the
    tuples of each q. They do not depend on the device, and those of a q not on which others are asked for.

    Raises, when called:
        ValueError: too few points.
    """

    subsamples: int
    replacement: bool
    pool: int | None
    pool_seed: int
    all_pairs: bool

    def __call__(
        self, key: Key, orders: Sequence[int], sizes: tuple[int, int], device: torch.device
    ) -> list[DrawnTuples]:
        found = {0: _every_pair(sizes, device)} if self.all_pairs and 0 in orders else {}
        others = [q for q in orders if q not in found]
        if self.pool is None:
            numbers = torch.arange(self.subsamples, device=device).expand(2, -1)
            found |= {q: self._numbered(key, q, sizes, numbers) for q in others}
        elif others:
            streams = [derived_key(key, q, cloud) for q in others for cloud in range(2)]
            drawn = random_numbers(streams, self.subsamples, self.pool, device)
            found |= {q: self._of_pools(q, sizes, drawn[2 * k : 2 * k + 2]) for k, q in enumerate(others)}
        return [found[q] for q in orders]

    def _numbered(
        self, key: Key, q: int, sizes: tuple[int, int], numbers: Int64[Tensor, "2 s"]
    ) -> DrawnTuples:
        """Tuples by their numbers in the streams of x and y."""
        return _joined(
            *(
                random_tuples(derived_key(key, q, cloud), rows, 2 * q + 2, n, replacement=self.replacement)
                for cloud, (n, rows) in enumerate(zip(sizes, numbers, strict=True))
            ),
            n=sizes[0],
        )

    def _of_pools(self, q: int, sizes: tuple[int, int], numbers: Int64[Tensor, "2 s"]) -> DrawnTuples:
        """Tuples by their numbers in the pools of x and y."""
        assert self.pool is not None
        if self.pool > LARGEST_TABLE:
            return self._numbered(self.pool_seed, q, sizes, numbers)
        of_x, of_y = numbers
        rows = torch.cat((of_x, of_y + self.pool))
        return DrawnTuples(_pools(self, q, sizes, numbers.device)[rows], of_x=len(of_x))


@lru_cache(maxsize=16)
def _pools(
    draw: TupleDraw, q: int, sizes: tuple[int, int], device: torch.device
) -> Int64[Tensor, "tuples corners"]:
    """The pool of x, then that of y."""
    assert draw.pool is not None
    numbers = torch.arange(draw.pool, device=device).expand(2, -1)
    return draw._numbered(draw.pool_seed, q, sizes, numbers).indices


def _every_pair(sizes: tuple[int, int], device: torch.device) -> DrawnTuples:
    if min(sizes) < 2:
        raise ValueError(f"all_pairs needs clouds of at least 2 points, got {min(sizes)}")
    of_x, of_y = (torch.triu_indices(n, n, offset=1, device=device).T for n in sizes)
    return _joined(of_x, of_y, n=sizes[0])


def _joined(of_x: Tensor, of_y: Tensor, *, n: int) -> DrawnTuples:
    return DrawnTuples(torch.cat((of_x, of_y + n)), of_x=len(of_x))
