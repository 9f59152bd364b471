"""Explicitness: whether a linear classifier reads the factors off the codes.

Source: Ridgeway and Mozer, Learning Deep Disentangled Embeddings with the F-Statistic Loss, arXiv:1802.05312,
    section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_topdis.metrics.arrays import labelled, train_and_test
from gan_topdis.metrics.classifiers import logistic_areas
from gan_topdis.metrics.protocol import protocol_named
from gan_topdis.metrics.score import Score


@dataclass(frozen=True, eq=False, repr=False)
class Explicitness(Score):
    """Attributes: those of `Score` (test rows); the same mean on the training rows."""

    train_score: float


def explicitness(codes: Any, factors: Any, *, protocol: str = "paper", seed: int = 0) -> Explicitness:
    """Mean over factors of the area under the ROC curve of multinomial logistic regression, one class against
    the rest, mean over classes; .5 is chance.

    Arguments and errors: as `sap`.
    """
    counts = protocol_named(protocol)
    train, test = train_and_test(
        labelled(codes, factors), counts.sap_train, counts.sap_test, np.random.default_rng(seed)
    )
    areas = np.zeros((train.factors.shape[1], 2))  # training, test
    for f, column in enumerate(train.columns):
        labels = train.factors[:, f]
        if np.ptp(labels) == 0:
            raise ValueError(
                f"factor {column} should have two values among the training rows; give more rows"
            )
        areas[f] = logistic_areas(train.codes, labels, test.codes, test.factors[:, f])
    return Explicitness(
        float(np.nanmean(areas[:, 1])),
        per_factor=areas[:, 1],
        factors=train.columns,
        settings={"protocol": counts.name, "train": len(train), "test": len(test), "seed": seed},
        ceiling=1.0,
        ceiling_per_factor=np.ones(len(areas)),
        notes=train.notes,
        train_score=float(np.nanmean(areas[:, 0])),
    )
