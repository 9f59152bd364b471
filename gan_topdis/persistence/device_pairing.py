"""Pairings of matrices that live on a GPU, without leaving it: the twin of `pairing`, by Triton."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from gan_topdis.persistence.cross_barcode_triton import Deaths, pair_deaths
from gan_topdis.persistence.h0_triton import tree_edges


def pairs_of_terms(
    kinds: Sequence[Float[Tensor, "items n n"]], terms: Sequence[tuple[int, int]]
) -> tuple[
    Int64[Tensor, "items terms edges"], Int64[Tensor, "items terms edges"], Bool[Tensor, "items terms edges"]
]:
    """Birth and death positions, and whether the death is in the upper matrix, of each item and term.

    Args:
        kinds: matrices that are accepted, one stack per kind.
        terms: (lower, upper), indices of `kinds`, lower <= upper.

    Returns:
        One entry per edge, of length 0 where the edge starts no bar: the shape does not depend on the data.
    """
    items, n, _ = kinds[0].shape
    lower = torch.stack([kinds[low] for low, _ in terms], dim=1).flatten(0, 1)  # (items * terms, n, n)
    upper = torch.stack([kinds[high] for _, high in terms], dim=1).flatten(0, 1)
    deaths = _complete_deaths(lower, upper)
    i, j = torch.triu_indices(n, n, offset=1, device=lower.device)
    codes = i * n + j  # (edges,)
    death = deaths.death[:, codes]
    birth = codes.expand_as(death)
    shape = (items, len(terms), len(codes))
    return (
        birth.reshape(shape),
        torch.where(death >= 0, death, birth).reshape(shape),
        deaths.in_upper[:, codes].reshape(shape),
    )


def edges_of_rips(
    distances: Float[Tensor, "b n n"],
) -> tuple[Int64[Tensor, "b n-1"], Int64[Tensor, "b codes"]]:
    """Tree edges in order, and per code i * n + j the death edge of the H1 bar born there, or -1."""
    return tree_edges(distances), _complete_deaths(distances, None).death


def _complete_deaths(lower: Tensor, upper: Tensor | None) -> Deaths:
    """`pair_deaths` with room for all classes; waits for the device, once where the first guess does."""
    n = lower.shape[-1]
    capacity = 4 * n
    while True:
        deaths = pair_deaths(lower, upper, capacity=capacity)
        if bool(deaths.complete.all()):
            return deaths
        capacity = min(4 * capacity, n * (n - 1) // 2)
