"""How good directions are, where the truth is known: axis recovery, and responses of the factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gan_topdis.directions.assignment import least_cost_assignment
from gan_topdis.directions.ground_truth_disentanglement import completeness, disentanglement
from gan_topdis.directions.ground_truth_factors import FactorMeter, factor_meter
from gan_topdis.directions.ground_truth_response import FactorResponse, factor_response
from gan_topdis.directions.result import Directions
from gan_topdis.generators import Generator


@dataclass(frozen=True)
class GroundTruthScores:
    """Directions against the truth.

    Attributes:
        recovery: (f,), |cosine| of each factor's axis with the direction matched to it; None when the
            factors have no axes.
        response: of factors to directions, at equal displacement.
        disentanglement, completeness: of `response.matrix`, in [0, 1].
        disentanglement_of_squares: of the squared entries, shares of variance as the importances of DCI
            are: small responses count for less.
    """

    recovery: np.ndarray | None
    response: FactorResponse
    disentanglement: float
    completeness: float
    disentanglement_of_squares: float

    @property
    def mean_recovery(self) -> float | None:
        """Mean of `recovery` over the factors."""
        return None if self.recovery is None else float(self.recovery.mean())


def axis_recovery(
    vectors: Float[np.ndarray, "k d"], axes: Float[np.ndarray, "f d"]
) -> Float[np.ndarray, " f"]:
    """|cosine| of each axis with the direction matched to it, one to one, so that their sum is largest.

    Args:
        vectors: unit rows, in any order and sign.
        axes: unit rows.

    Returns:
        One number in [0, 1] per axis; 0 for an axis without a direction, when there are fewer of these.

    Raises:
        ValueError: the two differ in dimension.
    """
    if vectors.ndim != 2 or axes.ndim != 2 or vectors.shape[1] != axes.shape[1]:
        raise ValueError(
            f"vectors and axes should be (k, d) and (f, d) of one d, got {vectors.shape} and {axes.shape}"
        )
    cosines = np.abs(vectors.astype(np.float64) @ axes.astype(np.float64).T)
    rows, columns = least_cost_assignment(-cosines)
    recovery = np.zeros(len(axes))
    recovery[columns] = cosines[rows, columns]
    return recovery


def compare_with_truth(
    generator: Generator,
    directions: Directions,
    *,
    meter: FactorMeter | None = None,
    seed: int = 0,
) -> GroundTruthScores:
    """Scores of directions of a generator with measurable factors.

    Args:
        generator: built-in, or any with `known_factors` and a function `factors(ws)`.
        directions: found in it.
        meter: how factors are measured; `factor_meter(generator)` when None.
        seed: draws the pictures that are moved.

    Raises:
        ValueError: factors cannot be measured, or the directions do not fit.
    """
    response = factor_response(generator, directions, meter or factor_meter(generator), seed=seed)
    known = generator.known_factors
    return GroundTruthScores(
        recovery=None if known is None else axis_recovery(directions.vectors, known.axes),
        response=response,
        disentanglement=disentanglement(response.matrix),
        completeness=completeness(response.matrix),
        disentanglement_of_squares=disentanglement(response.matrix**2),
    )
