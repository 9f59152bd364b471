"""The assignment problem, by scipy: which point goes to which at the least cost."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int64


def least_assignment(
    costs: Float[np.ndarray, "k m"],
) -> tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
    """Pairs (i, j), min(k, m) of them, no row or column twice, whose costs have the least sum.

    Raises:
        ValueError: scipy is not installed.

    Source: Crouse, On implementing 2D rectangular assignment algorithms, IEEE TAES 52, 2016 (as in scipy).
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError:
        raise ValueError(
            "Wasserstein distances between diagrams need scipy: pip install 'gan_topdis[shapes]'; "
            "shape matching goes without them when no curve is asked for and the regulariser is ppm or none"
        ) from None
    rows, columns = linear_sum_assignment(costs)
    return rows, columns


def require_assignment() -> None:
    """Refuse before any work what would need scipy later.

    Raises:
        ValueError: scipy is not installed.
    """
    least_assignment(np.zeros((1, 1)))
