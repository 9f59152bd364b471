"""Pairings of matrices that live on a GPU, by Triton, with room for as many living classes as there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from jaxtyping import Float, Int64
from torch import Tensor

from gan_topdis.persistence import cross_barcode_triton
from gan_topdis.persistence.cross_barcode_triton import Deaths, pair_deaths
from gan_topdis.persistence.h0_triton import tree_edges
from gan_topdis.persistence.pairing import Pairing

Result = TypeVar("Result")


def pair_cross_barcodes(
    a: Float[Tensor, "items n n"], b: Float[Tensor, "items n n"], terms: Sequence[tuple[int, int]]
) -> Pairing:
    """`pairing.pair_cross_barcodes` of matrices that are accepted; waits for the device once a try."""
    return _with_room(
        a.shape[-1],
        lambda capacity: cross_barcode_triton.pair_cross_barcodes(a, b, terms, capacity=capacity),
    )


def edges_of_rips(
    distances: Float[Tensor, "b n n"],
) -> tuple[Int64[Tensor, "b n-1"], Int64[Tensor, "b codes"], Int64[Tensor, "b codes"]]:
    """Tree edges in order; per code i * n + j the death edge of the H1 bar born there or -1, and its turn."""

    def pair(capacity: int) -> Deaths | None:
        deaths = pair_deaths(distances, None, capacity=capacity)
        return deaths if bool(deaths.complete.all()) else None

    deaths = _with_room(distances.shape[-1], pair)
    return tree_edges(distances), deaths.death, deaths.turn


def _with_room(n: int, pair: Callable[[int], Result | None]) -> Result:
    """pair(capacity) with 4 n classes, and with more while it returns None; one per edge is enough."""
    capacity = 4 * n
    while (found := pair(capacity)) is None:
        capacity = min(4 * capacity, n * (n - 1) // 2)
    return found
