"""The assignment problem: one column for every row, so that the sum of costs is least.

In numpy, since it is all that is needed of scipy here; tests compare it with scipy's.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def least_cost_assignment(costs: Float[np.ndarray, "n m"]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns that an assignment of least total cost pairs.

    Args:
        costs: finite. With more rows than columns, some rows stay without a column.

    Returns:
        Two int arrays of min(n, m) entries, rows ascending.

    Raises:
        ValueError: not a finite matrix.

    Source: Hungarian method by shortest augmenting paths; Jonker and Volgenant, Computing 38 (1987) 325.
        O(n^2 m).
    """
    costs = np.asarray(costs, dtype=np.float64)
    if costs.ndim != 2 or not np.isfinite(costs).all():
        raise ValueError(f"costs should be a finite matrix, got shape {costs.shape}")
    if costs.shape[0] > costs.shape[1]:
        columns, rows = least_cost_assignment(costs.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    n, m = costs.shape
    row_price, column_price = np.zeros(n), np.zeros(m)
    row_of = np.full(m, -1)  # row that holds each column
    for start in range(n):
        distance = np.full(m, np.inf)  # shortest alternating path from `start` to each column
        before = np.full(m, -1)  # column before it on that path; -1: the path begins there
        settled = np.zeros(m, dtype=bool)
        row, column, length = start, -1, 0.0
        while row >= 0:
            reduced = length + costs[row] - row_price[row] - column_price
            closer = ~settled & (reduced < distance)
            distance[closer] = reduced[closer]
            before[closer] = column
            column = int(np.where(settled, np.inf, distance).argmin())
            length = distance[column]
            settled[column] = True
            row = int(row_of[column])
        # prices that keep reduced costs at least 0, and 0 along the path
        row_price[start] += length
        held = settled & (row_of >= 0)
        row_price[row_of[held]] += length - distance[held]
        column_price[settled] -= length - distance[settled]
        while column >= 0:  # every row on the path takes its next column
            earlier = int(before[column])
            row_of[column] = start if earlier < 0 else row_of[earlier]
            column = earlier
    columns = np.flatnonzero(row_of >= 0)
    rows = row_of[columns]
    order = np.argsort(rows)
    return rows[order], columns[order]
