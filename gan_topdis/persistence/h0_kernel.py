"""Compiled minimum spanning trees: Prim's algorithm, vertex by vertex, on dense distances.

Edges are compared by (length, i * n + j), i < j, the one order of this package (`edge_order_kernel`). It has
no ties, so there is one minimum spanning tree, and any algorithm with this order finds the same edges.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from gan_topdis.persistence.edge_order_kernel import ACCEPTED, NOT_FINITE, inspect_matrix


@njit(cache=True, nogil=True, error_model="numpy")
def trees_of_matrices(distances, first, last, codes, reasons):  # type: ignore[no-untyped-def]
    """Minimum spanning trees of matrices first .. last - 1 of a batch.

    Args:
        distances: (b, n, n), n >= 1; checked here.
        codes: int64 (b, n - 1), overwritten with i * n + j, ascending by (length, code).
        reasons: int64 (b,), overwritten with the reason for refusing a matrix, or ACCEPTED.
    """
    n = distances.shape[1]
    left, best, edges, row = _room(n, distances.dtype)
    tree = np.empty(n - 1, distances.dtype)
    for item in range(first, last):
        matrix = distances[item]
        reasons[item] = ACCEPTED
        if not _is_accepted(matrix):
            reasons[item] = inspect_matrix(matrix)
            continue
        _start(left, best, edges)
        newest = 0
        for count in range(n - 1, 0, -1):
            for k in range(count):
                row[k] = matrix[newest, left[k]]
            nearest = _attach(row, newest, count, left, best, edges)
            tree[n - 1 - count] = best[nearest]
            codes[item, n - 1 - count] = edges[nearest]
            newest = left[nearest]
            _remove(nearest, count, left, best, edges)
        _sort(tree, codes[item])


@njit(cache=True, nogil=True, error_model="numpy")
def trees_of_points(points, first, last, codes, reasons):  # type: ignore[no-untyped-def]
    """Minimum spanning trees of clouds first .. last - 1 in the l1 distance, without their matrices.

    Args:
        points: (n, b, d), n >= 1: point v of cloud k is points[v, k].
        codes, reasons: as in `trees_of_matrices`; the reason is NOT_FINITE or ACCEPTED. Only distances
            that the tree needs are found to overflow.
    """
    n, _, d = points.shape
    left, best, edges, row = _room(n, points.dtype)
    tree = np.empty(n - 1, points.dtype)
    outside = np.empty((d, n), points.dtype)  # column k is the k-th vertex outside the tree
    here = np.empty(d, points.dtype)
    for item in range(first, last):
        reasons[item] = ACCEPTED
        for c in range(d):
            here[c] = points[0, item, c]
            if not np.isfinite(here[c]):
                reasons[item] = NOT_FINITE
        for v in range(1, n):
            for c in range(d):
                outside[c, v - 1] = points[v, item, c]
                if not np.isfinite(points[v, item, c]):
                    reasons[item] = NOT_FINITE
        if reasons[item] != ACCEPTED:
            continue
        _start(left, best, edges)
        newest = 0
        for count in range(n - 1, 0, -1):
            row[:count] = 0
            for c in range(d):
                column = outside[c]
                x = here[c]
                for k in range(count):
                    row[k] += abs(column[k] - x)
            nearest = _attach(row, newest, count, left, best, edges)
            if not np.isfinite(best[nearest]):
                reasons[item] = NOT_FINITE
                break
            tree[n - 1 - count] = best[nearest]
            codes[item, n - 1 - count] = edges[nearest]
            newest = left[nearest]
            for c in range(d):
                here[c] = outside[c, nearest]
                outside[c, nearest] = outside[c, count - 1]
            _remove(nearest, count, left, best, edges)
        if reasons[item] == ACCEPTED:
            _sort(tree, codes[item])


@njit(cache=True, nogil=True, error_model="numpy")
def _is_accepted(distances):  # type: ignore[no-untyped-def]
    """Whether `inspect_matrix` would accept a matrix: counted without branches, in half of its time."""
    n = distances.shape[0]
    bad = 0
    for i in range(n):
        row = distances[i]
        for j in range(n):
            bad += (0 if row[j] >= 0 else 1) + (0 if row[j] < np.inf else 1)
        for j in range(i):
            bad += distances[j, i] != row[j]
        bad += row[i] != 0
    return bad == 0


@njit(cache=True, nogil=True, error_model="numpy")
def _room(n, dtype):  # type: ignore[no-untyped-def]
    """Vertices outside the tree, the length and code of their shortest edge into it, and a row of lengths."""
    return np.empty(n, np.int64), np.empty(n, dtype), np.empty(n, np.int64), np.empty(n, dtype)


@njit(cache=True, nogil=True, error_model="numpy")
def _start(left, best, edges):  # type: ignore[no-untyped-def]
    """All vertices but 0 are outside, and no edge is known."""
    for k in range(len(left) - 1):
        left[k] = k + 1
        best[k] = np.inf
        edges[k] = np.iinfo(np.int64).max


@njit(cache=True, nogil=True, error_model="numpy")
def _attach(row, newest, count, left, best, edges):  # type: ignore[no-untyped-def]
    """Offer edges of length row[k] from the newest vertex; place of the nearest vertex outside the tree."""
    n = len(left)
    for k in range(count):  # no branches: twice as fast as with them, on 100 points
        v = left[k]
        code = min(newest, v) * n + max(newest, v)
        closer = (row[k] < best[k]) | ((row[k] == best[k]) & (code < edges[k]))
        best[k] = row[k] if closer else best[k]
        edges[k] = code if closer else edges[k]
    nearest = 0
    for k in range(1, count):
        if best[k] <= best[nearest] and (best[k] < best[nearest] or edges[k] < edges[nearest]):
            nearest = k
    return nearest


@njit(cache=True, nogil=True, error_model="numpy")
def _remove(k, count, left, best, edges):  # type: ignore[no-untyped-def]
    """Close the gap of a vertex that has joined the tree by the last one."""
    left[k] = left[count - 1]
    best[k] = best[count - 1]
    edges[k] = edges[count - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def _sort(lengths, codes):  # type: ignore[no-untyped-def]
    """Sort edges by (length, code) in place: Shell's method, gaps of Tokuda's sequence."""
    n = len(codes)
    gap = 1
    while 2.25 * gap + 1 < n:
        gap = int(np.ceil(2.25 * gap + 1))
    while True:
        for p in range(gap, n):
            length, code = lengths[p], codes[p]
            q = p
            while q >= gap and (
                lengths[q - gap] > length or (lengths[q - gap] == length and codes[q - gap] > code)
            ):
                lengths[q], codes[q] = lengths[q - gap], codes[q - gap]
                q -= gap
            lengths[q], codes[q] = length, code
        if gap == 1:
            return
        gap = int((gap - 1) / 2.25)
        if gap < 1:
            gap = 1
