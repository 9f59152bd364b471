"""Mutual information of binned codes and factors, from joint counts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

BINS = 20


def binned(values: Float[np.ndarray, "n d"], bins: int) -> Int[np.ndarray, "n d"]:
    """Each column in `bins` equal-width bins from its minimum to its maximum, numbered from 0.

    Interior edges belong to the bin on their right, and the maximum has the last bin, as with `np.digitize`
    against the edges of `np.histogram` without the last one. A constant column is one bin.

    Raises:
        ValueError: bins below 1.
    """
    if bins < 1:
        raise ValueError(f"bins should be at least 1, got {bins}")
    columns = [
        np.digitize(column, np.histogram_bin_edges(column, bins)[:-1]) - 1
        if np.ptp(column) > 0
        else np.zeros(len(column), dtype=np.int64)
        for column in values.T
    ]
    return np.stack(columns, axis=1)


def entropy(labels: Int[np.ndarray, " n"]) -> float:
    """Plug-in entropy in nats."""
    p = np.bincount(labels) / len(labels)
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def mutual_information(
    codes: Int[np.ndarray, "n d"], factors: Int[np.ndarray, "n k"]
) -> Float[np.ndarray, "d k"]:
    """Plug-in mutual information in nats of every column of codes with every factor."""
    return np.array([[_of_pair(c, f) for f in factors.T] for c in codes.T])


def empty_share(codes: Int[np.ndarray, "n d"], bins: int) -> Float[np.ndarray, " d"]:
    """Share of bins without a point, per column that is not constant (0 for those that are)."""
    used = np.array([len(np.unique(column)) for column in codes.T])
    return np.where(used > 1, 1 - used / bins, 0.0)


def _of_pair(c: Int[np.ndarray, " n"], f: Int[np.ndarray, " n"]) -> float:
    width = int(f.max()) + 1
    joint = np.bincount(c * width + f, minlength=(int(c.max()) + 1) * width).reshape(-1, width) / len(c)
    outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    some = joint > 0
    return max(0.0, float((joint[some] * np.log(joint[some] / outer[some])).sum()))
