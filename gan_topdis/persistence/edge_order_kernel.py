"""Compiled checks of a distance matrix, its enclosing radius, and THE order of its edges.

Edges are ordered by length, then by index (i, j), i < j; kernels write an edge as i << 16 | j. Every sort and
every search for a tree uses this order: it also chooses the subgradient where lengths are equal.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Reasons for refusing a matrix, in the order in which they are looked for
ACCEPTED, NOT_FINITE, NEGATIVE, DIAGONAL, ASYMMETRIC, NOT_BELOW = range(6)


@njit(cache=True, nogil=True, error_model="numpy")
def inspect_matrix(distances):  # type: ignore[no-untyped-def]
    """First reason why an (n, n) matrix is no distance matrix, or ACCEPTED."""
    n = distances.shape[0]
    reason = ACCEPTED
    for i in range(n):
        if distances[i, i] != 0.0:
            if not np.isfinite(distances[i, i]):
                return NOT_FINITE
            reason = DIAGONAL
        for j in range(i):
            d = distances[i, j]
            if not np.isfinite(d) or not np.isfinite(distances[j, i]):
                return NOT_FINITE
            if d < 0.0:
                reason = NEGATIVE
            elif d != distances[j, i] and reason == ACCEPTED:
                reason = ASYMMETRIC
    return reason


@njit(cache=True, nogil=True, error_model="numpy")
def enclosing_radius(distances):  # type: ignore[no-untyped-def]
    """Smallest r such that some point has all others within r: from r on the Rips complex is a cone."""
    n = distances.shape[0]
    radius = distances[0, 0]
    for i in range(n):
        farthest = distances[i, 0]
        for j in range(n):
            if distances[i, j] > farthest:
                farthest = distances[i, j]
        if i == 0 or farthest < radius:
            radius = farthest
    return radius


@njit(cache=True, nogil=True, error_model="numpy")
def sort_edges(distances, keys, limit, order, sorted_keys, scratch):  # type: ignore[no-untyped-def]
    """Edges of length <= limit, by length, then by index.

    Radix sort of the bit patterns of non-negative numbers, which order as the numbers do; it is stable,
    so equal lengths keep their index order. Only bits in which lengths differ are sorted by.

    Args:
        distances: (n, n), accepted by `inspect_matrix`, no negative zeros.
        keys: the same memory as unsigned integers, (n, n).
        order: int32 (n (n - 1) / 2,), overwritten with i << 16 | j in its first entries.
        sorted_keys: (n (n - 1) / 2,), overwritten with their lengths, of the type of keys.
        scratch: int32 and type of keys, as long: a pair of arrays.

    Returns:
        How many edges there are.
    """
    n = distances.shape[0]
    count = 0
    other_codes, target = scratch
    source = sorted_keys
    for i in range(n):
        for j in range(i + 1, n):
            # written always, kept only if short enough: no branch to predict
            source[count] = keys[i, j]
            order[count] = i << 16 | j
            count += distances[i, j] <= limit
    if count < 2:
        return count
    base = source[0]
    top = source[0]
    for p in range(count):
        base = min(base, source[p])
        top = max(top, source[p])
    span = 0  # bits in which keys differ from the smallest
    while span < 64 and np.uint64(top - base) >> np.uint64(span) != 0:
        span += 1
    most = 12 if count > 4000 else 11 if count > 1000 else 8
    digits = (span + most - 1) // most
    if digits == 0:  # all equal
        return count
    bits = (span + digits - 1) // digits
    size = 1 << bits
    mask = np.uint64(size - 1)
    tally = np.zeros((digits, size), np.int32)
    for p in range(count):
        key = np.uint64(source[p] - base)
        for digit in range(digits):
            tally[digit, (key >> np.uint64(bits * digit)) & mask] += 1
    codes = order
    for digit in range(digits):
        shift = np.uint64(bits * digit)
        here = tally[digit]
        total = 0
        for value in range(size):
            number = here[value]
            here[value] = total
            total += number
        for p in range(count):
            bucket = (np.uint64(source[p] - base) >> shift) & mask
            place = here[bucket]
            here[bucket] = place + 1
            target[place] = source[p]
            other_codes[place] = codes[p]
        source, target = target, source
        codes, other_codes = other_codes, codes
    if digits % 2 == 1:
        order[:count] = codes[:count]
        sorted_keys[:count] = source[:count]
    return count
