"""DCI-style disentanglement and completeness of a matrix of responses.

Source: Eastwood and Williams, A framework for the quantitative evaluation of disentangled representations,
    ICLR 2018, with measured responses in place of the importances of a regressor.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_FLOOR = 1e-11
"""Added to every entry, so that an empty row is uniform: not disentangled at all."""


def disentanglement(responses: Float[np.ndarray, "k f"]) -> float:
    """Mean over directions of 1 - H(p) / ln f, p the share of each factor in the direction's response.

    Args:
        responses: at least 0; rows are directions, columns factors.

    Returns:
        In [0, 1], rows weighted by their sums; 1 when no direction moves more than one factor, 0 when all
        move all alike. A single factor gives 1: there is nothing to confuse it with.

    Raises:
        ValueError: not a matrix of finite numbers of at least 0.
    """
    return _one_minus_entropy(_checked(responses))


def completeness(responses: Float[np.ndarray, "k f"]) -> float:
    """Mean over factors of 1 - H(p) / ln k, p the share of each direction in what moves the factor.

    Columns are weighted by their sums. Otherwise as `disentanglement`.
    """
    return _one_minus_entropy(_checked(responses).T)


def _checked(responses: np.ndarray) -> np.ndarray:
    matrix = np.asarray(responses, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError(
            f"responses should be a matrix of finite numbers of at least 0, got shape {matrix.shape}"
        )
    return matrix


def _one_minus_entropy(matrix: np.ndarray) -> float:
    count = matrix.shape[1]
    if count == 1:
        return 1.0
    shares = (matrix + _FLOOR) / (matrix + _FLOOR).sum(axis=1, keepdims=True)
    scores = 1 + (shares * np.log(shares)).sum(axis=1) / np.log(count)
    total = matrix.sum()
    weights = matrix.sum(axis=1) / total if total > 0 else np.full(len(matrix), 1 / len(matrix))
    return float(np.clip(weights @ scores, 0, 1))
