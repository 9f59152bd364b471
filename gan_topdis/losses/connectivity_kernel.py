"""Compiled value and gradient of the connectivity loss, given its trees."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def excess_and_gradient(points, edges, eta, share, excess, gradient):  # type: ignore[no-untyped-def]
    """Sum over tree edges of |length - eta| of every branch, and share times its derivative by the points.

    Args:
        points: (n, b, d), point v of branch k is points[v, k].
        edges: int64 (b, n - 1), i * n + j.
        eta: wanted length.
        excess: (b,) float64, overwritten.
        gradient: (n, b, d) of zeros, overwritten: share sign(length - eta) sign(z_i - z_j) at i, its negative
            at j.
    """
    n, branches, d = points.shape
    for branch in range(branches):
        total = 0.0
        for e in range(edges.shape[1]):
            i = edges[branch, e] // n
            j = edges[branch, e] - i * n
            length = 0.0  # float64
            for c in range(d):
                length += abs(points[i, branch, c] - points[j, branch, c])
            total += abs(length - eta)
            side = share * np.sign(length - eta)
            for c in range(d):
                step = side * np.sign(points[i, branch, c] - points[j, branch, c])
                gradient[i, branch, c] += step
                gradient[j, branch, c] -= step
        excess[branch] = total
