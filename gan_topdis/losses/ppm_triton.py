"""PPM-Reg on a GPU: bars and MMD^2 of all orders q in one differentiable function, with one scatter.

What `ppm_regularizer` does order by order elsewhere, in fewer launches: on a GPU these are what it costs.
Tested in Triton's interpreter, not yet on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.losses import mmd_triton
from gan_topdis.losses.mmd import signed_weights
from gan_topdis.losses.ppm_tuples import DrawnTuples
from gan_topdis.persistence import principal_persistence_triton
from gan_topdis.tensors import first_derivative_only


def squared_mmds(
    points: Float[Tensor, "points d"], tuples: Sequence[DrawnTuples], width: float
) -> Float[Tensor, " orders"]:
    """MMD^2 of the bars of x and of y for the tuples of each order.

    Args:
        points: of x, then of y.
        tuples: of 2 or 4 points; not checked to be in range.
        width: see `mmd.mmd_squared`.

    Returns:
        float64, NaN where points are not finite. Nothing waits for the device.

    Gradient: that of `mmd.mmd_squared` through the critical edges of `principal_persistence`.
    """
    if points.dtype not in (torch.float32, torch.float64):
        points = points.float()
    value: Tensor = _SquaredMMDs.apply(points, tuples, width)
    return value


class _SquaredMMDs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points: Tensor, tuples: Sequence[DrawnTuples], width: float) -> Tensor:  # type: ignore[no-untyped-def]
        values, edges, derivatives = [], [], []
        for drawn in tuples:
            birth, lifetime, ends = principal_persistence_triton.bars_and_edges(points, drawn.indices)
            weight = signed_weights(drawn.of_x, len(birth) - drawn.of_x, birth.device)
            value, slopes = mmd_triton.value_and_derivatives(birth, lifetime, weight, width)
            values.append(value)
            edges.append(ends)
            derivatives.append(slopes)
        zero = (points.detach() - points.detach()).sum()  # NaN where a point is not finite, drawn or not
        ctx.save_for_backward(points, zero, *edges, *derivatives)
        return torch.stack(values) + zero

    @staticmethod
    @first_derivative_only
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def]
        points, zero, *saved = ctx.saved_tensors
        edges, derivatives = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        slopes = [part * factor for part, factor in zip(derivatives, gradient.unbind(), strict=True)]
        by_birth, by_lifetime = torch.cat(slopes, dim=1)
        collected = principal_persistence_triton.scatter(points, torch.cat(edges), by_birth, by_lifetime)
        return collected + zero, None, None
