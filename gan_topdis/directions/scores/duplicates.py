"""Directions that show the same effect twice."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

SAME_COSINE = 0.9
"""|cosine| of two shifts, or of two mean changes, above which directions count as duplicates."""


def duplicates(
    shifts: Float[np.ndarray, "k num_ws_w_dim"], mean_changes: Float[np.ndarray, "k p"]
) -> list[int | None]:
    """For each direction the first earlier one that it repeats, up to sign; None where there is none.

    Args:
        shifts: of ws, flattened, zero on layers that a direction does not move.
        mean_changes: of features at equal displacement; rows of NaN for directions without effect,
            which are then compared by their shifts alone.
    """
    same = np.maximum(_abs_cosines(shifts), _abs_cosines(mean_changes)) > SAME_COSINE  # (k, k)
    return [
        next((earlier for earlier in range(index) if same[index, earlier]), None)
        for index in range(len(shifts))
    ]


def _abs_cosines(rows: Float[np.ndarray, "k m"]) -> Float[np.ndarray, "k k"]:
    rows = np.nan_to_num(np.asarray(rows, dtype=np.float64))
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(norms > 0, norms, 1.0)
    return np.abs(unit @ unit.T)
