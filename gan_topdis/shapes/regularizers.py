"""The topological regularisers that shape matching compares, as modules with one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_topdis.losses import PPMRegularizer
from gan_topdis.persistence import (
    PersistenceDiagram,
    pairwise_distances,
    principal_persistence,
    vietoris_rips,
)
from gan_topdis.persistence.subsamples import draw_key
from gan_topdis.shapes.diagram_distance import diagram_distance
from gan_topdis.shapes.measure_distance import measure_distance

REGULARIZERS = ("none", "ppm", "w-ppm", "pd")
DEFAULT_WEIGHTS: Mapping[str, tuple[float, float]] = {
    "none": (0.0, 0.0),
    "ppm": (1.0, 6000.0),  # as published
    # the paper does not say; the best of a few tried on 96 points (docs/shape_matching.md)
    "w-ppm": (1.0, 3.0),
    "pd": (0.05, 0.05),
}
"""Weights of dimensions 0 and 1 for clouds the size of a unit circle."""


class WassersteinPPMRegularizer(nn.Module):
    """W-PPM-Reg: sum over q = 0, 1 of weights[q] W_2 between the principal persistence measures of order q.

    Args:
        weights: of q = 0 and 1, >= 0; a weight of 0 skips its q.
        subsamples: s, tuples of each cloud and q, drawn afresh and independently at each call.

    Source: Wong, Lee, Yan, ICLR 2025, who compare PPM-Reg with it; the distance is `measure_distance`.
    """

    def __init__(self, weights: Sequence[float], subsamples: int) -> None:
        super().__init__()
        self.weights = tuple(weights)
        self.subsamples = subsamples

    def forward(
        self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], *, generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """The regulariser of two clouds, in the unit of length; `generator` (CPU) decides the tuples."""
        total = 0.0 * x.sum()
        for q, weight in enumerate(self.weights):
            if not weight:
                for _ in range(2):
                    draw_key(generator)  # so that the other q keeps its tuples
                continue
            bars = [principal_persistence(p, q, self.subsamples, generator=generator) for p in (x, y)]
            total = total + weight * measure_distance(*bars).to(x.dtype)
        return total


class DiagramRegularizer(nn.Module):
    """PD-Reg: sum over q = 0, 1 of weights[q] W_2 between the full Vietoris-Rips diagrams, norm Euclidean.

    Args:
        weights: of dimensions 0 and 1, >= 0; a weight of 0 skips its dimension.

    Source: Wong, Lee, Yan, ICLR 2025, who compare PPM-Reg with it; the distance is `diagram_distance`.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.weights = tuple(weights)
        self._latest: tuple[Tensor, int, PersistenceDiagram] | None = None

    def forward(
        self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], *, generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        """The regulariser of two clouds, in the unit of length; nothing is drawn from `generator`.

        The diagram of y is kept for the next call, if y is a constant: the same tensor, not written to.
        """
        first, second = vietoris_rips(pairwise_distances(x)), self._diagram(y)
        total = 0.0 * x.sum()
        for q, weight in enumerate(self.weights):
            if weight:
                distance = diagram_distance(first.bars(q), second.bars(q), order=2, norm=2)
                total = total + weight * distance.to(x.dtype)
        return total

    def _diagram(self, y: Tensor) -> PersistenceDiagram:
        if self._latest is not None and self._latest[0] is y and self._latest[1] == y._version:
            return self._latest[2]
        diagram = vietoris_rips(pairwise_distances(y))
        self._latest = None if y.requires_grad else (y, y._version, diagram)
        return diagram


def build_regularizer(
    name: str, weights: Sequence[float] | None = None, *, width: float = 0.1, subsamples: int = 2000
) -> nn.Module | None:
    """A regulariser of `REGULARIZERS`, (x, y, *, generator) to a scalar; None for `none`.

    Args:
        weights: of dimensions 0 and 1; `DEFAULT_WEIGHTS` when None.
        width: of PPM-Reg's kernel exp(-d^2 / width), convention `reference` of `PPMRegularizer`.
        subsamples: s of PPM-Reg and W-PPM-Reg.

    Raises:
        ValueError: unknown, or a number out of range.
    """
    if name not in REGULARIZERS:
        raise ValueError(f"regularizer should be one of {', '.join(REGULARIZERS)}, got {name!r}")
    weights = DEFAULT_WEIGHTS[name] if weights is None else tuple(weights)
    if len(weights) != 2 or not all(0 <= weight < float("inf") for weight in weights):
        raise ValueError(f"weights should be two finite numbers >= 0, of dimensions 0 and 1, got {weights}")
    if subsamples < 1:
        raise ValueError(f"subsamples should be at least 1, got {subsamples}")
    if name == "none" or not any(weights):
        return None
    if name == "ppm":
        return PPMRegularizer(weights, width, subsamples, "reference")
    if name == "w-ppm":
        return WassersteinPPMRegularizer(weights, subsamples)
    return DiagramRegularizer(weights)
