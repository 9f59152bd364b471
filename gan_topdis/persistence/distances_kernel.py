"""Compiled distances, and the gradients of those of l1 and the maximum norm.

The loops of l1 and the maximum over points j have no branches and no sums: the compiler takes several points
at a time; torch's cdist works along the coordinates of one pair of points, and takes 3 to 13 times as long.
Euclidean distances are sums over many coordinates: there four points share the loads of a fifth, and the
compiler may reorder the sum, where cdist takes 2 to 90 times as long, the longer the more coordinates.
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


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def fill_euclidean(points, first, last, distances):  # type: ignore[no-untyped-def]
    """Euclidean distances of folds first .. last - 1, counted through the batch.

    Fold k of a cloud is the pairs (i, j > i) of its points k and n - 1 - k: all folds are equally long.

    Args:
        points: (b, n, d).
        distances: (b, n, n), the pairs of the folds overwritten, both (i, j) and (j, i), and (i, i).
    """
    n, d = points.shape[1:]
    folds = (n + 1) // 2
    zero = points.dtype.type(0)
    for place in range(first, last):
        item, k = divmod(place, folds)
        cloud, out = points[item], distances[item]
        for i in (k, n - 1 - k):
            x = cloud[i]
            out[i, i] = 0
            j = i + 1
            while j + 4 <= n:
                p, q, r, s = cloud[j], cloud[j + 1], cloud[j + 2], cloud[j + 3]
                from_p = from_q = from_r = from_s = zero
                for c in range(d):
                    value = x[c]
                    from_p += (value - p[c]) ** 2
                    from_q += (value - q[c]) ** 2
                    from_r += (value - r[c]) ** 2
                    from_s += (value - s[c]) ** 2
                out[i, j] = out[j, i] = np.sqrt(from_p)
                out[i, j + 1] = out[j + 1, i] = np.sqrt(from_q)
                out[i, j + 2] = out[j + 2, i] = np.sqrt(from_r)
                out[i, j + 3] = out[j + 3, i] = np.sqrt(from_s)
                j += 4
            while j < n:
                p = cloud[j]
                from_p = zero
                for c in range(d):
                    from_p += (x[c] - p[c]) ** 2
                out[i, j] = out[j, i] = np.sqrt(from_p)
                j += 1
            if n - 1 - k == k:
                break


@njit(cache=True, nogil=True, error_model="numpy")
def fill_gradients(points, distances, gradient, largest, first, last, result):  # type: ignore[no-untyped-def]
    """Gradients at points first .. last - 1, counted through the batch.

    Args:
        points: (b, n, d).
        distances: (b, n, n), from `fill_distances`; read if `largest`.
        gradient: (b, n, n), with respect to the distances.
        result: (b, n, d), rows overwritten.
    """
    n, d = points.shape[1:]
    columns, sums = np.empty((d, n), points.dtype), np.empty((d, n), points.dtype)
    places = np.empty(n * n // 8, np.int64)
    weights = np.empty((16, n), gradient.dtype)
    while first < last:
        item, start = divmod(first, n)
        stop = min(n, start + last - first)
        first += stop - start
        _turn(points[item], columns)
        sums[:] = 0
        count = _present(gradient[item], places)
        if count <= len(places):
            _add_few(columns, distances[item], gradient[item], largest, places[:count], start, stop, sums)
        else:
            _add_all(columns, distances[item], gradient[item], largest, weights, start, stop, sums)
        for j in range(start, stop):
            for c in range(d):
                result[item, j, c] = sums[c, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _present(gradient, places):  # type: ignore[no-untyped-def]
    """Write the places i * n + j of entries other than 0; their number, or more than there is room for."""
    count = 0
    for i in range(gradient.shape[0]):
        row = gradient[i]
        for j in range(len(row)):
            if row[j] != 0:
                if count == len(places):
                    return count + 1
                places[count] = i * len(row) + j
                count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _add_few(columns, distances, gradient, largest, places, start, stop, sums):  # type: ignore[no-untyped-def]
    """Add the gradients of few entries, as bars and trees leave, at points start .. stop - 1."""
    d, n = columns.shape
    for place in places:
        i, j = divmod(place, n)
        g = gradient[i, j]
        for c in range(d):
            x, y = columns[c, i], columns[c, j]
            if x == y or (largest and abs(x - y) != distances[i, j]):
                continue
            share = g if x > y else -g
            if start <= i < stop:
                sums[c, i] += share
            if start <= j < stop:
                sums[c, j] -= share


@njit(cache=True, nogil=True, error_model="numpy")
def _add_all(columns, distances, gradient, largest, weights, start, stop, sums):  # type: ignore[no-untyped-def]
    """Add the gradients of all entries at points start .. stop - 1."""
    d, n = columns.shape
    size = stop - start
    none = gradient.dtype.type(0)
    for i in range(n):
        if i % 16 == 0:  # gradients at (i, j) and (j, i), for so many i as share a cache line at (j, i)
            for j in range(size):
                for k in range(min(16, n - i)):
                    weights[k, j] = gradient[i + k, start + j] + gradient[start + j, i + k]
        row, lengths = weights[i % 16, :size], distances[i, start:stop]
        for c in range(d):
            column, total = columns[c, start:stop], sums[c, start:stop]
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


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(cloud, columns):  # type: ignore[no-untyped-def]
    """Coordinates of all points side by side."""
    for i in range(cloud.shape[0]):
        for c in range(cloud.shape[1]):
            columns[c, i] = cloud[i, c]
