"""RTD between two batches as a loss."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_topdis.persistence import pairwise_distances, rtd
from gan_topdis.persistence.rtd import SIDES

QUANTILE = 0.9
"""The quantile of all n * n distances, diagonal included, that becomes 1 (TopDis)."""
COLLAPSED = 1e-6
"""A cloud whose quantile is at most this share of its largest distance has no scale."""


def distance_quantile(distances: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
    """The 0.9 quantile of all n * n entries, linearly interpolated, unit of length.

    Differentiable: the gradient goes to the one or two entries between which the quantile lies. TopDis
    detaches it, which makes its gradient shrink both clouds.
    """
    entries = distances.flatten(-2)  # (..., n * n)
    position = QUANTILE * (entries.shape[-1] - 1)
    below = int(position)
    low = entries.kthvalue(below + 1, dim=-1).values
    high = entries.kthvalue(min(below + 2, entries.shape[-1]), dim=-1).values
    return low + (position - below) * (high - low)


def normalised_distances(
    points: Float[Tensor, "*batch n d"],
) -> tuple[Float[Tensor, "*batch n n"], Float[Tensor, "*batch"]]:
    """Euclidean distances of each cloud divided by its own quantile, and the raw quantiles.

    A collapsed cloud (almost all points coincide) gives distances 0 and quantile 0.
    """
    distances = pairwise_distances(points)
    quantile = distance_quantile(distances.detach())
    largest = distances.detach().flatten(-2).amax(dim=-1)
    collapsed = quantile <= COLLAPSED * largest
    scale = torch.where(collapsed, 0.0, 1.0 / torch.where(collapsed, 1.0, quantile))
    return distances * scale[..., None, None], torch.where(collapsed, 0.0, quantile)


class RTDLoss(nn.Module):
    """Representation Topology Divergence between two clouds in correspondence.

    Args:
        sides: `min`, `max`, `minmax` (see `persistence.rtd`).
        symmetric: average over both directions.
        power: exponent of each bar's length.
        normalize: `quantile` divides each cloud's distances by their own 0.9 quantile, detached, as
            TopDis does; `none` leaves lengths raw.

    Source: Balabin et al., arXiv:2308.12696, L_RTD and its normalisation.
    """

    def __init__(
        self,
        sides: str = "minmax",
        symmetric: bool = True,
        power: float = 1,
        normalize: str = "quantile",
    ) -> None:
        super().__init__()
        if sides not in SIDES:
            raise ValueError(f"sides should be one of {', '.join(SIDES)}, got {sides!r}")
        if normalize not in ("quantile", "none"):
            raise ValueError(f"normalize should be quantile or none, got {normalize!r}")
        if not power > 0:
            raise ValueError(f"power should be greater than 0, got {power}")
        self.sides = sides
        self.symmetric = symmetric
        self.power = power
        self.normalize = normalize

    def forward(self, x: Float[Tensor, "n ..."], y: Float[Tensor, "n ..."]) -> Float[Tensor, ""]:
        """RTD of two batches, flattened to n points each; point i of x belongs to point i of y.

        Returns a scalar >= 0, dimensionless under `quantile`. Clouds of fewer than two points, and
        pairs in which one cloud has collapsed, give 0 with a gradient of 0.
        """
        if x.ndim < 2 or y.ndim < 2 or x.shape[0] != y.shape[0]:
            raise ValueError(
                f"x and y should have shapes (n, ...) with the same n and at least two axes, "
                f"got {tuple(x.shape)} and {tuple(y.shape)}"
            )
        for name, cloud in (("x", x), ("y", y)):
            if not torch.isfinite(cloud).all():
                raise ValueError(f"{name} should be finite, got NaN or infinity")
        points, others = x.flatten(1), y.flatten(1)
        if self.normalize == "none":
            if x.shape[0] == 0:
                return points.sum() + others.sum()
            a, b = pairwise_distances(points), pairwise_distances(others)
            return rtd(a, b, sides=self.sides, symmetric=self.symmetric, power=self.power)
        if x.shape[0] < 2:
            return 0.0 * (points.sum() + others.sum())
        a, quantile_a = normalised_distances(points)
        b, quantile_b = normalised_distances(others)
        if quantile_a == 0 or quantile_b == 0:
            return 0.0 * (a.sum() + b.sum())
        return rtd(a, b, sides=self.sides, symmetric=self.symmetric, power=self.power)
