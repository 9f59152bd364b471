"""Wasserstein distance between two principal persistence measures, with gradient."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.shapes.assignment import least_assignment
from gan_topdis.shapes.diagram_distance import root
from gan_topdis.tensors import as_float64

Bars = tuple[Float[Tensor, " s"], Float[Tensor, " s"]]
"""(birth, lifetime) of s tuples, lifetime 0 where a tuple has no bar."""


def measure_distance(x: Bars, y: Bars, *, order: float = 2.0) -> Float[Tensor, ""]:
    """W_p between the laws of two equally large samples of bars: (min over pairings of mean cost^p)^(1/p).

    The half plane (birth, lifetime) has its line of lifetime 0 drawn together to one point *:

        cost(z, z') = min(|z - z'|, l + l')   Euclidean;   cost(z, *) = l

    The measures have mass 1, tuples without bar sitting in *, so that no mass is made or lost.

    Args:
        x, y: as `principal_persistence` returns them; s of each.
        order: p >= 1.

    Returns:
        A float64 scalar >= 0, in the unit of length; on the CPU where the device has no float64.

    Raises:
        ValueError: samples differ in size, are empty or not finite, the order is out of range, or scipy is
            missing where it is needed.

    Gradient: of the cost of the best pairing, which is held; 0 where the distance is 0 and at bars that
        coincide with their partner.
    Exactness: rounding in float64. Where all births are alike (dimension 0) both samples are sorted, which
        is optimal on a line; else an assignment of the bars alone and as many * as can meet one.
    Source: Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025 (W-PPM-Reg; no code exists).
    """
    if not 1 <= order < math.inf:
        raise ValueError(f"order should be a finite number of at least 1, got {order}")
    s = len(x[0])
    if not s or any(part.shape != (s,) for part in (*x, *y)):
        shapes = ", ".join(str(tuple(part.shape)) for part in (*x, *y))
        raise ValueError(f"x and y should be births and lifetimes of as many tuples, (s,) each, got {shapes}")
    if not all(torch.isfinite(part).all() for part in (*x, *y)):
        raise ValueError("births and lifetimes should be finite, got NaN or infinity")
    births = torch.cat((x[0], y[0])).detach()
    if (births == births[0]).all():
        gaps = (as_float64(x[1]).sort().values - as_float64(y[1]).sort().values).abs()
        return root(gaps.pow(order).sum() / s, order)
    (first, k), (second, m) = _bars_alone(x), _bars_alone(y)
    first, second = _with_stars(first, min(s - k, m)), _with_stars(second, min(s - m, k))
    costs = _costs(first.detach()[:, None], second.detach()[None])  # (n, n)
    rows, columns = (
        torch.from_numpy(index).to(costs.device) for index in least_assignment(costs.pow(order).cpu().numpy())
    )
    return root(_costs(first[rows], second[columns]).pow(order).sum() / s, order)


def _bars_alone(bars: Bars) -> tuple[Float[Tensor, "k 2"], int]:
    """(birth, lifetime) of the tuples that have a bar, and how many there are."""
    birth, lifetime = bars
    present = lifetime.detach() > 0
    kept = as_float64(torch.stack((birth[present], lifetime[present]), dim=1))
    return kept, len(kept)


def _with_stars(bars: Float[Tensor, "k 2"], stars: int) -> Float[Tensor, "n 2"]:
    return torch.cat((bars, bars.new_zeros(stars, 2)))


def _costs(z: Float[Tensor, "... 2"], w: Float[Tensor, "... 2"]) -> Float[Tensor, "..."]:
    """Distances in the half plane with its edge drawn together; a lifetime of 0 is *, whatever its birth."""
    over_the_edge = z[..., 1] + w[..., 1]
    direct = torch.linalg.vector_norm(z - w, dim=-1)
    return torch.where((z[..., 1] > 0) & (w[..., 1] > 0), torch.minimum(direct, over_the_edge), over_the_edge)
