"""GUDHI as an independent reference: slow, general, not differentiable."""

from __future__ import annotations

import numpy as np


def cross_barcode_bars(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Positive-length H1 bars of [[0, upper], [upper, lower]] by GUDHI, sorted.

    Args:
        lower, upper: (n, n) distance matrices, lower <= upper.

    Returns:
        float64 (r, 2), (birth, death) in lexicographic order.

    Source: GUDHI user manual, Rips complex; the matrix is the definition in arXiv:2201.00058.
    """
    import gudhi

    zero = np.zeros_like(lower)
    doubled = np.block([[zero, upper], [upper, lower]])
    complex_ = gudhi.RipsComplex(distance_matrix=doubled)
    tree = complex_.create_simplex_tree(max_dimension=2)
    tree.compute_persistence(homology_coeff_field=2, min_persistence=0.0)
    bars = tree.persistence_intervals_in_dimension(1).reshape(-1, 2)
    bars = bars[bars[:, 1] > bars[:, 0]]
    return bars[np.lexsort((bars[:, 1], bars[:, 0]))]
