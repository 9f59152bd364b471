"""Disentanglement, completeness, informativeness.

Source: Eastwood and Williams, A Framework for the Quantitative Evaluation of Disentangled Representations,
    ICLR 2018, section 2, with gradient boosted trees as reported since Locatello et al., arXiv:1811.12359.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from gan_topdis.metrics.arrays import labelled, train_and_test
from gan_topdis.metrics.classifiers import boosted_trees
from gan_topdis.metrics.protocol import protocol_named
from gan_topdis.metrics.score import Score

_FLOOR = 1e-11
"""Added to every importance, so that an empty row or column is uniform."""


@dataclass(frozen=True, eq=False, repr=False)
class DCI(Score):
    """Attributes: those of `Score` (the score is the disentanglement, `per_factor` the completeness of every
    factor); disentanglement; completeness; informativeness, test accuracy averaged over factors; the same in
    training; importance (d, k) of every code for every factor; per_code (d,), disentanglement of every code.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    informativeness_train: float
    importance: Float[np.ndarray, "d k"]
    per_code: Float[np.ndarray, " d"]


def dci(
    codes: Any,
    factors: Any,
    *,
    protocol: str = "paper",
    seed: int = 0,
    on_factor: Callable[[int, int], None] | None = None,
) -> DCI:
    """Which codes gradient boosted trees use for which factors, and how well they predict them.

    Args:
        codes: (n, d) encoder means, numpy or torch.
        factors: (n, k) integer classes.
        protocol: at most its numbers of random training and test rows are used; `paper` takes minutes.
        seed: draws the rows and seeds the trees.
        on_factor: called with (done, all) after every factor.

    Raises:
        ValueError: shapes, values or options out of range.
        ImportError: scikit-learn is missing.
    """
    counts = protocol_named(protocol)
    data = labelled(codes, factors)
    train, test = train_and_test(data, counts.dci_train, counts.dci_test, np.random.default_rng(seed))
    k = data.factors.shape[1]
    importance = np.zeros((data.codes.shape[1], k))
    accuracies = np.zeros((2, k))
    for f in range(k):
        labels = train.factors[:, f]
        if np.ptp(labels) == 0:
            raise ValueError(
                f"factor {data.columns[f]} should have two values among the training rows; give more rows"
            )
        importance[:, f], accuracies[0, f], accuracies[1, f] = boosted_trees(
            train.codes, labels, test.codes, test.factors[:, f], seed=seed
        )
        if on_factor is not None:
            on_factor(f + 1, k)
    notes = [*data.notes]
    if 1 in importance.shape:
        notes.append("with a single code or a single factor there is nothing to confuse: 1 by convention")
    disentangled = disentanglement_of_matrix(importance)
    complete = completeness_of_matrix(importance)
    return DCI(
        disentangled,
        per_factor=_one_minus_entropy(importance.T),
        factors=data.columns,
        settings={"protocol": counts.name, "train": len(train), "test": len(test), "seed": seed},
        ceiling=1.0,
        ceiling_per_factor=np.ones(k),
        notes=tuple(notes),
        disentanglement=disentangled,
        completeness=complete,
        informativeness=float(accuracies[1].mean()),
        informativeness_train=float(accuracies[0].mean()),
        importance=importance,
        per_code=_one_minus_entropy(importance),
    )


def disentanglement_of_matrix(importance: Float[np.ndarray, "d k"]) -> float:
    """Mean over codes of 1 - H(p) / ln k, p the shares of the factors in the code's row, rows weighted by
    their sums (alike when all are 0)."""
    return float(_weights(importance) @ _one_minus_entropy(importance))


def completeness_of_matrix(importance: Float[np.ndarray, "d k"]) -> float:
    """The same of columns: mean over factors of 1 - H(p) / ln d."""
    return disentanglement_of_matrix(importance.T)


def _one_minus_entropy(matrix: np.ndarray) -> np.ndarray:
    if matrix.shape[1] == 1:
        return np.ones(len(matrix))
    p = (matrix + _FLOOR) / (matrix + _FLOOR).sum(axis=1, keepdims=True)
    return 1 + (p * np.log(p)).sum(axis=1) / np.log(matrix.shape[1])


def _weights(matrix: np.ndarray) -> np.ndarray:
    total = matrix.sum()
    return matrix.sum(axis=1) / total if total > 0 else np.full(len(matrix), 1 / len(matrix))
