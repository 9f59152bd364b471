"""Wasserstein distances between persistence diagrams, with gradient."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from gan_topdis.shapes.assignment import least_assignment
from gan_topdis.tensors import as_float64

NORMS = (2.0, math.inf)


def diagram_distance(
    x: Float[Tensor, "k 2"], y: Float[Tensor, "m 2"], *, order: float, norm: float
) -> Float[Tensor, ""]:
    """W_p between two diagrams: the least cost of moving one into the other, the diagonal taking the rest.

        W_p(x, y) = min over partial matchings (sum |x_i - y_j|^p + sum over unmatched delta^p)^(1/p)

    where delta is the distance to the diagonal in the same norm: lifetime / sqrt 2 (Euclidean) or
    lifetime / 2 (maximum).

    Args:
        x, y: (birth, death) of finite bars, any unit of length; k, m >= 0.
        order: p >= 1.
        norm: between points of the half plane: 2 or inf.

    Returns:
        A float64 scalar >= 0, in the unit of length; on the CPU where the device has no float64.

    Raises:
        ValueError: not (k, 2) and (m, 2), not finite, an option out of range, or scipy is missing.

    Gradient: of the cost of the best matching, which is held; 0 where the distance is 0 and at bars that
        coincide with their partner.
    Exactness: rounding in float64. Matching i with j saves delta_i^p + delta_j^p - |x_i - y_j|^p where that
        is positive; a rectangular (k, m) assignment of the savings is therefore the same problem as the
        usual one with k + m rows.
    Source: Cohen-Steiner, Edelsbrunner, Harer, Mileyko, Lipschitz Functions Have L_p-Stable
        Persistence, Foundations of Computational Mathematics 10, 2010.
    """
    if not 1 <= order < math.inf:
        raise ValueError(f"order should be a finite number of at least 1, got {order}")
    if norm not in NORMS:
        raise ValueError(f"norm should be 2 or inf, got {norm}")
    for name, bars in (("x", x), ("y", y)):
        if bars.ndim != 2 or bars.shape[1] != 2:
            raise ValueError(f"{name} should hold bars (k, 2), got {tuple(bars.shape)}")
        if not torch.isfinite(bars).all():
            raise ValueError(f"{name} should hold finite bars; leave essential ones out")
    x, y = as_float64(x), as_float64(y)
    rows, columns = _best_matching(x.detach(), y.detach(), order, norm)
    unmatched_x, unmatched_y = (
        torch.ones(len(bars), dtype=torch.bool, device=bars.device).index_fill(0, matched, False)
        for bars, matched in ((x, rows), (y, columns))
    )
    total = (
        _powers(torch.linalg.vector_norm(x[rows] - y[columns], ord=norm, dim=1), order).sum()
        + _powers(_to_diagonal(x[unmatched_x], norm), order).sum()
        + _powers(_to_diagonal(y[unmatched_y], norm), order).sum()
    )
    return root(total, order)


def root(total: Float[Tensor, ""], order: float) -> Float[Tensor, ""]:
    """total^(1 / order), with a gradient of 0 where it is 0."""
    positive = total > 0
    return torch.where(positive, torch.where(positive, total, 1.0) ** (1 / order), 0.0 * total)


def _best_matching(
    x: Float[Tensor, "k 2"], y: Float[Tensor, "m 2"], order: float, norm: float
) -> tuple[Int64[Tensor, " pairs"], Int64[Tensor, " pairs"]]:
    """Which bar of x goes to which of y; the others go to the diagonal."""
    apart = (x[:, None] - y[None]).abs()  # (k, m, 2)
    lengths = apart.amax(dim=2) if norm == math.inf else torch.hypot(apart[..., 0], apart[..., 1])
    alone = _to_diagonal(x, norm)[:, None] ** order + _to_diagonal(y, norm)[None] ** order  # (k, m)
    savings = (alone - lengths**order).clamp(min=0)
    rows, columns = (
        torch.from_numpy(index).to(x.device) for index in least_assignment(-savings.cpu().numpy())
    )
    useful = savings[rows, columns] > 0
    return rows[useful], columns[useful]


def _to_diagonal(bars: Float[Tensor, "k 2"], norm: float) -> Float[Tensor, " k"]:
    return (bars[:, 1] - bars[:, 0]) / (2 if norm == math.inf else math.sqrt(2))


def _powers(lengths: Float[Tensor, " k"], order: float) -> Float[Tensor, " k"]:
    return lengths if order == 1 else lengths**order
