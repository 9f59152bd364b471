"""Correlated sampling: weights are the formula, draws follow the weights, an infinite sigma is uniform."""

from __future__ import annotations

from math import exp, inf

import numpy as np
import pytest
from scipy.stats import chisquare

from gan_topdis.data import (
    LabelledImages,
    confounder,
    correlated_rows,
    correlation_weights,
    one_pair,
    two_pairs,
)
from gan_topdis.data.labelled_images import on_grid

SIZES = (3, 5, 4, 2)


def grid(sizes: tuple[int, ...] = SIZES) -> LabelledImages:
    n = int(np.prod(sizes))
    names = tuple("abcdefg"[: len(sizes)])
    return on_grid(np.zeros((n, 1, 1, 1), np.uint8), names, sizes, "grid")


def row(*values: int) -> int:
    return int(np.ravel_multi_index(values, SIZES))


def test_ratio_of_weights_is_the_formula():
    """a = 0, b = 0 against a = 1/2, b = 1/4, c = 1, d = 0, by hand."""
    weights = correlation_weights(grid(), [("a", "b", 0.1), (2, 3, 0.4)])
    ratio = weights[row(1, 1, 3, 0)] / weights[row(0, 0, 0, 0)]
    assert ratio == pytest.approx(exp(-(0.25**2) / (2 * 0.01)) * exp(-1 / (2 * 0.16)), rel=1e-12)
    assert ratio != pytest.approx(exp(-(0.25**2) / 0.01) * exp(-1 / 0.16), rel=0.1)  # without the 2
    assert weights.max() == 1


def test_draws_follow_the_weights():
    dataset = grid()
    pairs = [("a", "b", 0.3)]
    weights = correlation_weights(dataset, pairs)
    expected = weights / weights.sum() * 20_000
    seen = np.bincount(correlated_rows(dataset, pairs, 20_000, 0), minlength=len(dataset))
    often = expected >= 5  # the test's own condition; the rest is one class
    assert often.sum() > 60

    def p_value(counts):
        classes = [[*part[often], part[~often].sum()] for part in (counts, expected)]
        return chisquare(*classes).pvalue

    assert p_value(seen) > 0.001
    uniform = np.bincount(correlated_rows(dataset, [], 20_000, 0), minlength=len(dataset))
    assert p_value(uniform) < 1e-12  # the test can fail


@pytest.mark.parametrize("pairs", [[], [("a", "b", inf)], [("a", "b", 1e9), ("c", "d", inf)]])
def test_an_infinite_sigma_is_uniform(pairs):
    assert np.allclose(correlation_weights(grid(), pairs), 1, rtol=0, atol=1e-12)


def test_a_tiny_sigma_keeps_the_diagonal():
    """Even without any row on it: b = 0, 1/4 .. 1 and c = 0, 1/3 .. 1 agree in their ends only."""
    dataset = grid()
    rows = correlated_rows(dataset, [("b", "c", 1e-6)], 500, 3)
    assert set(map(tuple, dataset.factors[rows, 1:3])) == {(0, 0), (4, 3)}
    off = dataset.take(np.flatnonzero(dataset.factors[:, 1] != dataset.factors[:, 2] * 4 / 3))
    assert np.isfinite(correlation_weights(off, [("b", "c", 1e-6)])).all()
    assert len(correlated_rows(off, [("b", "c", 1e-6)], 50, 3)) == 50


def test_a_draw_does_not_depend_on_the_count():
    dataset, pairs = grid(), one_pair("a", "b")
    first = correlated_rows(dataset, pairs, 10, 5)
    assert np.array_equal(first, correlated_rows(dataset, pairs, 100, 5)[:10])
    assert not np.array_equal(first, correlated_rows(dataset, pairs, 10, 6))
    assert len(correlated_rows(dataset, pairs, 0, 5)) == 0


def test_presets():
    assert one_pair("a", "b") == [("a", "b", 0.1)]
    assert two_pairs((0, 1), (2, 3)) == [(0, 1, 0.1), (2, 3, 0.4)]
    assert confounder(grid((3, 5, 1, 2)), "b") == [(1, 0, 0.2), (1, 3, 0.2)]
    for pairs in (one_pair(0, 1), two_pairs((0, 1), (2, 3)), confounder(grid(), 0)):
        factors = grid().factors[correlated_rows(grid(), pairs, 2000, 0)]
        for i, j, _ in pairs:
            assert np.corrcoef(factors[:, i], factors[:, j])[0, 1] > 0.3


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", "z", 0.1)], "a factor should be one of a, b, c, d or in 0 .. 3, got 'z'"),
        ([(0, 4, 0.1)], "got 4"),
        ([("a", 0, 0.1)], "a pair should name two factors, got a twice"),
        ([("a", "b", 0.0)], r"sigma should be > 0 \(inf: no correlation\), got 0.0"),
        ([("a", "b", float("nan"))], "sigma should be > 0"),
    ],
)
def test_pairs_that_make_no_sense(pairs, message):
    with pytest.raises(ValueError, match=message):
        correlation_weights(grid(), pairs)


def test_a_constant_factor_and_negative_counts_are_refused():
    with pytest.raises(ValueError, match="b should have two values or more"):
        correlation_weights(grid((2, 1)), [("a", "b", 0.1)])
    with pytest.raises(ValueError, match="count and seed should be >= 0, got -1 and 0"):
        correlated_rows(grid(), [], -1, 0)
