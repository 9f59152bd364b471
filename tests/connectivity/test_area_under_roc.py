"""Area under the ROC curve: exact cases, all pairs, scikit-learn, refusals."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from gan_topdis.connectivity import auc


@pytest.mark.parametrize(
    ("scores", "inlier", "expected"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], 1.0),
        ([4, 3, 2, 1], [0, 0, 1, 1], 0.0),
        ([7, 7, 7, 7, 7], [0, 1, 0, 0, 1], 0.5),
        ([1, 2, 2, 3], [0, 0, 1, 1], 0.875),  # pairs: 1, 1, a tie, 1
        ([2, 1, 2], [1, 0, 0], 0.75),
        ([-np.inf, 0, np.inf], [0, 0, 1], 1.0),
    ],
)
def test_exact(scores, inlier, expected):
    assert auc(scores, inlier) == expected
    assert auc(np.array(scores, dtype=float), np.array(inlier, dtype=bool)) == expected
    assert auc(torch.tensor(scores, dtype=torch.bfloat16), torch.tensor(inlier)) == expected


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_share_of_pairs(rows):
    """By definition, in fractions: correctly rounded, so equal."""
    inliers = [score for score, inlier in rows if inlier]
    outliers = [score for score, inlier in rows if not inlier]
    if not inliers or not outliers:
        return
    wins = sum(Fraction((a > b) * 2 + (a == b), 2) for a in inliers for b in outliers)
    scores, labels = zip(*rows, strict=True)
    assert auc(scores, labels) == float(wins / (len(inliers) * len(outliers)))


def test_laws():
    rng = np.random.default_rng(0)
    scores, inlier = rng.integers(0, 20, 300), rng.random(300) < 0.2
    area = auc(scores, inlier)
    assert auc(np.exp(scores), inlier) == area  # any increasing function
    assert auc(-scores, inlier) == pytest.approx(1 - area, abs=1e-15)
    assert auc(scores, ~inlier) == pytest.approx(1 - area, abs=1e-15)


def test_scikit_learn():
    rng = np.random.default_rng(1)
    inlier = rng.random(5000) < 0.1
    scores = rng.integers(0, 50, 5000) + 10 * inlier
    # scikit-learn adds trapezoids in float64
    assert auc(scores, inlier) == pytest.approx(roc_auc_score(inlier, scores), abs=1e-12)


def test_many_scores_do_not_overflow():
    """2 million: twice the sum of ranks is beyond 32 bits."""
    inlier = np.arange(2_000_000) >= 1_000_000
    assert auc(inlier.astype(np.int8), inlier) == 1


@pytest.mark.parametrize(
    ("scores", "inlier", "message"),
    [
        ([1, 2], [1, 1], "got 2 inliers and 0 outliers"),
        ([1, 2], [0, 0], "got 0 inliers and 2 outliers"),
        ([], [], "got 0 inliers and 0 outliers"),
        ([1, 2, 3], [0, 1], r"shape \(n,\), got \(3,\) and \(2,\)"),
        ([[1, 2]], [[0, 1]], r"got \(1, 2\) and \(1, 2\)"),
        ([1, float("nan")], [0, 1], "should not be NaN"),
        ([1, 2], [0, 2], "boolean, or 0 and 1"),
        (["a", "b"], [0, 1], "real numbers"),
        ([1j, 2], [0, 1], "real numbers"),
    ],
)
def test_refusals(scores, inlier, message):
    with pytest.raises(ValueError, match=message):
        auc(scores, inlier)
