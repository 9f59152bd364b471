"""A number with its sample size and standard error, so that none is printed without them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """One score.

    Attributes:
        value: the score.
        error: its standard error over samples, in the unit of `value`.
        n: samples behind it.
        parts: (m,) pseudo-values: numbers whose mean is about `value` and whose standard error is
            `error`, one per sample or group of samples, in the order of the samples; empty where the
            score has none. Scores of one cloud with equally many parts are compared part by part, so
            that what the samples have in common cancels.
    """

    value: float
    error: float
    n: int
    parts: np.ndarray = field(default_factory=lambda: np.zeros(0), compare=False, repr=False)


def not_available() -> Estimate:
    """A score that does not apply: NaN of no samples."""
    return Estimate(math.nan, math.nan, 0)


def from_parts(value: float, parts: np.ndarray, n: int | None = None) -> Estimate:
    """A score from its pseudo-values.

    Args:
        value: the score on all samples.
        parts: (m,), m >= 2.
        n: samples, m when None.
    """
    parts = np.asarray(parts, dtype=np.float64)
    error = float(parts.std(ddof=1) / math.sqrt(len(parts)))
    return Estimate(float(value), error, len(parts) if n is None else n, parts)


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Mean of scores of the same samples, those that do not apply left out.

    The error is that over samples: from the mean of the pseudo-values where all have them, else as if
    the scores were independent.
    """
    known = [estimate for estimate in estimates if not math.isnan(estimate.value)]
    if not known:
        return not_available()
    value = float(np.mean([estimate.value for estimate in known]))
    if _paired(known):
        return from_parts(value, np.mean([estimate.parts for estimate in known], axis=0), known[0].n)
    error = math.sqrt(sum(estimate.error**2 for estimate in known)) / len(known)
    return Estimate(value, error, known[0].n)


def difference(first: Estimate, second: Estimate) -> Estimate:
    """first - second of the same samples; paired where both have pseudo-values."""
    value = first.value - second.value
    if _paired((first, second)):
        return from_parts(value, first.parts - second.parts, first.n)
    return Estimate(value, math.hypot(first.error, second.error), min(first.n, second.n))


def ratio(first: Estimate, second: Estimate) -> Estimate:
    """first / second of the same samples, its error by the delta method; not available at second = 0."""
    if math.isnan(first.value) or math.isnan(second.value) or second.value == 0:
        return not_available()
    value = first.value / second.value
    if _paired((first, second)):
        parts = value + (first.parts - first.value - value * (second.parts - second.value)) / second.value
        return from_parts(value, parts, first.n)
    error = math.hypot(first.error, value * second.error) / abs(second.value)
    return Estimate(value, error, min(first.n, second.n))


def spread(estimates: Sequence[Estimate]) -> float:
    """Standard deviation over scores, those that do not apply left out; NaN with fewer than two."""
    known = [estimate.value for estimate in estimates if not math.isnan(estimate.value)]
    return float(np.std(known, ddof=1)) if len(known) > 1 else math.nan


def _paired(estimates: Sequence[Estimate]) -> bool:
    return len({len(estimate.parts) for estimate in estimates}) == 1 and len(estimates[0].parts) > 1
