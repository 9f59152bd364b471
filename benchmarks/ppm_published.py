"""PPM-Reg in plain torch, the way the paper formulates it.

All distances of each cloud, a gather per tuple, bars of positive length picked by a mask, three kernel
matrices of all pairs of bars, and autograd. Written from the paper.

Source: Wong, Lee, Yan, Towards Scalable Topological Regularizers, ICLR 2025, definitions of the principal
persistence measure and of the maximum mean discrepancy.
"""

from __future__ import annotations

import torch
from torch import Tensor


def bars_of_tuples(points: Tensor, tuples: Tensor, *, exact: bool = False) -> tuple[Tensor, Tensor]:
    """Birth and lifetime (k,) of the k tuples (s, 2 q + 2) that carry a bar of degree q.

    `exact` takes distances from differences instead of matrix products: for checks.
    """
    mode = "donot_use_mm_for_euclid_dist" if exact else "use_mm_for_euclid_dist_if_necessary"
    distances = torch.cdist(points, points, compute_mode=mode)  # (n, n)
    if tuples.shape[1] == 2:
        lifetime = distances[tuples[:, 0], tuples[:, 1]]  # (s,)
        # a point drawn twice: length 0, which matrix products do not give
        lifetime = lifetime[tuples[:, 0] != tuples[:, 1]]
        return torch.zeros_like(lifetime), lifetime
    within = distances[tuples[:, :, None], tuples[:, None, :]]  # (s, 2q+2, 2q+2)
    farthest, second = within.topk(2, dim=2).values.unbind(2)  # (s, 2q+2) each
    birth, death = second.max(dim=1).values, farthest.min(dim=1).values  # (s,)
    carries = birth < death
    return birth[carries], (death - birth)[carries]


def squared_discrepancy(
    x: tuple[Tensor, Tensor], y: tuple[Tensor, Tensor], tuples: int, width: float
) -> Tensor:
    """Squared MMD of two principal persistence measures of so many tuples each, kernel
    l1 l2 exp(-d^2 / width)."""

    def kernel(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> Tensor:
        gaps = [one[:, None] - other[None, :] for one, other in zip(first, second, strict=True)]
        weights = first[1][:, None] * second[1][None, :]
        return weights * torch.exp(-(gaps[0] ** 2 + gaps[1] ** 2) / width)

    return (kernel(x, x).sum() - 2 * kernel(x, y).sum() + kernel(y, y).sum()) / tuples**2


def regularizer(
    x: Tensor,
    y: Tensor,
    tuples: list[tuple[Tensor, Tensor]],
    weights: tuple[float, float],
    width: float,
    *,
    exact: bool = False,
) -> Tensor:
    """Sum over q of weights[q] times the squared discrepancy; tuples[q] are those of x and of y.

    This is `convention="reference"` of the library.
    """
    total = x.new_zeros(())
    for weight, (of_x, of_y) in zip(weights, tuples, strict=True):
        if weight:
            bars = bars_of_tuples(x, of_x, exact=exact), bars_of_tuples(y, of_y, exact=exact)
            total = total + weight * squared_discrepancy(*bars, len(of_x), width)
    return total
