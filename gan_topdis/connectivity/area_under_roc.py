"""Area under the ROC curve from ranks, exact under ties. Needs no torch."""

from __future__ import annotations

from typing import Any

import numpy as np


def auc(scores: Any, is_inlier: Any) -> float:
    """Probability that a random inlier scores above a random outlier, ties counting one half.

    Args:
        scores: (n,) numbers, numpy or torch; higher means more of an inlier. Infinities are allowed.
        is_inlier: (n,) booleans, or 0 and 1.

    Returns:
        In [0, 1], the exact fraction rounded once; .5 when all scores are equal.

    Raises:
        ValueError: shapes differ or are not (n,), a score is NaN, labels are not 0 and 1, or only one class
            is there.

    Source: Mann and Whitney, Annals of Mathematical Statistics 18, 1947, with midranks; Hanley and McNeil,
        Radiology 143, 1982 (that it is the area).
    """
    values = _array(scores)
    inlier = _array(is_inlier)
    if values.ndim != 1 or inlier.shape != values.shape:
        raise ValueError(
            f"scores and is_inlier should both have shape (n,), got {values.shape} and {inlier.shape}"
        )
    if values.dtype.kind not in "fiub":
        raise ValueError(f"scores should be real numbers, got {values.dtype}")
    if np.isnan(values).any():
        raise ValueError("scores should not be NaN")
    if not np.isin(inlier, (0, 1)).all():
        raise ValueError("is_inlier should be boolean, or 0 and 1")
    inlier = inlier.astype(bool)
    inliers = int(inlier.sum())
    outliers = len(inlier) - inliers
    if inliers == 0 or outliers == 0:
        raise ValueError(
            f"auc needs inliers and outliers, got {inliers} inliers and {outliers} outliers; "
            "with one class there is nothing to tell apart"
        )
    _, place, ties = np.unique(values, return_inverse=True, return_counts=True)
    twice_midrank = 2 * np.cumsum(ties) - ties + 1  # whole numbers, one a distinct score
    ranks = int(twice_midrank[place.ravel()[inlier]].sum())
    return (ranks - inliers * (inliers + 1)) / (2 * inliers * outliers)


def _array(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if values.dtype.itemsize == 2 and values.is_floating_point() else values
        values = values.numpy()
    return np.asarray(values)
