"""Compiled l1 and maximum distances and their gradients.

The loops over points j have no branches and no sums, so the compiler takes several points at a time; torch's
cdist works along the coordinates of one pair of points, and takes 3 to 13 times as long.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def fill_distances(points, largest, first, last, distances):  # type: ignore[no-untyped-def]
    """Distances of points first .. last - 1, counted through the batch, from all points of their cloud.

    Args:
        points: (b, n, d).
        largest: whether the distance is the largest coordinate difference, rather than the sum of all.
        distances: (b, n, n), rows overwritten.
    """
    n, d = points.shape[1:]
    columns = np.empty((d, n), points.dtype)
    for place in range(first, last):
        item, i = divmod(place, n)
        if place == first or i == 0:
            _turn(points[item], columns)
        row = distances[item, i]
        row[:] = 0
        for c in range(d):
            column = columns[c]
            x = column[i]
            if largest:
                for j in range(n):
                    length = abs(x - column[j])
                    # the second condition keeps NaN once it is there
                    row[j] = row[j] if (row[j] >= length) | (row[j] != row[j]) else length
            else:
                for j in range(n):
                    row[j] += abs(x - column[j])


@njit(cache=True, nogil=True, error_model="numpy")
def fill_gradients(points, distances, weights, largest, first, last, result):  # type: ignore[no-untyped-def]
    """Gradients at points first .. last - 1, counted through the batch.

    Args:
        points: (b, n, d).
        distances: (b, n, n), from `fill_distances`; read if `largest`.
        weights: (b, n, n), symmetric: the gradient at entry (i, j) plus that at (j, i).
        result: (b, n, d), rows overwritten.
    """
    n, d = points.shape[1:]
    columns, sums = np.empty((d, n), points.dtype), np.empty((d, n), points.dtype)
    present = np.empty(n, np.int64)
    none = weights.dtype.type(0)
    while first < last:
        item, start = divmod(first, n)
        size = min(n - start, last - first)
        first += size
        _turn(points[item], columns)
        here = columns[:, start : start + size]
        sums[:] = 0
        for i in range(n):
            row = weights[item, i, start : start + size]
            lengths = distances[item, i, start : start + size]
            count = 0
            for j in range(size):
                present[count] = j
                count += row[j] != 0
            if 8 * count < size:  # a row of few entries, as bars and trees leave
                for k in range(count):
                    j = present[k]
                    for c in range(d):
                        x, y = columns[c, i], here[c, j]
                        if not largest or abs(x - y) == lengths[j]:
                            sums[c, j] += row[j] if y > x else -row[j] if y < x else none
                continue
            for c in range(d):
                column, total = here[c], sums[c]
                x = columns[c, i]
                if largest:
                    for j in range(size):
                        y, weight, length = column[j], row[j], lengths[j]
                        share = weight if abs(x - y) == length else none
                        total[j] += (share if y > x else none) - (share if y < x else none)
                else:
                    for j in range(size):
                        y, weight = column[j], row[j]
                        total[j] += (weight if y > x else none) - (weight if y < x else none)
        for j in range(size):
            for c in range(d):
                result[item, start + j, c] = sums[c, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(cloud, columns):  # type: ignore[no-untyped-def]
    """Coordinates of all points side by side."""
    for i in range(cloud.shape[0]):
        for c in range(cloud.shape[1]):
            columns[c, i] = cloud[i, c]
