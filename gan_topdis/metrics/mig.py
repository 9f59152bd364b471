"""Mutual information gap.

Source: Chen, Li, Grosse, Duvenaud, Isolating Sources of Disentanglement in VAEs, arXiv:1802.04942,
    section 4.1, on encoder means and with 20 bins, as reported since Locatello et al., arXiv:1811.12359.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gan_topdis.metrics.arrays import labelled, some_rows
from gan_topdis.metrics.mutual_information import BINS, binned, empty_share, entropy, mutual_information
from gan_topdis.metrics.protocol import protocol_named
from gan_topdis.metrics.score import Score


@dataclass(frozen=True, eq=False, repr=False)
class MIG(Score):
    """Attributes: those of `Score`; mutual information (d, k) of codes and factors and entropies (k,) of the
    factors, nats; the code with most information on each factor, and the runner-up (-1 when d = 1)."""

    mutual_information: Float[np.ndarray, "d k"]
    entropies: Float[np.ndarray, " k"]
    best_code: Int[np.ndarray, " k"]
    runner_up: Int[np.ndarray, " k"]


def mig(codes: Any, factors: Any, *, protocol: str = "paper", bins: int = BINS, seed: int = 0) -> MIG:
    """Mean over factors of the gap between the two most informative codes, over the factor's entropy.

    Args:
        codes: (n, d) encoder means, numpy or torch.
        factors: (n, k) integer classes; columns of one value are left out, with a note.
        protocol: at most its number of random rows is used.
        bins: equal-width bins per code.
        seed: draws the rows.

    Returns:
        In [0, 1]. An ideal code does not reach 1 where a factor has more values than there are bins: compare
        with `.ceiling`.

    Raises:
        ValueError: shapes, values or options out of range.
    """
    counts = protocol_named(protocol)
    data = some_rows(labelled(codes, factors), counts.points, np.random.default_rng(seed))
    labels = binned(data.codes, bins)
    information = mutual_information(labels, data.factors)  # (d, k)
    entropies = np.array([entropy(column) for column in data.factors.T])
    if (entropies == 0).any():
        raise ValueError("every factor should have two values among the rows that were drawn; give more rows")
    order = np.argsort(-information, axis=0, kind="stable")
    best = np.take_along_axis(information, order[:1], axis=0)[0]
    second = np.take_along_axis(information, order[1:2], axis=0)[0] if len(order) > 1 else np.zeros_like(best)
    gaps = (best - second) / entropies
    ideal = binned(data.factors.astype(np.float64), bins)
    ceilings = np.array([entropy(column) for column in ideal.T]) / entropies
    notes = [*data.notes]
    sparse = np.flatnonzero(empty_share(labels, bins) > 0.5)
    if len(sparse) and (np.array([len(np.unique(c)) for c in data.codes[:, sparse].T]) > bins).any():
        notes.append(
            f"over half of the bins of code {', '.join(map(str, sparse))} are empty: a few outliers stretch "
            "the bins, and the score is lower for it"
        )
    return MIG(
        float(gaps.mean()),
        per_factor=gaps,
        factors=data.columns,
        settings={"protocol": counts.name, "points": len(data), "bins": bins, "seed": seed},
        ceiling=float(ceilings.mean()),
        ceiling_per_factor=ceilings,
        notes=tuple(notes),
        mutual_information=information,
        entropies=entropies,
        best_code=order[0],
        runner_up=order[1] if len(order) > 1 else np.full(len(gaps), -1),
    )
