"""Compiled driver of Vietoris-Rips H0 and H1 over a batch of metric spaces."""

from __future__ import annotations

import numpy as np
from numba import njit

from gan_topdis.persistence.edge_order_kernel import ACCEPTED, enclosing_radius, inspect_matrix, sort_edges
from gan_topdis.persistence.sweep_kernel import ALL_PAIRS, sweep


@njit(cache=True, nogil=True, error_model="numpy")
def pair_vietoris_rips(  # type: ignore[no-untyped-def]
    distances, max_edge_length, first, last, kind, keys, pairs, tree, essential, numbers, refusals
):
    """Pair H0 and H1 of the Rips filtrations of items first .. last - 1 of a batch.

    Args:
        distances: (items, n, n).
        max_edge_length: longer edges are left out.
        kind, keys: scratch (n, n) of the type of distances, and the same memory as unsigned integers.
        pairs, tree, essential: int32 (items, r, 3), (items, n - 1), (items, r), see `sweep`; pairs of
            length 0 are there too.
        numbers: int64 (items, 3), overwritten with the numbers of pairs, tree edges, essential generators.
        refusals: int64 (items,): overwritten with the reason where a matrix is not accepted.
    """
    n = distances.shape[1]
    edges = n * (n - 1) // 2
    order = np.empty(edges, np.int32)
    sorted_keys = np.empty(edges, keys.dtype)
    scratch = np.empty(edges, np.int32), np.empty(edges, keys.dtype)
    words = np.zeros((n, (n + 63) // 64 * 64), np.uint64)
    row_of = np.empty((n, n), np.int32)
    for item in range(first, last):
        refusals[item] = inspect_matrix(distances[item])
        if refusals[item] != ACCEPTED:
            continue
        for i in range(n):
            for j in range(n):
                kind[i, j] = distances[item, i, j] + 0  # -0.0 becomes 0.0
        radius = enclosing_radius(kind)
        count = sort_edges(kind, keys, min(radius, max_edge_length), order, sorted_keys, scratch)
        found = sweep(
            kind,
            kind,
            order[:count],
            order[:0],
            sorted_keys,
            sorted_keys,
            radius,
            ALL_PAIRS,
            words,
            row_of,
            pairs[item],
            tree[item],
            essential[item],
        )
        numbers[item, 0], numbers[item, 1], numbers[item, 2] = found
