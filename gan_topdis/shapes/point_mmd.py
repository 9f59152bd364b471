"""Maximum mean discrepancy of two point clouds under a Gaussian kernel, with its gradient in closed form."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from gan_topdis.tensors import first_derivative_only

_LEAST_EXPONENT = -80.0
"""Kernel values below 2e-35 count as that: far below rounding, and denormal numbers take four times as
long."""


def point_mmd_squared(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], *, width: float) -> Float[Tensor, ""]:
    """Squared maximum mean discrepancy of two clouds, biased (a point is compared with itself too).

        MMD^2 = mean_ij k(x_i, x_j) - 2 mean_ij k(x_i, y_j) + mean_ij k(y_i, y_j)
        k(a, b) = exp(-|a - b|^2 / width)

    Args:
        x, y: finite, any unit of length, of one type.
        width: in the square of that unit, > 0.

    Returns:
        A scalar of the type of x, >= 0 up to rounding, dimensionless.

    Raises:
        ValueError: shapes do not fit, or width is not as above.

    Gradient: of the formula, by matrix products; not twice differentiable.
    Source: Gretton et al., A Kernel Two-Sample Test, JMLR 13, 2012, eq. 5.
    """
    if not 0 < width < math.inf:
        raise ValueError(f"width should be a finite number > 0, got {width}")
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or 0 in (*x.shape, *y.shape):
        raise ValueError(f"x and y should be (n, d) and (m, d), got {tuple(x.shape)} and {tuple(y.shape)}")
    return mean_kernel(x, x, width) - 2 * mean_kernel(x, y, width) + mean_kernel(y, y, width)


def mean_kernel(a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], width: float) -> Float[Tensor, ""]:
    """mean_ij k(a_i, b_j), the part of `point_mmd_squared` of which a constant one need not be repeated."""
    value: Tensor = _MeanKernel.apply(a, b, width)
    return value


class _MeanKernel(torch.autograd.Function):
    """`mean_kernel`."""

    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor, width: float) -> Tensor:  # type: ignore[no-untyped-def]
        squares = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()
        kernel = squares.mul_(-1 / width).clamp_(min=_LEAST_EXPONENT).exp_()  # (n, m)
        ctx.save_for_backward(a, b, kernel)
        ctx.width = width
        ctx.same = a is b
        return kernel.mean()

    @staticmethod
    @first_derivative_only
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # type: ignore[no-untyped-def]
        a, b, kernel = ctx.saved_tensors
        factor = -2 * gradient / (ctx.width * kernel.numel())
        centre = a.mean(dim=0)  # differences are what counts: near 0 they keep their digits
        a, b = a - centre, b - centre
        for_a = for_b = None
        if ctx.same:  # both gradients are of one cloud, and alike
            return 2 * factor * (kernel.sum(dim=1, keepdim=True) * a - kernel @ b), None, None
        if ctx.needs_input_grad[0]:
            for_a = factor * (kernel.sum(dim=1, keepdim=True) * a - kernel @ b)
        if ctx.needs_input_grad[1]:
            for_b = factor * (kernel.sum(dim=0)[:, None] * b - kernel.T @ a)
        return for_a, for_b, None
