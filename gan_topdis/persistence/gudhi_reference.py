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


def intervals_of_ranks(
    ranks: np.ndarray, max_dimension: int, *, complex_dimension: int | None = None
) -> list[np.ndarray]:
    """Intervals of the Rips filtration in which edges enter one by one, by GUDHI, over Z/2.

    Ranks instead of lengths make GUDHI's ties ours: every birth and death is the rank of one edge.

    Args:
        ranks: (n, n), entry (i, j) = 1, 2, ... in the order in which edges enter; infinite where an edge
            never does. The diagonal is 0: points enter at rank 0.
        max_dimension: largest degree of homology.
        complex_dimension: largest dimension of a simplex, by default max_dimension + 1. With the same
            number, classes of degree max_dimension have nothing that could kill them.

    Returns:
        Per degree float64 (k, 2), (birth, death) in order of death; death infinite for a class that lives.
    """
    import gudhi

    finite = ranks[np.isfinite(ranks)]
    complex_ = gudhi.RipsComplex(distance_matrix=ranks, max_edge_length=float(finite.max()))
    tree = complex_.create_simplex_tree(
        max_dimension=max_dimension + 1 if complex_dimension is None else complex_dimension
    )
    tree.compute_persistence(homology_coeff_field=2, min_persistence=0.0, persistence_dim_max=True)
    intervals = [
        tree.persistence_intervals_in_dimension(degree).reshape(-1, 2) for degree in range(max_dimension + 1)
    ]
    return [bars[np.lexsort((bars[:, 0], bars[:, 1]))] for bars in intervals]
