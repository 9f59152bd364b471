"""Other implementations of persistence, each called the way that makes it fastest here.

All of them compute over Z/2 with the enclosing radius as the largest edge length, which changes no bar and
is what each does by default:

- giotto-ph: `ripser_parallel`, n_threads as many as ours. Without critical edges: with several threads they
  were seen to disagree with its own diagram. No edge collapse: it made N = 128 and 256 in R^3
  and R^64 6 to 18 times slower.
- ripser (scikit-tda): `ripser` of a distance matrix.
- GUDHI: `RipsPersistence`, its fork of Ripser, with "full distance matrix", which was 4 to 14 times
  faster than its simplex tree with `collapse_edges` on the same.
- torch-topological: `VietorisRipsComplex`, differentiable; it calls giotto-ph with critical edges, on one
  thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch_topological.nn import VietorisRipsComplex

Bars = list[np.ndarray]
"""Per dimension (k, 2) births and deaths, essential bars and bars of length 0 possibly among them."""


def giotto(matrix: np.ndarray, dimension: int, threads: int) -> Bars:
    from gph import ripser_parallel

    return ripser_parallel(matrix, maxdim=dimension, coeff=2, metric="precomputed", n_threads=threads)["dgms"]


def ripser(matrix: np.ndarray, dimension: int) -> Bars:
    from ripser import ripser as scikit_ripser

    return scikit_ripser(matrix, maxdim=dimension, coeff=2, distance_matrix=True)["dgms"]


def gudhi(matrix: np.ndarray, dimension: int) -> Bars:
    from gudhi.sklearn.rips_persistence import RipsPersistence

    solver = RipsPersistence(
        homology_dimensions=list(range(dimension + 1)),
        input_type="full distance matrix",
        homology_coeff_field=2,
    )
    return solver.fit_transform([matrix])[0]


def topological(dimension: int, p: float = 2) -> VietorisRipsComplex:
    from torch_topological.nn import VietorisRipsComplex

    return VietorisRipsComplex(dim=dimension, p=p)


def sum_of_lengths(bars: np.ndarray) -> float:
    """In float64; bars are finite."""
    return float((bars[:, 1].astype(np.float64) - bars[:, 0]).sum())


def canonical(bars: Bars) -> np.ndarray:
    """Finite bars of positive length as one float64 vector: per dimension their number, then (birth, death)
    in lexicographic order. Equal vectors are equal diagrams."""
    parts = []
    for one in bars:
        kept = np.asarray(one, np.float64).reshape(-1, 2)
        kept = kept[np.isfinite(kept[:, 1]) & (kept[:, 1] > kept[:, 0])]
        kept = kept[np.lexsort((kept[:, 1], kept[:, 0]))]
        parts += [np.array([float(len(kept))]), kept.ravel()]
    return np.concatenate(parts)


def doubled(lower: torch.Tensor, upper: torch.Tensor) -> torch.Tensor:
    """[[0, upper], [upper, lower]] (2n, 2n), whose Rips H1 is the cross-barcode of lower <= upper."""
    zero = torch.zeros_like(lower)
    return torch.cat((torch.cat((zero, upper), dim=1), torch.cat((upper, lower), dim=1)))


def four_doubled(a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
    """The four matrices of RTD of two distance matrices: R(A; min), R(B; min), R(max; A), R(max; B)."""
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    return [doubled(v, u) for v, u in ((low, a), (low, b), (a, high), (b, high))]
