"""Whether another run of a search finds the same directions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from gan_topdis.directions.scores.estimate import Estimate, not_available


def grassmann_distance(first: Float[np.ndarray, "k d"], second: Float[np.ndarray, "k d"]) -> float:
    """Geodesic distance between the spans of two sets of directions, as a share of the largest possible.

    With Q_1, Q_2 orthonormal bases, the norm of the arc cosines of the singular values of Q_1^T Q_2,
    over sqrt(k) pi / 2: 0 for equal spans, 1 for orthogonal ones (which needs d >= 2 k).

    Raises:
        ValueError: shapes differ, or a set is linearly dependent and so spans less than k dimensions.

    Source: Edelman, Arias and Smith, The Geometry of Algorithms with Orthogonality Constraints,
        arXiv:physics/9806030, section 4.3 (arc length).
    """
    if first.shape != second.shape:
        raise ValueError(
            f"sets of directions should be of equal number and size, got {first.shape} and {second.shape}"
        )
    bases = []
    for rows in (first, second):
        left, singular, _ = np.linalg.svd(np.asarray(rows, dtype=np.float64).T, full_matrices=False)
        if singular[-1] <= 1e-6 * singular[0]:
            raise ValueError(
                "directions should be linearly independent to have a stability, got repeated ones"
            )
        bases.append(left)
    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    sines = np.linalg.svd(bases[1] - bases[0] @ (bases[0].T @ bases[1]), compute_uv=False)[::-1]
    # arc cosines near 1 lose half the digits; atan2 of both keeps them
    angles = np.arctan2(sines, cosines)
    return float(np.linalg.norm(angles) / (math.sqrt(len(first)) * math.pi / 2))


def stability(
    directions: Float[np.ndarray, "k d"], restarts: Sequence[Float[np.ndarray, "k_other d_other"]]
) -> Estimate:
    """Mean `grassmann_distance` to other runs of the same search; not available without one.

    The error is over runs, and unknown (NaN) with one.
    """
    if not restarts:
        return not_available()
    values = np.array([grassmann_distance(directions, other) for other in restarts])
    error = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), error, len(values))
