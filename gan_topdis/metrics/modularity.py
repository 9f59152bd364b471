"""Modularity: whether each code holds information on one factor only.

Source: Ridgeway and Mozer, Learning Deep Disentangled Embeddings with the F-Statistic Loss, arXiv:1802.05312,
    section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from gan_topdis.metrics.arrays import labelled, some_rows
from gan_topdis.metrics.mutual_information import BINS, binned, mutual_information
from gan_topdis.metrics.protocol import protocol_named
from gan_topdis.metrics.score import Score


@dataclass(frozen=True, eq=False, repr=False)
class Modularity(Score):
    """Attributes: those of `Score`; per_code (d,); mutual information (d, k), nats."""

    per_code: Float[np.ndarray, " d"]
    mutual_information: Float[np.ndarray, "d k"]


def modularity(
    codes: Any, factors: Any, *, protocol: str = "paper", bins: int = BINS, seed: int = 0
) -> Modularity:
    """Mean over all codes of how far a code's information is on a single factor.

    Noise has some information on everything and scores .68: never report this number alone.

    Arguments and errors: as `mig`.
    """
    counts = protocol_named(protocol)
    data = some_rows(labelled(codes, factors), counts.points, np.random.default_rng(seed))
    information = mutual_information(binned(data.codes, bins), data.factors)
    per_code = modularity_of_matrix(information)
    return Modularity(
        float(per_code.mean()),
        per_factor=np.full(len(data.columns), np.nan),
        factors=data.columns,
        settings={"protocol": counts.name, "points": len(data), "bins": bins, "seed": seed},
        ceiling=1.0,
        ceiling_per_factor=None,
        notes=data.notes,
        per_code=per_code,
        mutual_information=information,
    )


def modularity_of_matrix(information: Float[np.ndarray, "d k"]) -> Float[np.ndarray, " d"]:
    """1 - sum over the other factors of I^2 / (I_best^2 (k - 1)) per code; 0 for a code without information,
    1 for one that has only one factor to inform on."""
    k = information.shape[1]
    squares = information**2
    best = squares.max(axis=1)
    if k == 1:
        return (best > 0).astype(np.float64)
    others = squares.sum(axis=1) - best
    return np.where(best > 0, 1 - others / (np.where(best > 0, best, 1) * (k - 1)), 0.0)
