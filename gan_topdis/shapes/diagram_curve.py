"""How far the diagrams of a moving cloud are from those of the reference: the curve of shape matching."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.persistence import PersistenceDiagram, pairwise_distances, vietoris_rips
from gan_topdis.shapes.diagram_distance import diagram_distance

COLUMNS = ("w2_euclidean_h1", "w1_maximum_h0_h1", "longest_h1_1", "longest_h1_2", "longest_h1_3")
"""Names of the columns of `DiagramCurve.values`, which say order, norm and homology."""


@dataclass(frozen=True)
class DiagramCurve:
    """Distances of diagrams at every kept step.

    Attributes:
        steps: (k,) numbers of steps done.
        values: (k, 5), in the unit of length; columns are `COLUMNS`: the Wasserstein distance of order 2,
            Euclidean norm, between H1 diagrams (the paper's text); that of order 1, maximum norm
            throughout, summed over H0 and H1 (the paper's code, but for its distance to the diagonal,
            which mixes norms); the three longest lifetimes of H1 of the moving cloud, 0 where there are
            fewer.
    """

    steps: np.ndarray
    values: np.ndarray

    def column(self, name: str) -> np.ndarray:
        """(k,) values of one of `COLUMNS`."""
        if name not in COLUMNS:
            raise ValueError(f"column should be one of {', '.join(COLUMNS)}, got {name!r}")
        column: np.ndarray = self.values[:, COLUMNS.index(name)]
        return column


def full_diagram(points: Float[Tensor, "n d"]) -> PersistenceDiagram:
    """H0 and H1 of the Vietoris-Rips filtration of all points, without gradient."""
    return vietoris_rips(pairwise_distances(points.detach()))


def compare_diagrams(moving: PersistenceDiagram, reference: PersistenceDiagram) -> list[float]:
    """The five numbers of one step, in the order of `COLUMNS`."""
    w2_h1 = diagram_distance(moving.bars(1), reference.bars(1), order=2, norm=2)
    w1 = [diagram_distance(moving.bars(q), reference.bars(q), order=1, norm=math.inf) for q in (0, 1)]
    lifetimes = moving.bars(1)[:, 1] - moving.bars(1)[:, 0]
    longest = torch.nn.functional.pad(lifetimes.sort(descending=True).values[:3], (0, 3))[:3]
    return [float(w2_h1), float(sum(w1)), *(float(value) for value in longest)]
