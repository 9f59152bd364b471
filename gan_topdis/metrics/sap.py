"""Separated attribute predictability.

Source: Kumar, Sattigeri, Balakrishnan, Variational Inference of Disentangled Latent Concepts from Unlabeled
    Observations, arXiv:1711.00848, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from gan_topdis.metrics.arrays import (
    Labelled,
    code_array,
    continuous_factor_array,
    labelled,
    train_and_test,
)
from gan_topdis.metrics.classifiers import linear_accuracy
from gan_topdis.metrics.protocol import protocol_named
from gan_topdis.metrics.score import Score

_SMALLEST_VARIANCE = 1e-12
_SMALL_CODES = 0.3
"""Median standard deviation of codes below which the discrete score depends on their scale."""


@dataclass(frozen=True, eq=False, repr=False)
class SAP(Score):
    """Attributes: those of `Score`; score_matrix (d, k): accuracy, or squared correlation, of every code and
    factor."""

    score_matrix: Float[np.ndarray, "d k"]


def sap(codes: Any, factors: Any, continuous: bool = False, *, protocol: str = "paper", seed: int = 0) -> SAP:
    """Mean over factors of the gap between the two codes that predict it best.

    Args:
        codes: (n, d) encoder means, numpy or torch.
        factors: (n, k) integer classes, or any numbers when `continuous`.
        continuous: squared correlation in place of the accuracy of a linear classifier. The classifier
            finds only the end classes of an ordered factor, so that ideal codes score .25 on dSprites
            (`.ceiling`); the correlation has no such ceiling.
        protocol: at most its numbers of random training and test rows are used.
        seed: draws the rows.

    Raises:
        ValueError: shapes, values or options out of range.
        ImportError: discrete, and scikit-learn is missing.
    """
    counts = protocol_named(protocol)
    rng = np.random.default_rng(seed)
    settings: dict[str, Any] = {"protocol": counts.name, "seed": seed, "continuous": continuous}
    if continuous:
        z = code_array(codes)
        f = continuous_factor_array(factors, len(z))
        if len(z) > counts.sap_train:
            chosen = rng.choice(len(z), counts.sap_train, replace=False)
            z, f = z[chosen], f[chosen]
        varied = np.flatnonzero(np.ptp(f, axis=0) > 0)
        if not len(varied):
            raise ValueError("factors should have at least one column with two values, got constants only")
        matrix = _squared_correlation(z, f[:, varied])
        gaps = _gaps(matrix)
        ceilings = _gaps(_squared_correlation(f[:, varied], f[:, varied]))
        dropped = sorted(set(range(f.shape[1])) - set(varied.tolist()))
        return SAP(
            float(gaps.mean()),
            per_factor=gaps,
            factors=tuple(varied.tolist()),
            settings={**settings, "train": len(z)},
            ceiling=float(ceilings.mean()),
            ceiling_per_factor=ceilings,
            notes=tuple(f"factor {j} has one value and is left out" for j in dropped),
            score_matrix=matrix,
        )
    train, test = train_and_test(labelled(codes, factors), counts.sap_train, counts.sap_test, rng)
    matrix = _accuracies(train, test, seed)
    gaps = _gaps(matrix)
    ceilings = _gaps(_accuracies(_ideal(train), _ideal(test), seed))
    notes = [*train.notes]
    spread = train.codes.std(axis=0)
    active = spread[spread > 0]
    if len(active) and np.median(active) < _SMALL_CODES:
        notes.append(
            f"the median standard deviation of the codes is {np.median(active):.2g}: below {_SMALL_CODES} "
            "the score depends on the scale of the codes"
        )
    return SAP(
        float(gaps.mean()),
        per_factor=gaps,
        factors=train.columns,
        settings={**settings, "train": len(train), "test": len(test)},
        ceiling=float(ceilings.mean()),
        ceiling_per_factor=ceilings,
        notes=tuple(notes),
        score_matrix=matrix,
    )


def _accuracies(train: Labelled, test: Labelled, seed: int) -> Float[np.ndarray, "d k"]:
    matrix = np.zeros((train.codes.shape[1], train.factors.shape[1]))
    for c, f in np.ndindex(*matrix.shape):
        labels = train.factors[:, f]
        column = train.codes[:, c : c + 1]
        if np.ptp(labels) == 0 or np.ptp(column) == 0:  # nothing to learn, or nothing to learn from
            matrix[c, f] = (test.factors[:, f] == np.bincount(labels).argmax()).mean()
            continue
        matrix[c, f] = linear_accuracy(
            column, labels, test.codes[:, c : c + 1], test.factors[:, f], seed=seed
        )
    return matrix


def _ideal(data: Labelled) -> Labelled:
    """The factors themselves as codes, standardised by the largest value."""
    f = data.factors.astype(np.float64)
    centred = f - (data.factors.max(axis=0) / 2)
    return Labelled(centred / centred.std(axis=0).clip(1e-12), data.factors, data.columns, ())


def _squared_correlation(
    z: Float[np.ndarray, "n d"], f: Float[np.ndarray, "n k"]
) -> Float[np.ndarray, "d k"]:
    a, b = z - z.mean(axis=0), f - f.mean(axis=0)
    variance = (a**2).mean(axis=0)
    covariance = a.T @ b / len(z)
    result = covariance**2 / np.outer(np.where(variance > 0, variance, 1), (b**2).mean(axis=0))
    return np.where(variance[:, None] > _SMALLEST_VARIANCE, result, 0.0)


def _gaps(matrix: Float[np.ndarray, "d k"]) -> Float[np.ndarray, " k"]:
    ordered = np.sort(matrix, axis=0)[::-1]
    return ordered[0] - ordered[1] if len(ordered) > 1 else ordered[0]
