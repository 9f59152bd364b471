"""Compiled driver of cross-barcodes over a batch: which matrices to sort, how far, and what to sweep."""

from __future__ import annotations

import numpy as np
from numba import njit

from gan_topdis.persistence.edge_order_kernel import (
    ACCEPTED,
    NOT_BELOW,
    enclosing_radius,
    inspect_matrix,
    sort_edges,
)
from gan_topdis.persistence.sweep_kernel import WITH_CONE, sweep

A, B, MINIMUM, MAXIMUM = range(4)
"""Kinds of matrix that a cross-barcode reads: one of the two given, or their entrywise minimum or maximum."""


@njit(cache=True, nogil=True, error_model="numpy")
def pair_cross_barcodes(  # type: ignore[no-untyped-def]
    a, b, terms, first, last, first_term, last_term, kinds, keys, pairs, bars, refusals
):
    """Pair cross-barcodes first_term .. last_term - 1 of items first .. last - 1 of a batch.

    Args:
        a, b: (items, n, n) matrices of one type.
        terms: int64 (t, 2), the kinds of (lower, upper); R(upper; lower) is swept.
        kinds, keys: scratch (4, n, n) of the type of a, and the same memory as unsigned integers.
        pairs: int32 (items, t, r, 3), see `sweep`.
        bars: int64 (items, t), overwritten with the numbers of pairs.
        refusals: int64 (items, 2): overwritten with (kind, reason) where a matrix is not accepted.
    """
    n = a.shape[1]
    edges = n * (n - 1) // 2
    needed = np.zeros(4, np.bool_)
    for t in range(first_term, last_term):
        needed[terms[t, 0]] = True
        needed[terms[t, 1]] = True
    orders = np.empty((4, edges), np.int32)
    lengths = np.zeros(4, np.int64)
    sorted_keys = np.empty((4, edges), keys.dtype)
    scratch = np.empty(edges, np.int32), np.empty(edges, keys.dtype)
    words = np.zeros((n, (n + 63) // 64 * 64), np.uint64)
    row_of = np.empty((n, n), np.int32)
    tree = np.empty(0, np.int32)
    essential = np.empty(0, np.int32)
    radius = np.empty(4, np.float64)
    limit = np.empty(4, np.float64)
    for item in range(first, last):
        reason = inspect_matrix(a[item])
        kind = A
        if reason == ACCEPTED:
            reason = inspect_matrix(b[item])
            kind = B
        if reason != ACCEPTED:
            refusals[item, 0] = kind
            refusals[item, 1] = reason
            continue
        for i in range(n):
            for j in range(n):
                one = a[item, i, j] + 0  # -0.0 becomes 0.0
                two = b[item, i, j] + 0
                kinds[A, i, j] = one
                kinds[B, i, j] = two
                kinds[MINIMUM, i, j] = min(one, two)
                kinds[MAXIMUM, i, j] = max(one, two)
        for kind in range(4):
            if needed[kind]:
                radius[kind] = enclosing_radius(kinds[kind])
                limit[kind] = 0.0
        for t in range(first_term, last_term):  # all ends at the enclosing radius of `upper`
            low, high = terms[t]
            limit[low] = max(limit[low], radius[high])
            limit[high] = max(limit[high], radius[high])
            if low == A and high == B:
                for i in range(n):
                    for j in range(n):
                        if kinds[A, i, j] > kinds[B, i, j]:
                            reason = NOT_BELOW
        if reason != ACCEPTED:
            refusals[item, 0] = A
            refusals[item, 1] = reason
            continue
        for kind in range(4):
            if needed[kind]:
                lengths[kind] = sort_edges(
                    kinds[kind], keys[kind], limit[kind], orders[kind], sorted_keys[kind], scratch
                )
        for t in range(first_term, last_term):
            low, high = terms[t]
            bars[item, t], _, _ = sweep(
                kinds[low],
                kinds[high],
                orders[low, : lengths[low]],
                orders[high, : lengths[high]],
                sorted_keys[low],
                sorted_keys[high],
                radius[low],
                WITH_CONE,
                words,
                row_of,
                pairs[item, t],
                tree,
                essential,
            )
