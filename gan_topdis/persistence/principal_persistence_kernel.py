"""Compiled bars of tuples of points, and the scatter of their gradients.

Squares are added in float64 on eight running sums in a fixed order, which the compiler turns into vectors
without being allowed to reorder anything: a distance is the same number wherever it is computed.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LANES = 8


@njit(cache=True, nogil=True, error_model="numpy")
def bars_of_tuples(points, tuples, first, last, distances, birth, lifetime, edges):  # type: ignore[no-untyped-def]
    """Bars of tuples first .. last - 1.

    Args:
        points: (n, d), finite.
        tuples: int64 (s, 2 q + 2), in 0 .. n - 1.
        distances: float64 (n, n) from `fill_distances`, or (0, 0): compute those that are needed.
        birth, lifetime: (s,), overwritten.
        edges: int64 (s, 4), overwritten with points i, j of the birth and i, j of the death, i before j in
            the tuple; with four times its first point where there is no bar.

    Returns:
        The number of tuples whose result the type of `birth` cannot hold.
    """
    overflows = 0
    size = tuples.shape[1]
    table = np.zeros((size, size))
    for t in range(first, last):
        corners = tuples[t]
        for a in range(size):
            for b in range(a + 1, size):
                if distances.shape[0]:
                    length = distances[corners[a], corners[b]]
                else:
                    length = _distance(points, corners[a], corners[b])
                table[a, b] = length
                table[b, a] = length
        born, dies = -1.0, np.inf
        birth_from, birth_to, death_from, death_to = 0, 0, 0, 0
        for a in range(size):
            # farthest and second farthest of the others; of equals the first of the tuple
            far, near = -1, -1
            for b in range(size):
                if b != a:
                    if far < 0 or table[a, b] > table[a, far]:
                        far, near = b, far
                    elif near < 0 or table[a, b] > table[a, near]:
                        near = b
            if near < 0:  # two points: the second farthest is the point itself
                near = a
            if table[a, near] > born:
                born, birth_from, birth_to = table[a, near], a, near
            if table[a, far] < dies:
                dies, death_from, death_to = table[a, far], a, far
        birth[t] = born
        lifetime[t] = max(dies - born, 0.0)
        overflows += not (np.isfinite(birth[t]) and np.isfinite(lifetime[t]))
        if lifetime[t] > 0:
            edges[t, 0] = corners[min(birth_from, birth_to)]
            edges[t, 1] = corners[max(birth_from, birth_to)]
            edges[t, 2] = corners[min(death_from, death_to)]
            edges[t, 3] = corners[max(death_from, death_to)]
        else:
            edges[t] = corners[0]
    return overflows


@njit(cache=True, nogil=True, error_model="numpy")
def fill_distances(points, first, last, distances):  # type: ignore[no-untyped-def]
    """Rows first .. last - 1 of the float64 distance matrix up to the diagonal, and their mirror image."""
    for i in range(first, last):
        distances[i, i] = 0
        for j in range(i):
            length = _distance(points, j, i)
            distances[i, j] = length
            distances[j, i] = length


@njit(cache=True, nogil=True, error_model="numpy")
def scatter(points, edges, grad_birth, grad_lifetime, result):  # type: ignore[no-untyped-def]
    """Add the gradients of births and lifetimes to the points, tuple after tuple.

    Args:
        points, edges: see `bars_of_tuples`.
        grad_birth, grad_lifetime: (s,). lifetime = death - birth.
        result: float64 (n, d), added to: unit difference vectors; nothing at coincident points.
    """
    d = points.shape[1]
    for t in range(edges.shape[0]):
        for k in range(2):
            i, j = edges[t, 2 * k], edges[t, 2 * k + 1]
            weight = np.float64(grad_lifetime[t])
            if k == 0:
                weight = grad_birth[t] - weight
            length = 0.0
            if i != j and weight != 0:
                length = _distance(points, i, j)
            if length > 0:
                scale = weight / length
                to_i, to_j = result[i], result[j]
                x, y = points[i], points[j]
                for c in range(d):
                    share = scale * (np.float64(x[c]) - np.float64(y[c]))
                    to_i[c] += share
                    to_j[c] -= share


@njit(cache=True, nogil=True, error_model="numpy", inline="never")
def _distance(points, i, j):  # type: ignore[no-untyped-def]
    """Euclidean distance of two points; infinite where a sum of squares leaves the range of float64."""
    x, y = points[i], points[j]
    d = x.shape[0]
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    whole = d - d % LANES
    for c in range(0, whole, LANES):
        s0 += (np.float64(x[c]) - np.float64(y[c])) ** 2
        s1 += (np.float64(x[c + 1]) - np.float64(y[c + 1])) ** 2
        s2 += (np.float64(x[c + 2]) - np.float64(y[c + 2])) ** 2
        s3 += (np.float64(x[c + 3]) - np.float64(y[c + 3])) ** 2
        s4 += (np.float64(x[c + 4]) - np.float64(y[c + 4])) ** 2
        s5 += (np.float64(x[c + 5]) - np.float64(y[c + 5])) ** 2
        s6 += (np.float64(x[c + 6]) - np.float64(y[c + 6])) ** 2
        s7 += (np.float64(x[c + 7]) - np.float64(y[c + 7])) ** 2
    total = ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))
    for c in range(whole, d):
        total += (np.float64(x[c]) - np.float64(y[c])) ** 2
    return np.sqrt(total)
